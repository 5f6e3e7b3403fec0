using Miosa.Guest.Linux;

namespace Miosa.Guest.Desktop;

/// <summary>Bytes outside the collector's heap, which is smaller than two large screens. Grows; kept for the next use.</summary>
internal sealed unsafe class NativeBytes : Stream
{
    private const int FirstBytes = 64 * 1024;

    private byte* _bytes;
    private int _capacity;
    private int _count;

    public byte* Pointer => _bytes;
    public int Count => _count;
    public ReadOnlySpan<byte> Span => new(_bytes, _count);

    public void Reset() => _count = 0;

    /// <summary>Forgets what is behind.</summary>
    public void CutTo(int count) => _count = Math.Min(_count, count);

    /// <summary>Room for so many bytes in all; what is there stays.</summary>
    public void Reserve(int capacity)
    {
        if (capacity <= _capacity)
            return;
        var larger = Math.Max(FirstBytes, capacity);
        var bytes = Libc.Map((nuint)larger);
        Span.CopyTo(new Span<byte>(bytes, larger));
        Libc.Unmap(_bytes, (nuint)_capacity);
        _bytes = bytes;
        _capacity = larger;
    }

    /// <summary>Makes it exactly so long; the bytes are whatever they are.</summary>
    public void SetCount(int count)
    {
        Reserve(count);
        _count = count;
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        var needed = checked(_count + buffer.Length);
        if (needed > _capacity)
            Reserve((int)Math.Min(int.MaxValue, Math.Max(needed, 2L * _capacity)));
        buffer.CopyTo(new Span<byte>(_bytes + _count, buffer.Length));
        _count = needed;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => _count;
    public override long Position { get => _count; set => throw new NotSupportedException(); }

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        Libc.Unmap(_bytes, (nuint)_capacity);
        _bytes = null;
        _capacity = _count = 0;
        base.Dispose(disposing);
    }
}
