using Miosa.Guest.Linux;

namespace Miosa.Guest.Commands;

/// <summary>
/// A supervisor, its command and our ends of their pipes. The supervisor is waited for here and nowhere else, so its pid cannot come to mean
/// another process while we hold it.
/// </summary>
internal sealed unsafe class RunningCommand : IDisposable
{
    private readonly Launch _launch;
    private readonly int _supervisor;
    private bool _supervisorGone;

    private RunningCommand(Launch launch, int supervisor, int status, int stdin, int stdout, int stderr) =>
        (_launch, _supervisor, Status, Stdin, Stdout, Stderr) = (launch, supervisor, status, stdin, stdout, stderr);

    /// <summary>Readable when the supervisor has something to tell or is gone.</summary>
    public int Status { get; }

    /// <summary>-1 when there is none or it is closed; the same for the two below.</summary>
    public int Stdin { get; private set; }

    public int Stdout { get; private set; }
    public int Stderr { get; private set; }
    public int Pid { get; private set; }
    public bool HasEnded { get; private set; }

    /// <summary>The wait status of the command; killed when nobody is left to tell.</summary>
    public int WaitStatus { get; private set; } = Libc.SigKill;

    public LaunchFault Fault { get; private set; }
    public int FaultErrno { get; private set; }

    public static RunningCommand Start(CommandLine line, bool withStdin)
    {
        var ends = new List<int>(8);
        Launch? launch = null;
        try
        {
            var (status, tellStatus) = Pipe(ends);
            var (stdout, childStdout) = Pipe(ends);
            var (stderr, childStderr) = Pipe(ends);
            var (childStdin, stdin) = withStdin ? Pipe(ends) : (DevNull(ends), -1);
            launch = new Launch(line, childStdin, childStdout, childStderr, tellStatus);
            var running = new RunningCommand(launch, launch.Start(), status, stdin, stdout, stderr);
            foreach (var end in (ReadOnlySpan<int>)[tellStatus, childStdout, childStderr, childStdin])
                Libc.Close(end);
            foreach (var end in (ReadOnlySpan<int>)[stdin, stdout, stderr])
            {
                if (end >= 0)
                    Libc.SetNonBlocking(end);
            }
            running.Hear();
            return running;
        }
        catch
        {
            launch?.Dispose();
            ends.ForEach(Libc.Close);
            throw;
        }
    }

    /// <summary>The same in a terminal of its own, which <see cref="Stdout"/> then is in both directions; it is told its size first.</summary>
    public static RunningCommand StartTerminal(CommandLine line, int cols, int rows)
    {
        var ends = new List<int>(4);
        Launch? launch = null;
        try
        {
            var (status, tellStatus) = Pipe(ends);
            var (master, slave) = Libc.OpenTerminal(cols, rows);
            ends.Add(master);
            ends.Add(slave);
            if (line.Account is { } account)
                _ = Libc.ChownFile(slave, account.Uid, account.Gid);
            launch = new Launch(line, slave, slave, slave, tellStatus, isTerminal: true);
            var running = new RunningCommand(launch, launch.Start(), status, stdin: -1, master, stderr: -1);
            Libc.Close(tellStatus);
            // Ours must go, or the terminal would never end.
            Libc.Close(slave);
            Libc.SetNonBlocking(master);
            running.Hear();
            return running;
        }
        catch
        {
            launch?.Dispose();
            ends.ForEach(Libc.Close);
            throw;
        }
    }

    /// <summary>Takes the next message of the supervisor; blocks only when called before <see cref="Status"/> is readable.</summary>
    public void Hear()
    {
        var message = stackalloc int[2];
        var read = Libc.Read(Status, message, LaunchMessage.Bytes);
        if (read == LaunchMessage.Bytes && message[0] == LaunchMessage.Started)
        {
            Pid = message[1];
            return;
        }
        if (read == LaunchMessage.Bytes && message[0] == LaunchMessage.Ended)
            WaitStatus = message[1];
        else if (read == LaunchMessage.Bytes)
            (Fault, FaultErrno) = _launch.Fault();
        else if ((Pid = _launch.Pid) > 0)
            // The supervisor was killed. The kernel has killed its command too; what else is known of the tree goes now.
            ProcessTree.KillSession(Pid);
        SupervisorEnds();
    }

    /// <summary>Ends the command and everything it started.</summary>
    public void Kill()
    {
        if (HasEnded)
            return;
        ProcessTree.Kill(_supervisor);
        SupervisorEnds();
    }

    /// <summary>
    /// Asks the command and everything it started to end. False when something outlived the time: then <see cref="Kill"/> is to follow.
    /// True: <see cref="Status"/> tells how it ended.
    /// </summary>
    public bool Terminate(int signal, int graceMs) => HasEnded || ProcessTree.Terminate(_supervisor, signal, graceMs);

    public void CloseStdin()
    {
        Libc.Close(Stdin);
        Stdin = -1;
    }

    public void CloseStdout()
    {
        Libc.Close(Stdout);
        Stdout = -1;
    }

    public void CloseStderr()
    {
        Libc.Close(Stderr);
        Stderr = -1;
    }

    /// <summary>Gives the output pipes that are still open to somebody who keeps them alive.</summary>
    public void LeaveOutputTo(LeftoverPipes leftovers)
    {
        if (Stdout >= 0)
            leftovers.Adopt(Stdout);
        if (Stderr >= 0)
            leftovers.Adopt(Stderr);
        Stdout = Stderr = -1;
    }

    public void Dispose()
    {
        Kill();
        CloseStdin();
        CloseStdout();
        CloseStderr();
        Libc.Close(Status);
        if (_supervisorGone)
            _launch.Dispose();
    }

    private void SupervisorEnds()
    {
        Libc.WaitFor(_supervisor);
        _supervisorGone = true;
        HasEnded = true;
    }

    private static (int Read, int Write) Pipe(List<int> ends)
    {
        var pipe = Libc.Pipe();
        ends.Add(pipe.Read);
        ends.Add(pipe.Write);
        return pipe;
    }

    private static int DevNull(List<int> ends)
    {
        var fd = Libc.OpenAt(Libc.AtCwd, "/dev/null\0"u8, Libc.ReadOnly);
        if (fd < 0)
        {
            // A root without /dev/null: a pipe whose other end is closed reads as empty too.
            var (read, write) = Libc.Pipe();
            Libc.Close(write);
            fd = read;
        }
        ends.Add(fd);
        return fd;
    }
}
