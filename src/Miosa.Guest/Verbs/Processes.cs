using System.Diagnostics;
using System.Text.Json;
using Miosa.Guest.Linux;
using Miosa.Guest.Processes;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>process.*</c>: background processes; what they print is <see cref="ProcessOutput"/>'s.</summary>
internal static class Processes
{
    private const int StdinPatienceMs = 10_000;
    private const int StdinLookMs = 10;

    public static byte[] Start(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = Parse(open, GuestJson.Wire.ProcessStartCall);
        if (call.TimeoutMs is <= 0)
            throw GuestFailure.BadRequest("timeout_ms must be positive");
        var exec = new ExecCall { Argv = call.Argv, Shell = call.Shell, Cwd = call.Cwd, Env = call.Env, User = call.User, TimeoutMs = call.TimeoutMs };
        return Reply(ProcessSet.Start(exec, call.Name, stream.Connection.Leftovers));
    }

    public static byte[] List(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var processes = ProcessSet.All();
        var ports = processes.All(process => process.HasEnded) ? [] : ProcessPorts.Find();
        foreach (var process in processes)
            stream.Send(FrameChannel.Body, [.. Json(WithPort(process.Facts, ports)), (byte)'\n']);
        return JsonSerializer.SerializeToUtf8Bytes(new Done(), GuestJson.Wire.Done);
    }

    public static byte[] Get(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var process = Named(open);
        return Json(WithPort(process.Facts, process.HasEnded ? [] : ProcessPorts.Find()));
    }

    public static byte[] Stop(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var process = Named(open);
        process.Stop(ProcessSet.GraceMs);
        return Reply(process);
    }

    public static byte[] Signal(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = Parse(open, GuestJson.Wire.ProcessSignalCall);
        if (call.Signal is < 1 or > Libc.SignalCount)
            throw GuestFailure.BadRequest("signal must be a number from 1 to 64");
        var process = ProcessSet.Find(call.Pid);
        if (process.HasEnded)
            throw new GuestFailure(GuestErrorCode.Exists, "the process has ended");
        // Nothing of it is left, as after a stop: its children would otherwise be nobody's.
        if (call.Signal == Libc.SigKill)
            process.Stop(graceMs: 0);
        else if (!process.Signal(call.Signal))
            throw new GuestFailure(GuestErrorCode.Exists, "the process has ended");
        return Reply(process);
    }

    public static byte[] Stdin(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = Parse(open, GuestJson.Wire.ProcessStdinCall);
        var process = ProcessSet.Find(call.Pid);
        long taken = 0;
        for (var bytes = stream.WaitForBytes(); !bytes.IsEmpty; bytes = stream.WaitForBytes())
        {
            var since = Stopwatch.GetTimestamp();
            while (!bytes.IsEmpty)
            {
                var written = process.Write(bytes);
                if (written < 0)
                    throw new GuestFailure(GuestErrorCode.Exists, $"the process reads no standard input any more; it took {taken} bytes of this call");
                if (written == 0 && Stopwatch.GetElapsedTime(since).TotalMilliseconds > StdinPatienceMs)
                    throw new GuestFailure(GuestErrorCode.Busy, $"the process does not read its standard input; it took {taken} bytes of this call");
                if (written == 0)
                    Libc.Poll([], StdinLookMs);
                taken += written;
                stream.Consume(written);
                bytes = bytes[written..];
            }
        }
        if (call.Eof)
            process.CloseStdin();
        return Reply(process);
    }

    public static byte[] Reply(BackgroundProcess process) => Json(process.Facts);

    private static byte[] Json(GuestProcess facts) => JsonSerializer.SerializeToUtf8Bytes(facts, GuestJson.Wire.GuestProcess);

    private static GuestProcess WithPort(GuestProcess facts, Dictionary<int, int> ports) =>
        facts.State == GuestProcessState.Running && ports.TryGetValue(facts.Pid % ProcessSet.PidRange, out var port) ? facts with { Port = port } : facts;

    private static BackgroundProcess Named(ReadOnlySpan<byte> open) => ProcessSet.Find(Parse(open, GuestJson.Wire.ProcessCall).Pid);

    private static T Parse<T>(ReadOnlySpan<byte> open, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type) =>
        JsonSerializer.Deserialize(open, type) ?? throw GuestFailure.BadRequest("OPEN is null");
}
