using Miosa.Guest.Commands;
using Miosa.Guest.Linux;
using Miosa.Guest.Processes;

namespace Miosa.Guest.Desktop.Apps;

/// <summary><c>desktop.launch</c>: an application as the desktop's user, as a background process of the machine, so that it is listed, logged and can be stopped.</summary>
internal static class AppLaunch
{
    private const int MaxArgs = 100;
    private const int MaxLength = 4096;
    private const int MaxNamed = 30;

    /// <summary>A shell that does not find the program says so within this.</summary>
    private const int LookMs = 300;

    private const int LookEveryMs = 10;
    private const int NotExecutable = 126;
    private const int NotFound = 127;

    public static LaunchReply Run(LaunchCall call, DesktopPlace place, LeftoverPipes leftovers)
    {
        var args = Checked(call);
        var asked = call.App!.Trim(); // Checked has seen that it is there
        var apps = InstalledApps.Read();
        var app = InstalledApps.Find(apps, asked);
        var exec = new ExecCall { Cwd = app?.Directory ?? place.Home, Env = place.Environment(), User = place.User.Name };
        exec = app is null
            // The words of args stay words: the shell sees them as its own arguments.
            ? exec with { Argv = ["sh", "-c", args.Length == 0 ? asked : asked + " \"$@\"", "sh", .. args] }
            : exec with { Argv = [.. app.InTerminal ? (string[])["x-terminal-emulator", "-e"] : [], .. app.Words(args)] };
        var process = ProcessSet.Start(exec, app?.Name ?? asked, leftovers);
        if (app is null)
        {
            var until = Environment.TickCount64 + LookMs;
            while (!process.HasEnded && Environment.TickCount64 < until)
                Libc.Poll([], LookEveryMs);
        }
        if (process.HasEnded && process.Facts.ExitCode is NotExecutable or NotFound)
            throw new GuestFailure(GuestErrorCode.NotFound, Missing(asked, apps));
        return new LaunchReply { Pid = process.Number, App = app?.Name ?? asked };
    }

    private static string[] Checked(LaunchCall call)
    {
        if (string.IsNullOrWhiteSpace(call.App) || call.App.Length > MaxLength || call.App.Contains('\0', StringComparison.Ordinal))
            throw GuestFailure.BadRequest($"app must be the name of an application or a command line of at most {MaxLength} characters");
        var args = call.Args ?? [];
        if (args.Length > MaxArgs || Array.Exists(args, arg => arg is null || arg.Length > MaxLength || arg.Contains('\0', StringComparison.Ordinal)))
            throw GuestFailure.BadRequest($"args must be at most {MaxArgs} words of at most {MaxLength} characters, none of them null");
        return args;
    }

    private static string Missing(string asked, List<DesktopEntry> apps)
    {
        var shown = asked.Length <= 100 ? asked : asked[..100] + "…";
        return $"there is no application or program \"{shown}\"; installed are: {string.Join(", ", apps.Take(MaxNamed).Select(app => app.Name))}";
    }
}
