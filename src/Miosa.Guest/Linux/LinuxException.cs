namespace Miosa.Guest.Linux;

/// <summary>A system call failed: which, on what, and why.</summary>
internal sealed class LinuxException(string operation, string subject, int errno)
    : Exception(operation + " \"" + subject + "\": " + Linux.Errno.Describe(errno))
{
    public int Errno => errno;
}
