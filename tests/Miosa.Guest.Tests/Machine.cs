using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Miosa.Server.Guests;

namespace Miosa.Guest.Tests;

/// <summary>The published guest as PID 1 of real namespaces, on a root of its own. Needs root, like the runtime it stands in for.</summary>
public sealed partial class Machine : IAsyncDisposable
{
    private readonly string _directory;
    private readonly string? _cgroup;
    private readonly int _pid;

    private Machine(string directory, string? cgroup, int pid) => (_directory, _cgroup, _pid) = (directory, cgroup, pid);

    public string SocketPath => _directory + ".sock";

    internal GuestConnection Guest { get; private set; } = null!; // set before anybody gets the machine

    /// <summary>The guest's pid as the host sees it.</summary>
    public int GuestPid => Children(_pid)[0];

    public static async Task<Machine> StartAsync(int? pids = null)
    {
        var directory = Path.Combine(Path.GetTempPath(), "miosa-guest-test-" + Guid.NewGuid().ToString("n"));
        Directory.CreateDirectory(directory);
        var cgroup = pids is { } limit ? MakeCgroup(Path.GetFileName(directory), limit) : null;
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(directory + ".new"));
        listener.Listen(16);
        // .NET removes the name it has bound when the socket is closed here; the guest's copy goes on listening under this one.
        File.Move(directory + ".new", directory + ".sock");
        string[] command =
        [
            "unshare", "--pid", "--mount", "--fork", "--kill-child",
            "sh", Path.Combine(AppContext.BaseDirectory, "machine.sh"), directory, GuestPath(), cgroup ?? "",
        ];
        var pid = Spawn(command, (int)listener.Handle);
        var machine = new Machine(directory, cgroup, pid);
        machine.Guest = await GuestConnection.ConnectAsync(machine.SocketPath, CancellationToken.None);
        return machine;
    }

    /// <summary>The one the environment names (as ./dev test does), else where `dotnet publish src/Miosa.Guest -c Release` put it.</summary>
    public static string GuestPath()
    {
        if (Environment.GetEnvironmentVariable("MIOSA_GUEST_BIN") is { } given)
            return given;
        var root = RepositoryRoot();
        var published = Path.Combine(root, "artifacts", "publish", "Miosa.Guest");
        var found = Directory.Exists(published) ? Directory.GetFiles(published, "miosa-guest", SearchOption.AllDirectories) : [];
        return Array.Find(found, path => path.Contains("release", StringComparison.Ordinal))
            ?? throw new InvalidOperationException("miosa-guest is not published: dotnet publish src/Miosa.Guest -c Release");
    }

    public static string RepositoryRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Miosa.slnx")))
            directory = directory.Parent;
        return directory?.FullName ?? throw new InvalidOperationException("not inside the repository");
    }

    internal Task<GuestConnection> ConnectAsync() => GuestConnection.ConnectAsync(SocketPath, CancellationToken.None);

    /// <summary>Runs a shell string and gathers what it printed.</summary>
    internal Task<Outcome> RunAsync(string shell, string? stdin = null, long? timeoutMs = null, CancellationToken ct = default) =>
        RunAsync(new ExecCall { Shell = shell, TimeoutMs = timeoutMs }, stdin, ct);

    internal async Task<Outcome> RunAsync(ExecCall call, string? stdin = null, CancellationToken ct = default)
    {
        var (stdout, stderr) = (new MemoryStream(), new MemoryStream());
        using var input = stdin is null ? null : new MemoryStream(Encoding.UTF8.GetBytes(stdin));
        var reply = await Guest.ExecAsync(
            call,
            (isStderr, bytes, _) =>
            {
                foreach (var part in bytes)
                    (isStderr ? stderr : stdout).Write(part.Span);
                return ValueTask.CompletedTask;
            },
            input,
            ct);
        return new Outcome(reply, Encoding.UTF8.GetString(stdout.ToArray()), Encoding.UTF8.GetString(stderr.ToArray()));
    }

    /// <summary>Waits until no process of the machine has this text in its command line.</summary>
    internal async Task<bool> IsGoneAsync(string commandPart)
    {
        var since = Stopwatch.StartNew();
        do
        {
            if (await CountAsync(commandPart) == 0)
                return true;
        }
        while (since.Elapsed < TimeSpan.FromSeconds(20));
        return false;
    }

    /// <summary>How many processes of the machine have this text in their command line, as a look from the host tells.</summary>
    internal Task<int> CountAsync(string commandPart) => Task.Run(() => Below(GuestPid).Count(pid => CommandLineOf(pid).Contains(commandPart, StringComparison.Ordinal)));

    /// <summary>Zombies of the machine, as the host sees them.</summary>
    internal int Zombies() => Below(GuestPid).Count(pid => StatOf(pid) is { State: 'Z' });

    internal long MemoryKb(string field)
    {
        var line = File.ReadLines($"/proc/{GuestPid}/smaps_rollup").First(l => l.StartsWith(field + ":", StringComparison.Ordinal));
        return long.Parse(line[(field.Length + 1)..].Replace("kB", "", StringComparison.Ordinal).Trim(), CultureInfo.InvariantCulture);
    }

    public async ValueTask DisposeAsync()
    {
        if (Guest is not null)
            await Guest.DisposeAsync();
        _ = Kill(_pid, 9);
        _ = WaitPid(_pid, 0, 0);
        File.Delete(SocketPath);
        if (_cgroup is not null)
            await RemoveCgroupAsync(_cgroup);
        Directory.Delete(_directory, recursive: true);
    }

    private static async Task RemoveCgroupAsync(string cgroup)
    {
        // The kernel empties it when the last process has been reaped; that is a fact to wait for, not a call.
        for (var until = Stopwatch.StartNew(); until.Elapsed < TimeSpan.FromSeconds(10) && File.ReadAllText(cgroup + "/cgroup.procs").Length > 0;)
            await Task.Yield();
        Directory.Delete(cgroup);
    }

    private static string MakeCgroup(string name, int limit)
    {
        var root = Directory.Exists("/sys/fs/cgroup/pids") ? "/sys/fs/cgroup/pids/" : "/sys/fs/cgroup/";
        Directory.CreateDirectory(root + name);
        File.WriteAllText(root + name + "/pids.max", limit.ToString(CultureInfo.InvariantCulture));
        return root + name;
    }

    private static List<int> Below(int root)
    {
        var found = new List<int> { root };
        for (var i = 0; i < found.Count; i++)
            found.AddRange(Children(found[i]));
        found.Remove(root);
        return found;
    }

    private static int[] Children(int parent) =>
        [.. Directory.GetDirectories("/proc").Select(Path.GetFileName).Where(n => n!.All(char.IsAsciiDigit)).Select(n => int.Parse(n!, CultureInfo.InvariantCulture)).Where(pid => StatOf(pid) is { } stat && stat.Parent == parent)];

    private static (char State, int Parent)? StatOf(int pid)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return (fields[0][0], int.Parse(fields[1], CultureInfo.InvariantCulture));
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static string CommandLineOf(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/cmdline").Replace('\0', ' ');
        }
        catch (IOException)
        {
            return "";
        }
    }

    private static int Spawn(string[] command, int listener)
    {
        // glibc's posix_spawn_file_actions_t is 80 bytes.
        var actions = Marshal.AllocHGlobal(256);
        var argv = new nint[command.Length + 1];
        for (var i = 0; i < command.Length; i++)
            argv[i] = Marshal.StringToCoTaskMemUTF8(command[i]);
        var environment = new[] { Marshal.StringToCoTaskMemUTF8("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), 0 };
        _ = InitActions(actions);
        _ = AddDup(actions, listener, 3);
        var result = SpawnP(out var pid, "unshare", actions, 0, argv, environment);
        _ = DestroyActions(actions);
        Marshal.FreeHGlobal(actions);
        foreach (var text in (nint[])[.. argv, .. environment])
            Marshal.FreeCoTaskMem(text);
        return result == 0 ? pid : throw new InvalidOperationException("posix_spawnp: " + result);
    }

    [LibraryImport("libc", EntryPoint = "posix_spawnp", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SpawnP(out int pid, string file, nint actions, nint attributes, nint[] argv, nint[] environment);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_init")]
    private static partial int InitActions(nint actions);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_adddup2")]
    private static partial int AddDup(nint actions, int fd, int target);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_destroy")]
    private static partial int DestroyActions(nint actions);

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int pid, int signal);

    [LibraryImport("libc", EntryPoint = "waitpid")]
    private static partial int WaitPid(int pid, nint status, int options);
}

internal sealed record Outcome(ExecReply Reply, string Stdout, string Stderr)
{
    public int ExitCode => Reply.ExitCode;
}

/// <summary>One machine for a class of tests.</summary>
public sealed class SharedMachine : IAsyncLifetime
{
    public Machine Machine { get; private set; } = null!; // set by xunit before the first test

    public async ValueTask InitializeAsync() => Machine = await Machine.StartAsync();

    public ValueTask DisposeAsync() => Machine.DisposeAsync();
}
