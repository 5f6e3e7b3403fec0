namespace Miosa.Runtime.Linux;

/// <summary>The kernel's random numbers; the managed ones load a library, which a static program cannot.</summary>
internal static unsafe class RandomBytes
{
    public static void Fill(Span<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            // Up to 256 bytes come whole.
            Libc.Check(Libc.Syscall(Sys.GetRandom, (nint)start, bytes.Length), "getrandom", "");
        }
    }
}
