using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Threading.Channels;
using Miosa.Runtime.Wire;
using Miosa.Server.Host;

namespace Miosa.Server.Nodes;

/// <summary>The runtime cannot be asked, or went away before it answered: whether the work was done is not known.</summary>
internal sealed class RuntimeDownException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The runtime answered no.</summary>
internal sealed class RuntimeRefusedException(string code, string message) : Exception(message)
{
    public string Code { get; } = code;
}

/// <summary>
/// The one connection to miosa-runtime (docs/runtime-protocol.md): requests are multiplexed on it, and it is made again with
/// growing pauses when it breaks. While it is down every call fails at once.
/// </summary>
internal sealed partial class RuntimeClient(ServerSettings settings, TimeProvider time, ILogger<RuntimeClient> log) : BackgroundService
{
    private const int MaxLine = 16 * 1024 * 1024;

    /// <summary>The runtime hangs up on whoever sends more, and everybody's calls would end with the connection.</summary>
    private const int MaxRequest = 65_536;

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);

    private readonly Channel<MachineChange> changes = Channel.CreateUnbounded<MachineChange>();
    private volatile Link? link;

    /// <summary>What the runtime told of itself; null while it is down.</summary>
    public RuntimeHello? Hello => link?.Hello;

    public bool IsUp => link is not null;

    /// <summary>Changes the runtime reports; after every new connection first one with an empty machine name.</summary>
    public ChannelReader<MachineChange> Changes => changes.Reader;

    public Task<MachineInfo> LaunchAsync(RuntimeRequest request, CancellationToken ct) =>
        AskAsync(request with { Op = RuntimeOps.Launch }, RuntimeWireJson.Default.MachineInfo, ct);

    public Task<MachineInfo> ForkAsync(RuntimeRequest request, CancellationToken ct) =>
        AskAsync(request with { Op = RuntimeOps.Fork }, RuntimeWireJson.Default.MachineInfo, ct);

    /// <summary>The same id of the same machine again answers the one that exists.</summary>
    /// <param name="hasMemory">What runs goes along; its guest must have been suspended.</param>
    public Task<SnapshotInfo> SnapshotAsync(string machine, string snapshot, bool hasMemory, CancellationToken ct) =>
        AskAsync(new RuntimeRequest { Op = RuntimeOps.Snapshot, Machine = machine, Snapshot = snapshot, Memory = hasMemory ? true : null }, RuntimeWireJson.Default.SnapshotInfo, ct);

    public async Task<IReadOnlyList<SnapshotInfo>> SnapshotsAsync(CancellationToken ct) =>
        (await AskAsync(new RuntimeRequest { Op = RuntimeOps.Snapshots }, RuntimeWireJson.Default.SnapshotList, ct)).Snapshots;

    public Task DeleteSnapshotAsync(string snapshot, CancellationToken ct) =>
        AskAsync(new RuntimeRequest { Op = RuntimeOps.DeleteSnapshot, Snapshot = snapshot }, RuntimeWireJson.Default.RuntimeNothing, ct);

    public Task<MachineInfo> LimitAsync(string machine, int vcpus, int memoryMb, int diskMb, CancellationToken ct) =>
        AskAsync(
            new RuntimeRequest { Op = RuntimeOps.Limit, Machine = machine, Vcpus = vcpus, MemoryMb = memoryMb, DiskMb = diskMb },
            RuntimeWireJson.Default.MachineInfo,
            ct);

    /// <summary>The same with a policy: what a pooled machine becomes when it is claimed.</summary>
    public Task<MachineInfo> ClaimAsync(string machine, int vcpus, int memoryMb, int diskMb, EgressRequest egress, CancellationToken ct) =>
        AskAsync(
            new RuntimeRequest { Op = RuntimeOps.Limit, Machine = machine, Vcpus = vcpus, MemoryMb = memoryMb, DiskMb = diskMb, Egress = egress },
            RuntimeWireJson.Default.MachineInfo,
            ct);

    public Task<MachineInfo> SetEgressAsync(string machine, EgressRequest egress, CancellationToken ct) =>
        AskAsync(new RuntimeRequest { Op = RuntimeOps.Egress, Machine = machine, Egress = egress }, RuntimeWireJson.Default.MachineInfo, ct);

    public async Task<IReadOnlyList<RefusedInfo>> RefusedAsync(string machine, CancellationToken ct) =>
        (await AskAsync(new RuntimeRequest { Op = RuntimeOps.EgressLog, Machine = machine }, RuntimeWireJson.Default.RefusedList, ct)).Refused;

    public Task<MachineInfo> FreezeAsync(string machine, CancellationToken ct) =>
        AskAsync(new RuntimeRequest { Op = RuntimeOps.Freeze, Machine = machine }, RuntimeWireJson.Default.MachineInfo, ct);

    public Task<MachineInfo> ThawAsync(string machine, CancellationToken ct) =>
        AskAsync(new RuntimeRequest { Op = RuntimeOps.Thaw, Machine = machine }, RuntimeWireJson.Default.MachineInfo, ct);

    public Task DestroyAsync(string machine, CancellationToken ct) =>
        AskAsync(new RuntimeRequest { Op = RuntimeOps.Destroy, Machine = machine }, RuntimeWireJson.Default.RuntimeNothing, ct);

    /// <summary>Ends what runs in the machine and keeps its disk, and with <paramref name="hasMemory"/> what runs as well.</summary>
    public Task<MachineInfo> StopAsync(string machine, bool hasMemory, CancellationToken ct) =>
        AskAsync(new RuntimeRequest { Op = RuntimeOps.Stop, Machine = machine, Memory = hasMemory ? true : null }, RuntimeWireJson.Default.MachineInfo, ct);

    /// <summary>Starts a dead machine again on the disk it had.</summary>
    public Task<MachineInfo> StartAsync(RuntimeRequest request, CancellationToken ct) =>
        AskAsync(request with { Op = RuntimeOps.Start }, RuntimeWireJson.Default.MachineInfo, ct);

    /// <summary>The machine, or null when the runtime does not know it.</summary>
    public async Task<MachineInfo?> InspectAsync(string machine, CancellationToken ct)
    {
        try
        {
            return await AskAsync(new RuntimeRequest { Op = RuntimeOps.Inspect, Machine = machine }, RuntimeWireJson.Default.MachineInfo, ct);
        }
        catch (RuntimeRefusedException e) when (e.Code == RuntimeErrors.NotFound)
        {
            return null;
        }
    }

    public async Task<IReadOnlyList<MachineInfo>> ListAsync(CancellationToken ct) =>
        (await AskAsync(new RuntimeRequest { Op = RuntimeOps.List }, RuntimeWireJson.Default.MachineList, ct)).Machines;

    /// <summary>Every image there is, but not what it says of itself.</summary>
    public async Task<IReadOnlyList<ImageInfo>> ImagesAsync(CancellationToken ct) =>
        (await AskAsync(new RuntimeRequest { Op = RuntimeOps.Images, Brief = true }, RuntimeWireJson.Default.ImageList, ct)).Images;

    /// <summary>One image, whole; null when there is none of this name.</summary>
    public async Task<ImageInfo?> FindImageAsync(string name, CancellationToken ct)
    {
        try
        {
            return (await AskAsync(new RuntimeRequest { Op = RuntimeOps.Images, Name = name }, RuntimeWireJson.Default.ImageList, ct)).Images is [var image, ..] ? image : null;
        }
        catch (RuntimeRefusedException e) when (e.Code == RuntimeErrors.BadRequest)
        {
            // It cannot be a name at all.
            return null;
        }
    }

    /// <summary>Makes an image of what a machine wrote, upon the one it stands on.</summary>
    public Task<ImageInfo> CommitAsync(RuntimeRequest request, CancellationToken ct) =>
        AskAsync(request with { Op = RuntimeOps.Commit }, RuntimeWireJson.Default.ImageInfo, ct);

    /// <summary>Gives an image another name and description.</summary>
    public Task<ImageInfo> TagAsync(RuntimeRequest request, CancellationToken ct) =>
        AskAsync(request with { Op = RuntimeOps.Tag }, RuntimeWireJson.Default.ImageInfo, ct);

    /// <summary>Makes a Debian system; who gives up waiting leaves the runtime at it.</summary>
    public Task<ImageInfo> BootstrapAsync(RuntimeRequest request, Action<RuntimeProgress> progress, CancellationToken ct) =>
        AskAsync(request with { Op = RuntimeOps.Bootstrap }, RuntimeWireJson.Default.ImageInfo, ct, progress);

    /// <summary>Reads an OCI layout that the runtime can reach.</summary>
    public Task<ImageInfo> ImportAsync(string name, string path, Action<RuntimeProgress> progress, CancellationToken ct) =>
        AskAsync(new RuntimeRequest { Op = RuntimeOps.Import, Name = name, Path = path }, RuntimeWireJson.Default.ImageInfo, ct, progress);

    /// <summary>Repeating it, or an unknown name, is fine.</summary>
    public Task RemoveImageAsync(string name, CancellationToken ct) =>
        AskAsync(new RuntimeRequest { Op = RuntimeOps.RemoveImage, Name = name }, RuntimeWireJson.Default.RuntimeNothing, ct);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var pause = FirstPause;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await using var made = await Link.ConnectAsync(settings.RuntimeSocket, changes.Writer, stoppingToken);
                link = made;
                pause = FirstPause;
                RuntimeUp(log, made.Hello.Version, made.Hello.Cgroup, made.Hello.IdRanges, made.Hello.Notes);
                changes.Writer.TryWrite(new MachineChange { Machine = "", State = MachineStates.Running });
                await made.Ended.WaitAsync(stoppingToken);
                RuntimeLost(log, settings.RuntimeSocket);
            }
            catch (Exception e) when (e is IOException or SocketException or JsonException or RuntimeDownException or RuntimeRefusedException)
            {
                if (pause == FirstPause)
                    RuntimeNotReached(log, settings.RuntimeSocket, e.Message);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            finally
            {
                link = null;
            }
            try
            {
                await Task.Delay(pause, time, stoppingToken);
            }
            catch (OperationCanceledException)
            {
                break;
            }
            pause = pause * 2 > LongestPause ? LongestPause : pause * 2;
        }
    }

    private async Task<T> AskAsync<T>(RuntimeRequest request, JsonTypeInfo<T> type, CancellationToken ct, Action<RuntimeProgress>? progress = null)
        where T : class
    {
        var current = link ?? throw new RuntimeDownException($"miosa-runtime is not reachable at \"{settings.RuntimeSocket}\"");
        // One that knows no policies would start the machine without.
        if (request.Egress is { Mode: not EgressModes.Open } && current.Hello.EgressAllow is null)
            throw new RuntimeRefusedException(RuntimeErrors.Failed, $"miosa-runtime {current.Hello.Version} is too old to limit what a machine reaches; start the present one");
        var answer = await current.AskAsync(request, ct, progress);
        if (answer.Error is { } error)
            throw new RuntimeRefusedException(error.Code, error.Message);
        if (answer.Ok is { } ok && ok.Deserialize(type) is { } value)
            return value;
        throw new RuntimeRefusedException(RuntimeErrors.Failed, $"miosa-runtime sent no result for \"{request.Op}\"");
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "miosa-runtime {Version} is up: cgroup {Cgroup}, id ranges {IdRanges}; {Notes}")]
    private static partial void RuntimeUp(ILogger log, string version, string cgroup, string idRanges, IReadOnlyList<string> notes);

    [LoggerMessage(Level = LogLevel.Warning, Message = "miosa-runtime at {Socket} is gone; machines go on, trying again")]
    private static partial void RuntimeLost(ILogger log, string socket);

    [LoggerMessage(Level = LogLevel.Warning, Message = "miosa-runtime at {Socket} cannot be reached ({Reason}); trying again")]
    private static partial void RuntimeNotReached(ILogger log, string socket, string reason);

    /// <summary>One connection, from connect to its end.</summary>
    private sealed class Link : IAsyncDisposable
    {
        private readonly Socket socket;
        private readonly ChannelWriter<MachineChange> changes;
        private readonly SemaphoreSlim turn = new(1);
        private readonly ConcurrentDictionary<long, Asked> pending = [];
        private long lastId;
        private long watchId;
        private volatile bool isOver;

        private Link(Socket socket, ChannelWriter<MachineChange> changes)
        {
            this.socket = socket;
            this.changes = changes;
            Ended = ReadAsync();
        }

        public RuntimeHello Hello { get; private set; } = null!; // set before ConnectAsync hands the link out

        /// <summary>Completes when the connection is over; never fails.</summary>
        public Task Ended { get; }

        public static async Task<Link> ConnectAsync(string path, ChannelWriter<MachineChange> changes, CancellationToken ct)
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), ct);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
            var link = new Link(socket, changes);
            try
            {
                var hello = await link.AskAsync(new RuntimeRequest { Op = RuntimeOps.Hello }, ct);
                link.Hello = hello.Ok?.Deserialize(RuntimeWireJson.Default.RuntimeHello)
                    ?? throw new RuntimeDownException($"miosa-runtime refused hello: {hello.Error?.Message}");
                if (link.Hello.Generation != 1)
                    throw new RuntimeDownException($"miosa-runtime speaks generation {link.Hello.Generation}, this server speaks 1");
                link.watchId = Interlocked.Increment(ref link.lastId);
                await link.SendAsync(new RuntimeRequest { Id = link.watchId, Op = RuntimeOps.Watch }, ct);
                return link;
            }
            catch
            {
                await link.DisposeAsync();
                throw;
            }
        }

        public async Task<RuntimeAnswer> AskAsync(RuntimeRequest request, CancellationToken ct, Action<RuntimeProgress>? progress = null)
        {
            var id = Interlocked.Increment(ref lastId);
            var answer = new TaskCompletionSource<RuntimeAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
            pending[id] = new Asked(answer, progress);
            try
            {
                if (isOver)
                    throw Gone();
                await SendAsync(request with { Id = id }, ct);
                return await answer.Task.WaitAsync(ct);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                throw Gone(e);
            }
            finally
            {
                pending.TryRemove(id, out _);
            }
        }

        public async ValueTask DisposeAsync()
        {
            socket.Dispose();
            await Ended;
            turn.Dispose();
        }

        private async Task SendAsync(RuntimeRequest request, CancellationToken ct)
        {
            var json = JsonSerializer.SerializeToUtf8Bytes(request, RuntimeWireJson.Default.RuntimeRequest);
            if (json.Length > MaxRequest)
                throw new RuntimeRefusedException(RuntimeErrors.BadRequest, $"{request.Op} has {json.Length} bytes of names and values; at most {MaxRequest} are taken");
            var line = new byte[json.Length + 1];
            json.CopyTo(line, 0);
            line[^1] = (byte)'\n';
            await turn.WaitAsync(ct);
            try
            {
                for (var sent = 0; sent < line.Length;)
                    // Not cancelled: half a line would spoil the connection for everybody.
                    sent += await socket.SendAsync(line.AsMemory(sent), SocketFlags.None, CancellationToken.None);
            }
            finally
            {
                turn.Release();
            }
        }

        private async Task ReadAsync()
        {
            try
            {
                var buffer = new byte[16 * 1024];
                var used = 0;
                while (true)
                {
                    if (used == buffer.Length)
                    {
                        if (used >= MaxLine)
                            break;
                        Array.Resize(ref buffer, used * 2);
                    }
                    var count = await socket.ReceiveAsync(buffer.AsMemory(used), SocketFlags.None);
                    if (count == 0)
                        break;
                    used += count;
                    var start = 0;
                    for (int length; (length = buffer.AsSpan(start, used - start).IndexOf((byte)'\n')) >= 0; start += length + 1)
                        Take(buffer.AsSpan(start, length));
                    buffer.AsSpan(start, used - start).CopyTo(buffer);
                    used -= start;
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException or JsonException)
            {
                // However it ended: the runtime is not to be talked to on this connection any more.
            }
            finally
            {
                isOver = true;
                socket.Dispose();
                foreach (var (_, asked) in pending)
                    asked.Answer.TrySetException(Gone());
            }
        }

        private void Take(ReadOnlySpan<byte> line)
        {
            if (JsonSerializer.Deserialize(line, RuntimeWireJson.Default.RuntimeAnswer) is not { } answer)
                return;
            var asked = pending.GetValueOrDefault(answer.Id);
            if (answer.Progress is { } progress)
            {
                if (answer.Id == watchId)
                {
                    if (progress.Deserialize(RuntimeWireJson.Default.MachineChange) is { } change)
                        changes.TryWrite(change);
                }
                else if (asked?.Progress is { } tell && progress.Deserialize(RuntimeWireJson.Default.RuntimeProgress) is { } step)
                {
                    tell(step);
                }
            }
            else
            {
                asked?.Answer.TrySetResult(answer);
            }
        }

        private sealed record Asked(TaskCompletionSource<RuntimeAnswer> Answer, Action<RuntimeProgress>? Progress);

        private static RuntimeDownException Gone(Exception? inner = null) => new("miosa-runtime went away before it answered", inner);
    }
}
