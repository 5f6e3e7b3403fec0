using System.Text;
using Miosa.Guest.Commands;
using Miosa.Guest.Linux;

namespace Miosa.Guest.Desktop;

/// <summary>One program of the desktop: started, its output kept as a tail to tell why it died, and ended. Used by the session's thread.</summary>
internal sealed unsafe class DesktopPart(string name)
{
    private const int TailBytes = 512;
    private const int MostStarts = 4;
    private const int StartsWithinMs = 60_000;

    private readonly Queue<long> _starts = new();
    private readonly byte[] _tail = new byte[TailBytes];
    private readonly byte[] _buffer = new byte[TailBytes];
    private int _tailCount;
    private RunningCommand? _command;

    public string Name => name;

    /// <summary>False for a program whose standard output is not its log but the link.</summary>
    public bool LogsOutput { get; init; } = true;

    public bool IsRunning => _command is { HasEnded: false };

    /// <summary>Its wait status as a person reads it; only after its end.</summary>
    public string End { get; private set; } = "";

    public int ExitCode { get; private set; }

    public RunningCommand? Command => _command;

    /// <summary>False when it was started too often lately: once, and three times again within a minute.</summary>
    public bool MayStart()
    {
        var now = Environment.TickCount64;
        while (_starts.TryPeek(out var first) && now - first > StartsWithinMs)
            _starts.Dequeue();
        return _starts.Count < MostStarts;
    }

    public void ForgetStarts() => _starts.Clear();

    /// <summary>False with the reason in <see cref="End"/> when there is no such program or it cannot be started.</summary>
    public bool TryStart(CommandLine line, bool withStdin = false)
    {
        Kill();
        _starts.Enqueue(Environment.TickCount64);
        _tailCount = 0;
        try
        {
            var command = RunningCommand.Start(line, withStdin);
            if (command.Fault == LaunchFault.None && !command.HasEnded)
            {
                _command = command;
                return true;
            }
            End = Encoding.UTF8.GetString(line.Argv[0]) + ": " + (command.Fault == LaunchFault.None ? "ended at once" : Errno.Describe(command.FaultErrno));
            command.Dispose();
        }
        catch (Exception e) when (e is GuestFailure or LinuxException)
        {
            End = e.Message;
        }
        return false;
    }

    /// <summary>Three entries.</summary>
    public void AddTo(Span<PollEntry> polled)
    {
        polled[0] = new PollEntry { Fd = IsRunning ? _command!.Status : -1, Events = PollEntry.In }; // running: there is a command
        polled[1] = new PollEntry { Fd = LogsOutput ? _command?.Stdout ?? -1 : -1, Events = PollEntry.In };
        polled[2] = new PollEntry { Fd = _command?.Stderr ?? -1, Events = PollEntry.In };
    }

    /// <summary>True when it has just ended.</summary>
    public bool Pump(ReadOnlySpan<PollEntry> polled)
    {
        if (_command is not { } command)
            return false;
        if (polled[1].Revents != 0 && !Take(command.Stdout))
            command.CloseStdout();
        if (polled[2].Revents != 0 && !Take(command.Stderr))
            command.CloseStderr();
        if (polled[0].Revents == 0 || command.HasEnded)
            return false;
        command.Hear();
        if (!command.HasEnded)
            return false;
        ExitCode = Verbs.Exec.ExitCodeOf(command.WaitStatus);
        End = (command.WaitStatus & 0x7f) is not 0 and var signal ? $"{name} was ended by signal {signal}" : $"{name} ended with exit code {ExitCode}";
        return true;
    }

    /// <summary>Why it ended, and the last of what it said.</summary>
    public string Reason => _tailCount == 0 ? End : End + ": " + Readable(Encoding.UTF8.GetString(_tail, 0, _tailCount));

    public void Kill()
    {
        _command?.Dispose();
        _command = null;
    }

    /// <summary>One line without what steers a terminal.</summary>
    private static string Readable(string log)
    {
        var text = new StringBuilder(log.Length);
        foreach (var letter in log)
        {
            var shown = char.IsControl(letter) ? ' ' : letter;
            if (shown != ' ' || (text.Length > 0 && text[^1] != ' '))
                text.Append(shown);
        }
        return text.ToString().Trim();
    }

    private bool Take(int pipe)
    {
        nint read;
        fixed (byte* buffer = _buffer)
            read = Libc.Read(pipe, buffer, (nuint)_buffer.Length);
        if (read < 0)
            return Libc.LastErrno == Errno.EAGAIN;
        var taken = _buffer.AsSpan(0, (int)read);
        var excess = Math.Max(0, _tailCount + taken.Length - TailBytes);
        _tail.AsSpan(excess, _tailCount - excess).CopyTo(_tail);
        _tailCount -= excess;
        taken.CopyTo(_tail.AsSpan(_tailCount));
        _tailCount += taken.Length;
        return read > 0;
    }
}
