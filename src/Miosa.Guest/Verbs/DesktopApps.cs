using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Miosa.Guest.Desktop;
using Miosa.Guest.Desktop.Accessibility;
using Miosa.Guest.Desktop.Apps;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>desktop.apps</c>, <c>.launch</c>, <c>.tree</c> and <c>.wallpaper</c>: what is on the desktop, rather than the screen itself.</summary>
internal static class DesktopApps
{
    public static byte[] List(GuestStream stream, ReadOnlySpan<byte> open)
    {
        DesktopPlace.Find();
        return InstalledApps.Reply();
    }

    public static byte[] Launch(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var reply = AppLaunch.Run(Parse(open, GuestJson.Wire.LaunchCall), DesktopSession.Place, stream.Connection.Leftovers);
        return JsonSerializer.SerializeToUtf8Bytes(reply, GuestJson.Wire.LaunchReply);
    }

    public static byte[] Tree(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var place = DesktopSession.Place;
        var reply = TreeReader.Run(stream, Parse(open, GuestJson.Wire.TreeCall), DesktopSession.Facts, place);
        return JsonSerializer.SerializeToUtf8Bytes(reply, GuestJson.Wire.TreeReply);
    }

    public static byte[] Wallpaper(GuestStream stream, ReadOnlySpan<byte> open)
    {
        Background.Set(Parse(open, GuestJson.Wire.WallpaperCall), DesktopSession.Place);
        return JsonSerializer.SerializeToUtf8Bytes(new Done(), GuestJson.Wire.Done);
    }

    private static T Parse<T>(ReadOnlySpan<byte> open, JsonTypeInfo<T> type) =>
        JsonSerializer.Deserialize(open, type) ?? throw GuestFailure.BadRequest("OPEN is null");
}
