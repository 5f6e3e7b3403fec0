using System.Buffers.Binary;
using System.Text.Json;
using Miosa.Guest.Linux;
using Miosa.Guest.Processes;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>process.logs</c> and <c>process.follow</c>: what a process has printed, and what it goes on to print.</summary>
internal static unsafe class ProcessOutput
{
    private const int BufferBytes = 64 * 1024;

    /// <summary>The last lines as text, both streams in the order of their lines.</summary>
    public static byte[] Logs(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = JsonSerializer.Deserialize(open, GuestJson.Wire.ProcessLogsCall) ?? throw GuestFailure.BadRequest("OPEN is null");
        var log = ProcessSet.Find(call.Pid).Log;
        long lines = 0;
        long bytes = 0;
        var first = log.Bounds().Start;
        var endsOpen = false;
        Walk(log, (_, content) =>
        {
            bytes += content.Length;
            endsOpen = content[^1] != (byte)'\n';
            if (!endsOpen)
                lines++;
        });
        var skipLines = lines + (endsOpen ? 1 : 0) - call.Tail;
        var skipBytes = bytes - call.MaxBytes;
        var isTruncated = first > 0 || skipLines > 0 || skipBytes > 0;
        Walk(log, (_, content) =>
        {
            var isSkipped = skipLines > 0 || skipBytes > 0;
            skipBytes -= content.Length;
            if (content[^1] == (byte)'\n')
                skipLines--;
            if (!isSkipped)
                stream.Send(FrameChannel.Body, content);
        });
        return JsonSerializer.SerializeToUtf8Bytes(new ProcessLogsReply { Truncated = isTruncated }, GuestJson.Wire.ProcessLogsReply);
    }

    /// <summary>
    /// Sends records from a position on until the process has ended and all is sent. In front of each stand the position behind it (i64) and the
    /// record's own header; channel 3 is a gap of so many bytes (i64), channel 4 the time (i64) of what follows, for those who asked for it.
    /// </summary>
    public static byte[] Follow(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = JsonSerializer.Deserialize(open, GuestJson.Wire.ProcessFollowCall) ?? throw GuestFailure.BadRequest("OPEN is null");
        var process = ProcessSet.Find(call.Pid);
        var wake = Libc.EventFd();
        var buffer = Libc.Map(BufferBytes);
        stream.WakeBy(wake);
        process.Log.Follow(wake);
        try
        {
            var position = process.Log.Align(Math.Max(0, call.From));
            // From the beginning is from what there is; only who has read before has missed something.
            Copy(stream, process.Log, call, call.From == 0 ? process.Log.Bounds().Start : position, wake, buffer);
        }
        finally
        {
            process.Log.Unfollow(wake);
            stream.WakeBy(-1);
            Libc.Unmap(buffer, BufferBytes);
            Libc.Close(wake);
        }
        return Processes.Reply(process);
    }

    private static void Copy(GuestStream stream, ProcessLog log, ProcessFollowCall call, long position, int wake, byte* buffer)
    {
        if (call.From > 0 && call.From < position)
            SendGap(stream, position, position - call.From);
        var until = call.UntilNow ? log.Bounds().End : long.MaxValue;
        Span<PollEntry> polled = [new PollEntry { Fd = wake, Events = PollEntry.In }];
        while (true)
        {
            if (stream.IsCancelled)
                throw new StreamCancelledException();
            var isClosed = log.Bounds().Closed;
            var began = position;
            var read = log.Read(ref position, buffer, BufferBytes);
            if (position > began)
                SendGap(stream, position, position - began);
            for (var records = new ReadOnlySpan<byte>(buffer, read); !records.IsEmpty;)
            {
                var length = ProcessLog.HeaderBytes + ProcessLog.Header(records).Length;
                position += length;
                if (call.Times || ProcessLog.Header(records).Channel != ProcessLog.TimeChannel)
                    SendRecord(stream, position, records[..length]);
                records = records[length..];
            }
            if (position >= until)
                return;
            if (read > 0)
                continue;
            if (isClosed || call.UntilNow)
                return;
            Libc.Poll(polled, -1);
            Libc.ClearSignal(wake);
        }
    }

    private static void SendGap(GuestStream stream, long position, long bytes)
    {
        Span<byte> record = stackalloc byte[ProcessLog.HeaderBytes + sizeof(long)];
        BinaryPrimitives.WriteUInt32LittleEndian(record, (uint)ProcessLog.LostChannel << 24 | sizeof(long));
        BinaryPrimitives.WriteInt64LittleEndian(record[ProcessLog.HeaderBytes..], bytes);
        SendRecord(stream, position, record);
    }

    private static void SendRecord(GuestStream stream, long position, ReadOnlySpan<byte> record)
    {
        Span<byte> message = stackalloc byte[sizeof(long) + ProcessLog.HeaderBytes + LinePieces.MaxBytes];
        BinaryPrimitives.WriteInt64LittleEndian(message, position);
        record.CopyTo(message[sizeof(long)..]);
        stream.Send(FrameChannel.Body, message[..(sizeof(long) + record.Length)]);
    }

    private delegate void Visit(byte channel, ReadOnlySpan<byte> content);

    private static void Walk(ProcessLog log, Visit visit)
    {
        var buffer = Libc.Map(BufferBytes);
        try
        {
            var position = log.Bounds().Start;
            // Not beyond what there is now: a process that prints for ever must not keep this one for ever.
            var end = log.Bounds().End;
            while (position < end)
            {
                var read = log.Read(ref position, buffer, BufferBytes);
                if (read == 0)
                    return;
                for (var records = new ReadOnlySpan<byte>(buffer, read); !records.IsEmpty;)
                {
                    var (channel, length) = ProcessLog.Header(records);
                    var content = records.Slice(ProcessLog.HeaderBytes, length);
                    if (channel is FrameChannel.Stdout or FrameChannel.Stderr && length > 0)
                        visit(channel, content);
                    position += ProcessLog.HeaderBytes + length;
                    records = records[(ProcessLog.HeaderBytes + length)..];
                }
            }
        }
        finally
        {
            Libc.Unmap(buffer, BufferBytes);
        }
    }
}
