using System.Buffers.Binary;
using System.Net;
using System.Text;
using Miosa.Runtime.Linux;
using Miosa.Runtime.Network;
using static Miosa.Runtime.Linux.Mounts;

namespace Miosa.Runtime.Launch;

/// <summary>
/// What the first process of a machine does between clone and the guest, as data: a pure function of the order.
/// The order of the steps is the boundary:
///  1 cgroup    join the limits while still root of the host (the descriptors were opened by it)
///  2 session   leave the launcher's session and terminal
///  3 wait      until the launcher has written the id maps, mounted the overlay and moved a veth in
///  4 files     stop sharing the descriptor table, say so
///  5 identity  become id 0 of the machine; the cgroup seen from here becomes the root
///  6 root      attach the overlay and pivot into it; nothing is resolved on the host after this line
///  7 proc      mounted while the old root's proc is still there, which is how the kernel allows it
///  8 dev, sys, run, shm
///  9 masks     no new user namespaces, then the dangerous parts of /proc hidden or read-only
/// 10 detach    the old root goes away
/// 11 network   loopback; eth0, its address and its route
/// 12 bounds    core size, capabilities, no_new_privs, seccomp: from the loosest to the one that forbids all the above
/// 13 guest     descriptors 0 to 3, then execveat
/// </summary>
internal static class MachinePlan
{
    /// <summary>CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE SYS_CHROOT.</summary>
    public const ulong KeptCapabilities = 1ul << 0 | 1ul << 1 | 1ul << 3 | 1ul << 4 | 1ul << 5 | 1ul << 6 | 1ul << 7 | 1ul << 8 | 1ul << 10 | 1ul << 18;

    public const int GuestSocket = 3;
    private const int LastCapability = 40;
    private const int WaitForLauncherMs = 30_000;

    private const int PR_CAPBSET_DROP = 24;
    private const int PR_SET_NO_NEW_PRIVS = 38;
    private const int CLONE_FILES = 0x400;
    private const int CLONE_NEWCGROUP = 0x02000000;
    private const int POLLIN = 1;
    private const int RtSigaction = 13;
    private const int SIGPIPE = 13;
    public const int CLOSE_RANGE_CLOEXEC = 4;
    public const int RLIMIT_CORE = 4;

