using Miosa.Runtime.Linux;

namespace Miosa.Runtime.Launch;

/// <summary>
/// Lets this thread own what it makes as root of a machine, with the powers of root of the host. An overlay keeps the identity of its
/// mounter for its own files (whiteouts, its work directory), and on a disk with mapped ids the host's root has no id at all.
/// </summary>
internal static unsafe class MachineOwner
{
    private const int Setfsuid = 122;
    private const int Setfsgid = 123;
    private const int Capget = 125;
    private const int Capset = 126;

    public static void Enter(uint id)
    {
        // struct __user_cap_header_struct and two __user_cap_data_struct: effective, permitted, inheritable.
        var header = stackalloc uint[2] { 0x20080522, 0 };
        var data = stackalloc uint[6];
        Libc.Check(Libc.Syscall(Capget, (nint)header, (nint)data), "capget", "self");
        Libc.Syscall(Setfsgid, (nint)id);
        Libc.Syscall(Setfsuid, (nint)id);
        // Leaving 0 dropped the file capabilities from the effective set; they are still permitted.
        (data[0], data[3]) = (data[1], data[4]);
        Libc.Check(Libc.Syscall(Capset, (nint)header, (nint)data), "capset", "self");
    }

    public static void Leave()
    {
        Libc.Syscall(Setfsuid, 0);
        Libc.Syscall(Setfsgid, 0);
    }
}
