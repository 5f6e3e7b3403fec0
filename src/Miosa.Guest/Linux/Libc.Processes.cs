using System.Runtime.InteropServices;

namespace Miosa.Guest.Linux;

internal static unsafe partial class Libc
{
    public const int SigHangUp = 1;
    public const int SigKill = 9;
    public const int SigPipe = 13;
    public const int SigTerm = 15;
    public const int SigChild = 17;
    public const int SigContinue = 18;
    public const int SigStop = 19;
    public const int SignalCount = 64;

    private const int NoHang = 1;
    private const int WaitAll = 0x40000000;
    private const int RestartNoChildStop = 0x10000000 | 1;
    private const int MallocArenaMax = -8;

    public static int Kill(int pid, int signal) => KillRaw(pid, signal);

    /// <summary>Reaps one ended child whose end raises SIGCHLD, if there is one. Supervisors do not raise it; <see cref="WaitFor"/> is theirs.</summary>
    public static bool ReapOne()
    {
        int status;
        return WaitRaw(-1, &status, NoHang) > 0;
    }

    /// <summary>Waits for a supervisor.</summary>
    public static void WaitFor(int pid)
    {
        int status;
        while (WaitRaw(pid, &status, WaitAll) < 0 && LastErrno == Errno.EINTR)
        {
        }
    }

    /// <summary>Sets what a signal does: 0 default, 1 ignore, else the address of native code.</summary>
    public static void OnSignal(int signal, nint handler)
    {
        // struct sigaction of glibc: handler, 128 bytes of mask, flags, restorer (set by glibc).
        var action = stackalloc byte[152];
        new Span<byte>(action, 152).Clear();
        *(nint*)action = handler;
        *(int*)(action + 136) = RestartNoChildStop;
        Check(SigactionRaw(signal, action, null), "sigaction", signal.ToString());
    }

    /// <summary>One heap for all threads: glibc would reserve 64 MiB of addresses and keep pages for each.</summary>
    public static void UseOneHeap() => _ = MalloptRaw(MallocArenaMax, 1);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    public static partial uint UserId();

    [LibraryImport("libc", EntryPoint = "getpid")]
    public static partial int GetPid();

    [LibraryImport("libc", EntryPoint = "close_range", SetLastError = true)]
    public static partial int CloseRange(uint first, uint last, int flags);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int KillRaw(int pid, int signal);

    [LibraryImport("libc", EntryPoint = "waitpid", SetLastError = true)]
    private static partial int WaitRaw(int pid, int* status, int options);

    [LibraryImport("libc", EntryPoint = "sigaction", SetLastError = true)]
    private static partial int SigactionRaw(int signal, byte* action, byte* old);

    [LibraryImport("libc", EntryPoint = "mallopt")]
    private static partial int MalloptRaw(int parameter, int value);
}
