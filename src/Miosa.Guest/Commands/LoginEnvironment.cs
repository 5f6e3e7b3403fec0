using System.Collections;
using System.Text;
using Miosa.Guest.Linux;

namespace Miosa.Guest.Commands;

/// <summary>
/// The environment a login shell would have: made once per machine by running one, because a login shell on every call costs more than most
/// commands do. Without a shell that can tell it, defaults and what the guest was started with.
/// </summary>
internal static class LoginEnvironment
{
    private const int ShellTimeoutMs = 3000;
    private const int MaxBytes = 256 * 1024;
    private const int PrepareStack = 256 * 1024;
    private const string DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    private static readonly Lock s_lock = new();
    private static Dictionary<string, string>? s_root;
    private static bool s_isPrepared;

    /// <summary>Makes it ahead of the first command, which otherwise waits for a login shell (8 ms).</summary>
    public static void PrepareOnce()
    {
        if (Interlocked.Exchange(ref s_isPrepared, true))
            return;
        Threads.TryStart(
            () =>
            {
                lock (s_lock)
                    s_root ??= Capture();
            },
            PrepareStack);
    }

    /// <summary>A copy to change.</summary>
    public static Dictionary<string, string> For(Account? account)
    {
        Dictionary<string, string> environment;
        lock (s_lock)
            environment = new Dictionary<string, string>(s_root ??= Capture());
        if (account is not null)
        {
            environment["USER"] = environment["LOGNAME"] = account.Name;
            environment["HOME"] = account.Home;
            environment["SHELL"] = account.Shell;
        }
        return environment;
    }

    public static byte[][] Pack(Dictionary<string, string> environment)
    {
        var packed = new byte[environment.Count][];
        var i = 0;
        foreach (var (name, value) in environment)
            packed[i++] = Encoding.UTF8.GetBytes(name + "=" + value);
        return packed;
    }

    private static Dictionary<string, string> Capture()
    {
        var defaults = Defaults();
        byte[]? told = null;
        try
        {
            told = CommandOutput.Take(
                new CommandLine
                {
                    Argv = [Shell.Name, "-lc"u8.ToArray(), "env -0"u8.ToArray()],
                    Programs = [Shell.Path],
                    Environment = Pack(defaults),
                    Directory = "/"u8.ToArray(),
                },
                MaxBytes,
                ShellTimeoutMs);
        }
        catch (Exception e) when (e is GuestFailure or LinuxException)
        {
            // No process or descriptor to be had: the defaults must do. Nothing may get out of here: Prepare runs at the edge of a thread.
        }
        return told is null ? defaults : Parse(told, defaults);
    }

    private static Dictionary<string, string> Parse(byte[] told, Dictionary<string, string> defaults)
    {
        var environment = new Dictionary<string, string>();
        foreach (var line in Encoding.UTF8.GetString(told).Split('\0'))
        {
            var equals = line.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0)
                environment[line[..equals]] = line[(equals + 1)..];
        }
        // What describes that one shell and not the login.
        environment.Remove("_");
        environment.Remove("SHLVL");
        environment.Remove("PWD");
        environment.Remove("OLDPWD");
        foreach (var (name, value) in defaults)
            environment.TryAdd(name, value);
        // The image's word counts more than its profile's: Debian's profile sets PATH whatever the image says.
        foreach (var (name, value) in OfImage())
            if (name != "HOME" && !(name == "PATH" && value == DefaultPath))
                environment[name] = value;
        return environment;
    }

    private static Dictionary<string, string> Defaults()
    {
        var environment = new Dictionary<string, string>
        {
            ["PATH"] = DefaultPath,
            ["LANG"] = "C.UTF-8",
            ["TERM"] = "xterm-256color",
        };
        // The image's own environment comes to the guest as its environment.
        foreach (var (name, value) in OfImage())
            environment[name] = value;
        environment["HOME"] = "/root";
        environment["USER"] = environment["LOGNAME"] = "root";
        environment["SHELL"] = Encoding.UTF8.GetString(Shell.Path);
        return environment;
    }

    private static IEnumerable<(string Name, string Value)> OfImage()
    {
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            // Never null: GetEnvironmentVariables has no null values.
            if (!ImageDefaults.IsOwn((string)variable.Key))
                yield return ((string)variable.Key, (string)variable.Value!);
        }
    }
}
