using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Miosa.Server.Tests;

/// <summary>Policies that change while connections are open, from the first instruction on, over a restart, and against a hostile sandbox.</summary>
public sealed class EgressChangeTests(EgressPlatform platform) : IClassFixture<EgressPlatform>
{
    /// <summary>Sends a line ten times a second on one connection and writes down what comes of each.</summary>
    private const string Ticks = """
        import socket, sys, time
        host, port, kind, word = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == 'tcp' else socket.SOCK_DGRAM)
        s.settimeout(1)
        s.connect((host, port))
        while True:
            try:
                s.sendall(word.encode() + b'\n')
                s.recv(64)
                print('ok', flush=True)
            except OSError as e:
                print('cut', type(e).__name__, flush=True)
            time.sleep(0.1)
        """;

    [Theory]
    [InlineData("tcp")]
    [InlineData("udp")]
    public async Task An_open_connection_ends_when_the_policy_does_not_allow_it_any_more(string kind)
    {
        var id = await platform.CreateAsync(EgressPlatform.Listed(cidrs: [PeerNetwork.Public(2), PeerNetwork.Public(3)]));
        await TickAsync(id, PeerNetwork.Public(2), kind, $"{kind}-gone-{id}");
        await platform.SetAsync(id, EgressPlatform.Listed(cidrs: [PeerNetwork.Public(3)]));
        await UntilCutAsync(id, "cut");
        var got = Received($"{kind}-gone-{id}");
        await UntilMoreCutsAsync(id);
        Assert.Equal(got, Received($"{kind}-gone-{id}"));
    }

    [Theory]
    [InlineData("tcp")]
    [InlineData("udp")]
    public async Task An_open_connection_ends_when_an_open_sandbox_is_closed(string kind)
    {
        var id = await platform.CreateAsync();
        await TickAsync(id, PeerNetwork.Public(2), kind, $"{kind}-shut-{id}");
        await platform.SetAsync(id, EgressPlatform.Closed());
        await UntilCutAsync(id, "cut");
        var got = Received($"{kind}-shut-{id}");
        await UntilMoreCutsAsync(id);
        Assert.Equal(got, Received($"{kind}-shut-{id}"));
    }

