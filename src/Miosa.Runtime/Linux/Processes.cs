using System.Globalization;
using System.Runtime.InteropServices;

namespace Miosa.Runtime.Linux;

/// <summary>How a process ended.</summary>
internal readonly record struct ProcessEnd(int? ExitCode, int? Signal)
{
    public string Describe() => this switch
    {
        { ExitCode: { } code } => string.Create(CultureInfo.InvariantCulture, $"guest exited with status {code}"),
        { Signal: { } signal } => string.Create(CultureInfo.InvariantCulture, $"guest killed by signal {signal}"),
        _ => "guest is gone",
    };
}

/// <summary>Processes by pidfd, so that a recycled number is never mistaken for the machine.</summary>
internal static unsafe class Processes
{
    public const int SIGKILL = 9;
    public const int SIGCHLD = 17;

    private const int P_PIDFD = 3;
    private const int WEXITED = 4;
    private const int WNOHANG = 1;
    private const int CLD_EXITED = 1;

    // _IOWR(0xFF, 11, struct pidfd_info): the size is part of the number; 64 bytes is the first version.
    private const nuint PIDFD_GET_INFO = 0xC040FF0B;
    private const ulong PIDFD_INFO_EXIT = 1 << 3;

    public static Fd? OpenPidfd(int pid)
    {
        var fd = Libc.Syscall(Sys.PidfdOpen, pid);
        return fd < 0 ? null : new Fd((int)fd);
    }

    public static void Kill(Fd pidfd, int signal)
    {
        var result = Libc.Syscall(Sys.PidfdSendSignal, pidfd.Value, signal);
        if (result < 0 && Marshal.GetLastPInvokeError() != Errno.ESRCH) throw LinuxException.Last("kill", pidfd.ProcPath);
    }

    /// <summary>Reaps our own child; asks the kernel about somebody else's (a machine that an earlier runtime started).</summary>
    public static ProcessEnd Reap(Fd pidfd)
    {
        var info = stackalloc int[32];
        NativeMemory.Clear(info, 128);
        if (Libc.Syscall(Sys.Waitid, P_PIDFD, pidfd.Value, (nint)info, WEXITED | WNOHANG) == 0 && info[0] == SIGCHLD)
        {
            // siginfo_t of SIGCHLD: signo, errno, code, pad, pid, uid, status.
            var (code, status) = (info[2], info[6]);
            return code == CLD_EXITED ? new ProcessEnd(status, null) : new ProcessEnd(null, status & 0x7f);
        }
        if (ZombieStatus(pidfd) is { } zombie) return FromWait(zombie);
        // The kernel tells a stranger how a process ended only once its parent has reaped it, which is when the pidfd hangs up.
        var hangUp = stackalloc int[2] { pidfd.Value, 0 };
        Libc.Syscall(Sys.Poll, (nint)hangUp, 1, 1000);
        var request = stackalloc ulong[8];
        NativeMemory.Clear(request, 64);
        request[0] = PIDFD_INFO_EXIT;
        if (Libc.Ioctl(pidfd.Value, PIDFD_GET_INFO, request) != 0 || (request[0] & PIDFD_INFO_EXIT) == 0) return default;
        // struct pidfd_info: mask, cgroupid, pid, tgid, ppid, 8 ids, exit_code at byte 60.
        return FromWait(((int*)request)[15]);
    }

    /// <summary>Waits for our own child and reaps it; null when it has not ended in time.</summary>
    public static ProcessEnd? AwaitEnd(Fd pidfd, TimeSpan limit)
    {
        var poll = stackalloc int[2] { pidfd.Value, 1 };
        return Libc.Syscall(Sys.Poll, (nint)poll, 1, (nint)limit.TotalMilliseconds) > 0 ? Reap(pidfd) : null;
    }

    private static ProcessEnd FromWait(int status) =>
        (status & 0x7f) == 0 ? new ProcessEnd((status >> 8) & 0xff, null) : new ProcessEnd(null, status & 0x7f);

    // Field 52 of stat, readable by root while the parent has not reaped it; the pid cannot be another's as long as it is a zombie.
    private static int? ZombieStatus(Fd pidfd)
    {
        try
        {
            var line = File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/self/fdinfo/{pidfd.Value}")).First(text => text.StartsWith("Pid:", StringComparison.Ordinal));
            var stat = File.ReadAllText($"/proc/{line[4..].Trim()}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] is "Z" or "X" ? int.Parse(fields[49], CultureInfo.InvariantCulture) : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Field 22 of /proc/PID/stat: together with the pid it names one process for the life of the host.</summary>
    public static ulong? StartTime(int pid)
    {
        try
        {
            var stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/stat"));
            // The command name is in parentheses and may hold anything, a parenthesis included.
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] is "Z" or "X" ? null : ulong.Parse(fields[19], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return null;
        }
    }
}