    public static IReadOnlyList<Call> For(LaunchOrder order)
    {
        var calls = new List<Call>(128);

        // 1, 2
        calls.AddRange(Cgroup(order));
        calls.Add(new("cgroup", Sys.Unshare, CLONE_NEWCGROUP));

        // 3, 4
        calls.AddRange(Wait());

        // 5
        calls.Add(new("identity", Sys.Setresgid, 0, 0, 0));
        calls.Add(new("identity", Sys.Setgroups, 0, 0));
        calls.Add(new("identity", Sys.Setresuid, 0, 0, 0));
        calls.Add(new("identity", Sys.Umask, 0x12));

        // 6
        calls.Add(new("root", Sys.MoveMount, Arg.Fd("root"), "", AT_FDCWD, "/mnt", MOVE_MOUNT_F_EMPTY_PATH));
        calls.Add(new("root", Sys.Chdir, "/mnt"));
        calls.Add(new("root", Sys.PivotRoot, ".", "."));

        // 7
        calls.Add(Mount("proc", "proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC));

        // 8
        calls.Add(new("dev", Sys.MoveMount, Arg.Fd("dev"), "", AT_FDCWD, "/dev", MOVE_MOUNT_F_EMPTY_PATH));
        calls.Add(Mount("dev", "devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5"));
        calls.Add(Mount("dev", "shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, $"mode=1777,size={order.ShmMb}m"));
        calls.Add(Mount("run", "run", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=64m"));
        calls.Add(new("sys", Sys.MoveMount, Arg.Fd("empty"), "", AT_FDCWD, "/sys", MOVE_MOUNT_F_EMPTY_PATH));

        // 9
        calls.Add(new("masks", Sys.Openat, AT_FDCWD, "/proc/sys/user/max_user_namespaces", Libc.O_WRONLY | Libc.O_CLOEXEC, 0) { IsSaved = true });
        calls.Add(new("masks", Sys.Write, Arg.Saved, "0", 1) { AtLeast = 1 });
        calls.Add(new("masks", Sys.Close, Arg.Saved));
        foreach (var path in order.MaskedFiles) calls.Add(Mount("masks", "/dev/null", path, null, MS_BIND) with { Tolerated = Errno.ENOENT });
        foreach (var path in order.MaskedDirectories) calls.Add(Mount("masks", "/sys", path, null, MS_BIND) with { Tolerated = Errno.ENOENT });
        foreach (var path in order.ReadOnlyPaths)
        {
            calls.Add(Mount("masks", path, path, null, MS_BIND | MS_REC) with { Tolerated = Errno.ENOENT });
            calls.Add(Mount("masks", "none", path, null, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC) with { Tolerated = Errno.ENOENT });
        }

        // 10
        calls.Add(new("detach", Sys.Umount2, ".", MNT_DETACH));
        calls.Add(new("detach", Sys.Chdir, "/"));
        calls.Add(new("hostname", Sys.Sethostname, order.Hostname, Encoding.UTF8.GetByteCount(order.Hostname)));

        // 11
        calls.AddRange(Network(order.Veth));

        // 12
        calls.Add(new("bounds", Sys.Prlimit64, 0, RLIMIT_CORE, new byte[16], 0));
        for (var capability = 0; capability <= LastCapability; capability++)
            if ((KeptCapabilities >> capability & 1) == 0) calls.Add(new("bounds", Sys.Prctl, PR_CAPBSET_DROP, capability, 0, 0, 0) { Tolerated = Errno.EINVAL });
        calls.Add(new("bounds", Sys.Capset, CapabilityHeader(), CapabilitySets()));
        calls.Add(new("bounds", RtSigaction, SIGPIPE, new byte[32], 0, 8));

        // 13, with the seccomp filter last but one: it allows what remains.
        calls.AddRange(StandardDescriptors());
        calls.Add(new("guest", Sys.Dup2, Arg.Fd("listen"), GuestSocket) { AtLeast = GuestSocket });
        calls.Add(new("guest", Sys.CloseRange, GuestSocket + 1, uint.MaxValue, CLOSE_RANGE_CLOEXEC));
        calls.Add(new("bounds", Sys.Prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
        calls.Add(new("bounds", Sys.Seccomp, 1, 0, Arg.Fd("filter")));
        calls.Add(new("guest", Sys.Execveat, Arg.Fd("guest"), "", Arg.Fd("argv"), Arg.Fd("envp"), AT_EMPTY_PATH));
        return calls;
    }

    /// <summary>Steps 1 and 2.</summary>
    public static IEnumerable<Call> Cgroup(LaunchOrder order) =>
    [
        .. Enumerable.Range(0, order.CgroupTasks).Select(i => new Call("cgroup", Sys.Write, Arg.Fd($"cgroup{i}"), "0", 1) { AtLeast = 1 }),
        new("session", Sys.Setsid),
    ];

    /// <summary>Steps 3 and 4.</summary>
    public static IEnumerable<Call> Wait() =>
    [
        new("wait", Sys.Poll, PollOn("go"), 1, WaitForLauncherMs) { AtLeast = 1 },
        new("wait", Sys.Read, Arg.Fd("go"), new byte[8], 1) { AtLeast = 1 },
        new("files", Sys.Unshare, CLONE_FILES),
        new("files", Sys.Write, Arg.Fd("report"), "u", 1) { AtLeast = 1 },
    ];

    /// <summary>Step 11.</summary>
    public static IEnumerable<Call> Network(VethOrder? veth)
    {
        yield return new("network", Sys.Socket, Sockets.AF_NETLINK, Sockets.SOCK_RAW | Sockets.SOCK_CLOEXEC, 0) { IsSaved = true };
        foreach (var message in NetworkMessages(veth))
        {
            yield return new("network", Sys.SendTo, Arg.Saved, message, message.Length, 0, 0, 0) { AtLeast = message.Length };
            yield return new("network", Sys.RecvFrom, Arg.Saved, new byte[1024], 1024, 0, 0, 0) { AtLeast = 20, IsNetlinkReply = true };
        }
        yield return new("network", Sys.Close, Arg.Saved);
    }

    /// <summary>Nothing to read, nowhere to print, faults into the log.</summary>
    public static IEnumerable<Call> StandardDescriptors() =>
    [
        new("guest", Sys.Dup2, Arg.Fd("null"), 0),
        new("guest", Sys.Dup2, Arg.Fd("null"), 1) { AtLeast = 1 },
        new("guest", Sys.Dup2, Arg.Fd("log"), 2) { AtLeast = 2 },
    ];

    private static Call Mount(string step, string source, string target, string? type, long flags, string? data = null) =>
        new(step, Sys.Mount, source, target, type is null ? 0 : type, flags, data is null ? 0 : data);

    private static IEnumerable<byte[]> NetworkMessages(VethOrder? veth)
    {
        yield return Netlink.LinkUp(Netlink.LoopbackIndex);
        if (veth is null) yield break;
        yield return Netlink.AddAddress(Netlink.MachineIndex, IPAddress.Parse(veth.MachineAddress), veth.PrefixLength);
        yield return Netlink.LinkUp(Netlink.MachineIndex);
        yield return Netlink.AddDefaultRoute(IPAddress.Parse(veth.HostAddress), Netlink.MachineIndex);
    }

    // struct pollfd, whose descriptor the program fills in when the plan is compiled.
    private static Arg PollOn(string name) => Arg.Fd("poll:" + name);

    internal static byte[] PollRecord(int descriptor)
    {
        var record = new byte[8];
        BinaryPrimitives.WriteInt32LittleEndian(record, descriptor);
        BinaryPrimitives.WriteInt16LittleEndian(record.AsSpan(4), POLLIN);
        return record;
    }

    // _LINUX_CAPABILITY_VERSION_3 and pid 0.
    private static byte[] CapabilityHeader()
    {
        var header = new byte[8];
        BinaryPrimitives.WriteUInt32LittleEndian(header, 0x20080522);
        return header;
    }

    private static byte[] CapabilitySets()
    {
        var sets = new byte[24];
        for (var half = 0; half < 2; half++)
        {
            var kept = (uint)(KeptCapabilities >> (32 * half));
            BinaryPrimitives.WriteUInt32LittleEndian(sets.AsSpan(12 * half), kept);
            BinaryPrimitives.WriteUInt32LittleEndian(sets.AsSpan(12 * half + 4), kept);
        }
        return sets;
    }
}