    [Fact]
    public async Task An_open_connection_goes_on_when_the_new_policy_allows_it_too()
    {
        var id = await platform.CreateAsync();
        await TickAsync(id, PeerNetwork.Public(2), "tcp", "stays-" + id);
        foreach (var policy in (JsonObject[])[
            EgressPlatform.Listed(cidrs: [PeerNetwork.Public(2)]), EgressPlatform.Listed(cidrs: [PeerNetwork.Public(2), "8.8.8.8"]), EgressPlatform.Listed(cidrs: [PeerNetwork.Public(0) + "/28"]),
            EgressPlatform.Open()])
        {
            await platform.SetAsync(id, policy);
            await UntilReceivedAsync("stays-" + id, Received("stays-" + id) + 5);
        }
        Assert.DoesNotContain("cut", await platform.Api.RunAsync(id, "cat /tmp/ticks"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_taken_from_the_list_closes_its_addresses_at_once()
    {
        platform.Names.Names["first.test"] = [PeerNetwork.Public(2)];
        platform.Names.Names["second.test"] = [PeerNetwork.Public(3)];
        var id = await platform.CreateAsync(EgressPlatform.Listed(["first.test", "second.test"]));
        Assert.Equal("got hello", await platform.ReachAsync(id, "first.test"));
        Assert.Equal("got hello", await platform.ReachAsync(id, "second.test"));
        await platform.SetAsync(id, EgressPlatform.Listed(["second.test"]));
        Assert.Equal("refused", await platform.ReachAsync(id, PeerNetwork.Public(2)));
        // Still listed: not to be asked for again.
        Assert.Equal("got hello", await platform.ReachAsync(id, PeerNetwork.Public(3)));
    }

    [Fact]
    public async Task A_sandbox_made_closed_sends_nothing_even_with_its_first_instruction_warm_or_cold()
    {
        await Miosa.Platform.Platform.UntilAsync("a warm machine waits", async () => (await platform.Platform.MachinesAsync()).Count > 0);
        var body = new JsonObject
        {
            ["egress"] = EgressPlatform.Closed(),
            ["entrypoint"] = $"for i in 1 2 3 4 5 6 7 8 9 10; do echo first > /dev/udp/{PeerNetwork.Public(2)}/{EgressPlatform.Port}; done; touch /tmp/tried",
        };
        // At once: the pool has one machine, so others are made cold.
        var created = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => platform.Api.PostAsync("sandboxes", body.ToJsonString())));
        Assert.Equal(["cold", "warm"], created.Select(c => c.Expect(201).Text("boot_path")).Distinct().Order());
        foreach (var id in created.Select(c => c.Text("id")))
        {
            await Miosa.Platform.Platform.UntilAsync("the entrypoint has tried", async () => (await platform.Api.RunAsync(id, "ls /tmp")).Contains("tried", StringComparison.Ordinal));
            await platform.RefusedAsync(id, "udp", PeerNetwork.Public(2), "policy");
        }
        Assert.Equal(0, Received("first"));
    }

    [Fact]
    public async Task A_claimed_machine_of_the_pool_that_went_back_is_open_again()
    {
        await Miosa.Platform.Platform.UntilAsync("a warm machine waits", async () => (await platform.Platform.MachinesAsync()).Count > 0);
        using var api = await platform.Platform.NewApiAsync();
        await api.CreateAsync("""{"name":"taken"}""");
        (await api.PostAsync("sandboxes", """{"name":"taken","egress":{"mode":"closed"}}""")).Expect(409);
        var id = await platform.CreateAsync();
        Assert.Equal("got hello", await platform.ReachAsync(id, PeerNetwork.Public(2)));
    }

    [Fact]
    public async Task Policies_hold_while_the_runtime_is_away_and_after_it_came_back()
    {
        platform.Names.Names["kept.test"] = [PeerNetwork.Public(2)];
        var listed = await platform.CreateAsync(EgressPlatform.Listed(["kept.test"], ["203.0.113.0/24"]));
        var closed = await platform.CreateAsync(EgressPlatform.Closed());
        var open = await platform.CreateAsync();
        Assert.Equal("got hello", await platform.ReachAsync(listed, "kept.test"));
        await TickAsync(listed, "kept.test", "tcp", "kept-" + listed);

        await platform.Platform.KillRuntimeAsync();
        Assert.Equal("refused", await platform.ReachAsync(listed, PeerNetwork.Public(3)));
        Assert.Equal("refused", await platform.ReachAsync(closed, PeerNetwork.Public(2)));
        Assert.Equal("got hello", await platform.ReachAsync(open, PeerNetwork.Public(2)));
        (await platform.Api.PutAsync($"sandboxes/{listed}/egress", """{"mode":"open"}""")).Expect(503);
        Assert.Equal("listed", (await platform.Api.GetAsync($"sandboxes/{listed}/egress")).Text("mode"));

        platform.Platform.StartRuntime();
        await Miosa.Platform.Platform.UntilAsync("the server sees the runtime again", async () => (await platform.Api.GetAsync($"sandboxes/{listed}/egress/refused")).Status == 200);
        Assert.Equal("refused", await platform.ReachAsync(closed, PeerNetwork.Public(2)));
        Assert.Equal("got hello", await platform.ReachAsync(open, PeerNetwork.Public(2)));
        Assert.Equal("no name", await platform.ReachAsync(listed, "other-kept.test"));
        Assert.Equal("refused", await platform.ReachAsync(listed, PeerNetwork.Public(3)));
        // The connection of before was allowed and goes on; a new one asks for the name anew.
        await UntilReceivedAsync("kept-" + listed, Received("kept-" + listed) + 5);
        Assert.DoesNotContain("cut", await platform.Api.RunAsync(listed, "cat /tmp/ticks"), StringComparison.Ordinal);
        Assert.Equal("got hello", await platform.ReachAsync(listed, "kept.test"));
        Assert.Equal("got hello", await platform.ReachAsync(await platform.CreateAsync(), PeerNetwork.Public(2)));
    }

    [Fact]
    public async Task Rules_that_another_program_of_the_host_removed_come_back_with_every_policy()
    {
        platform.Names.Names["again.test"] = [PeerNetwork.Public(2)];
        var listed = await platform.CreateAsync(EgressPlatform.Listed(["again.test"]));
        var closed = await platform.CreateAsync(EgressPlatform.Closed());
        Assert.Equal("got hello", await platform.ReachAsync(listed, "again.test"));
        await NftAsync(["delete", "table", "inet", Table]);
        await Miosa.Platform.Platform.UntilAsync("the rules are back", async () => (await TryRulesAsync())?.Contains("in_list", StringComparison.Ordinal) == true);
        Assert.Equal("refused", await platform.ReachAsync(closed, PeerNetwork.Public(2)));
        Assert.Equal("refused", await platform.ReachAsync(listed, PeerNetwork.Public(3)));
        Assert.Equal("got hello", await platform.ReachAsync(listed, PeerNetwork.Public(2)));
        Assert.Equal("got hello", await platform.ReachAsync(await platform.CreateAsync(), PeerNetwork.Public(2)));
        await NftAsync(["delete", "table", "inet", Table]);
        // Perhaps before the runtime has looked: the change itself finds out.
        await platform.SetAsync(closed, EgressPlatform.Listed(["again.test"]));
        Assert.Equal("got hello", await platform.ReachAsync(closed, "again.test"));
        await NftAsync(["flush", "set", "inet", Table, "listed"]);
        (await platform.Api.DeleteAsync($"sandboxes/{closed}")).Expect(200);
        Assert.Equal("got hello", await platform.ReachAsync(listed, "again.test"));
    }

    [Fact]
    public async Task Packets_that_are_no_questions_do_not_stop_the_name_server()
    {
        platform.Names.Names["alive.test"] = [PeerNetwork.Public(2)];
        var hostile = await platform.CreateAsync();
        var other = await platform.CreateAsync();
        await platform.PythonAsync(hostile, """
            import socket, os, random, struct
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            head = lambda *counts: struct.pack('>HHHHHH', 7, 0x100, *counts)
            tail = struct.pack('>HH', 1, 1)
            packets = [
                b'', b'\0', os.urandom(11), head(1, 0, 0, 0),
                head(1, 0, 0, 0) + b'\xc0\x0c' + tail, head(1, 0, 0, 0) + b'\xc0\xff' + tail,
                head(1, 0, 0, 0) + b'\x3fabc', head(1, 0, 0, 0) + (b'\x3f' + b'a' * 63) * 9 + b'\0' + tail,
                head(65535, 65535, 65535, 65535) + b'\x01a\0' + tail, head(1, 0, 0, 65535) + b'\x01a\0' + tail,
                head(1, 0, 0, 1) + b'\x01a\0' + tail + b'\0\0\x29', head(1, 0, 0, 0) + b'\x80a\0' + tail,
                head(1, 0, 0, 0) + b'\x01a\0' + struct.pack('>HH', 252, 1), head(1, 0, 0, 0) + b'\x01a\0' + struct.pack('>HH', 255, 255),
                struct.pack('>HHHHHH', 7, 0x8180, 1, 0, 0, 0) + b'\x01a\0' + tail,
            ] + [os.urandom(random.randrange(1, 900)) for _ in range(300)]
            for packet in packets:
                try:
                    s.sendto(packet, ('169.254.53.53', 53))
                except OSError:
                    pass
            for packet in packets[:40]:
                t = socket.create_connection(('169.254.53.53', 53), 20)
                t.sendall(struct.pack('>H', random.choice([len(packet), 65535, 0])) + packet)
                t.close()
            """);
        Assert.Equal("got hello", await platform.ReachAsync(other, "alive.test"));
        Assert.Equal("got hello", await platform.ReachAsync(hostile, "alive.test"));
    }

    [Fact]
    public async Task A_sandbox_that_floods_the_name_server_or_holds_its_connections_keeps_no_other_from_it()
    {
        platform.Names.Names["calm.test"] = [PeerNetwork.Public(2)];
        var hostile = await platform.CreateAsync();
        var other = await platform.CreateAsync();
        var begun = DateTimeOffset.UtcNow;
        await platform.Api.RunAsync(hostile, "cat > /tmp/flood.py <<'E'\n" + """
            import socket, struct, threading
            question = struct.pack('>HHHHHH', 7, 0x100, 1, 0, 0, 0) + b'\x05flood\x04test\0' + struct.pack('>HH', 1, 1)
            held = []
            for _ in range(200):
                try:
                    held.append(socket.create_connection(('169.254.53.53', 53), 1))
                except OSError:
                    break
            print('held', flush=True)
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            while True:
                try:
                    s.sendto(question, ('169.254.53.53', 53))
                except OSError:
                    pass
            """ + "\nE\nnohup timeout 60 python3 /tmp/flood.py > /tmp/flood.log 2>&1 &");
        await Miosa.Platform.Platform.UntilAsync("the flood has begun", async () => (await platform.Api.RunAsync(hostile, "cat /tmp/flood.log")).Contains("held", StringComparison.Ordinal));
        Assert.Equal("got hello", await platform.ReachAsync(other, "calm.test"));
        Assert.Equal("61", await LongNameAsync(other));
        var counted = DateTimeOffset.UtcNow;
        await Miosa.Platform.Platform.UntilAsync("two seconds of flood", () => Task.FromResult(DateTimeOffset.UtcNow - counted > TimeSpan.FromSeconds(2)));
        var asked = platform.Names.Asked.Count(q => q.Name == "flood.test");
        // The rules let 200 a second and a burst of 400 through; two of three is the margin of a busy host.
        var limit = 400 + (300 * (DateTimeOffset.UtcNow - begun).TotalSeconds);
        Assert.True(asked > 0 && asked < limit, $"{asked} questions went on, at most {limit} should");
        (await platform.Api.DeleteAsync($"sandboxes/{hostile}")).Expect(200);
    }

    [Fact]
    public async Task The_name_server_answers_nobody_but_machines()
    {
        platform.Names.Names["host-asks.test"] = [PeerNetwork.Public(2)];
        var id = await platform.CreateAsync();
        Assert.Equal("got hello", await platform.ReachAsync(id, "host-asks.test"));
        var asked = platform.Names.Asked.Count;
        var port = Port(await RulesAsync());
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        byte[] question = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, .. "host-asks"u8.ToArray(), 0];
        foreach (var address in (IPAddress[])[IPAddress.Loopback, IPAddress.Parse(PeerNetwork.Public(1))])
        {
            try
            {
                await socket.SendToAsync(question, SocketFlags.None, new IPEndPoint(address, port));
            }
            catch (SocketException)
            {
                // Dropped on its way out counts as well.
            }
            using var tcp = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(1));
            await Assert.ThrowsAnyAsync<Exception>(async () => await tcp.ConnectAsync(new IPEndPoint(address, port), limit.Token));
        }
        // Nor by the port itself from inside: only what the rules hand over is served.
        Assert.NotEqual("got hello", await platform.ReachAsync(id, HostSideOf(await AddressAsync(id)), port));
        Assert.Equal(asked, platform.Names.Asked.Count);
    }

    [Fact]
    public async Task What_is_told_of_refusals_is_bounded_and_has_the_latest_first()
    {
        var id = await platform.CreateAsync(EgressPlatform.Closed());
        await platform.PythonAsync(id, """
            import socket
            for n in range(400):
                try:
                    socket.gethostbyname('n%d.many.test' % n)
                except OSError:
                    pass
            """);
        var last = await platform.RefusedAsync(id, "dns", "n399.many.test", "policy");
        Assert.True(last.GetProperty("count").GetInt64() >= 1);
        var all = (await platform.Api.GetAsync($"sandboxes/{id}/egress/refused")).Json.GetProperty("data").EnumerateArray().ToList();
        Assert.Equal(256, all.Count);
        var times = all.Select(r => r.GetProperty("last_at").GetDateTimeOffset()).ToList();
        Assert.Equal(times.OrderDescending(), times);
        Assert.DoesNotContain(all, r => r.GetProperty("target").GetString() == "n0.many.test");
    }

    [Fact]
    public async Task Many_changes_at_once_end_in_one_policy_and_leave_nothing_of_the_others()
    {
        foreach (var n in Enumerable.Range(0, 20))
            platform.Names.Names[$"n{n}.storm.test"] = [$"203.0.113.{100 + n}", PeerNetwork.Public(2)];
        var id = await platform.CreateAsync(EgressPlatform.Listed(["*.storm.test"]));
        var asking = platform.PythonAsync(id, """
            import socket
            for n in range(200):
                try:
                    socket.gethostbyname('n%d.storm.test' % (n % 20))
                except OSError:
                    pass
            """);
        var policies = Enumerable.Range(0, 60).Select(n => (n % 4) switch
        {
            0 => EgressPlatform.Open(),
            1 => EgressPlatform.Closed(),
            2 => EgressPlatform.Listed(["*.storm.test"], [$"203.0.112.{n}/32"]),
            _ => EgressPlatform.Listed([$"n{n % 20}.storm.test"], ["8.0.0.0/8", "9.9.9.0/24"]),
        });
        await Task.WhenAll(policies.Select(policy => platform.SetAsync(id, policy)));
        await asking;
        await platform.SetAsync(id, EgressPlatform.Closed());
        Assert.Equal("refused", await platform.ReachAsync(id, PeerNetwork.Public(2)));
        var side = HostSideOf(await AddressAsync(id));
        var name = System.Net.NetworkInformation.NetworkInterface.GetAllNetworkInterfaces()
            .Single(nic => nic.GetIPProperties().UnicastAddresses.Any(a => a.Address.ToString() == side)).Name;
        // A closed one is in no set but those that bound the pace of what is told.
        var sets = Regex.Replace(await RulesAsync(), @"set (noted|dns_pace) \{.*?\n\t\}", "", RegexOptions.Singleline);
        Assert.DoesNotContain($"\"{name}\"", sets, StringComparison.Ordinal);
        platform.Names.Names["end.storm.test"] = [PeerNetwork.Public(2)];
        await platform.SetAsync(id, EgressPlatform.Listed(["end.storm.test"]));
        Assert.Equal("got hello", await platform.ReachAsync(id, "end.storm.test"));
    }

    [Fact]
    public async Task A_destroyed_sandbox_leaves_no_element_in_the_rules()
    {
        var id = await platform.CreateAsync(EgressPlatform.Listed(["gone.test"], ["203.0.113.77", "203.0.112.0/23"]));
        platform.Names.Names["gone.test"] = ["203.0.113.99"];
        await platform.PythonAsync(id, "import socket; socket.gethostbyname('gone.test')");
        var address = await AddressAsync(id);
        var rules = await RulesAsync();
        Assert.Contains("203.0.113.99", rules, StringComparison.Ordinal);
        Assert.Contains("203.0.113.77", rules, StringComparison.Ordinal);
        (await platform.Api.DeleteAsync($"sandboxes/{id}")).Expect(200);
        rules = await RulesAsync();
        Assert.DoesNotContain("203.0.113.99", rules, StringComparison.Ordinal);
        Assert.DoesNotContain("203.0.113.77", rules, StringComparison.Ordinal);
        Assert.NotEqual("", address);
    }

    [Fact]
    public async Task IPv6_is_no_way_around()
    {
        var id = await platform.CreateAsync(EgressPlatform.Closed());
        using var listener = new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.IPv6Any, 0));
        listener.Listen();
        var port = ((IPEndPoint)(listener.LocalEndPoint ?? throw new InvalidOperationException("not bound"))).Port;
        var side = HostSideOf(await AddressAsync(id));
        string? local = null;
        // The kernel gives the address after a check for duplicates.
        await Miosa.Platform.Platform.UntilAsync("the machine's interface has an IPv6 address on the host's side", () =>
        {
            local = System.Net.NetworkInformation.NetworkInterface.GetAllNetworkInterfaces()
                .Where(nic => nic.GetIPProperties().UnicastAddresses.Any(a => a.Address.ToString() == side))
                .SelectMany(nic => nic.GetIPProperties().UnicastAddresses).Select(a => a.Address).FirstOrDefault(a => a.IsIPv6LinkLocal)?.ToString().Split('%')[0];
            return Task.FromResult(local is not null);
        });
        foreach (var mode in (JsonObject[])[EgressPlatform.Closed(), EgressPlatform.Open()])
        {
            await platform.SetAsync(id, mode);
            Assert.NotEqual("in", await platform.PythonAsync(id, """
                import socket, sys
                s = socket.socket(socket.AF_INET6)
                s.settimeout(3)
                try:
                    s.connect((sys.argv[1], int(sys.argv[2]), 0, socket.if_nametoindex('eth0')))
                    print('in')
                except OSError as e:
                    print('out', e)
                """, local ?? "", port.ToString(CultureInfo.InvariantCulture)));
        }
    }

    private async Task<string> LongNameAsync(string sandbox)
    {
        platform.Names.Names["long-calm.test"] = [.. Enumerable.Range(0, 61).Select(n => $"203.0.113.{n}")];
        return await platform.PythonAsync(sandbox, "import socket; print(len(socket.gethostbyname_ex('long-calm.test')[2]))");
    }

    private async Task TickAsync(string sandbox, string host, string kind, string word)
    {
        await platform.Api.RunAsync(sandbox, $"cat > /tmp/ticks.py <<'E'\n{Ticks}\nE\nnohup python3 /tmp/ticks.py {host} {EgressPlatform.Port} {kind} {word} > /tmp/ticks 2>&1 &");
        await UntilReceivedAsync(word, 3);
    }

    private int Received(string word) => platform.Peer.Received.Count(line => line.Contains(word, StringComparison.Ordinal));

    private Task UntilReceivedAsync(string word, int count) =>
        Miosa.Platform.Platform.UntilAsync($"the peer has {count} times {word}", () => Task.FromResult(Received(word) >= count));

    private Task UntilCutAsync(string sandbox, string word) =>
        Miosa.Platform.Platform.UntilAsync("the connection is cut", async () => (await platform.Api.RunAsync(sandbox, "cat /tmp/ticks")).Contains(word, StringComparison.Ordinal));

    private async Task UntilMoreCutsAsync(string sandbox)
    {
        async Task<int> Cuts() => Regex.Count(await platform.Api.RunAsync(sandbox, "cat /tmp/ticks"), "cut");
        var before = await Cuts();
        await Miosa.Platform.Platform.UntilAsync("the sandbox has tried five times more", async () => await Cuts() >= before + 5);
    }

    private async Task<string> AddressAsync(string sandbox) =>
        (await platform.Platform.AskRuntimeAsync(new JsonObject { ["op"] = "inspect", ["machine"] = sandbox })).GetProperty("address").GetString() ?? "";

    private static string HostSideOf(string address)
    {
        var bytes = IPAddress.Parse(address).GetAddressBytes();
        bytes[3]--;
        return new IPAddress(bytes).ToString();
    }

    private string Table => "machines_" + platform.Platform.RuntimeName;

    private async Task<string> RulesAsync() => await TryRulesAsync() ?? throw new InvalidOperationException("no rules");

    private async Task<string?> TryRulesAsync()
    {
        var (code, output) = await RunNftAsync(["list", "table", "inet", Table]);
        return code == 0 ? output : null;
    }

    private static async Task NftAsync(string[] words)
    {
        var (code, output) = await RunNftAsync(words);
        Assert.True(code == 0, string.Join(' ', words) + output);
    }

    private static async Task<(int Code, string Output)> RunNftAsync(string[] words)
    {
        using var nft = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("nft", words) { RedirectStandardOutput = true, RedirectStandardError = true })
            ?? throw new InvalidOperationException("nft did not start");
        var errors = nft.StandardError.ReadToEndAsync();
        var text = await nft.StandardOutput.ReadToEndAsync() + await errors;
        await nft.WaitForExitAsync();
        return (nft.ExitCode, text);
    }

    private static int Port(string rules) => int.Parse(Regex.Match(rules, @"redirect to :(\d+)").Groups[1].Value, CultureInfo.InvariantCulture);
}
