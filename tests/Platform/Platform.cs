using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Miosa.Platform;

/// <summary>
/// The real platform for tests: miosa-runtime as root and miosa-server as the user <c>miosa</c>, both from published binaries, with
/// directories, names and addresses of their own. The runtime's data folder is kept between runs (its images take time to build);
/// everything else starts from nothing. Needs root.
/// </summary>
public sealed class Platform : IAsyncDisposable
{
    private const string Node = "local";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string data;
    private readonly string run;
    private readonly string state;
    private readonly string bin;
    private readonly string subnet;
    private readonly string[] serverSettings;
    private readonly string[] runtimeSettings;
    private readonly string? resolver;
    private readonly int port;
    private Process? runtime;
    private Process? server;

    private Platform(string suite, int net, string[] runtimeSettings, string[] serverSettings, string? resolver)
    {
        // Several checkouts may test on one host at a time: MIOSA_LANE (1 to 9) keeps their names and addresses apart.
        if (int.TryParse(Environment.GetEnvironmentVariable("MIOSA_LANE"), out var lane))
            (suite, net) = ($"{lane}{suite}", (20 * lane) + (net % 20));
        Suite = suite;
        data = $"/var/lib/miosa-test-{suite}";
        state = $"/var/lib/miosa-test-{suite}-server";
        run = $"/run/miosa-test-{suite}";
        bin = $"/opt/miosa-test-{suite}-bin";
        subnet = $"10.{net}.0.0/16";
        this.runtimeSettings = runtimeSettings;
        this.serverSettings = serverSettings;
        this.resolver = resolver;
        port = FreePort();
    }

    public string Suite { get; }

    /// <summary>Such as <c>http://127.0.0.1:40123</c>.</summary>
    public string RootUrl => $"http://127.0.0.1:{port}";

    public string ApiUrl => RootUrl + "/api/v1";

    public string ServerLog => Path.Combine(run, "server.log");

    /// <summary>The folder of the server's database and keys.</summary>
    public string ServerData => state;

    /// <summary>The folder of the machines' disks and of snapshots.</summary>
    public string RuntimeData => data;

    public int ServerPid => server?.Id ?? throw new InvalidOperationException("the server does not run");

    /// <param name="suite">Names directories and the runtime instance: short, lower case, different for suites that may run at the same time.</param>
    /// <param name="net">Second number of the machines' network, 10.NET.0.0/16.</param>
    /// <param name="images">Images to have; built from the recipes of this repository when missing.</param>
    /// <param name="serverSettings">More arguments for miosa-server.</param>
    public static Task<Platform> StartAsync(string suite, int net, string[] images, params string[] serverSettings) =>
        StartAsync(suite, net, images, [], serverSettings);

    /// <inheritdoc cref="StartAsync(string, int, string[], string[])"/>
    /// <param name="runtimeSettings">More arguments for miosa-runtime.</param>
    /// <param name="resolver">Address of the name server that miosa-server asks, on port 53; default: the host's.</param>
    public static async Task<Platform> StartAsync(string suite, int net, string[] images, string[] runtimeSettings, string[] serverSettings, string? resolver = null)
    {
        if (Environment.UserName != "root")
            throw new InvalidOperationException("these tests start containers: run them as root");
        var platform = new Platform(suite, net, runtimeSettings, serverSettings, resolver);
        try
        {
            await platform.PrepareAsync();
            foreach (var image in images)
                await platform.HaveImageAsync(image);
            platform.StartRuntime();
            await platform.StartServerAsync();
            return platform;
        }
        catch
        {
            await platform.DisposeAsync();
            throw;
        }
    }

    /// <summary>A tenant nobody else uses.</summary>
    public Task<string> NewTenantAsync(string name) => AdminAsync("tenant", "create", name);

