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
        var reply = AppLaunch.Run(Desktops.Call(open, GuestJson.Wire.LaunchCall), DesktopSession.Place, stream.Connection.Leftovers);
        return Desktops.Reply(reply, GuestJson.Wire.LaunchReply);
    }

    public static byte[] Tree(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var place = DesktopSession.Place;
        var reply = TreeReader.Run(stream, Desktops.Call(open, GuestJson.Wire.TreeCall), DesktopSession.Facts, place);
        return Desktops.Reply(reply, GuestJson.Wire.TreeReply);
    }

    public static byte[] Wallpaper(GuestStream stream, ReadOnlySpan<byte> open)
    {
        Background.Set(Desktops.Call(open, GuestJson.Wire.WallpaperCall), DesktopSession.Place);
        return Desktops.Reply(new Done(), GuestJson.Wire.Done);
    }
}
