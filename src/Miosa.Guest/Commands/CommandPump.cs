using System.Diagnostics;
using Miosa.Guest.Linux;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Commands;

/// <summary>
/// Moves bytes between a command and its stream on one thread that waits only in poll, so that a time limit or a cancel is obeyed at once
/// whatever the command and the host do. Output is read only when it can be sent: without credit, or with a full socket, the command waits.
/// </summary>
internal sealed unsafe class CommandPump : IDisposable
{
    /// <summary>How long output may trail the end of the command: a filter it started ("&gt; &gt;(tee …)") may still be writing.</summary>
    private const int TrailMs = 20;

    private readonly GuestStream _stream;
    private readonly RunningCommand _command;
    private readonly FrameBuffer _buffer = new();
    private readonly int _wake = Libc.EventFd();
    private readonly long _deadline;
    private bool _timedOut;
    private bool _socketFull;
    private long _endedAt = -1;
    private bool _trailOver;
    private int _stdoutLeft;
    private int _stderrLeft;

    private CommandPump(GuestStream stream, RunningCommand command, long deadline) =>
        (_stream, _command, _deadline) = (stream, command, deadline);

    /// <summary>True when the time limit ended the command.</summary>
    public static bool Run(GuestStream stream, RunningCommand command, long timeoutMs, long began)
    {
        var used = (long)Stopwatch.GetElapsedTime(began).TotalMilliseconds;
        using var pump = new CommandPump(stream, command, Environment.TickCount64 - used + timeoutMs);
        stream.WakeBy(pump._wake);
        try
        {
            pump.Run();
        }
        finally
        {
            stream.WakeBy(-1);
        }
        return pump._timedOut;
    }

    public void Dispose()
    {
        Libc.Close(_wake);
        _buffer.Dispose();
    }

    private void Run()
    {
        Span<PollEntry> polled = stackalloc PollEntry[6];
        while (true)
        {
            if (_stream.IsCancelled)
            {
                _command.Kill();
                return;
            }
            if (!_command.HasEnded && Environment.TickCount64 >= _deadline)
            {
                _timedOut = true;
                _command.Kill();
            }
            if (_command.HasEnded && IsDrained())
                return;
            Wait(polled);
            if (polled[0].Revents != 0)
                Libc.ClearSignal(_wake);
            if (polled[5].Revents != 0)
                _socketFull = false;
            // Output first: what the command wrote before it ended is then mostly sent before its end is heard.
            if (polled[1].Revents != 0 && !Forward(FrameChannel.Stdout, _command.Stdout, ref _stdoutLeft))
                _command.CloseStdout();
            if (polled[2].Revents != 0 && !Forward(FrameChannel.Stderr, _command.Stderr, ref _stderrLeft))
                _command.CloseStderr();
            FeedStdin(polled[3].Revents);
            if (polled[4].Revents != 0)
                _command.Hear();
        }
    }

    private void Wait(Span<PollEntry> polled)
    {
        var maySend = !_socketFull && _stream.HasCredit;
        var pending = !_stream.Peek(out var stdinEnded).IsEmpty;
        polled[0] = new PollEntry { Fd = _wake, Events = PollEntry.In };
        polled[1] = new PollEntry { Fd = maySend ? _command.Stdout : -1, Events = PollEntry.In };
        polled[2] = new PollEntry { Fd = maySend ? _command.Stderr : -1, Events = PollEntry.In };
        polled[3] = new PollEntry { Fd = pending || stdinEnded ? _command.Stdin : -1, Events = PollEntry.Out };
        polled[4] = new PollEntry { Fd = _command.HasEnded ? -1 : _command.Status, Events = PollEntry.In };
        polled[5] = new PollEntry { Fd = _socketFull ? _stream.Connection.Socket : -1, Events = PollEntry.Out };
        Libc.Poll(polled, WaitMs());
    }

    private int WaitMs()
    {
        if (!_command.HasEnded)
            return (int)Math.Clamp(_deadline - Environment.TickCount64, 0, int.MaxValue);
        return _trailOver ? -1 : (int)Math.Max(0, _endedAt + TrailMs - Environment.TickCount64);
    }

    /// <summary>
    /// After the end of the command: done when both pipes have ended, or, where a process left behind holds them, when everything has been
    /// sent that was in them a moment after the end.
    /// </summary>
    private bool IsDrained()
    {
        if (_endedAt < 0)
            _endedAt = Environment.TickCount64;
        if (!_trailOver && Environment.TickCount64 >= _endedAt + TrailMs)
        {
            _trailOver = true;
            _stdoutLeft = _command.Stdout < 0 ? 0 : Libc.Readable(_command.Stdout);
            _stderrLeft = _command.Stderr < 0 ? 0 : Libc.Readable(_command.Stderr);
        }
        var stdoutDone = _command.Stdout < 0 || (_trailOver && _stdoutLeft <= 0);
        var stderrDone = _command.Stderr < 0 || (_trailOver && _stderrLeft <= 0);
        return stdoutDone && stderrDone;
    }

    /// <summary>One piece of output; false at the end of the pipe.</summary>
    private bool Forward(byte channel, int pipe, ref int left)
    {
        Span<PollEntry> socket = [new PollEntry { Fd = _stream.Connection.Socket, Events = PollEntry.Out }];
        if (Libc.Poll(socket, 0) == 0)
        {
            _socketFull = true;
            return true;
        }
        var room = _stream.TakeCredit(FrameLimits.MaxPayload);
        if (room == 0)
            return true;
        var read = Libc.Read(pipe, _buffer.Payload, (nuint)room);
        _stream.ReturnCredit(room - Math.Max(0, (int)read));
        if (read <= 0)
            return read < 0 && Libc.LastErrno == Errno.EAGAIN;
        left -= (int)read;
        _stream.Send(channel, _buffer, (int)read);
        return true;
    }

    private void FeedStdin(short revents)
    {
        if (_command.Stdin >= 0 && revents != 0)
        {
            var bytes = _stream.Peek(out var ended);
            if ((revents & PollEntry.Error) != 0)
                _command.CloseStdin();
            else if (!bytes.IsEmpty)
                WriteStdin(bytes);
            else if (ended)
                _command.CloseStdin();
        }
        // Nobody reads it any more: what the host still sends is taken and forgotten, or it would wait for credit for ever.
        if (_command.Stdin < 0)
        {
            var unread = _stream.Peek(out _).Length;
            if (unread > 0)
                _stream.Consume(unread);
        }
    }

    private void WriteStdin(ReadOnlySpan<byte> bytes)
    {
        nint written;
        fixed (byte* first = bytes)
            written = Libc.Write(_command.Stdin, first, (nuint)bytes.Length);
        if (written > 0)
            _stream.Consume((int)written);
        else if (Libc.LastErrno != Errno.EAGAIN)
            _command.CloseStdin();
    }
}