    /// <summary>A key of a tenant; all scopes when none is named.</summary>
    public Task<string> NewKeyAsync(string tenant, string[]? scopes = null, string? expires = null) =>
        AdminAsync(["key", "create", "--tenant", tenant, "--name", "test", .. (scopes ?? []).SelectMany(s => (string[])["--scope", s]), .. expires is null ? Array.Empty<string>() : ["--expires", expires]]);

    /// <summary>A key of an administrator, which has no tenant of its own.</summary>
    public Task<string> NewAdminKeyAsync() => AdminAsync("key", "create", "--platform", "--name", "test");

    /// <summary>A client of a fresh tenant with a key that may do everything.</summary>
    public async Task<Api> NewApiAsync()
    {
        var tenant = await NewTenantAsync("t-" + Guid.NewGuid().ToString("N")[..12]);
        return Api(await NewKeyAsync(tenant));
    }

    public Api Api(string? key) => new(RootUrl, key);

    /// <summary>Runs an admin command of miosa-server and gives what it printed.</summary>
    public async Task<string> AdminAsync(params string[] arguments)
    {
        var (code, output, error) = await RunAsync("setpriv", [.. AsServerUser(), .. ServerCommand(), .. arguments, "--data", state]);
        return code == 0 ? output.Trim() : throw new InvalidOperationException($"miosa-server {string.Join(' ', arguments)} failed ({code}): {error}");
    }

    /// <summary>The value of "--urls" among the settings: to be listened on besides <see cref="RootUrl"/>.</summary>
    private string[] MoreUrls => Array.IndexOf(serverSettings, "--urls") is >= 0 and var at ? [serverSettings[at + 1]] : [];

    private IEnumerable<string> Settings => serverSettings.Where((_, at) => serverSettings[at] != "--urls" && (at == 0 || serverSettings[at - 1] != "--urls"));

    public async Task StartServerAsync()
    {
        // No self-made restart: a test that kills the server wants to see it dead first.
        server = StartLogged("server", resolver is null ? "setpriv" : "unshare", [
            .. WithResolver(), .. AsServerUser(), .. ServerCommand(), "serve", "--data", state, "--runtime-socket", Path.Combine(run, "runtime.sock"),
            "--urls", string.Join(';', [RootUrl, .. MoreUrls]), "--node", Node, .. Unless("--default-image", "miosa-busybox"), .. Unless("--pool-size", "0"), .. Unless("--sweep-sec", "2"), .. Unless("--metrics-sec", "1"), .. Unless("--bad-key-rpm", "0"), .. Settings]);
        await UntilAsync("the server is ready", async () =>
        {
            if (server.HasExited)
                throw new InvalidOperationException($"miosa-server ended with {server.ExitCode}: {File.ReadAllText(ServerLog)}");
            var answer = await Api(null).TryGetAsync(RootUrl + "/readyz");
            return answer == HttpStatusCode.OK;
        });
    }

    public void StartRuntime() => runtime = StartLogged("runtime", Path.Combine(bin, "miosa-runtime"), [
        "serve", "--data", data, "--run", run, "--name", RuntimeName, "--user", "miosa", "--subnet", subnet, "--guest", Path.Combine(bin, "miosa-guest"), "--disk-gb", "20", .. runtimeSettings]);

    /// <summary>SIGKILL: no clean-up of any kind.</summary>
    public Task KillServerAsync() => KillAsync(server);

    public Task KillRuntimeAsync() => KillAsync(runtime);

    /// <summary>SIGTERM, and the exit code.</summary>
    public async Task<int> StopServerAsync()
    {
        var process = server ?? throw new InvalidOperationException("the server does not run");
        await RunAsync("kill", ["-TERM", process.Id.ToString()]);
        await process.WaitForExitAsync().WaitAsync(Patience);
        return process.ExitCode;
    }

