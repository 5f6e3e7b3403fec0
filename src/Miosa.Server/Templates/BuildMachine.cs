using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Miosa.Guest;
using Miosa.Runtime.Wire;
using Miosa.Server.Egress;
using Miosa.Server.Exec;
using Miosa.Server.Guests;
using Miosa.Server.Lifecycle;
using Miosa.Server.Nodes;
using Miosa.Server.Sandboxes;

namespace Miosa.Server.Templates;

/// <summary>A build cannot go on; the owner of the template is told.</summary>
internal sealed class BuildFailedException(string code, string message) : Exception(message)
{
    public const string StepFailed = "STEP_FAILED";
    public const string ImageUnavailable = "IMAGE_UNAVAILABLE";
    public const string Failed = "BUILD_FAILED";
    public const string TimedOut = "BUILD_TIMED_OUT";
    public const string ServerStopped = "SERVER_STOPPED";
    public const string Cancelled = "CANCELLED";

    public string Code => code;
}

/// <summary>
/// The machine in which a build runs: a sandbox like any other, with the same walls and limits, that belongs to the build. What the steps
/// run never runs anywhere else; disposing destroys it.
/// </summary>
internal sealed class BuildMachine : IAsyncDisposable
{
    // The guest takes a call in one frame of 64 KiB.
    private const int MaxCallBytes = 60_000;
    private const int MaxTable = 1024 * 1024;

    private readonly string id;
    private readonly RuntimeClient runtime;
    private readonly BuildLog log;
    private readonly GuestRoad road;

    private BuildMachine(string id, RuntimeClient runtime, BuildLog log, GuestRoad road) => (this.id, this.runtime, this.log, this.road) = (id, runtime, log, road);

    public static async Task<BuildMachine> LaunchAsync(string id, string image, Shape shape, RuntimeClient runtime, BuildLog log, CancellationToken ct)
    {
        try
        {
            var info = await runtime.LaunchAsync(MachineGrain.LaunchRequest(id, image, shape.Vcpus, shape.MemoryMb, shape.DiskMb, EgressFields.Open), ct);
            var machine = new BuildMachine(id, runtime, log, new GuestRoad(info.Socket));
            await machine.road.ConnectAsync(ct);
            return machine;
        }
        catch
        {
            await DestroyAsync(id, runtime);
            throw;
        }
    }

    /// <summary>Runs a command to its end, its output into the log, and gives the exit code.</summary>
    public async Task<int> RunAsync(ExecCall call, Stream? stdin, CancellationToken ct)
    {
        if (JsonSerializer.SerializeToUtf8Bytes(call, GuestJson.Wire.ExecCall).Length > MaxCallBytes)
            throw new BuildFailedException(BuildFailedException.StepFailed, $"the command is too long with its environment: at most {MaxCallBytes} bytes; put it into a file of the context");
        var (stdout, stderr, lines) = (new OutputLines(), new OutputLines(), new List<OutputLine>());
        var guest = await road.ConnectAsync(ct);
        var reply = await guest.ExecAsync(call, TakeAsync, stdin, ct);
        Finish(stdout, "stdout");
        Finish(stderr, "stderr");
        return reply.ExitCode;

        ValueTask TakeAsync(bool isStderr, ReadOnlySequence<byte> bytes, CancellationToken _)
        {
            lines.Clear();
            foreach (var part in bytes)
                (isStderr ? stderr : stdout).Add(part.Span, lines);
            foreach (var line in lines)
                log.Write(isStderr ? "stderr" : "stdout", line.Line);
            return ValueTask.CompletedTask;
        }

        void Finish(OutputLines rest, string stream)
        {
            lines.Clear();
            rest.Finish(lines);
            foreach (var line in lines)
                log.Write(stream, line.Line);
        }
    }

    public async Task<bool> IsFolderAsync(string path, CancellationToken ct)
    {
        try
        {
            var guest = await road.ConnectAsync(ct);
            var entry = await guest.StatAsync(path, ct);
            // A link to a folder is told as a link; the slash behind it makes the kernel follow.
            return entry.Type == "dir" || (entry.Type == "symlink" && (await guest.StatAsync(path + "/.", ct)).Type == "dir");
        }
        catch (GuestException e) when (e.Code is GuestErrorCode.NotFound or GuestErrorCode.NotDirectory)
        {
            return false;
        }
    }

    /// <summary>The numbers behind <c>user</c> or <c>user:group</c>, by the tables of the machine.</summary>
    public async Task<(int Uid, int Gid)> OwnerAsync(string owner, CancellationToken ct)
    {
        var (user, group) = owner.Split(':', 2) is [var name, var second] ? (name, second) : (owner, null);
        var line = await RowAsync("/etc/passwd", user, ct);
        var uid = Number(user) ?? Number(line?[2]) ?? throw Unknown("user", user);
        if (group is null)
            return (uid, Number(line?[3]) ?? uid);
        return (uid, Number(group) ?? Number((await RowAsync("/etc/group", group, ct))?[2]) ?? throw Unknown("group", group));

        static int? Number(string? text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

        static BuildFailedException Unknown(string what, string name) => new(BuildFailedException.StepFailed, $"the image has no {what} \"{name}\"");
    }

    public Task<ImageInfo> CommitAsync(RuntimeRequest description, CancellationToken ct) => runtime.CommitAsync(description with { Machine = id }, ct);

    public async ValueTask DisposeAsync()
    {
        await road.DisposeAsync();
        await DestroyAsync(id, runtime);
    }

    private async Task<string[]?> RowAsync(string table, string name, CancellationToken ct)
    {
        try
        {
            var guest = await road.ConnectAsync(ct);
            await using var file = await guest.OpenReadAsync(table, 0, MaxTable, ct);
            // The guest is asked for no more, and is not believed to keep to it.
            var text = new byte[MaxTable];
            var length = 0;
            while (length < text.Length && await file.ReadAsync(text.AsMemory(length), ct) is > 0 and var count)
                length += count;
            return Encoding.UTF8.GetString(text, 0, length).Split('\n').Select(row => row.Split(':')).FirstOrDefault(row => row.Length > 3 && (row[0] == name || row[2] == name));
        }
        catch (GuestException e) when (e.Code == GuestErrorCode.NotFound)
        {
            return null;
        }
    }

    private static async Task DestroyAsync(string id, RuntimeClient runtime)
    {
        try
        {
            await runtime.DestroyAsync(id, CancellationToken.None);
        }
        catch (Exception e) when (e is RuntimeDownException or RuntimeRefusedException)
        {
            // Nobody's by now: a sweep destroys it.
        }
    }
}
