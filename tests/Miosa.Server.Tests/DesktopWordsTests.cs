using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Miosa.Server.Desktop;
using Miosa.Server.Host;
using SkiaSharp;

namespace Miosa.Server.Tests;

/// <summary>Names of keys, wishes for pictures, and how pictures are made; no computer runs.</summary>
public sealed class DesktopWordsTests
{
    [Theory]
    [InlineData("ctrl+c", "ctrl c")]
    [InlineData("CTRL+SHIFT+T", "ctrl shift T")]
    [InlineData("alt+F4", "alt F4")]
    [InlineData("enter", "Return")]
    [InlineData("KP_Enter", "Return")]
    [InlineData("ArrowLeft", "Left")]
    [InlineData("pageup", "Page_Up")]
    [InlineData("cmd+space", "super space")]
    [InlineData("meta", "super")]
    [InlineData("+", "plus")]
    [InlineData("ctrl++", "ctrl plus")]
    [InlineData("ctrl+plus", "ctrl plus")]
    [InlineData("A", "A")]
    [InlineData("é", "é")]
    [InlineData("🙂", "🙂")]
    [InlineData("XF86AudioMute", "XF86AudioMute")]
    [InlineData("ctrl + c", "ctrl c")]
    public void A_combination_becomes_the_names_of_its_keys(string text, string keys)
    {
        var (found, fault) = KeyNames.Split(text);
        Assert.Null(fault);
        Assert.Equal(keys.Split(' '), found);
    }

    [Fact]
    public void A_space_is_a_key() => Assert.Equal([" "], KeyNames.Split(" ").Keys);

    [Theory]
    [InlineData("")]
    [InlineData("ctrl+")]
    [InlineData("+c")]
    [InlineData("ctrl++c")]
    [InlineData("\u0007")]
    [InlineData("ctrl+\n")]
    [InlineData("a+b+c+d+e+f+g+h+i+j+k+l+m+n+o+p+q")]
    public void What_is_no_combination_is_told(string text) => Assert.NotNull(KeyNames.Split(text).Fault);

    [Theory]
    [InlineData("retrun", "Return")]
    [InlineData("Escap", "Escape")]
    [InlineData("contrl", "control")]
    [InlineData("pagedwn", "PageDown")]
    public void A_key_that_is_none_is_told_what_may_have_been_meant(string key, string meant) => Assert.Contains(meant, KeyNames.Suggest(key), StringComparison.Ordinal);

    [Fact]
    public void Text_of_any_length_is_no_key()
    {
        Assert.NotNull(KeyNames.Split(new string('x', 100_000)).Fault);
        Assert.NotNull(KeyNames.Split(new string('x', 65)).Fault);
    }

    [Theory]
    [InlineData("""{"x":0,"y":0,"width":10,"height":0}""", "height")]
    [InlineData("""{"x":0,"y":0,"width":10}""", "height")]
    [InlineData("""{"x":-1,"y":0,"width":10,"height":10}""", "x")]
    [InlineData("""{"format":"gif"}""", "format")]
    [InlineData("""{"quality":50}""", "quality")]
    [InlineData("""{"format":"jpeg","quality":0}""", "quality")]
    [InlineData("""{"format":"jpeg","quality":101}""", "quality")]
    [InlineData("""{"scale":0.05}""", "scale")]
    [InlineData("""{"scale":1.5}""", "scale")]
    [InlineData("""{"scale":"half"}""", "scale")]
    public void A_faulty_wish_names_its_field(string body, string field)
    {
        var fields = new Fields(JsonNode.Parse(body)!.AsObject());
        PictureWish.Read(fields, needsRegion: false);
        Assert.Equal(field, fields.Errors()?.Details?.First().Key);
    }

    [Fact]
    public void The_query_has_the_same_fields_as_the_body()
    {
        var fields = PictureWish.FieldsOf(new QueryCollection(new Dictionary<string, Microsoft.Extensions.Primitives.StringValues>
        {
            ["x"] = "1", ["y"] = "2", ["width"] = "3", ["height"] = "4", ["format"] = "JPG", ["quality"] = "70", ["scale"] = "0.5", ["other"] = "x",
        }));
        Assert.Equal(new PictureWish(new DesktopRegion { X = 1, Y = 2, Width = 3, Height = 4 }, "jpeg", 70, 0.5), PictureWish.Read(fields, needsRegion: true));
        Assert.Null(fields.Errors());
        foreach (var bad in (string[])["x", "quality", "scale"])
        {
            var faulty = PictureWish.FieldsOf(new QueryCollection(new Dictionary<string, Microsoft.Extensions.Primitives.StringValues> { [bad] = "NaN", ["format"] = "webp" }));
            PictureWish.Read(faulty, needsRegion: false);
            Assert.Contains(bad, faulty.Errors()?.Message ?? "", StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("png", 1)]
    [InlineData("png", 0.5)]
    [InlineData("jpeg", 1)]
    [InlineData("jpeg", 0.1)]
    [InlineData("webp", 0.25)]
    public void Pixels_become_a_picture_of_the_size_and_the_colours(string format, double scale)
    {
        const int width = 200;
        const int height = 101;
        var pixels = new byte[width * height * 4];
        // Left half blue, right half red; the fourth byte is nobody's.
        for (var at = 0; at < width * height; at++)
            pixels[(at * 4) + (at % width < width / 2 ? 0 : 2)] = 255;
        using var data = PictureEncoder.Encode(pixels, width, height, new PictureWish(Region: null, format, 90, scale));
        using var picture = SKBitmap.Decode(data);
        Assert.Equal((PictureEncoder.Scaled(width, scale), PictureEncoder.Scaled(height, scale)), (picture.Width, picture.Height));
        var (left, right) = (picture.GetPixel(picture.Width / 4, picture.Height / 2), picture.GetPixel(picture.Width * 3 / 4, picture.Height / 2));
        Assert.Equal((255, 255), (left.Alpha, right.Alpha));
        Assert.True(left.Blue > 220 && left.Red < 40 && right.Red > 220 && right.Blue < 40, $"{left} {right}");
    }

    [Fact]
    public void A_picture_is_known_by_its_bytes()
    {
        using var bitmap = new SKBitmap(4, 4);
        foreach (var (format, ending) in ((SKEncodedImageFormat, string)[])[(SKEncodedImageFormat.Png, "png"), (SKEncodedImageFormat.Jpeg, "jpg"), (SKEncodedImageFormat.Webp, "webp")])
        {
            using var data = bitmap.Encode(format, 80);
            Assert.Equal(ending, PictureKind.Of(data.ToArray()));
        }
        Assert.Null(PictureKind.Of("<html><body></body></html>"u8));
        Assert.Null(PictureKind.Of([]));
        Assert.Null(PictureKind.Of("RIFF....WAVE"u8));
    }
}
