using System.Text.Json;
using Miosa.Guest.Desktop;
using Miosa.Guest.Linux;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>desktop.watch</c>: tells what happens on the desktop until the host cancels.</summary>
internal static class DesktopWatch
{
    private const int LookMs = 500;
    private const int OrderMs = 5000;

    public static byte[]? Run(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = Desktops.Call(open, GuestJson.Wire.DesktopWatchCall);
        if (call.IdleMs is < 0 or > DesktopLimits.MaxIdleMs)
            throw GuestFailure.BadRequest($"idle_ms must be 0 to {DesktopLimits.MaxIdleMs}, not {call.IdleMs}");
        if (DesktopSession.Facts.State == DesktopState.Stopped)
            _ = DesktopSession.Place;
        var wake = Libc.EventFd();
        var watcher = new DesktopWatcher(wake, call.Clipboard);
        stream.WakeBy(wake);
        try
        {
            DesktopWatchers.Add(watcher);
            watcher.Add(Event(DesktopEvent.Watching));
            Tell(stream, watcher, wake, call.IdleMs);
        }
        finally
        {
            DesktopWatchers.Remove(watcher);
            stream.WakeBy(-1);
            Libc.Close(wake);
        }
        return null;
    }

    private static void Tell(GuestStream stream, DesktopWatcher watcher, int wake, int idleMs)
    {
        Span<PollEntry> polled = [new PollEntry { Fd = wake, Events = PollEntry.In }];
        var isIdle = false;
        var nextLook = 0L;
        while (true)
        {
            if (stream.IsCancelled)
                throw new StreamCancelledException();
            while (watcher.Take() is { } told)
                Send(stream, told.Event == DesktopEvent.ClipboardChanged ? told with { SizeBytes = ClipboardSize() } : told);
            var now = Environment.TickCount64;
            if (idleMs > 0 && now >= nextLook)
            {
                var idle = Idle();
                if (idle >= 0 && idle >= idleMs != isIdle)
                {
                    isIdle = !isIdle;
                    Send(stream, Event(isIdle ? DesktopEvent.IdleInactive : DesktopEvent.IdleActive) with { IdleMs = idle });
                }
                // While nothing is due there is no need to ask; that somebody is back is told within half a second.
                nextLook = now + (isIdle || idle < 0 ? LookMs : Math.Max(LookMs, idleMs - idle));
            }
            Libc.Poll(polled, idleMs > 0 ? (int)Math.Clamp(nextLook - Environment.TickCount64, 0, int.MaxValue) : -1);
            Libc.ClearSignal(wake);
        }
    }

    /// <summary>Milliseconds since the last input; -1 while the desktop does not tell.</summary>
    private static long Idle()
    {
        try
        {
            using var answer = DesktopSession.Order(LinkOrder.Idle, new DesktopCall(), GuestJson.Wire.DesktopCall, timeoutMs: OrderMs);
            return Math.Max(0, answer.Read(GuestJson.Wire.GuestDesktopEvent).IdleMs ?? 0);
        }
        catch (GuestFailure)
        {
            return -1;
        }
    }

    /// <summary>Null when it is more than a clipboard may have, and when the program that has it does not hand it out.</summary>
    private static int? ClipboardSize()
    {
        try
        {
            using var answer = DesktopSession.Order(LinkOrder.ClipboardSize, new DesktopCall(), GuestJson.Wire.DesktopCall, timeoutMs: OrderMs);
            return answer.Read(GuestJson.Wire.ClipboardReply).Size;
        }
        catch (GuestFailure)
        {
            return null;
        }
    }

    private static void Send(GuestStream stream, GuestDesktopEvent told) =>
        stream.Send(FrameChannel.Body, [.. JsonSerializer.SerializeToUtf8Bytes(told, GuestJson.Wire.GuestDesktopEvent), (byte)'\n']);

    private static GuestDesktopEvent Event(string what) => new() { Event = what, AtMs = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() };
}
