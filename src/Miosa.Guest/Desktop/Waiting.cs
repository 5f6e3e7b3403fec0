namespace Miosa.Guest.Desktop;

/// <summary>Bytes outside the collector's heap that wait until the host reads them: a host that does not read may not fill the machine's memory.</summary>
internal readonly struct Waiting : IDisposable
{
    private const long MostBytes = 96L << 20;

    private static long s_bytes;

    private readonly long _bytes;

    public Waiting(long bytes)
    {
        if (Interlocked.Add(ref s_bytes, bytes) > MostBytes)
        {
            Interlocked.Add(ref s_bytes, -bytes);
            throw new GuestFailure(GuestErrorCode.Busy, "too many answers wait to be read");
        }
        _bytes = bytes;
    }

    public void Dispose() => Interlocked.Add(ref s_bytes, -_bytes);
}
