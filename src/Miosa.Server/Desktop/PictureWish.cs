using System.Globalization;
using System.Text.Json.Nodes;
using Miosa.Guest;
using Miosa.Server.Host;

namespace Miosa.Server.Desktop;

/// <summary>What a screenshot is to be: which part of the screen, in which format, how large.</summary>
internal sealed record PictureWish(DesktopRegion? Region, string Format, int Quality, double Scale)
{
    public const int DefaultQuality = 80;
    private const double SmallestScale = 0.1;

    private static readonly string[] Integers = ["x", "y", "width", "height", "quality"];

    /// <summary>The PNG as the machine makes it; everything else is made here.</summary>
    public bool IsAsItComes => Format == DesktopImageFormat.Png && Scale == 1;

    public string ContentType => "image/" + Format;

    public static Fields FieldsOf(IQueryCollection query)
    {
        var body = new JsonObject();
        foreach (var name in Integers)
        {
            if (query[name].ToString() is { Length: > 0 } text)
                body[name] = long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? JsonNode.Parse(number.ToString(CultureInfo.InvariantCulture)) : text;
        }
        if (query["scale"].ToString() is { Length: > 0 } scale)
            body["scale"] = double.TryParse(scale, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) ? JsonNode.Parse(number.ToString("R", CultureInfo.InvariantCulture)) : scale;
        if (query["format"].ToString() is { Length: > 0 } format)
            body["format"] = format;
        return new Fields(body);
    }

    /// <param name="fields">Of the query or the body; faults are collected there.</param>
    /// <param name="needsRegion">A call that is about a part of the screen.</param>
    public static PictureWish Read(Fields fields, bool needsRegion)
    {
        var (x, y) = (fields.Int("x", 0, DesktopLimits.MaxWidth - 1), fields.Int("y", 0, DesktopLimits.MaxHeight - 1));
        var (width, height) = (fields.Int("width", 1, DesktopLimits.MaxWidth), fields.Int("height", 1, DesktopLimits.MaxHeight));
        if (needsRegion || fields.Has("x") || fields.Has("y") || fields.Has("width") || fields.Has("height"))
            DesktopOperation.Require(fields, "a region has x, y, width and height, in pixels", "x", "y", "width", "height");
        var format = fields.Text("format", 16)?.ToLowerInvariant() switch
        {
            null => DesktopImageFormat.Png,
            "jpg" => DesktopImageFormat.Jpeg,
            var other => other,
        };
        if (format is not (DesktopImageFormat.Png or DesktopImageFormat.Jpeg or DesktopImageFormat.Webp))
            fields.Fail("format", $"must be png, jpeg or webp, got \"{format}\"");
        var quality = fields.Int("quality", 1, 100);
        if (quality is not null && format == DesktopImageFormat.Png)
            fields.Fail("quality", "is for jpeg and webp: a PNG has no loss");
        var scale = fields.Number("scale", SmallestScale, 1);
        var region = x is { } left && y is { } top && width is { } w && height is { } h ? new DesktopRegion { X = left, Y = top, Width = w, Height = h } : null;
        return new PictureWish(region, format, quality ?? DefaultQuality, scale ?? 1);
    }
}
