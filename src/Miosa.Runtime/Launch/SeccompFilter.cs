using System.Buffers.Binary;

namespace Miosa.Runtime.Launch;

/// <summary>
/// The system calls a machine may not make, as classic BPF for x86_64. A deny list: what is not named here is left to
/// capabilities and namespaces, because agents run arbitrary toolchains. ptrace stays: it reaches only the machine's own processes.
/// </summary>
internal static class SeccompFilter
{
    private const uint AuditArchX8664 = 0xC000003E;
    private const uint X32Bit = 0x40000000;
    private const uint Allow = 0x7fff0000;
    private const uint KillProcess = 0x80000000;

    private const int EPERM = 1;
    private const int ENOSYS = 38;
    private const int EPROTONOSUPPORT = 93;
    private const int EAFNOSUPPORT = 97;

    // NEWNS NEWCGROUP NEWUTS NEWIPC NEWUSER NEWPID NEWNET; NEWTIME shares a bit with the exit signal of clone, so only unshare has it.
    private const uint CloneNamespaces = 0x7E020000;
    private const uint UnshareNamespaces = CloneNamespaces | 0x80;

    // seccomp_data: nr at 0, arch at 4, arguments from 16.
    private const uint OffsetNumber = 0;
    private const uint OffsetArch = 4;
    private const uint OffsetArg0 = 16;
    private const uint OffsetArg2 = 32;

    private const ushort Load = 0x20;
    private const ushort JumpEqual = 0x15;
    private const ushort JumpGreaterEqual = 0x35;
    private const ushort JumpSet = 0x45;
    private const ushort Return = 0x06;

    /// <summary>Refused with EPERM.</summary>
    public static IReadOnlyList<(int Number, string Name)> Refused { get; } =
    [
        (134, "uselib"), (136, "ustat"), (139, "sysfs"), (153, "vhangup"), (154, "modify_ldt"), (155, "pivot_root"), (156, "_sysctl"),
        (163, "acct"), (164, "settimeofday"), (165, "mount"), (166, "umount2"), (167, "swapon"), (168, "swapoff"), (169, "reboot"),
        (170, "sethostname"), (171, "setdomainname"), (172, "iopl"), (173, "ioperm"), (174, "create_module"), (175, "init_module"),
        (176, "delete_module"), (177, "get_kernel_syms"), (178, "query_module"), (179, "quotactl"), (180, "nfsservctl"),
        (212, "lookup_dcookie"), (227, "clock_settime"), (246, "kexec_load"), (256, "migrate_pages"), (279, "move_pages"),
        (298, "perf_event_open"), (300, "fanotify_init"), (303, "name_to_handle_at"), (304, "open_by_handle_at"), (308, "setns"),
        (312, "kcmp"), (313, "finit_module"), (320, "kexec_file_load"), (321, "bpf"), (323, "userfaultfd"), (428, "open_tree"),
        (429, "move_mount"), (430, "fsopen"), (431, "fsconfig"), (432, "fsmount"), (433, "fspick"), (442, "mount_setattr"),
        (443, "quotactl_fd"), (467, "open_tree_attr"),
    ];

    /// <summary>Answered with ENOSYS, so that programs fall back to what they did before these calls existed.</summary>
    public static IReadOnlyList<(int Number, string Name)> Absent { get; } =
    [
        (248, "add_key"), (249, "request_key"), (250, "keyctl"), (425, "io_uring_setup"), (426, "io_uring_enter"),
        (427, "io_uring_register"), (435, "clone3"), (447, "memfd_secret"), (457, "statmount"), (458, "listmount"),
    ];

    /// <summary>The program: eight bytes an instruction, as <c>struct sock_filter</c> has them.</summary>
    public static byte[] Build()
    {
        var program = new List<(ushort Code, byte True, byte False, uint Value)>();
        void Add(ushort code, uint value, int ifTrue = 0, int ifFalse = 0) => program.Add((code, (byte)ifTrue, (byte)ifFalse, value));
        void ReturnErrno(int errno) => Add(Return, 0x00050000u | (uint)errno);

        Add(Load, OffsetArch);
        Add(JumpEqual, AuditArchX8664, ifTrue: 1);
        Add(Return, KillProcess);
        Add(Load, OffsetNumber);
        Add(JumpGreaterEqual, X32Bit, ifFalse: 1);
        ReturnErrno(ENOSYS);
        foreach (var (number, _) in Refused)
        {
            Add(JumpEqual, (uint)number, ifFalse: 1);
            ReturnErrno(EPERM);
        }
        foreach (var (number, _) in Absent)
        {
            Add(JumpEqual, (uint)number, ifFalse: 1);
            ReturnErrno(ENOSYS);
        }

        // clone and unshare: threads and forks, but no namespaces.
        foreach (var (number, forbidden) in new[] { (56u, CloneNamespaces), (272u, UnshareNamespaces) })
        {
            Add(JumpEqual, number, ifFalse: 4);
            Add(Load, OffsetArg0);
            Add(JumpSet, forbidden, ifFalse: 1);
            ReturnErrno(EPERM);
            Add(Return, Allow);
        }

        // socket: unix, inet, inet6, and the route family of netlink. vsock would reach the hypervisor.
        Add(JumpEqual, 41, ifFalse: 10);
        Add(Load, OffsetArg0);
        Add(JumpEqual, 1, ifTrue: 7);
        Add(JumpEqual, 2, ifTrue: 6);
        Add(JumpEqual, 10, ifTrue: 5);
        Add(JumpEqual, 16, ifTrue: 1);
        ReturnErrno(EAFNOSUPPORT);
        Add(Load, OffsetArg2);
        Add(JumpEqual, 0, ifTrue: 1);
        ReturnErrno(EPROTONOSUPPORT);
        Add(Return, Allow);
        Add(Return, Allow);

        var bytes = new byte[8 * program.Count];
        for (var i = 0; i < program.Count; i++)
        {
            var at = bytes.AsSpan(8 * i);
            BinaryPrimitives.WriteUInt16LittleEndian(at, program[i].Code);
            at[2] = program[i].True;
            at[3] = program[i].False;
            BinaryPrimitives.WriteUInt32LittleEndian(at[4..], program[i].Value);
        }
        return bytes;
    }
}
