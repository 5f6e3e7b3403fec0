using System.Globalization;
using Miosa.Runtime.Linux;

namespace Miosa.Runtime.Launch;

/// <summary>A user namespace that maps an id range, to mount layers through: one that belongs to no machine yet.</summary>
internal static class IdHolder
{
    private const int PR_SET_PDEATHSIG = 1;
    private const int P_PIDFD = 3;
    private const int WEXITED = 4;
    private const int WALL = 0x40000000;

    // What the process that holds the namespace open does: nothing, and it does not outlive us.
    private static readonly Call[] Hold = [new("hold", Sys.Prctl, PR_SET_PDEATHSIG, Processes.SIGKILL), new("hold", Sys.Poll, 0, 0, -1)];

    public static Fd Open(uint baseId, Fd report)
    {
        using var program = new NativeProgram(Hold, (_, name) => throw new ArgumentException(name));
        var pid = program.Start(NativeProgram.CLONE_NEWUSER, report, cgroup: null);
        using var pidfd = Processes.OpenPidfd(pid) ?? throw LinuxException.Last("pidfd_open", "id holder");
        try
        {
            Write(pid, baseId);
            return Libc.Open(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/ns/user"), Libc.O_RDONLY);
        }
        finally
        {
            Processes.Kill(pidfd, Processes.SIGKILL);
            Libc.Syscall(Sys.Waitid, P_PIDFD, pidfd.Value, 0, WEXITED | WALL);
        }
    }

    /// <summary>The ids of the namespace of a process that has none yet.</summary>
    public static void Write(int pid, uint baseId)
    {
        var map = string.Create(CultureInfo.InvariantCulture, $"0 {baseId} {IdRanges.Size}\n");
        Libc.WriteFile(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/uid_map"), map);
        Libc.WriteFile(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/gid_map"), map);
    }
}
