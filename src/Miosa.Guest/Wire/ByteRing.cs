using Miosa.Guest.Linux;

namespace Miosa.Guest.Wire;

/// <summary>
/// The bytes a host has sent on a stream and the verb has not taken: never more than the window. Native pages, mapped at the first byte and
/// given back with the stream. One side adds, one side takes, both under the stream's lock except for the copy out of <see cref="First"/>.
/// </summary>
internal sealed unsafe class ByteRing
{
    private byte* _bytes;
    private int _head;

    public int Count { get; private set; }

    /// <summary>False when the peer has sent more than it was granted.</summary>
    public bool TryAdd(ReadOnlySpan<byte> source)
    {
        if (source.Length > FrameLimits.Window - Count)
            return false;
        if (source.Length == 0)
            return true;
        if (_bytes == null)
            _bytes = Libc.Map(FrameLimits.Window);
        var tail = (_head + Count) % FrameLimits.Window;
        var first = Math.Min(source.Length, FrameLimits.Window - tail);
        source[..first].CopyTo(new Span<byte>(_bytes + tail, first));
        source[first..].CopyTo(new Span<byte>(_bytes, source.Length - first));
        Count += source.Length;
        return true;
    }

    /// <summary>The first run of bytes; valid until they are dropped.</summary>
    public ReadOnlySpan<byte> First => new(_bytes + _head, Math.Min(Count, FrameLimits.Window - _head));

    public void Drop(int count)
    {
        _head = (_head + count) % FrameLimits.Window;
        Count -= count;
    }

    public void Free()
    {
        Libc.Unmap(_bytes, FrameLimits.Window);
        _bytes = null;
        Count = 0;
    }
}