    /// <summary>Asks the runtime directly, past the server.</summary>
    public async Task<JsonElement> AskRuntimeAsync(JsonObject request)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(Path.Combine(run, "runtime.sock")));
        request["id"] = 1;
        await socket.SendAsync(Encoding.UTF8.GetBytes(request.ToJsonString() + "\n"));
        using var reader = new StreamReader(new NetworkStream(socket));
        var line = await reader.ReadLineAsync() ?? throw new IOException("the runtime hung up");
        var answer = JsonDocument.Parse(line).RootElement;
        return answer.TryGetProperty("ok", out var ok) ? ok : throw new InvalidOperationException(line);
    }

    /// <summary>Ids and states of all machines of the runtime.</summary>
    public async Task<Dictionary<string, string>> MachinesAsync() =>
        (await AskRuntimeAsync(new JsonObject { ["op"] = "list" })).GetProperty("machines").EnumerateArray()
            .ToDictionary(m => m.GetProperty("machine").GetString() ?? "", m => m.GetProperty("state").GetString() ?? "");

    public async Task KillGuestAsync(string machine)
    {
        var pid = (await AskRuntimeAsync(new JsonObject { ["op"] = "inspect", ["machine"] = machine })).GetProperty("pid").GetInt32();
        await RunAsync("kill", ["-KILL", pid.ToString()]);
        // The kernel takes its time to end all that it held; before that nobody can know. By then it may run again.
        await UntilAsync($"the runtime knows that {machine} died", async () =>
            !(await AskRuntimeAsync(new JsonObject { ["op"] = "list" })).GetProperty("machines").EnumerateArray()
                .Any(m => m.GetProperty("machine").GetString() == machine && m.GetProperty("state").GetString() == "running" && m.GetProperty("pid").GetInt32() == pid));
    }

    /// <summary>Waits for a fact; fails with its name when it does not come true.</summary>
    public static async Task UntilAsync(string fact, Func<Task<bool>> isTrue, TimeSpan? within = null)
    {
        var clock = Stopwatch.StartNew();
        while (!await isTrue())
        {
            if (clock.Elapsed > (within ?? Patience))
                throw new TimeoutException($"did not come true: {fact}");
            await Task.Delay(20);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync(server);
        await KillAsync(runtime);
        await RunAsync(Path.Combine(bin, "miosa-runtime"), ["down", "--data", data, "--run", run, "--name", RuntimeName]);
        if (Directory.Exists(run) && Environment.GetEnvironmentVariable("MIOSA_TEST_KEEP_LOGS") is null)
            Directory.Delete(run, recursive: true);
        foreach (var folder in (string[])[state, bin])
        {
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>The instance of the runtime, after which its nft table is named.</summary>
    public string RuntimeName => "mt" + Suite[..Math.Min(Suite.Length, 4)];

    private async Task PrepareAsync()
    {
        if ((await RunAsync("id", ["miosa"])).Code != 0)
            await RunAsync("useradd", ["--system", "--home-dir", "/var/lib/miosa-server", "--shell", "/usr/sbin/nologin", "miosa"]);
        foreach (var folder in (string[])[bin, state])
        {
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        }
        Directory.CreateDirectory(run);
        Directory.CreateDirectory(bin);
        // Copies: the user of the server may not be able to reach the clone, and a rebuild must not pull files from under a test.
        File.Copy(Binary("MIOSA_RUNTIME_BIN", "Miosa.Runtime/release_linux-x64/miosa-runtime"), Path.Combine(bin, "miosa-runtime"));
        File.Copy(Binary("MIOSA_GUEST_BIN", "Miosa.Guest/release_linux-x64/miosa-guest"), Path.Combine(bin, "miosa-guest"));
        var serverFolder = Path.GetDirectoryName(ServerBinary()) ?? throw new InvalidOperationException("no folder");
        await RunAsync("cp", ["-r", serverFolder, Path.Combine(bin, "server")]);
        await RunAsync("chmod", ["-R", "a+rX", bin]);
        await RunAsync("install", ["-d", "-o", "miosa", "-g", "miosa", "-m", "700", state]);
        // What a run that was killed left behind.
        await RunAsync(Path.Combine(bin, "miosa-runtime"), ["down", "--data", data, "--run", run, "--name", RuntimeName]);
        Directory.CreateDirectory(run);
    }

    private async Task HaveImageAsync(string image)
    {
        var command = Path.Combine(bin, "miosa-runtime");
        var (_, list, _) = await RunAsync(command, ["image", "list", "--data", data, "--run", run]);
        if (list.Split('\n').Any(line => line.StartsWith(image + " ", StringComparison.Ordinal)))
            return;
        var (code, output, error) = await RunAsync(command, ["image", "build", image, "--recipe", Path.Combine(Repository(), "images", image), "--data", data, "--run", run]);
        if (code != 0)
            throw new InvalidOperationException($"image \"{image}\" could not be built: {output}{error}");
    }

    private static string Binary(string variable, string published) =>
        Environment.GetEnvironmentVariable(variable) ?? Path.Combine(Repository(), "artifacts", "publish", published);

    /// <summary>The published server if the environment names one, else what the build of this repository made last.</summary>
    private static string ServerBinary()
    {
        if ((Environment.GetEnvironmentVariable("MIOSA_SERVER_BIN") ?? Environment.GetEnvironmentVariable("MIOSA_SERVER_DLL")) is { } given)
            return given;
        return new[] { "release", "debug" }.Select(c => Path.Combine(Repository(), "artifacts", "bin", "Miosa.Server", c, "miosa-server.dll"))
            .Where(File.Exists).OrderByDescending(File.GetLastWriteTimeUtc).FirstOrDefault()
            ?? throw new InvalidOperationException("build src/Miosa.Server first, or set MIOSA_SERVER_BIN or MIOSA_SERVER_DLL");
    }

    private string[] ServerCommand()
    {
        var name = Path.GetFileName(ServerBinary());
        var path = Path.Combine(bin, "server", name);
        return name.EndsWith(".dll", StringComparison.Ordinal) ? ["dotnet", path] : [path];
    }

    /// <summary>A setting of all tests, unless this one brings its own.</summary>
    private string[] Unless(string name, string value) => serverSettings.Contains(name) ? [] : [name, value];

    private string[] AsServerUser() => ["--reuid", "miosa", "--regid", "miosa", "--init-groups", "--no-new-privs", "env", "-C", state, "HOME=" + state];

    /// <summary>A mount namespace of its own, in which the resolver's file says another name server; the process stays the same through all of it.</summary>
    private string[] WithResolver()
    {
        if (resolver is null)
            return [];
        var file = Path.Combine(run, "resolv.conf");
        File.WriteAllText(file, $"nameserver {resolver}\noptions timeout:1 attempts:1\n");
        return ["--mount", "sh", "-c", $"mount --bind {file} /etc/resolv.conf && exec \"$@\"", "sh", "setpriv"];
    }

    private static string Repository()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "Miosa.slnx")))
                return folder;
        }
        throw new InvalidOperationException("the tests do not lie in a clone of the repository");
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private Process StartLogged(string name, string file, IEnumerable<string> arguments)
    {
        // The shell only opens the log and becomes the program, so the process id is the program's.
        var start = new ProcessStartInfo("sh") { UseShellExecute = false };
        foreach (var argument in (string[])["-c", $"exec \"$@\" >>{Path.Combine(run, name + ".log")} 2>&1 </dev/null", "sh", file, .. arguments])
            start.ArgumentList.Add(argument);
        return Process.Start(start) ?? throw new InvalidOperationException($"{file} did not start");
    }

    private static async Task KillAsync(Process? process)
    {
        if (process is null || process.HasExited)
            return;
        process.Kill();
        await process.WaitForExitAsync();
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(string file, string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(file, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })
            ?? throw new InvalidOperationException($"{file} did not start");
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }
}
