using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Serialization.Metadata;
using Miosa.Guest;

namespace Miosa.Server.Guests;

/// <summary>The background processes of a machine.</summary>
internal static class GuestProcesses
{
    /// <summary>A guest keeps 512 of them; a command line of 2,048 characters, in JSON escapes, with room.</summary>
    private const int MaxListBytes = 512 * 16 * 1024;

    public static Task<GuestProcess> StartProcessAsync(this GuestConnection guest, ProcessStartCall start, CancellationToken ct) =>
        AskAsync(guest, GuestVerb.ProcessStart, start, GuestJson.Wire.ProcessStartCall, ct);

    public static Task<GuestProcess> GetProcessAsync(this GuestConnection guest, int pid, CancellationToken ct) =>
        AskAsync(guest, GuestVerb.ProcessGet, new ProcessCall { Verb = GuestVerb.ProcessGet, Pid = pid }, GuestJson.Wire.ProcessCall, ct);

    /// <summary>SIGTERM to the whole tree, SIGKILL after five seconds; completes when it has ended.</summary>
    public static Task<GuestProcess> StopProcessAsync(this GuestConnection guest, int pid, CancellationToken ct) =>
        AskAsync(guest, GuestVerb.ProcessStop, new ProcessCall { Verb = GuestVerb.ProcessStop, Pid = pid }, GuestJson.Wire.ProcessCall, ct);

    public static Task<GuestProcess> SignalProcessAsync(this GuestConnection guest, int pid, int signal, CancellationToken ct) =>
        AskAsync(guest, GuestVerb.ProcessSignal, new ProcessSignalCall { Pid = pid, Signal = signal }, GuestJson.Wire.ProcessSignalCall, ct);

    public static async Task<GuestProcess> FeedProcessAsync(this GuestConnection guest, int pid, byte[] bytes, bool isLast, CancellationToken ct)
    {
        var call = await guest.OpenAsync(
            GuestVerb.ProcessStdin, new ProcessStdinCall { Pid = pid, Eof = isLast }, GuestJson.Wire.ProcessStdinCall, takesData: false, ct);
        using var content = new MemoryStream(bytes, writable: false);
        await GuestBody.SendAsync(call, content, ct);
        return Checked(call, await call.ReplyAsync(GuestJson.Wire.GuestProcess, ct));
    }

    public static async Task<IReadOnlyList<GuestProcess>> ListProcessesAsync(this GuestConnection guest, CancellationToken ct)
    {
        var call = await guest.OpenAsync(GuestVerb.ProcessList, new ProcessListCall(), GuestJson.Wire.ProcessListCall, takesData: true, ct);
        var text = await TakeAsync(call, MaxListBytes, ct);
        await call.EndAsync(ct);
        var found = new List<GuestProcess>();
        for (var rest = text.WrittenMemory; rest.Span.IndexOf((byte)'\n') is >= 0 and var newline; rest = rest[(newline + 1)..])
            found.Add(Checked(call, call.Parse(rest.Span[..newline], GuestJson.Wire.GuestProcess)));
        return found;
    }

    public static async Task<(string Text, bool Truncated)> TailProcessAsync(this GuestConnection guest, int pid, int lines, int maxBytes, CancellationToken ct)
    {
        var call = await guest.OpenAsync(
            GuestVerb.ProcessLogs, new ProcessLogsCall { Pid = pid, Tail = lines, MaxBytes = maxBytes }, GuestJson.Wire.ProcessLogsCall, takesData: true, ct);
        // A record more than asked for may come at the front.
        var text = await TakeAsync(call, maxBytes + FrameLimits.MaxPayload, ct);
        var reply = await call.ReplyAsync(GuestJson.Wire.ProcessLogsReply, ct);
        return (Encoding.UTF8.GetString(text.WrittenSpan), reply.Truncated);
    }

    public static GuestProcess Checked(GuestCall call, GuestProcess process) =>
        process is { Pid: > 0, Command: not null, State: not null } ? process : throw call.Broken("the guest told of a process with a part missing");

