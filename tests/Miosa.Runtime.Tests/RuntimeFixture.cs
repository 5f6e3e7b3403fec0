using System.Diagnostics;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Tests;

/// <summary>
/// A runtime of its own for the tests: real binary, real namespaces, own directories and names, nothing left behind. Needs root.
/// MIOSA_RUNTIME_BIN and MIOSA_GUEST_BIN name the two programs when they are not where publishing puts them.
/// </summary>
public sealed class RuntimeFixture : IAsyncLifetime
{
    internal const string Image = "miosa-busybox";

    private readonly string directory = Directory.CreateTempSubdirectory("mrt").FullName;
    private Process? daemon;
    private int lastMachine;

    internal string Name { get; } = "mrt" + Environment.ProcessId;

    internal string Data => directory + "/data";

    internal string Run => directory + "/run";

    internal string Socket => Run + "/runtime.sock";

    internal static string Runtime => Program("MIOSA_RUNTIME_BIN", "Miosa.Runtime", "miosa-runtime");

    internal static string GuestProgram => Program("MIOSA_GUEST_BIN", "Miosa.Guest", "miosa-guest");

    internal static string Root { get; } = FindRoot();

    internal int DaemonPid => daemon!.Id; // StartAsync has set it

    public async ValueTask InitializeAsync()
    {
        Command(["image", "build", Image, "--recipe", Root + "/images/" + Image]);
        await StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        Stop(9);
        Command(["down", "--purge"]);
        Directory.Delete(directory, recursive: true);
        await Task.CompletedTask;
    }

    internal async Task StartAsync(string? failAt = null)
    {
        var start = new ProcessStartInfo(Runtime, Arguments(["serve", "--guest", GuestProgram])) { RedirectStandardError = true };
        if (failAt is not null) start.Environment["MIOSA_RUNTIME_FAIL_AT"] = failAt;
        daemon = Process.Start(start)!; // not a shell execute
        var log = new List<string>();
        daemon.ErrorDataReceived += (_, e) => { lock (log) log.Add(e.Data ?? ""); };
        daemon.BeginErrorReadLine();
        await Eventually.TrueAsync(() => daemon.HasExited || File.Exists(Socket), "the socket of the runtime");
        Assert.False(daemon.HasExited, string.Join('\n', log));
    }

    /// <summary>Ends the daemon with a signal and forgets its socket, so that the next start is seen.</summary>
    internal void Stop(int signal)
    {
        if (daemon is null) return;
        _ = Native.kill(daemon.Id, signal);
        daemon.WaitForExit();
        daemon.Dispose();
        daemon = null;
        File.Delete(Socket);
    }

    internal RuntimeClient Connect() => new(Socket);

    internal string NewId() => $"m{Interlocked.Increment(ref lastMachine)}";

    /// <summary>A machine that is destroyed at the end of the test.</summary>
    internal async Task<TestMachine> LaunchAsync(Func<RuntimeRequest, RuntimeRequest>? change = null)
    {
        var client = Connect();
        var request = new RuntimeRequest { Op = RuntimeOps.Launch, Machine = NewId(), Image = Image, Vcpus = 1, MemoryMb = 128, DiskMb = 128, Pids = 128 };
        var info = await client.OkAsync(change is null ? request : change(request), RuntimeWireJson.Default.MachineInfo);
        return new TestMachine(this, client, info);
    }

    internal string Command(IReadOnlyList<string> words)
    {
        using var process = Process.Start(new ProcessStartInfo(Runtime, Arguments(words)) { RedirectStandardError = true, RedirectStandardOutput = true })!; // not a shell execute
        var errors = process.StandardError.ReadToEnd();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{string.Join(' ', words)}: {errors}");
    }

    private string[] Arguments(IReadOnlyList<string> words) =>
        [.. words, "--name", Name, "--data", Data, "--run", Run, "--subnet", Subnet, "--disk-gb", "4", "--id-base", "2000000000", "--user", "65534"];

    // Several checkouts may test on one host at a time (MIOSA_LANE, 1 to 9).
    private static string Subnet { get; } = int.TryParse(Environment.GetEnvironmentVariable("MIOSA_LANE"), out var lane) ? $"10.{(20 * lane) + 15}.0.0/16" : "10.215.0.0/16";

    private static string Program(string variable, string project, string name)
    {
        if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } path) return path;
        path = $"{Root}/artifacts/publish/{project}/release_linux-x64/{name}";
        return File.Exists(path) ? path : throw new FileNotFoundException($"{path} is missing: dotnet publish src/{project} -c Release");
    }

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(folder + "/Miosa.slnx")) folder = Path.GetDirectoryName(folder) ?? throw new DirectoryNotFoundException("Miosa.slnx");
        return folder;
    }
}

internal sealed class TestMachine(RuntimeFixture runtime, RuntimeClient client, MachineInfo info) : IAsyncDisposable
{
    public MachineInfo Info => info;

    public RuntimeClient Client => client;

    public Task<Guest.Ran> ShAsync(string command, byte[]? input = null) => Guest.ShellAsync(info.Socket, command, input);

    public async Task<MachineInfo> InspectAsync() =>
        await client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Inspect, Machine = info.Machine }, RuntimeWireJson.Default.MachineInfo);

    public async Task DestroyAsync() =>
        await client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Destroy, Machine = info.Machine }, RuntimeWireJson.Default.RuntimeNothing);

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        // A connection of its own: the test may have restarted the runtime.
        using var last = runtime.Connect();
        await last.OkAsync(new RuntimeRequest { Op = RuntimeOps.Destroy, Machine = info.Machine }, RuntimeWireJson.Default.RuntimeNothing);
    }
}
