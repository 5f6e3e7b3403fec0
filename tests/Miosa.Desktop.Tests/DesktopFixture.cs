using System.Diagnostics;
using System.Text;
using System.Text.Json.Serialization.Metadata;
using Miosa.Desktop.Tests;
using Miosa.Guest;
using Miosa.Runtime.Tests;
using Miosa.Runtime.Wire;
using Miosa.Server.Guests;

[assembly: AssemblyFixture(typeof(DesktopFixture))]
// One desktop for all: two tests at once would type into each other's windows.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]

namespace Miosa.Desktop.Tests;

/// <summary>
/// A runtime of its own and one machine of the image miosa-desktop, with its desktop started. Needs root. MIOSA_RUNTIME_BIN and MIOSA_GUEST_BIN name
/// the two programs when they are not where publishing puts them.
/// </summary>
public sealed class DesktopFixture : IAsyncLifetime
{
    private const string Image = "miosa-desktop";

    private readonly string _directory = Directory.CreateTempSubdirectory("mdt").FullName;
    private readonly string _name = "mdt" + Environment.ProcessId;
    private Process? _daemon;
    private string _socket = "";

    internal GuestConnection Guest { get; private set; } = null!; // set before any test

    private string Socket => _directory + "/run/runtime.sock";

    private static string Root { get; } = FindRoot();

    public async ValueTask InitializeAsync()
    {
        Command(["image", "build", Image, "--recipe", Root + "/images/" + Image]);
        var start = new ProcessStartInfo(Program("MIOSA_RUNTIME_BIN", "Miosa.Runtime", "miosa-runtime"), Arguments(["serve", "--guest", Program("MIOSA_GUEST_BIN", "Miosa.Guest", "miosa-guest")]))
        {
            RedirectStandardError = true,
        };
        _daemon = Process.Start(start)!; // not a shell execute
        _daemon.ErrorDataReceived += (_, _) => { };
        _daemon.BeginErrorReadLine();
        await Eventually.TrueAsync(() => _daemon.HasExited || File.Exists(Socket), "the socket of the runtime");
        Assert.False(_daemon.HasExited, "the runtime did not start");
        Guest = await LaunchAsync(Image, 2048);
        var began = Stopwatch.StartNew();
        var desktop = await CallAsync(GuestVerb.DesktopStart, new DesktopStartCall(), GuestJson.Wire.DesktopStartCall, GuestJson.Wire.GuestDesktop);
        Assert.Equal((DesktopState.Running, 1280, 720), (desktop.State, desktop.Width, desktop.Height));
        Assert.True(began.Elapsed < TimeSpan.FromSeconds(30), $"the desktop took {began.Elapsed} to start");
    }

    public async ValueTask DisposeAsync()
    {
        if (Guest is not null)
            await Guest.DisposeAsync();
        if (_daemon is not null)
        {
            _daemon.Kill();
            await _daemon.WaitForExitAsync();
            _daemon.Dispose();
        }
        Command(["down", "--purge"]);
        Directory.Delete(_directory, recursive: true);
    }

    internal void BuildImage(string image) => Command(["image", "build", image, "--recipe", Root + "/images/" + image]);

    /// <summary>A machine that lives as long as the fixture, and a connection to its guest.</summary>
    internal async Task<GuestConnection> LaunchAsync(string image, int memoryMb)
    {
        using var client = new RuntimeClient(Socket);
        var request = new RuntimeRequest { Op = RuntimeOps.Launch, Machine = image, Image = image, Vcpus = 2, MemoryMb = memoryMb, DiskMb = 2048, Pids = 2048 };
        var info = await client.OkAsync(request, RuntimeWireJson.Default.MachineInfo);
        if (image == Image)
            _socket = info.Socket;
        return await GuestConnection.ConnectAsync(info.Socket, CancellationToken.None);
    }

    internal async Task<TReply> CallAsync<TCall, TReply>(string verb, TCall call, JsonTypeInfo<TCall> callType, JsonTypeInfo<TReply> replyType, byte[]? body = null) =>
        (await CallWithDataAsync(verb, call, callType, replyType, body)).Reply;

    /// <summary>Another connection to the machine with the desktop.</summary>
    internal Task<GuestConnection> ConnectAsync() => GuestConnection.ConnectAsync(_socket, CancellationToken.None);

    /// <summary>One verb, with the bytes it takes and those it sends.</summary>
    internal async Task<(TReply Reply, byte[] Data)> CallWithDataAsync<TCall, TReply>(
        string verb, TCall call, JsonTypeInfo<TCall> callType, JsonTypeInfo<TReply> replyType, byte[]? body = null)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var open = await Guest.OpenAsync(verb, call, callType, takesData: true, deadline.Token);
        var feeding = body is null ? Task.CompletedTask : GuestBody.SendAsync(open, new MemoryStream(body), deadline.Token);
        var data = new MemoryStream();
        for (var chunk = await open.NextAsync(deadline.Token); !chunk.IsEnd; chunk = await open.NextAsync(deadline.Token))
        {
            foreach (var part in chunk.Bytes)
                data.Write(part.Span);
        }
        await feeding;
        return (await open.ReplyAsync(replyType, deadline.Token), data.ToArray());
    }

    /// <summary>Runs a shell string as the desktop's user; its output.</summary>
    internal async Task<string> RunAsync(string shell, string user = "user")
    {
        var output = new MemoryStream();
        var reply = await Guest.ExecAsync(
            new ExecCall { Shell = shell, User = user, Cwd = "/tmp", Env = new() { ["DISPLAY"] = ":1" }, TimeoutMs = 30_000 },
            (_, bytes, _) =>
            {
                foreach (var part in bytes)
                    output.Write(part.Span);
                return ValueTask.CompletedTask;
            },
            null, CancellationToken.None);
        var text = Encoding.UTF8.GetString(output.ToArray());
        Assert.True(reply.ExitCode == 0, $"{shell}: exit code {reply.ExitCode}: {text}");
        return text;
    }

    private void Command(IReadOnlyList<string> words)
    {
        using var process = Process.Start(new ProcessStartInfo(Program("MIOSA_RUNTIME_BIN", "Miosa.Runtime", "miosa-runtime"), Arguments(words)) { RedirectStandardError = true, RedirectStandardOutput = true })!; // not a shell execute
        // Read on other threads, so that neither pipe fills.
        var errors = new StringBuilder();
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, line) => errors.AppendLine(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{string.Join(' ', words)}: {errors}");
    }

    private string[] Arguments(IReadOnlyList<string> words) =>
        [.. words, "--name", _name, "--data", _directory + "/data", "--run", _directory + "/run", "--subnet", Subnet, "--disk-gb", "8", "--id-base", "2000000000", "--user", "65534"];

    // Several checkouts may test on one host at a time (MIOSA_LANE, 1 to 9).
    private static string Subnet { get; } = int.TryParse(Environment.GetEnvironmentVariable("MIOSA_LANE"), out var lane) ? $"10.{(20 * lane) + 15}.0.0/16" : "10.215.0.0/16";

    private static string Program(string variable, string project, string name)
    {
        if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } path)
            return path;
        path = $"{Root}/artifacts/publish/{project}/release_linux-x64/{name}";
        return File.Exists(path) ? path : throw new FileNotFoundException($"{path} is missing: dotnet publish src/{project} -c Release");
    }

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(folder + "/Miosa.slnx"))
            folder = Path.GetDirectoryName(folder) ?? throw new DirectoryNotFoundException("Miosa.slnx");
        return folder;
    }
}
