using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>A platform of its own whose machines have a name server of ours and another host to reach, and a tenant on it.</summary>
public sealed class EgressPlatform : IAsyncLifetime
{
    public const int Port = 4000;

    private const string Client = """
        import socket, sys
        host, port, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
        try:
            if kind == 'tcp':
                s = socket.create_connection((host, port), 20)
            else:
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                s.connect((host, port))
                s.settimeout(float(sys.argv[4]))
            s.sendall(b'hello\n')
            print('got ' + s.recv(64).decode().strip())
        except socket.gaierror:
            print('no name')
        except ConnectionRefusedError:
            print('refused')
        except OSError as e:
            print('error ' + str(e))
        """;

    private Miosa.Platform.Platform? platform;
    private Api? api;
    private PeerNetwork? peer;
    private TestNameServer? names;

    public Miosa.Platform.Platform Platform => platform ?? throw new InvalidOperationException("not started");

    public Api Api => api ?? throw new InvalidOperationException("not started");

    internal PeerNetwork Peer => peer ?? throw new InvalidOperationException("not started");

    internal TestNameServer Names => names ?? throw new InvalidOperationException("not started");

    public async ValueTask InitializeAsync()
    {
        names = new TestNameServer();
        peer = new PeerNetwork();
        peer.EchoTcp(Port);
        peer.EchoUdp(Port);
        foreach (var port in (int[])[53, 853])
        {
            peer.EchoTcp(port);
            peer.EchoUdp(port);
        }
        platform = await Miosa.Platform.Platform.StartAsync(
            "egr", net: 236, ["miosa-sandbox"], ["--resolvers", $"127.0.0.1:{names.Port}", "--egress-allow", PeerNetwork.OpenedRange],
            ["--default-image", "miosa-sandbox", "--pool-size", "1", "--pool-max", "1"]);
        api = await platform.NewApiAsync();
    }

    public async ValueTask DisposeAsync()
    {
        api?.Dispose();
        if (platform is not null)
            await platform.DisposeAsync();
        peer?.Dispose();
        names?.Dispose();
    }

    public async Task<string> CreateAsync(JsonObject? egress = null)
    {
        var body = new JsonObject { ["size"] = "xs", ["egress"] = egress };
        return await Api.CreateAsync(body.ToJsonString());
    }

    /// <summary>What a connection from inside comes to: <c>got hello</c>, <c>refused</c>, <c>no name</c> or an error.</summary>
    public Task<string> ReachAsync(string sandbox, string host, int port = Port) => PythonAsync(sandbox, Client, host, port.ToString(), "tcp");

    public Task<string> ReachUdpAsync(string sandbox, string host, int port = Port, double seconds = 20) =>
        PythonAsync(sandbox, Client, host, port.ToString(), "udp", seconds.ToString(System.Globalization.CultureInfo.InvariantCulture));

    public async Task<string> PythonAsync(string sandbox, string script, params string[] arguments)
    {
        var body = new JsonObject { ["command"] = new JsonArray([.. ((string[])["python3", "-c", script, .. arguments]).Select(a => (JsonNode)a)]) };
        var answer = (await Api.PostAsync($"sandboxes/{sandbox}/exec", body.ToJsonString())).Expect(200);
        return answer.Json.GetProperty("exit_code").GetInt32() == 0 ? answer.Text("stdout").Trim() : throw new InvalidOperationException(answer.Body);
    }

    public async Task SetAsync(string sandbox, JsonObject egress) => (await Api.PutAsync($"sandboxes/{sandbox}/egress", egress.ToJsonString())).Expect(200);

    /// <summary>Waits until the log tells of such a refusal.</summary>
    public async Task<JsonElement> RefusedAsync(string sandbox, string protocol, string target, string reason)
    {
        JsonElement? found = null;
        await Miosa.Platform.Platform.UntilAsync($"the refusal of {protocol} {target} for {reason} is told", async () =>
        {
            var told = (await Api.GetAsync($"sandboxes/{sandbox}/egress/refused")).Expect(200).Json.GetProperty("data").EnumerateArray()
                .Where(r => r.GetProperty("protocol").GetString() == protocol && r.GetProperty("target").GetString() == target && r.GetProperty("reason").GetString() == reason).ToList();
            found = told.Count > 0 ? told[0] : null;
            return told.Count > 0;
        });
        return found ?? throw new InvalidOperationException("found and lost");
    }

    public static JsonObject Closed() => new() { ["mode"] = "closed" };

    public static JsonObject Open() => new() { ["mode"] = "open" };

    public static JsonObject Listed(string[]? domains = null, string[]? cidrs = null) => new()
    {
        ["mode"] = "listed",
        ["domains"] = new JsonArray([.. (domains ?? []).Select(d => (JsonNode)d)]),
        ["cidrs"] = new JsonArray([.. (cidrs ?? []).Select(c => (JsonNode)c)]),
    };
}
