using System.Buffers;
using System.Text;
using System.Text.Json;
using Miosa.Guest.Commands;
using Miosa.Guest.Files;
using Miosa.Guest.Linux;
using Miosa.Guest.Verbs;

namespace Miosa.Guest.Processes;

/// <summary>
/// A process that outlives the call that started it, and what is remembered of it: a record and a log in a folder of its own that only root can
/// read. The pump (ProcessSet) reads its output and hears of its end; other threads stop it, signal it and write to it.
/// </summary>
internal sealed unsafe class BackgroundProcess
{
    private const string RecordName = "/process.json";
    private const int MaxRecordBytes = 64 * 1024;

    /// <summary>How long output may trail the end of the command: a filter it started ("&gt; &gt;(tee …)") may still be writing.</summary>
    private const int TrailMs = 20;

    /// <summary>A process left behind that prints without end does not keep this one running.</summary>
    private const int MostTrailMs = 200;

    private readonly string _folder;
    private readonly object _gate = new();
    private readonly LinePieces _stdout = new(FrameChannel.Stdout);
    private readonly LinePieces _stderr = new(FrameChannel.Stderr);
    private long _deadline;
    private GuestProcess _facts;
    private RunningCommand? _command;
    private bool _isStopping;
    private bool _wasStopped;
    private bool _timedOut;
    private long _trailUntil = -1;

    private BackgroundProcess(string folder, GuestProcess facts, RunningCommand? command, ProcessLog log, long deadline) =>
        (_folder, _facts, _command, Log, _deadline) = (folder, facts, command, log, deadline);

    public ProcessLog Log { get; }
    public int Number => _facts.Pid;
    public GuestProcess Facts => Volatile.Read(ref _facts);
    public bool HasEnded => Facts.State != GuestProcessState.Running;

    /// <summary>Takes over a command that has been started.</summary>
    public static BackgroundProcess Begin(string folder, GuestProcess facts, RunningCommand command, long timeoutMs)
    {
        MakeFolder(folder);
        var process = new BackgroundProcess(folder, facts, command, ProcessLog.New(folder), timeoutMs == 0 ? long.MaxValue : Environment.TickCount64 + timeoutMs);
        process.Remember();
        return process;
    }

    /// <summary>A command that could not be started: it ended at once, and its log says why.</summary>
    public static BackgroundProcess Failed(string folder, GuestProcess facts, string text)
    {
        MakeFolder(folder);
        var log = ProcessLog.New(folder);
        var record = new ArrayBufferWriter<byte>();
        ProcessLog.Compose(FrameChannel.Stderr, Encoding.UTF8.GetBytes(text).AsSpan(0, Math.Min(Encoding.UTF8.GetByteCount(text), LinePieces.MaxBytes)), record);
        log.Append(record.WrittenSpan);
        log.Close();
        var process = new BackgroundProcess(folder, facts, null, log, long.MaxValue);
        process.Remember();
        return process;
    }

    /// <summary>What a former guest has written down; null when that cannot be read. Whatever ran then has ended with it.</summary>
    public static BackgroundProcess? Recall(string folder)
    {
        try
        {
            var bytes = SmallFile.Read(Z(folder + RecordName), MaxRecordBytes);
            if (bytes.Length == 0 || JsonSerializer.Deserialize(bytes, GuestJson.Wire.GuestProcess) is not { Pid: > 0 } facts)
                return null;
            if (facts.State is not (GuestProcessState.Exited or GuestProcessState.Stopped or GuestProcessState.Failed))
                facts = facts with { State = GuestProcessState.Stopped, ExitCode = Exec.ExitCodeOf(Libc.SigKill), EndedMs = Now };
            return new BackgroundProcess(folder, facts, null, ProcessLog.Old(folder), long.MaxValue);
        }
        catch (Exception e) when (e is JsonException or LinuxException)
        {
            // Changed by a command: not ours any more.
            return null;
        }
    }

