using System.Text;
using Miosa.Guest.Commands;
using Miosa.Guest.Files;
using Miosa.Guest.Linux;

namespace Miosa.Guest.Desktop;

/// <summary>
/// The picture behind the windows. feh draws it as the desktop's user: what decodes a picture that anybody may have sent has no other rights.
/// One that was set is kept as a copy, which is drawn at every start and after every change of the screen's size; without one the image's own is.
/// </summary>
internal static unsafe class Wallpaper
{
    private const string Home = "/var/lib/miosa/wallpaper";
    private const string Kept = Home + "/picture";
    private const string KeptMode = Home + "/mode";
    private const string OfImage = "/usr/share/backgrounds/miosa.png";
    private const string DefaultMode = "fill";
    private const string Feh = "/usr/bin/feh";
    private const long MaxBytes = 64L << 20;
    private const int DrawMs = 15_000;

    private static readonly Lock s_lock = new();

    /// <summary>What was set, or what the image has; without either the screen stays as it is.</summary>
    public static void Draw(Account user, Dictionary<string, string> session)
    {
        lock (s_lock)
        {
            var mode = Encoding.ASCII.GetString(SmallFile.Read(Z(KeptMode), 16));
            if (Exists(Kept) && TryDraw(Kept, mode, user, session))
                return;
            if (Exists(OfImage))
                _ = TryDraw(OfImage, DefaultMode, user, session);
        }
    }

    public static void Set(WallpaperCall call, Account user, Dictionary<string, string> session)
    {
        var mode = call.Mode ?? DefaultMode;
        if (OptionOf(mode) is null)
            throw GuestFailure.BadRequest("mode must be fill, fit, center, stretch or tile, not \"" + mode + "\"");
        if (string.IsNullOrEmpty(call.Path))
            throw GuestFailure.BadRequest("path must be the path of a picture in the machine");
        lock (s_lock)
        {
            MakeHome();
            var copy = Home + "/new";
            Copy(call.Path, copy, user);
            if (!TryDraw(copy, mode, user, session))
            {
                _ = Libc.UnlinkAt(Libc.AtCwd, Z(copy), 0);
                // What was there may be gone half way.
                Draw(user, session);
                throw GuestFailure.BadRequest("path is not a picture that can be shown (PNG, JPEG, GIF, WebP, TIFF, BMP and others can): \"" + call.Path + "\"");
            }
            Libc.Check(Libc.RenameAt(Libc.AtCwd, Z(copy), Libc.AtCwd, Z(Kept), 0), "rename", Kept);
            WriteMode(mode);
        }
    }

    private static bool TryDraw(string path, string mode, Account user, Dictionary<string, string> session)
    {
        var environment = LoginEnvironment.For(user);
        foreach (var (name, value) in session)
            environment[name] = value;
        var line = new CommandLine
        {
            Argv = [.. ((string[])["feh", "--no-fehbg", OptionOf(mode) ?? "--bg-fill", path]).Select(Encoding.UTF8.GetBytes)],
            Programs = [Encoding.UTF8.GetBytes(Feh)],
            Environment = LoginEnvironment.Pack(environment),
            Directory = "/"u8.ToArray(),
            Account = user.Uid == 0 ? null : user,
        };
        return CommandOutput.Take(line, 64 << 10, DrawMs) is not null;
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
        // Without waiting: it may be a pipe.
        var from = place.OpenLeaf(Libc.ReadOnly | Libc.NonBlocking | Libc.NoControllingTerminal);
        var to = -1;
        try
        {
            Libc.Check(Libc.Stat(from, out var status), "stat", path);
            if (!status.IsRegular)
                throw GuestFailure.BadRequest("\"" + path + "\" is not a regular file");
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

    private static bool Exists(string path) => Libc.StatAt(Libc.AtCwd, Z(path), out var status, 0) == 0 && status.IsRegular;

    private static byte[] Z(string path) => Encoding.UTF8.GetBytes(path + "\0");
}
