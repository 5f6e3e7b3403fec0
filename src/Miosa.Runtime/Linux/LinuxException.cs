using System.Globalization;
using System.Runtime.InteropServices;

namespace Miosa.Runtime.Linux;

/// <summary>A system call refused: which operation, on what, and why.</summary>
internal sealed class LinuxException(string operation, string subject, int errno)
    : IOException(string.Create(CultureInfo.InvariantCulture, $"{operation} \"{subject}\": {Describe(errno)} (errno {errno})"))
{
    public string Operation { get; } = operation;

    public int Errno { get; } = errno;

    public static LinuxException Last(string operation, string subject) => new(operation, subject, Marshal.GetLastPInvokeError());

    public static string Describe(int errno) => Marshal.GetPInvokeErrorMessage(errno);
}

/// <summary>The error numbers the runtime branches on (asm-generic/errno-base.h and errno.h).</summary>
internal static class Errno
{
    public const int EPERM = 1;
    public const int ENOENT = 2;
    public const int ESRCH = 3;
    public const int EINTR = 4;
    public const int ECHILD = 10;
    public const int EAGAIN = 11;
    public const int EACCES = 13;
    public const int EBUSY = 16;
    public const int EEXIST = 17;
    public const int ENODEV = 19;
    public const int ENOTDIR = 20;
    public const int EINVAL = 22;
    public const int ENOTTY = 25;
    public const int ENOSPC = 28;
    public const int EROFS = 30;
    public const int ENOSYS = 38;
    public const int ENOTEMPTY = 39;
    public const int ENODATA = 61;
    public const int EAFNOSUPPORT = 97;
    public const int EOPNOTSUPP = 95;
    public const int ENOBUFS = 105;
    public const int EDQUOT = 122;
}
