using System.Globalization;
using System.Runtime.InteropServices;

namespace Miosa.Runtime.Linux;

/// <summary>A loop device over a file; it vanishes by itself when its file system is unmounted.</summary>
internal static unsafe class Loop
{
    private const nuint CTL_GET_FREE = 0x4C82;
    private const nuint CONFIGURE = 0x4C0A;
    private const uint ReadWriteAutoclear = 4;
    private const uint DirectIo = 16;
    private const int ConfigSize = 304;

    /// <summary>The device stays attached while <paramref name="hold"/> is open or it is mounted.</summary>
    public static string Attach(string file, out Fd hold)
    {
        using var backing = Libc.Open(file, Libc.O_RDWR);
        using var control = Libc.Open("/dev/loop-control", Libc.O_RDWR);
        var config = stackalloc byte[ConfigSize];
        for (var attempt = 0; attempt < 16; attempt++)
        {
            var number = Libc.Ioctl(control.Value, CTL_GET_FREE, null);
            Libc.Check(number, "find a free loop device", "/dev/loop-control");
            var device = string.Create(CultureInfo.InvariantCulture, $"/dev/loop{number}");
            var loop = Libc.Open(device, Libc.O_RDWR);
            foreach (var flags in new[] { ReadWriteAutoclear | DirectIo, ReadWriteAutoclear })
            {
                NativeMemory.Clear(config, ConfigSize);
                *(uint*)config = (uint)backing.Value;
                // lo_flags stands 52 bytes into loop_info64, which begins at byte 8.
                *(uint*)(config + 8 + 52) = flags;
                if (Libc.Ioctl(loop.Value, CONFIGURE, config) == 0)
                {
                    hold = loop;
                    return device;
                }
            }
            var errno = Marshal.GetLastPInvokeError();
            loop.Dispose();
            // Somebody else took the free number between the two calls.
            if (errno != Errno.EBUSY) throw new LinuxException("attach loop device", file, errno);
        }
        throw new LinuxException("attach loop device", file, Errno.EBUSY);
    }
}
