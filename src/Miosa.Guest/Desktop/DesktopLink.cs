using System.Buffers.Binary;
using Miosa.Guest.Linux;

namespace Miosa.Guest.Desktop;

/// <summary>What a message between PID 1 and the desktop's agent is.</summary>
internal enum LinkKind : byte
{
    /// <summary>PID 1 asks; the JSON is the verb's call.</summary>
    Request = 1,

    /// <summary>The agent answers the one request there is; JSON and bytes as the verb has them.</summary>
    Reply = 2,

    /// <summary>The JSON is a <see cref="GuestError"/>.</summary>
    Error = 3,

    /// <summary>The JSON is a <see cref="GuestDesktopEvent"/>; at any time.</summary>
    Event = 4,
}

/// <summary>What the agent can be asked to do.</summary>
internal enum LinkOrder : byte
{
    None = 0,
    Screenshot = 1,
    Pointer = 2,
    Scroll = 3,
    Type = 4,
    Keys = 5,
    Cursor = 6,
    GetClipboard = 7,
    SetClipboard = 8,
    Windows = 9,
    Window = 10,
    Resize = 11,
    Idle = 12,
    Settle = 13,
    ClipboardSize = 14,
}

/// <summary>The events that only PID 1 hears.</summary>
internal static class LinkEvent
{
    /// <summary>The agent is connected to the screen; width and height.</summary>
    public const string Ready = "agent.ready";

    /// <summary>A window manager has taken over.</summary>
    public const string WindowManager = "agent.window_manager";
}

/// <summary>The sixteen bytes before every message: lengths of JSON and bytes, kind, order and six zero bytes, little endian.</summary>
internal readonly record struct LinkHeader(LinkKind Kind, LinkOrder Order, int JsonBytes, int DataBytes)
{
    public const int Bytes = 16;
    public const int MaxJson = 1 << 20;

    /// <summary>A whole screen of the largest size, uncompressed, and what a PNG that saves nothing adds.</summary>
    public const int MaxData = DesktopLimits.MaxWidth * DesktopLimits.MaxHeight * 4 + (1 << 20);

    public void Write(Span<byte> target)
    {
        BinaryPrimitives.WriteInt32LittleEndian(target, JsonBytes);
        BinaryPrimitives.WriteInt32LittleEndian(target[4..], DataBytes);
        target[8..Bytes].Clear();
        target[8] = (byte)Kind;
        target[9] = (byte)Order;
    }

    public static bool TryRead(ReadOnlySpan<byte> source, out LinkHeader header)
    {
        header = new LinkHeader(
            (LinkKind)source[8], (LinkOrder)source[9], BinaryPrimitives.ReadInt32LittleEndian(source), BinaryPrimitives.ReadInt32LittleEndian(source[4..]));
        return header.JsonBytes is >= 0 and <= MaxJson && header.DataBytes is >= 0 and <= MaxData && header.Kind is >= LinkKind.Request and <= LinkKind.Event;
    }
}

/// <summary>The bytes of the link, over pipes.</summary>
internal static unsafe class LinkPipe
{
    /// <summary>
    /// False at the end of the pipe, or when <paramref name="stop"/>, an event descriptor, is signalled: a program that is gone may have left its end
    /// of the pipe to another. Waits for as long as it takes otherwise.
    /// </summary>
    public static bool TryRead(int pipe, byte* target, int count, int stop = -1)
    {
        Span<PollEntry> polled = [new PollEntry { Fd = pipe, Events = PollEntry.In }, new PollEntry { Fd = stop, Events = PollEntry.In }];
        while (count > 0)
        {
            var read = Libc.Read(pipe, target, (nuint)count);
            if (read == 0 || (read < 0 && Libc.LastErrno != Errno.EAGAIN))
                return false;
            if (read < 0)
            {
                Libc.Poll(polled, -1);
                if (polled[1].Revents != 0)
                    return false;
                continue;
            }
            target += read;
            count -= (int)read;
        }
        return true;
    }

    /// <summary>False when the other side is gone or takes nothing until the time (0: never) is over.</summary>
    public static bool TryWrite(int pipe, ReadOnlySpan<byte> bytes, long untilMs = 0)
    {
        Span<PollEntry> polled = [new PollEntry { Fd = pipe, Events = PollEntry.Out }];
        fixed (byte* first = bytes)
        {
            var done = 0;
            while (done < bytes.Length)
            {
                var written = Libc.Write(pipe, first + done, (nuint)(bytes.Length - done));
                if (written >= 0)
                {
                    done += (int)written;
                    continue;
                }
                if (Libc.LastErrno != Errno.EAGAIN)
                    return false;
                var left = untilMs == 0 ? -1 : (int)Math.Max(0, untilMs - Environment.TickCount64);
                if (left == 0)
                    return false;
                Libc.Poll(polled, left);
            }
        }
        return true;
    }
}
