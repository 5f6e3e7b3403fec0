namespace Miosa.Guest.Linux;

/// <summary>Whole files of bounded size, such as those of /proc and /etc, by byte path.</summary>
internal static unsafe class SmallFile
{
    /// <summary>Up to <paramref name="target"/>'s length; -1 when it cannot be opened or read.</summary>
    public static int Read(ReadOnlySpan<byte> pathZ, Span<byte> target)
    {
        var fd = Libc.OpenAt(Libc.AtCwd, pathZ, Libc.ReadOnly | Libc.NonBlocking);
        if (fd < 0)
            return -1;
        var total = 0;
        fixed (byte* buffer = target)
        {
            while (total < target.Length)
            {
                var read = Libc.Read(fd, buffer + total, (nuint)(target.Length - total));
                if (read < 0)
                    total = -1;
                if (read <= 0)
                    break;
                total += (int)read;
            }
        }
        Libc.Close(fd);
        return total;
    }

    /// <summary>The file's bytes up to <paramref name="most"/>; empty when it cannot be read.</summary>
    public static byte[] Read(ReadOnlySpan<byte> pathZ, int most)
    {
        var buffer = new byte[4096];
        while (true)
        {
            var length = Read(pathZ, buffer);
            if (length < buffer.Length || buffer.Length >= most)
                return length <= 0 ? [] : buffer.AsSpan(0, length).ToArray();
            buffer = new byte[Math.Min(most, buffer.Length * 4)];
        }
    }
}
