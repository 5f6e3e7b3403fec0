using System.Runtime.InteropServices;
using SkiaSharp;

namespace Miosa.Server.Desktop;

/// <summary>Makes JPEG, WebP and smaller pictures of the pixels that a machine sent. The native code sees pixels of a checked size and no file of anybody.</summary>
internal static class PictureEncoder
{
    /// <summary>Pictures made at the same time: each may take a core for a fifth of a second and hold a frame of 33 MB.</summary>
    public const int AtOnce = 2;

    /// <param name="pixels">Blue, green, red and one unused byte for each pixel; the unused ones are changed.</param>
    public static SKData Encode(byte[] pixels, int width, int height, PictureWish wish)
    {
        if (pixels.Length < (long)width * height * 4)
            throw new ArgumentException("fewer bytes than pixels", nameof(pixels));
        // The fourth byte is 0, as X leaves it, and Skia's WebP takes it for "transparent" whatever it is told of the picture.
        foreach (ref var pixel in MemoryMarshal.Cast<byte, uint>(pixels.AsSpan(0, width * height * 4)))
            pixel |= 0xFF000000;
        var pinned = GCHandle.Alloc(pixels, GCHandleType.Pinned);
        try
        {
            using var whole = new SKBitmap();
            if (!whole.InstallPixels(new SKImageInfo(width, height, SKColorType.Bgra8888, SKAlphaType.Opaque), pinned.AddrOfPinnedObject(), width * 4))
                throw new InvalidOperationException($"a picture of {width}x{height} was not taken");
            if (wish.Scale == 1)
                return Encode(whole, wish);
            var size = new SKImageInfo(Scaled(width, wish.Scale), Scaled(height, wish.Scale), SKColorType.Bgra8888, SKAlphaType.Opaque);
            using var small = whole.Resize(size, new SKSamplingOptions(SKFilterMode.Linear, SKMipmapMode.Linear))
                ?? throw new InvalidOperationException($"a picture of {width}x{height} could not be made {size.Width}x{size.Height}");
            return Encode(small, wish);
        }
        finally
        {
            pinned.Free();
        }
    }

    public static int Scaled(int length, double scale) => Math.Max(1, (int)Math.Round(length * scale));

    private static SKData Encode(SKBitmap bitmap, PictureWish wish)
    {
        var format = wish.Format switch
        {
            DesktopImageFormat.Jpeg => SKEncodedImageFormat.Jpeg,
            DesktopImageFormat.Webp => SKEncodedImageFormat.Webp,
            _ => SKEncodedImageFormat.Png,
        };
        return bitmap.Encode(format, wish.Quality) ?? throw new InvalidOperationException($"a picture of {bitmap.Width}x{bitmap.Height} could not be written as {wish.Format}");
    }
}
