using System.Text;
using Miosa.Guest.Commands;
using Miosa.Guest.Files;
using Miosa.Guest.Linux;
using Miosa.Guest.Verbs;

namespace Miosa.Guest.Desktop;

/// <summary>
/// The picture behind the windows. feh draws it as the desktop's user: what decodes a picture that anybody may have sent has no other rights.
/// One that was set is kept as a copy, which is drawn at every start and after every change of the screen's size; without one the image's own is.
/// </summary>
internal static unsafe class Background
{
    private const string Home = "/var/lib/miosa/wallpaper";
    private const string Kept = Home + "/picture";
    private const string KeptMode = Home + "/mode";
    private const string OfImage = "/usr/share/backgrounds/miosa.png";
    private const string DefaultMode = "fill";
    private const string Painter = "/usr/bin/feh";
    private const string Limiter = "/usr/bin/prlimit";
    private const string MaxMemory = "--as=1073741824";
    private const long MaxBytes = 64L << 20;
    private const int MaxMode = 16;
    private const int PaintMs = 5000;
    private const int MostOutput = 4096;

    private static readonly Lock s_lock = new();

    /// <summary>Draws what was set, else what the image has, on a screen that is new or has changed its size. False without any.</summary>
    public static bool TryPaint(DesktopPlace place)
    {
        lock (s_lock)
        {
            if (!DesktopPlace.Exists(Painter))
                return false;
            if (DesktopPlace.Exists(Kept) && TryPaint(place, Kept, Encoding.ASCII.GetString(SmallFile.Read(Z(KeptMode), MaxMode))))
                return true;
            return DesktopPlace.Exists(OfImage) && TryPaint(place, OfImage, DefaultMode);
        }
    }

    public static void Set(WallpaperCall call, DesktopPlace place)
    {
        if (!DesktopPlace.Exists(Painter))
            throw new GuestFailure(GuestErrorCode.Unsupported, "this image cannot show a wallpaper: it has no " + Painter);
        var mode = call.Mode ?? DefaultMode;
        if (OptionOf(mode) is null)
            throw GuestFailure.BadRequest("mode must be fill, fit, center, stretch or tile, not \"" + mode + "\"");
        if (string.IsNullOrEmpty(call.Path))
            throw GuestFailure.BadRequest("path must be the path of a picture in the machine");
        lock (s_lock)
        {
            MakeHome();
            var copy = Home + "/new";
            Copy(call.Path, copy, place.User);
            if (!TryPaint(place, copy, mode))
            {
                _ = Libc.UnlinkAt(Libc.AtCwd, Z(copy), 0);
                // What was there may be gone half way.
                TryPaint(place);
                throw GuestFailure.BadRequest("path is not a picture that can be shown (PNG, JPEG, GIF, WebP, TIFF, BMP and others can): \"" + call.Path + "\"");
            }
            Libc.Check(Libc.RenameAt(Libc.AtCwd, Z(copy), Libc.AtCwd, Z(Kept), 0), "rename", Kept);
            WriteMode(mode);
        }
    }

    private static bool TryPaint(DesktopPlace place, string picture, string mode)
    {
        string[] painter = [Painter, "--no-fehbg", OptionOf(mode) ?? "--bg-fill", picture];
        // A few kilobytes may claim to be a picture of gigabytes: that must not cost the machine its other programs.
        string[] limited = DesktopPlace.Exists(Limiter) ? [Limiter, MaxMemory, .. painter] : painter;
        return CommandOutput.Take(place.Program(limited), MostOutput, PaintMs) is not null;
    }

    private static string? OptionOf(string mode) => mode switch
    {
        "fill" => "--bg-fill",
        "fit" => "--bg-max",
        "center" => "--bg-center",
        "stretch" => "--bg-scale",
        "tile" => "--bg-tile",
        _ => null,
    };

    /// <summary>A copy of our own: the picture stays when its file goes or is changed.</summary>
    private static void Copy(string path, string copy, Account user)
    {
        using var place = Place.ToRead(path);
        var from = ReadFile.OpenRegular(place, out var status);
        var to = -1;
        try
        {
            if (status.Size > MaxBytes)
                throw new GuestFailure(GuestErrorCode.TooLarge, "\"" + path + "\" is larger than 64 MiB");
            _ = Libc.UnlinkAt(Libc.AtCwd, Z(copy), 0);
            to = Libc.Check(Libc.OpenAt(Libc.AtCwd, Z(copy), Libc.WriteOnly | Libc.Create | Libc.Exclusive | Libc.NoFollow, 0b110_000_000), "open", copy);
            var buffer = new byte[64 << 10];
            fixed (byte* bytes = buffer)
            {
                long copied = 0;
                while (Libc.Check((long)Libc.Read(from, bytes, (nuint)buffer.Length), "read", path) is > 0 and var read)
                {
                    if ((copied += read) > MaxBytes)
                        throw new GuestFailure(GuestErrorCode.TooLarge, "\"" + path + "\" is larger than 64 MiB");
                    for (long written = 0; written < read;)
                        written += Libc.Check((long)Libc.Write(to, bytes + written, (nuint)(read - written)), "write", copy);
                }
            }
            Libc.Check(Libc.ChownFile(to, user.Uid, user.Gid), "chown", copy);
        }
        catch
        {
            if (to >= 0)
                _ = Libc.UnlinkAt(Libc.AtCwd, Z(copy), 0);
            throw;
        }
        finally
        {
            Libc.Close(from);
            Libc.Close(to);
        }
    }

    private static void WriteMode(string mode)
    {
        _ = Libc.UnlinkAt(Libc.AtCwd, Z(KeptMode), 0);
        var fd = Libc.Check(Libc.OpenAt(Libc.AtCwd, Z(KeptMode), Libc.WriteOnly | Libc.Create | Libc.Exclusive | Libc.NoFollow, 0b110_100_100), "open", KeptMode);
        fixed (byte* bytes = Encoding.ASCII.GetBytes(mode))
            _ = Libc.Write(fd, bytes, (nuint)mode.Length);
        Libc.Close(fd);
    }

    private static void MakeHome()
    {
        foreach (var folder in (string[])["/var/lib/miosa", Home])
            _ = Libc.MkdirAt(Libc.AtCwd, Z(folder), 0b111_101_101);
    }

    private static byte[] Z(string path) => Encoding.UTF8.GetBytes(path + "\0");
}
