using Miosa.Guest.Linux;

namespace Miosa.Guest.Commands;

/// <summary>
/// Output pipes whose command has ended while a process it left running still holds them ("server &amp;"). Closing them would kill that process
/// with SIGPIPE at its next line of log, not reading them would stop it; so the main thread reads and forgets until they end.
/// </summary>
internal sealed unsafe class LeftoverPipes(int wakeFd)
{
    public const int Most = 256;

    private readonly Lock _lock = new();
    private readonly Queue<int> _adopted = new();
    private readonly List<int> _pipes = [];

    public void Adopt(int pipe)
    {
        lock (_lock)
            _adopted.Enqueue(pipe);
        Libc.Signal(wakeFd);
    }

    /// <summary>Main thread: the pipes to poll.</summary>
    public int AddTo(Span<PollEntry> polled)
    {
        lock (_lock)
        {
            while (_adopted.TryDequeue(out var pipe))
            {
                if (_pipes.Count == Most)
                {
                    // The oldest goes: a machine that leaves hundreds of talkers behind loses their talk, not its guest.
                    Libc.Close(_pipes[0]);
                    _pipes.RemoveAt(0);
                }
                _pipes.Add(pipe);
            }
        }
        for (var i = 0; i < _pipes.Count; i++)
            polled[i] = new PollEntry { Fd = _pipes[i], Events = PollEntry.In };
        return _pipes.Count;
    }

    /// <summary>Main thread: forgets what has arrived. One piece per pipe and round: a flood must not keep the others waiting.</summary>
    public void Drain(ReadOnlySpan<PollEntry> polled)
    {
        const int piece = 16 * 1024;
        var sink = stackalloc byte[piece];
        foreach (var entry in polled)
        {
            if (entry.Revents == 0)
                continue;
            var read = Libc.Read(entry.Fd, sink, piece);
            if (read == 0 || (read < 0 && Libc.LastErrno != Errno.EAGAIN))
            {
                _pipes.Remove(entry.Fd);
                Libc.Close(entry.Fd);
            }
        }
    }
}
