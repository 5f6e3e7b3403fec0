using Miosa.Guest.Commands;
using Miosa.Guest.Linux;
using Miosa.Guest.Verbs;

namespace Miosa.Guest.Terminals;

/// <summary>Who looks at a terminal: how far it has read, and the eventfd that tells it of more.</summary>
internal sealed class TerminalViewer(int wake)
{
    public int Wake => wake;

    /// <summary>Guarded by the terminal.</summary>
    public long Position { get; set; }
}

/// <summary>
/// A program in a terminal. It belongs to the guest: viewers come and go. The last <see cref="RingBytes"/> of its output are kept for them. With
/// viewers, output is taken from the program only as fast as the quickest of them reads; a slower one skips ahead. Without, it is taken and the
/// oldest forgotten. The pump (TerminalSet) reads; the threads of the viewers write.
/// </summary>
internal sealed unsafe class Terminal
{
    public const int RingBytes = 256 * 1024;

    private const int PieceBytes = 64 * 1024;
    private const int HangUpMs = 2000;

    private readonly object _gate = new();
    private readonly List<TerminalViewer> _viewers = [];
    private readonly RunningCommand _command;
    private byte* _ring = Libc.Map(RingBytes);
    private long _end;
    private GuestTerminal _facts;
    private bool _isClosing;
    private bool _outputOver;

    public Terminal(GuestTerminal facts, RunningCommand command) => (_facts, _command) = (facts, command);

    public GuestTerminal Facts => Volatile.Read(ref _facts);
    public bool HasEnded => Facts.ExitCode is not null;

    /// <summary>A new viewer begins with the oldest that is kept.</summary>
    public void Attach(TerminalViewer viewer)
    {
        lock (_gate)
        {
            viewer.Position = Math.Max(0, _end - RingBytes);
            _viewers.Add(viewer);
        }
        Libc.Signal(viewer.Wake);
    }

    public void Detach(TerminalViewer viewer)
    {
        lock (_gate)
            _viewers.Remove(viewer);
        TerminalSet.Wake();
    }

    /// <summary>The next bytes for a viewer. <paramref name="isOver"/>: nothing will follow them.</summary>
    public int Read(TerminalViewer viewer, byte* buffer, int size, out bool isOver)
    {
        lock (_gate)
        {
            viewer.Position = Math.Max(viewer.Position, _end - RingBytes);
            // Below zero when the terminal was freed meanwhile.
            var count = (int)Math.Clamp(_end - viewer.Position, 0, size);
            for (var taken = 0; taken < count;)
            {
                var at = (int)((viewer.Position + taken) % RingBytes);
                var part = Math.Min(count - taken, RingBytes - at);
                new ReadOnlySpan<byte>(_ring + at, part).CopyTo(new Span<byte>(buffer + taken, part));
                taken += part;
            }
            viewer.Position += count;
            isOver = HasEnded && viewer.Position >= _end;
            if (count > 0)
                TerminalSet.Wake();
            return count;
        }
    }

    /// <summary>How many bytes the terminal took; 0 when its program does not read, -1 when it has ended.</summary>
    public int Write(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            if (_command.Stdout < 0 || HasEnded)
                return -1;
            fixed (byte* first = bytes)
            {
                var written = Libc.Write(_command.Stdout, first, (nuint)bytes.Length);
                return written >= 0 ? (int)written : Libc.LastErrno == Errno.EAGAIN ? 0 : -1;
            }
        }
    }

    public void Resize(int cols, int rows)
    {
        lock (_gate)
        {
            if (_command.Stdout >= 0)
                Libc.ResizeTerminal(_command.Stdout, cols, rows);
            Volatile.Write(ref _facts, _facts with { Cols = cols, Rows = rows });
        }
    }

    /// <summary>Hangs up, as a window that is closed does, and kills what is left of the whole tree two seconds later.</summary>
    public void Close()
    {
        lock (_gate)
        {
            if (_isClosing || HasEnded || _command.HasEnded)
            {
                while (!HasEnded)
                    Monitor.Wait(_gate);
                return;
            }
            _isClosing = true;
        }
        if (!_command.Terminate(Libc.SigHangUp, HangUpMs))
            _command.Kill();
        lock (_gate)
        {
            _isClosing = false;
            TerminalSet.Wake();
            while (!HasEnded)
                Monitor.Wait(_gate);
        }
    }

    public void Free()
    {
        lock (_gate)
        {
            Libc.Unmap(_ring, RingBytes);
            _ring = null;
            _end = 0;
            foreach (var viewer in _viewers)
                Libc.Signal(viewer.Wake);
        }
    }

    /// <summary>Pump: what to poll, two entries.</summary>
    public void AddTo(Span<PollEntry> polled)
    {
        lock (_gate)
        {
            polled[0] = new PollEntry { Fd = _command.HasEnded || _isClosing ? -1 : _command.Status, Events = PollEntry.In };
            // While it is being closed everything is taken: a program stuck in a write could not end.
            polled[1] = new PollEntry { Fd = _outputOver || !(_isClosing || _command.HasEnded || MayTake()) ? -1 : _command.Stdout, Events = PollEntry.In };
        }
    }

    /// <summary>Pump: true when it is over.</summary>
    public bool Pump(ReadOnlySpan<PollEntry> polled)
    {
        lock (_gate)
        {
            if (polled[1].Revents != 0)
                Take();
            if (polled[0].Revents != 0 && !_isClosing && !_command.HasEnded)
                _command.Hear();
            if (!_command.HasEnded || _isClosing)
                return false;
            // The last words are in the terminal when its program has ended. What a process left behind prints later is nobody's.
            for (var pieces = RingBytes / PieceBytes; pieces > 0 && !_outputOver && Take(); pieces--)
            {
            }
            Volatile.Write(ref _facts, _facts with { ExitCode = Exec.ExitCodeOf(_command.WaitStatus) });
            _command.Dispose();
            foreach (var viewer in _viewers)
                Libc.Signal(viewer.Wake);
            Monitor.PulseAll(_gate);
            return true;
        }
    }

    private bool MayTake()
    {
        if (_viewers.Count == 0)
            return true;
        foreach (var viewer in _viewers)
        {
            if (_end - viewer.Position < RingBytes / 2)
                return true;
        }
        return false;
    }

    /// <summary>One piece of output into the ring; false when there is none now.</summary>
    private bool Take()
    {
        var at = (int)(_end % RingBytes);
        var read = Libc.Read(_command.Stdout, _ring + at, (nuint)Math.Min(RingBytes - at, PieceBytes));
        if (read <= 0)
        {
            // EIO: nobody has the other side open any more.
            _outputOver |= read == 0 || Libc.LastErrno != Errno.EAGAIN;
            return false;
        }
        _end += read;
        foreach (var viewer in _viewers)
            Libc.Signal(viewer.Wake);
        return true;
    }
}
