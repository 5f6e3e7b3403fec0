using System.Buffers.Binary;
using Miosa.Guest;
using Miosa.Server.Guests;

namespace Miosa.Desktop.Tests;

/// <summary>The live view's bytes, spoken to as a viewer would.</summary>
public sealed class VncTests(DesktopFixture desktop)
{
    [Fact]
    public async Task A_viewer_sees_the_screen_and_several_at_once_do()
    {
        // A viewer that cannot draw the pointer itself gets it in the picture: out of the part that is compared.
        await desktop.PointAsync(new PointerCall { Action = DesktopWord.Move, X = 640, Y = 710 });
        var screen = await desktop.ScreenshotAsync(new ScreenshotCall { Cursor = false });
        await Task.WhenAll(SeesAsync(screen), SeesAsync(screen));
    }

    private async Task SeesAsync(Picture screen)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var call = await desktop.Guest.OpenAsync(GuestVerb.DesktopVnc, new DesktopCall { Verb = GuestVerb.DesktopVnc }, GuestJson.Wire.DesktopCall, takesData: true, deadline.Token);
        var viewer = new Viewer(call, deadline.Token);
        Assert.Equal("RFB 003.008\n"u8.ToArray(), await viewer.ReadAsync(12));
        await viewer.WriteAsync("RFB 003.008\n"u8.ToArray());
        var kinds = await viewer.ReadAsync((await viewer.ReadAsync(1))[0]);
        Assert.Contains((byte)1, kinds);
        await viewer.WriteAsync([1]);
        Assert.Equal(new byte[4], await viewer.ReadAsync(4));
        // Shared: nobody else is thrown out.
        await viewer.WriteAsync([1]);
        var greeting = await viewer.ReadAsync(24);
        Assert.Equal((1280, 720), (BinaryPrimitives.ReadUInt16BigEndian(greeting), BinaryPrimitives.ReadUInt16BigEndian(greeting.AsSpan(2))));
        await viewer.ReadAsync(BinaryPrimitives.ReadInt32BigEndian(greeting.AsSpan(20)));
        // Raw pixels of 32 bits, and all of them.
        await viewer.WriteAsync([2, 0, 0, 1, 0, 0, 0, 0]);
        await viewer.WriteAsync([3, 0, 0, 0, 0, 0, 1280 >> 8, 1280 & 0xff, 720 >> 8, 720 & 0xff]);
        var head = await viewer.ReadAsync(4);
        var pixels = new byte[1280 * 720 * 3];
        var seen = 0;
        for (var i = 0; i < BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(2)); i++)
        {
            var place = await viewer.ReadAsync(12);
            int x = BinaryPrimitives.ReadUInt16BigEndian(place), y = BinaryPrimitives.ReadUInt16BigEndian(place.AsSpan(2));
            int width = BinaryPrimitives.ReadUInt16BigEndian(place.AsSpan(4)), height = BinaryPrimitives.ReadUInt16BigEndian(place.AsSpan(6));
            var part = Picture.FromRaw(await viewer.ReadAsync(width * height * 4), width);
            for (var row = 0; row < height; row++)
                part.Pixels.AsSpan(row * width * 3, width * 3).CopyTo(pixels.AsSpan(((y + row) * 1280 + x) * 3));
            seen += width * height;
        }
        Assert.Equal(1280 * 720, seen);
        Assert.True(new Picture(1280, 720, pixels).Part(0, 0, 1280, 600).Shows(screen.Part(0, 0, 1280, 600)));
        await call.CancelAsync();
    }

    private sealed class Viewer(GuestCall call, CancellationToken ct)
    {
        private readonly Queue<byte[]> _read = new();
        private int _used;

        public async Task WriteAsync(byte[] bytes)
        {
            var frame = new byte[FrameLimits.HeaderBytes + bytes.Length];
            bytes.CopyTo(frame, FrameLimits.HeaderBytes);
            await call.Credit.TakeAsync(bytes.Length, ct);
            await call.SendDataAsync(frame, bytes.Length, ct);
        }

        public async Task<byte[]> ReadAsync(int count)
        {
            var bytes = new byte[count];
            for (var done = 0; done < count;)
            {
                if (!_read.TryPeek(out var piece))
                {
                    var chunk = await call.NextAsync(ct);
                    Assert.False(chunk.IsEnd);
                    // The other channel tells what the stream is connected to.
                    if (chunk.Channel == FrameChannel.Body)
                        _read.Enqueue(System.Buffers.BuffersExtensions.ToArray(chunk.Bytes));
                    continue;
                }
                var part = Math.Min(count - done, piece.Length - _used);
                piece.AsSpan(_used, part).CopyTo(bytes.AsSpan(done));
                done += part;
                _used += part;
                if (_used < piece.Length)
                    continue;
                _used = 0;
                _read.Dequeue();
            }
            return bytes;
        }
    }
}
