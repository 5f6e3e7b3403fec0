using Miosa.Runtime.Launch;
using Miosa.Runtime.Linux;
using static Miosa.Runtime.Linux.Mounts;

namespace Miosa.Runtime.Gvisor;

/// <summary>
/// What the process that becomes runsc does between clone and exec. It stays root of the host: runsc makes the machine's user namespace, in
/// which its own sandbox and gofer run as the machine's ids, and leaves.
///  1 cgroup    join the limits, which everything of the machine inherits
///  2 session   leave the launcher's session
///  3 wait      until the launcher has mounted the overlay and moved a veth into this network namespace
///  4 files     stop sharing the descriptor table, say so
///  5 mounts    root, door and the guest's program appear in this mount namespace, which only runsc and the machine's gofer have
///  6 network   loopback; eth0, its address and its route: runsc takes them over for the network stack of its own
///  7 runsc     descriptors 0 to 2, then execveat
/// </summary>
internal static class GvisorPlan
{
    public static IReadOnlyList<Call> For(LaunchOrder order) =>
    [
        // 1 to 4
        .. MachinePlan.Cgroup(order),
        .. MachinePlan.Wait(),

        // 5
        new("root", Sys.MoveMount, Arg.Fd("root"), "", AT_FDCWD, LauncherRoot.GvisorRoot, MOVE_MOUNT_F_EMPTY_PATH),
        new("door", Sys.MoveMount, Arg.Fd("door"), "", AT_FDCWD, LauncherRoot.GvisorDoor, MOVE_MOUNT_F_EMPTY_PATH),
        new("program", Sys.MoveMount, Arg.Fd("program"), "", AT_FDCWD, LauncherRoot.GvisorGuest, MOVE_MOUNT_F_EMPTY_PATH),
        // runsc takes a network namespace that shows rmem_default for the host's own and refuses it; newer kernels show it in all.
        new("proc", Sys.Mount, "/empty", "/proc/sys/net/core", 0, MS_BIND, 0),

        // 6
        .. MachinePlan.Network(order.Veth),

        // 7
        new("runsc", Sys.Prlimit64, 0, MachinePlan.RLIMIT_CORE, new byte[16], 0),
        .. MachinePlan.StandardDescriptors(),
        new("runsc", Sys.CloseRange, 3, uint.MaxValue, MachinePlan.CLOSE_RANGE_CLOEXEC),
        new("runsc", Sys.Execveat, Arg.Fd("runsc"), "", Arg.Fd("argv"), Arg.Fd("envp"), AT_EMPTY_PATH),
    ];
}