    public void Forget()
    {
        try
        {
            Removal.Tree(Libc.AtCwd, Z(_folder), _folder);
        }
        catch (LinuxException)
        {
            // What a command has put there stays its own affair.
        }
    }

    /// <summary>
    /// Ends the whole tree: SIGTERM, and SIGKILL after <paramref name="graceMs"/>. Returns when it has ended and its last output is kept.
    /// Any number of callers, one of which does it.
    /// </summary>
    public void Stop(int graceMs, bool isTimeout = false)
    {
        lock (_gate)
        {
            if (_command is { HasEnded: false } && !_isStopping)
            {
                _isStopping = true;
                _wasStopped = true;
                _timedOut = isTimeout;
            }
            else
            {
                while (!HasEnded)
                    Monitor.Wait(_gate);
                return;
            }
        }
        // Outside the gate: the pump goes on reading what it still prints. While _isStopping the pump does not look at its status.
        if (graceMs == 0 || !_command.Terminate(Libc.SigTerm, graceMs))
            _command.Kill();
        lock (_gate)
        {
            _isStopping = false;
            ProcessSet.Wake();
            while (!HasEnded)
                Monitor.Wait(_gate);
        }
    }

    /// <summary>False when it has ended.</summary>
    public bool Signal(int signal)
    {
        lock (_gate)
        {
            if (_command is not { HasEnded: false })
                return false;
            // The group, as a terminal does it: the shell and what it waits for.
            if (Libc.Kill(-_command.Pid, signal) < 0)
                _ = Libc.Kill(_command.Pid, signal);
            return true;
        }
    }

