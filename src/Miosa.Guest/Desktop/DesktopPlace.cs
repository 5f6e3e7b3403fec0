using System.Globalization;
using System.Text;
using Miosa.Guest.Commands;
using Miosa.Guest.Linux;

namespace Miosa.Guest.Desktop;

/// <summary>Where the desktop of this machine is: its user, its folder for sockets, and how its programs are started.</summary>
internal sealed class DesktopPlace
{
    private const string UserId = "1000";
    private const string ScreenProgram = "/usr/bin/Xvnc";
    private const string ManagerProgram = "/usr/bin/openbox";
    private const string SocketFolder = "/tmp/.X11-unix";
    private const int Display = 1;

    private readonly Account _account;

    private DesktopPlace(Account account) => _account = account;

    public static string DisplayName => ":" + Display.ToString(CultureInfo.InvariantCulture);

    public static string ScreenSocket => SocketFolder + "/X" + Display.ToString(CultureInfo.InvariantCulture);

    public string RuntimeFolder => "/run/user/" + _account.Uid.ToString(CultureInfo.InvariantCulture);

    public string VncSocket => RuntimeFolder + "/vnc.sock";

    public string BusSocket => RuntimeFolder + "/bus";

    public string Home => _account.Home;

    public Account User => _account;

    /// <summary>Looked up each time: a command may have installed it.</summary>
    public static DesktopPlace Find()
    {
        if (!Exists(ScreenProgram) || !Exists(ManagerProgram) || Account.Find(UserId) is not { Home.Length: > 1 } account)
            throw new GuestFailure(GuestErrorCode.Unsupported, "this image has no desktop: it needs " + ScreenProgram + ", " + ManagerProgram + " and a user " + UserId);
        return new DesktopPlace(account);
    }

    public static bool Exists(string path) => Libc.StatAt(Libc.AtCwd, Z(path), out var status, 0) == 0 && status.IsRegular;

    /// <summary>The folders that a session needs, the user's own and empty of sockets of a session before.</summary>
    public void Prepare()
    {
        const uint everybodysOwn = 0b001_111_111_111;
        const uint usersOnly = 0b111_000_000;
        // A link that somebody has put there is not followed: it could lead to a folder that is not everybody's.
        _ = Libc.UnlinkAt(Libc.AtCwd, Z(SocketFolder), 0);
        _ = Libc.MkdirAt(Libc.AtCwd, Z(SocketFolder), everybodysOwn);
        var sockets = Libc.Check(Libc.OpenAt(Libc.AtCwd, Z(SocketFolder), Libc.ReadOnly | Libc.Directory | Libc.NoFollow), "open", SocketFolder);
        _ = Libc.ChmodFile(sockets, everybodysOwn);
        Libc.Close(sockets);
        _ = Libc.MkdirAt(Libc.AtCwd, "/run/user\0"u8, 0b111_101_101);
        _ = Libc.MkdirAt(Libc.AtCwd, Z(RuntimeFolder), usersOnly);
        var folder = Libc.Check(Libc.OpenAt(Libc.AtCwd, Z(RuntimeFolder), Libc.ReadOnly | Libc.Directory | Libc.NoFollow), "open", RuntimeFolder);
        _ = Libc.ChownFile(folder, _account.Uid, _account.Gid);
        _ = Libc.ChmodFile(folder, usersOnly);
        Libc.Close(folder);
        foreach (var stale in (ReadOnlySpan<string>)[ScreenSocket, $"/tmp/.X{Display}-lock", VncSocket, BusSocket])
            _ = Libc.UnlinkAt(Libc.AtCwd, Z(stale), 0);
    }

    /// <summary>A program of the session, by its path: as the desktop's user, in its home, with everything that leads to the desktop in its environment.</summary>
    public CommandLine Program(params string[] argv) => Program(argv, Home);

    public CommandLine Program(string[] argv, string directory)
    {
        var environment = Environment();
        environment["PWD"] = directory;
        return new CommandLine
        {
            Argv = Array.ConvertAll(argv, Encoding.UTF8.GetBytes),
            Programs = [Encoding.UTF8.GetBytes(argv[0])],
            Environment = LoginEnvironment.Pack(environment),
            Directory = Encoding.UTF8.GetBytes(directory),
            Account = _account,
        };
    }

    /// <summary>The environment of the session's programs; a copy to change.</summary>
    public Dictionary<string, string> Environment()
    {
        var environment = LoginEnvironment.For(_account);
        environment["DISPLAY"] = DisplayName;
        environment["XDG_RUNTIME_DIR"] = RuntimeFolder;
        environment["XDG_SESSION_TYPE"] = "x11";
        environment["XDG_CURRENT_DESKTOP"] = "openbox";
        environment["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=" + BusSocket;
        return environment;
    }

    private static byte[] Z(string path) => Encoding.UTF8.GetBytes(path + "\0");
}
