using Miosa.Guest.Desktop.X;
using Miosa.Guest.Linux;

namespace Miosa.Guest.Desktop.Agent;

/// <summary>A part of the screen, in pixels.</summary>
internal readonly record struct Region(int X, int Y, int Width, int Height);

/// <summary>
/// The picture: grabbed into memory that is shared with the X server (its own memory, passed as a descriptor and sealed), which costs a tenth of a
/// millisecond; where the server takes no such memory, through the socket.
/// </summary>
internal sealed unsafe class Screen : IDisposable
{
    private const int BytesPerPixel = 4;
    private const byte PixmapFormat = 2;
    private const uint AllPlanes = uint.MaxValue;
    private const int MaxCursorSide = 512;

    private readonly XConnection _x;
    private readonly byte? _shm;
    private readonly byte? _fixes;
    private byte* _pixels;
    private nuint _size;
    private uint _segment;

    public Screen(XConnection x)
    {
        _x = x;
        _shm = x.Extension("MIT-SHM")?.Opcode;
        _fixes = x.Extension("XFIXES")?.Opcode;
        if (_fixes is { } fixes)
        {
            x.Begin(fixes).Int(5).Int(0);
            x.Reply(x.End());
        }
        Fit();
    }

    /// <summary>Blue, green, red and a byte of no meaning; the last region that was grabbed, without gaps.</summary>
    public byte* Pixels => _pixels;

    public void Dispose() => Free();

    /// <summary>Makes the memory fit the screen as the connection knows it.</summary>
    public void Fit()
    {
        var needed = (nuint)_x.Width * (nuint)_x.Height * BytesPerPixel;
        if (needed == _size)
            return;
        if (needed > LinkHeader.MaxData)
            throw new XLostException($"the screen is {_x.Width}x{_x.Height}: too large");
        Free();
        if (_shm is { } shm && TryShare(shm, needed))
            return;
        _pixels = Libc.Map(needed);
        _size = needed;
        _segment = 0;
    }

    public void Grab(Region region, bool withCursor)
    {
        if (_segment != 0)
            GrabShared(region);
        else
            GrabBySocket(region);
        if (withCursor && _fixes is { } fixes)
            DrawCursor(fixes, region);
    }

    /// <summary>A number that is another one when the picture is, the pointer aside.</summary>
    public ulong Digest()
    {
        Grab(new Region(0, 0, _x.Width, _x.Height), withCursor: false);
        var digest = 14_695_981_039_346_656_037UL;
        foreach (var two in new ReadOnlySpan<ulong>(_pixels, _x.Width * _x.Height / 2))
            digest = (digest ^ two) * 1_099_511_628_211UL;
        return digest;
    }

    private bool TryShare(byte shm, nuint bytes)
    {
        const byte queryVersion = 0;
        const byte attachDescriptor = 6;
        _x.Begin(shm, queryVersion);
        var version = _x.Reply(_x.End());
        // Descriptors came with 1.2.
        if (XConnection.U16(version, 8) == 1 && XConnection.U16(version, 10) < 2)
            return false;
        var memory = Libc.SealedMemory(bytes);
        try
        {
            var pixels = Libc.MapShared(memory, bytes);
            var segment = _x.NewId();
            _x.Flush();
            _x.Begin(shm, attachDescriptor).Int(segment).Int(0);
            var attached = _x.End();
            _x.Flush(memory);
            try
            {
                _x.SyncChecked(attached);
            }
            catch (XRefusedException)
            {
                Libc.Unmap(pixels, bytes);
                return false;
            }
            _pixels = pixels;
            (_size, _segment) = (bytes, segment);
            return true;
        }
        finally
        {
            Libc.Close(memory);
        }
    }

    private void GrabShared(Region region)
    {
        const byte getImage = 4;
        _x.Begin(_shm!.Value, getImage) // there is a segment: the extension is there
            .Int(_x.Root).Short(region.X).Short(region.Y).Short(region.Width).Short(region.Height)
            .Int(AllPlanes).Byte(PixmapFormat).Byte(0).Short(0).Int(_segment).Int(0);
        _x.Reply(_x.End());
    }

    /// <summary>In strips: one reply has a bound.</summary>
    private void GrabBySocket(Region region)
    {
        const byte getImage = 73;
        const int stripBytes = 2 << 20;
        var rows = Math.Max(1, stripBytes / (region.Width * BytesPerPixel));
        for (var y = 0; y < region.Height; y += rows)
        {
            var height = Math.Min(rows, region.Height - y);
            _x.Begin(getImage, PixmapFormat).Int(_x.Root).Short(region.X).Short(region.Y + y).Short(region.Width).Short(height).Int(AllPlanes);
            var reply = _x.Reply(_x.End());
            var bytes = region.Width * height * BytesPerPixel;
            if (reply.Length < XConnection.PacketBytes + bytes)
                throw new XLostException("the X server sent less of a picture than it has");
            reply.AsSpan(XConnection.PacketBytes, bytes).CopyTo(new Span<byte>(_pixels + (long)y * region.Width * BytesPerPixel, bytes));
        }
    }

    /// <summary>The pointer is no part of the picture: it is drawn over it, its colours already multiplied by its opacity.</summary>
    private void DrawCursor(byte fixes, Region region)
    {
        const byte getCursorImage = 4;
        _x.Begin(fixes, getCursorImage);
        var reply = _x.TryReply(_x.End());
        if (reply is null)
            return;
        int width = XConnection.U16(reply, 12), height = XConnection.U16(reply, 14);
        if (width > MaxCursorSide || height > MaxCursorSide || reply.Length < XConnection.PacketBytes + width * height * BytesPerPixel)
            return;
        var left = XConnection.S16(reply, 8) - XConnection.U16(reply, 16) - region.X;
        var top = XConnection.S16(reply, 10) - XConnection.U16(reply, 18) - region.Y;
        for (var y = Math.Max(0, -top); y < height && top + y < region.Height; y++)
        {
            var row = _pixels + ((long)(top + y) * region.Width + left) * BytesPerPixel;
            for (var x = Math.Max(0, -left); x < width && left + x < region.Width; x++)
                Blend(row + x * BytesPerPixel, XConnection.U32(reply, XConnection.PacketBytes + (y * width + x) * BytesPerPixel));
        }
    }

    private static void Blend(byte* pixel, uint over)
    {
        var through = 255 - (over >> 24);
        for (var channel = 0; channel < 3; channel++)
            pixel[channel] = (byte)Math.Min(255, (over >> (8 * channel) & 0xff) + (pixel[channel] * through + 127) / 255);
    }

    private void Free()
    {
        if (_segment != 0)
        {
            const byte detach = 2;
            _x.Begin(_shm!.Value, detach).Int(_segment); // there is a segment: the extension is there
            _x.End();
        }
        Libc.Unmap(_pixels, _size);
        _pixels = null;
        (_size, _segment) = (0, 0);
    }
}
