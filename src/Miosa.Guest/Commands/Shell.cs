using Miosa.Guest.Linux;

namespace Miosa.Guest.Commands;

/// <summary>bash where there is one, else sh; looked up each time, because a command may install it.</summary>
internal static class Shell
{
    public static byte[] Path => Find().Path;
    public static byte[] Name => Find().Name;

    public static (byte[] Path, byte[] Name) Find()
    {
        foreach (var path in (ReadOnlySpan<byte[]>)["/bin/bash\0"u8.ToArray(), "/usr/bin/bash\0"u8.ToArray()])
        {
            if (Libc.StatAt(Libc.AtCwd, path, out var status, 0) == 0 && status.IsRegular)
                return (path[..^1], "bash"u8.ToArray());
        }
        return ("/bin/sh"u8.ToArray(), "sh"u8.ToArray());
    }
}