    /// <summary>How many bytes standard input took at once; -1 when nothing reads it any more.</summary>
    public int Write(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            if (_command is not { HasEnded: false, Stdin: >= 0 } command)
                return -1;
            fixed (byte* first = bytes)
            {
                var written = Libc.Write(command.Stdin, first, (nuint)bytes.Length);
                return written >= 0 ? (int)written : Libc.LastErrno == Errno.EAGAIN ? 0 : -1;
            }
        }
    }

    public void CloseStdin()
    {
        lock (_gate)
        {
            if (_command is { Stdin: >= 0 } command)
                command.CloseStdin();
        }
    }

    /// <summary>Pump: what to poll, three entries.</summary>
    public void AddTo(Span<PollEntry> polled)
    {
        lock (_gate)
        {
            polled[0] = new PollEntry { Fd = _command is { HasEnded: false } && !_isStopping ? _command.Status : -1, Events = PollEntry.In };
            polled[1] = new PollEntry { Fd = _command?.Stdout ?? -1, Events = PollEntry.In };
            polled[2] = new PollEntry { Fd = _command?.Stderr ?? -1, Events = PollEntry.In };
        }
    }

    /// <summary>Pump: when to look even if nothing happens; -1 for never.</summary>
    public long DueMs()
    {
        var due = long.MaxValue;
        foreach (var time in (ReadOnlySpan<long>)[_stdout.DueMs, _stderr.DueMs, _trailUntil, _deadline])
        {
            if (time >= 0)
                due = Math.Min(due, time);
        }
        return due == long.MaxValue ? -1 : due;
    }

    /// <summary>Pump: moves what there is into the log and hears of the end. True when it is over.</summary>
    public bool Pump(ReadOnlySpan<PollEntry> polled, byte* buffer, int size, ArrayBufferWriter<byte> records, LeftoverPipes leftovers)
    {
        var command = _command!; // only processes with a command are pumped
        records.ResetWrittenCount();
        if (polled[1].Revents != 0 && !Take(command.Stdout, _stdout, buffer, size, records))
            command.CloseStdout();
        if (polled[2].Revents != 0 && !Take(command.Stderr, _stderr, buffer, size, records))
            command.CloseStderr();
        if (polled[0].Revents != 0)
        {
            lock (_gate)
            {
                if (!_isStopping && !command.HasEnded)
                    command.Hear();
            }
        }
        var now = Environment.TickCount64;
        var isOver = IsOver(command, now);
        foreach (var pieces in (ReadOnlySpan<LinePieces>)[_stdout, _stderr])
        {
            if (isOver || now >= pieces.DueMs)
                pieces.Flush(records);
        }
        if (records.WrittenCount > 0)
            Log.Append(records.WrittenSpan);
        if (isOver)
            End(command, leftovers);
        else if (now >= _deadline)
            TimeOut(command);
        return isOver;
    }

    private void TimeOut(RunningCommand command)
    {
        _deadline = long.MaxValue;
        // On a thread of its own: the pump has others to look after while this one gets its five seconds.
        if (command.HasEnded || Threads.TryStart(() => Stop(ProcessSet.GraceMs, isTimeout: true), ProcessSet.StackBytes))
            return;
        lock (_gate)
        {
            if (_isStopping)
                return;
            _wasStopped = _timedOut = true;
            command.Kill();
        }
    }

    private bool IsOver(RunningCommand command, long now)
    {
        lock (_gate)
        {
            if (!command.HasEnded || _isStopping)
                return false;
        }
        if (command.Stdout < 0 && command.Stderr < 0)
            return true;
        if (_trailUntil < 0)
            _trailUntil = now + TrailMs;
        return now >= _trailUntil && (now >= _trailUntil + MostTrailMs || (Readable(command.Stdout) == 0 && Readable(command.Stderr) == 0));
    }

    private static int Readable(int pipe) => pipe < 0 ? 0 : Libc.Readable(pipe);

    private static bool Take(int pipe, LinePieces pieces, byte* buffer, int size, ArrayBufferWriter<byte> records)
    {
        var read = Libc.Read(pipe, buffer, (nuint)size);
        if (read > 0)
            pieces.Add(new ReadOnlySpan<byte>(buffer, (int)read), records);
        return read > 0 || (read < 0 && Libc.LastErrno == Errno.EAGAIN);
    }

    private void End(RunningCommand command, LeftoverPipes leftovers)
    {
        command.LeaveOutputTo(leftovers);
        lock (_gate)
        {
            Volatile.Write(ref _facts, _facts with
            {
                State = _wasStopped ? GuestProcessState.Stopped : GuestProcessState.Exited,
                ExitCode = _timedOut ? Exec.TimedOutCode : Exec.ExitCodeOf(command.WaitStatus),
                EndedMs = Now,
            });
            _command = null;
            Remember();
            command.Dispose();
            // Who waits for the end finds everything there.
            Log.Close();
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>On a full disk it is remembered in memory only.</summary>
    private void Remember()
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(_facts, GuestJson.Wire.GuestProcess);
        var temporaryZ = Z(_folder + "/.new");
        _ = Libc.UnlinkAt(Libc.AtCwd, temporaryZ, 0);
        var fd = Libc.OpenAt(Libc.AtCwd, temporaryZ, Libc.WriteOnly | Libc.Create | Libc.Exclusive | Libc.NoFollow, 0b110_000_000);
        if (fd < 0)
            return;
        nint written;
        fixed (byte* first = json)
            written = Libc.Write(fd, first, (nuint)json.Length);
        Libc.Close(fd);
        if (written != json.Length || Libc.RenameAt(Libc.AtCwd, temporaryZ, Libc.AtCwd, Z(_folder + RecordName), 0) < 0)
            _ = Libc.UnlinkAt(Libc.AtCwd, temporaryZ, 0);
    }

    public static long Now => DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();

    private static void MakeFolder(string folder)
    {
        // Of a process with the same number whose record could not be read.
        if (Libc.MkdirAt(Libc.AtCwd, Z(folder), 0b111_000_000) < 0 && Libc.LastErrno == Errno.EEXIST)
        {
            try
            {
                Removal.Tree(Libc.AtCwd, Z(folder), folder);
            }
            catch (LinuxException)
            {
                // Then nothing is kept of this one.
            }
            _ = Libc.MkdirAt(Libc.AtCwd, Z(folder), 0b111_000_000);
        }
    }

    private static byte[] Z(string path) => Encoding.UTF8.GetBytes(path + "\0");
}
