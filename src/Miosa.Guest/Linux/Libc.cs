using System.Runtime.InteropServices;

namespace Miosa.Guest.Linux;

/// <summary>
/// System calls as the guest uses them. A wrapper that returns a number passes the kernel's on (-1: see <see cref="LastErrno"/>) for callers
/// that branch on it; <see cref="Check(int, string, string)"/> makes an exception of the rest. EINTR is handled here and nowhere else.
/// </summary>
// SAFETY: every pointer given to these calls is to pinned or native memory that outlives the call. NEEDED: the guest has no other libc.
internal static unsafe partial class Libc
{
    public const int ProtRead = 1;
    public const int ProtWrite = 2;
    public const int ProtExec = 4;

    public static int LastErrno => Marshal.GetLastPInvokeError();

    public static int Check(int result, string operation, string subject) =>
        result >= 0 ? result : throw new LinuxException(operation, subject, LastErrno);

    public static long Check(long result, string operation, string subject) =>
        result >= 0 ? result : throw new LinuxException(operation, subject, LastErrno);

    /// <summary>Zeroed pages that go back to the kernel on <see cref="Unmap"/>; memory for bytes in flight is not the collector's business.</summary>
    public static byte* Map(nuint bytes)
    {
        const int privateAnonymous = 0x22;
        var address = MmapRaw(null, bytes, ProtRead | ProtWrite, privateAnonymous, -1, 0);
        return address != (void*)-1 ? (byte*)address : throw new LinuxException("mmap", bytes.ToString(), LastErrno);
    }

    public static void Unmap(byte* address, nuint bytes)
    {
        if (address != null)
            _ = MunmapRaw(address, bytes);
    }

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    public static partial int Mprotect(void* address, nuint bytes, int protection);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial void* MmapRaw(void* address, nuint bytes, int protection, int flags, int fd, long offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int MunmapRaw(void* address, nuint bytes);
}
