namespace Miosa.Guest.Tests;

/// <summary>Bytes that are a function of their place: read to make them, written to check them. No memory of the content is needed.</summary>
internal sealed class PatternStream(long length) : Stream
{
    private long _position;

    public long? FailAt { get; init; }
    public long Checked { get; private set; }
    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => length;
    public override long Position { get => _position; set => throw new NotSupportedException(); }

    public override int Read(byte[] buffer, int offset, int count)
    {
        if (_position >= FailAt)
            throw new IOException("the source broke off");
        count = (int)Math.Min(count, length - _position);
        for (var i = 0; i < count; i++)
            buffer[offset + i] = At(_position + i);
        _position += count;
        return count;
    }

    public override void Write(byte[] buffer, int offset, int count)
    {
        for (var i = 0; i < count; i++, Checked++)
        {
            if (buffer[offset + i] != At(Checked))
                throw new InvalidDataException("wrong byte at " + Checked);
        }
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    private static byte At(long position) => (byte)(position * 31 + (position >> 13));
}