    private static async Task<GuestProcess> AskAsync<T>(GuestConnection guest, string verb, T question, JsonTypeInfo<T> type, CancellationToken ct)
    {
        var call = await guest.OpenAsync(verb, question, type, takesData: false, ct);
        return Checked(call, await call.ReplyAsync(GuestJson.Wire.GuestProcess, ct));
    }

    private static async Task<ArrayBufferWriter<byte>> TakeAsync(GuestCall call, int most, CancellationToken ct)
    {
        var taken = new ArrayBufferWriter<byte>();
        for (var chunk = await call.NextAsync(ct); !chunk.IsEnd; chunk = await call.NextAsync(ct))
        {
            if (taken.WrittenCount + chunk.Bytes.Length > most)
                throw call.Broken("the guest sent more than it was asked for");
            foreach (var part in chunk.Bytes)
                taken.Write(part.Span);
        }
        return taken;
    }
}

/// <summary>A piece of what a process printed and the position behind it.</summary>
internal readonly record struct ProcessPiece(byte Channel, long Position, byte[] Content)
{
    /// <summary>Content is the number of bytes that are missing.</summary>
    public const byte LostChannel = 3;

    /// <summary>Content is the time of what follows.</summary>
    public const byte TimeChannel = 4;

    public long Lost => Number;

    public DateTimeOffset Time => GuestTime.Of(Number);

    private long Number => BinaryPrimitives.ReadInt64LittleEndian(Content);
}

/// <summary>A process being followed. Disposing it ends that without waiting: the machine may be frozen.</summary>
internal sealed class GuestFollow : IDisposable
{
    private const int HeaderBytes = sizeof(long) + sizeof(uint);
    private const int MaxContent = 2600;

    private readonly GuestCall call;
    private readonly byte[] piece = new byte[HeaderBytes + MaxContent];
    private int held;
    private ReadOnlySequence<byte> rest;

    private GuestFollow(GuestCall call) => this.call = call;

    public static Task<GuestFollow> StartAsync(GuestConnection guest, int pid, long from, CancellationToken ct) =>
        StartAsync(guest, new ProcessFollowCall { Pid = pid, From = from }, ct);

    public static async Task<GuestFollow> StartAsync(GuestConnection guest, ProcessFollowCall call, CancellationToken ct) =>
        new(await guest.OpenAsync(GuestVerb.ProcessFollow, call, GuestJson.Wire.ProcessFollowCall, takesData: true, ct));

    /// <summary>How it ended, once <see cref="NextAsync"/> has given null.</summary>
    public GuestProcess? End { get; private set; }

    /// <summary>Null: the process has ended and everything was told. Throws what the guest failed with.</summary>
    public async ValueTask<ProcessPiece?> NextAsync(CancellationToken ct)
    {
        while (true)
        {
            if (TryTake(HeaderBytes) && TryTake(HeaderBytes + Length))
                return Taken();
            var chunk = await call.NextAsync(ct);
            if (chunk.IsEnd)
            {
                End = GuestProcesses.Checked(call, await call.ReplyAsync(GuestJson.Wire.GuestProcess, ct));
                return null;
            }
            if (chunk.Channel == FrameChannel.Body)
                rest = chunk.Bytes;
        }
    }

    public void Dispose() => call.Abandon();

    private int Length => (int)(BinaryPrimitives.ReadUInt32LittleEndian(piece.AsSpan(sizeof(long))) & 0xFFFFFF) is <= MaxContent and var length
        ? length
        : throw call.Broken("the guest sent a piece of output that is too long");

    private bool TryTake(int upTo)
    {
        var taken = rest.Slice(0, Math.Min(rest.Length, Math.Max(0, upTo - held)));
        taken.CopyTo(piece.AsSpan(held));
        held += (int)taken.Length;
        rest = rest.Slice(taken.Length);
        return held >= upTo;
    }

    private ProcessPiece Taken()
    {
        var taken = new ProcessPiece(piece[HeaderBytes - 1], BinaryPrimitives.ReadInt64LittleEndian(piece), piece[HeaderBytes..held]);
        held = 0;
        return taken.Channel is not (ProcessPiece.LostChannel or ProcessPiece.TimeChannel) || taken.Content.Length == sizeof(long)
            ? taken
            : throw call.Broken("the guest sent a gap or a time without its number");
    }
}
