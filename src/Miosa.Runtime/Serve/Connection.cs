using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Miosa.Runtime.Host;
using Miosa.Runtime.Images;
using Miosa.Runtime.Linux;
using Miosa.Runtime.Machines;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Serve;

/// <summary>One client: lines in, lines out, any number of requests at once.</summary>
[SuppressMessage("Reliability", "CA1001", Justification = "the semaphores own no handle, and requests under way outlive the connection")]
internal sealed class Connection(Socket client, MachineSet machines, ImageStore images, string cache, RuntimeHello hello, uint? serverUid)
{
    private const int LineLimit = 262_144;
    private const int RequestsAtOnce = 256;

    private readonly SemaphoreSlim writing = new(1, 1);
    private readonly SemaphoreSlim room = new(RequestsAtOnce, RequestsAtOnce);

    public async Task RunAsync(CancellationToken stopping)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        using (client)
        {
            try
            {
                await ServeAsync(ended.Token);
            }
            catch (Exception e) when (e is SocketException or IOException or OperationCanceledException or ObjectDisposedException)
            {
                // The client went away; what it asked for is finished and its answers have no reader.
            }
            await ended.CancelAsync();
        }
    }

    private async Task ServeAsync(CancellationToken ct)
    {
        var (_, uid, _) = Sockets.PeerCredentials((int)client.Handle);
        if (uid != 0 && uid != serverUid)
        {
            await AnswerAsync(Error(0, RuntimeErrors.Denied, $"uid {uid} may not use the runtime"), ct);
            return;
        }
        var reader = PipeReader.Create(new NetworkStream(client, ownsSocket: false));
        while (true)
        {
            var read = await reader.ReadAsync(ct);
            var buffer = read.Buffer;
            while (buffer.PositionOf((byte)'\n') is { } end)
            {
                var line = buffer.Slice(0, end);
                if (line.Length > LineLimit) break;
                await AcceptAsync(line, ct);
                buffer = buffer.Slice(buffer.GetPosition(1, end));
            }
            if (buffer.Length > LineLimit)
            {
                await AnswerAsync(Error(0, RuntimeErrors.BadRequest, "a line is longer than 262144 bytes"), ct);
                return;
            }
            reader.AdvanceTo(buffer.Start, buffer.End);
            if (read.IsCompleted) return;
        }
    }

    private async Task AcceptAsync(ReadOnlySequence<byte> line, CancellationToken ct)
    {
        RuntimeRequest? request = null;
        var problem = "the line is no request object";
        try
        {
            var json = new Utf8JsonReader(line);
            request = JsonSerializer.Deserialize(ref json, RuntimeWireJson.Default.RuntimeRequest);
        }
        catch (JsonException e)
        {
            problem = e.Path is null or "$" ? problem : $"\"{e.Path}\" has the wrong type";
        }
        if (request is null)
        {
            await AnswerAsync(Error(0, RuntimeErrors.BadRequest, problem), ct);
            return;
        }
        await room.WaitAsync(ct);
        _ = Task.Run(() => HandleAsync(request, ct), CancellationToken.None);
    }

    private async Task HandleAsync(RuntimeRequest request, CancellationToken ct)
    {
        RuntimeAnswer answer;
        try
        {
            answer = await DoAsync(request, ct);
        }
        catch (OperationCanceledException)
        {
            return;
        }
        catch (Refusal e)
        {
            answer = Error(request.Id, e.Code, e.Message);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // The edge of one request: the client is told, the other machines and clients are not touched by it.
            Log.Line($"{request.Op} {request.Machine}: {(e is IOException or CommandFailure or TimeoutException ? e.Message : e)}");
            answer = Error(request.Id, RuntimeErrors.Failed, e.Message);
        }
        finally
        {
            room.Release();
        }
        try
        {
            await AnswerAsync(answer, ct);
        }
        catch (Exception e) when (e is SocketException or IOException or OperationCanceledException or ObjectDisposedException)
        {
            // Nobody reads the answer any more.
        }
    }

    // The client's going away does not cancel what it asked for: a launch that is half done would leave more than one that is whole.
    private async Task<RuntimeAnswer> DoAsync(RuntimeRequest request, CancellationToken ct) => request.Op switch
    {
        RuntimeOps.Hello => Ok(request, hello, RuntimeWireJson.Default.RuntimeHello),
        RuntimeOps.Launch => Ok(request, await machines.LaunchAsync(request, CancellationToken.None), RuntimeWireJson.Default.MachineInfo),
        RuntimeOps.Limit => Ok(request, await machines.LimitAsync(request, CancellationToken.None), RuntimeWireJson.Default.MachineInfo),
        RuntimeOps.Freeze => Ok(request, await machines.SetFrozenAsync(request, true, CancellationToken.None), RuntimeWireJson.Default.MachineInfo),
        RuntimeOps.Thaw => Ok(request, await machines.SetFrozenAsync(request, false, CancellationToken.None), RuntimeWireJson.Default.MachineInfo),
        RuntimeOps.Stop => Ok(request, await machines.StopAsync(request, CancellationToken.None), RuntimeWireJson.Default.MachineInfo),
        RuntimeOps.Start => Ok(request, await machines.StartAgainAsync(request, CancellationToken.None), RuntimeWireJson.Default.MachineInfo),
        RuntimeOps.Destroy => await DestroyAsync(request),
        RuntimeOps.Inspect => Ok(request, await machines.InspectAsync(request, ct), RuntimeWireJson.Default.MachineInfo),
        RuntimeOps.List => Ok(request, new MachineList { Machines = machines.List() }, RuntimeWireJson.Default.MachineList),
        RuntimeOps.Egress => Ok(request, await machines.SetEgressAsync(request, CancellationToken.None), RuntimeWireJson.Default.MachineInfo),
        RuntimeOps.EgressLog => Ok(request, machines.RefusedOf(request), RuntimeWireJson.Default.RefusedList),
        RuntimeOps.Watch => await WatchAsync(request, ct),
        RuntimeOps.Images => Ok(request, new ImageList { Images = ImageOrders.List(images, request) }, RuntimeWireJson.Default.ImageList),
        RuntimeOps.Import => await ImportAsync(request, ct),
        RuntimeOps.Snapshot => Ok(request, await machines.SnapshotAsync(request, CancellationToken.None), RuntimeWireJson.Default.SnapshotInfo),
        RuntimeOps.Snapshots => Ok(request, new SnapshotList { Snapshots = machines.Snapshots() }, RuntimeWireJson.Default.SnapshotList),
        RuntimeOps.DeleteSnapshot => DeleteSnapshot(request),
        RuntimeOps.Fork => Ok(request, await machines.ForkAsync(request, CancellationToken.None), RuntimeWireJson.Default.MachineInfo),
        RuntimeOps.Commit => Ok(request, await machines.CommitAsync(request, CancellationToken.None), RuntimeWireJson.Default.ImageInfo),
        RuntimeOps.Tag => Ok(request, await Task.Run(() => ImageOrders.Tag(images, request), CancellationToken.None), RuntimeWireJson.Default.ImageInfo),
        RuntimeOps.RemoveImage => await RemoveImageAsync(request),
        RuntimeOps.Bootstrap => await LongAsync(request, progress => ImageOrders.Bootstrap(images, cache, request, progress), ct),
        _ => Error(request.Id, RuntimeErrors.BadRequest, $"there is no operation \"{request.Op}\""),
    };

    private RuntimeAnswer DeleteSnapshot(RuntimeRequest request)
    {
        machines.DeleteSnapshot(request);
        return Ok(request, new RuntimeNothing(), RuntimeWireJson.Default.RuntimeNothing);
    }

    private async Task<RuntimeAnswer> DestroyAsync(RuntimeRequest request)
    {
        await machines.DestroyAsync(MachineChecks.Machine(request), CancellationToken.None);
        return Ok(request, new RuntimeNothing(), RuntimeWireJson.Default.RuntimeNothing);
    }

    private async Task<RuntimeAnswer> WatchAsync(RuntimeRequest request, CancellationToken ct)
    {
        // Subscribed before the dead are read: one that dies in between is told twice rather than never.
        var changes = machines.Changes.Open();
        try
        {
            foreach (var info in machines.List().Where(info => info.State == MachineStates.Dead))
                await AnswerAsync(Progress(request, MachineChanges.Of(info), RuntimeWireJson.Default.MachineChange), ct);
            await foreach (var change in changes.Reader.ReadAllAsync(ct))
                await AnswerAsync(Progress(request, change, RuntimeWireJson.Default.MachineChange), ct);
        }
        finally
        {
            machines.Changes.Close(changes);
        }
        throw new OperationCanceledException(ct);
    }

    private Task<RuntimeAnswer> ImportAsync(RuntimeRequest request, CancellationToken ct)
    {
        var name = MachineChecks.Image(request.Name);
        var path = request.Path is { Length: > 0 } given && Path.IsPathRooted(given) ? given : throw new Refusal(RuntimeErrors.BadRequest, "\"path\" must be absolute");
        return LongAsync(request, progress => images.Import(name, path, progress), ct);
    }

    private async Task<RuntimeAnswer> RemoveImageAsync(RuntimeRequest request)
    {
        var name = MachineChecks.Image(request.Name);
        await Task.Run(() => images.Remove(name), CancellationToken.None);
        return Ok(request, new RuntimeNothing(), RuntimeWireJson.Default.RuntimeNothing);
    }

    private async Task<RuntimeAnswer> LongAsync(RuntimeRequest request, Func<Action<RuntimeProgress>, ImageInfo> work, CancellationToken ct)
    {
        var steps = System.Threading.Channels.Channel.CreateUnbounded<RuntimeProgress>();
        var made = Task.Run(() =>
        {
            try
            {
                return work(progress => steps.Writer.TryWrite(progress));
            }
            finally
            {
                steps.Writer.Complete();
            }
        }, CancellationToken.None);
        await foreach (var step in steps.Reader.ReadAllAsync(ct)) await AnswerAsync(Progress(request, step, RuntimeWireJson.Default.RuntimeProgress), ct);
        return Ok(request, await made, RuntimeWireJson.Default.ImageInfo);
    }

    private async Task AnswerAsync(RuntimeAnswer answer, CancellationToken ct)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(answer, RuntimeWireJson.Default.RuntimeAnswer);
        Array.Resize(ref json, json.Length + 1);
        json[^1] = (byte)'\n';
        await writing.WaitAsync(ct);
        try
        {
            for (var sent = 0; sent < json.Length;) sent += await client.SendAsync(json.AsMemory(sent), ct);
        }
        finally
        {
            writing.Release();
        }
    }

    private static RuntimeAnswer Ok<T>(RuntimeRequest request, T value, JsonTypeInfo<T> type) =>
        new() { Id = request.Id, Ok = JsonSerializer.SerializeToElement(value, type) };

    private static RuntimeAnswer Progress<T>(RuntimeRequest request, T value, JsonTypeInfo<T> type) =>
        new() { Id = request.Id, Progress = JsonSerializer.SerializeToElement(value, type) };

    private static RuntimeAnswer Error(long id, string code, string message) =>
        new() { Id = id, Error = new RuntimeError { Code = code, Message = message } };
}
