using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Miosa.Platform;

namespace Miosa.Server.Tests;

public sealed class TerminalTests(Tenant tenant) : IClassFixture<Tenant>
{
    private Api Api => tenant.Api;

    private Task<string> SandboxAsync() => Api.CreateAsync("""{"image":"miosa-sandbox","env":{"FROM_BOX":"box"}}""");

    private async Task<string> OpenAsync(string sandbox, string body = "{}") => (await Api.PostAsync($"sandboxes/{sandbox}/terminal", body)).Expect(201).Text("session_id");

    private Task<Wire> AttachAsync(string sandbox, string session) => Wire.ConnectAsync(Api, $"sandboxes/{sandbox}/terminal/{session}/ws");

    [Fact]
    public async Task A_terminal_has_its_size_its_environment_and_a_shell_with_job_control()
    {
        var id = await SandboxAsync();
        var opened = (await Api.PostAsync($"sandboxes/{id}/terminal", """{"cols":101,"rows":33,"cwd":"/tmp","env":{"MORE":"more"}}""")).Expect(201);
        var session = opened.Text("session_id");
        Assert.StartsWith("sess_", session, StringComparison.Ordinal);
        Assert.Equal((session, 101, 33), (opened.Json.GetProperty("data").GetProperty("id").GetString(), opened.Json.GetProperty("cols").GetInt32(), opened.Json.GetProperty("rows").GetInt32()));
        Assert.Equal($"ws://{new Uri(Api.Root).Authority}/api/v1/sandboxes/{id}/terminal/{session}/ws", opened.Text("ws_url"));
        using var wire = await AttachAsync(id, session);
        await wire.TypeAsync("stty size; echo $FROM_BOX $MORE $TERM; pwd; tty; set -o | grep monitor\n");
        await wire.UntilAsync("33 101\r\n");
        await wire.UntilAsync("box more xterm-256color\r\n/tmp\r\n/dev/pts/");
        await wire.UntilAsync("on\r\n");

        await wire.SendTextAsync("""{"type":"resize","cols":61,"rows":21}""");
        await wire.TypeAsync("stty size\n");
        await wire.UntilAsync("21 61\r\n");
        (await Api.PostAsync($"sandboxes/{id}/exec/resize", $$"""{"session_id":"{{session}}","cols":62,"rows":22}""")).Expect(200);
        await wire.TypeAsync("stty size\n");
        await wire.UntilAsync("22 62\r\n");
        (await Api.PostAsync($"sandboxes/{id}/terminal/{session}/resize", """{"cols":63,"rows":23}""")).Expect(200);
        Assert.Equal(63, (await Api.GetAsync($"sandboxes/{id}/terminal")).Expect(200).Json.GetProperty("data")[0].GetProperty("cols").GetInt32());
    }

    [Fact]
    public async Task Keys_do_what_they_do_in_a_terminal()
    {
        var id = await SandboxAsync();
        using var wire = await AttachAsync(id, await OpenAsync(id));
        await wire.TypeAsync("sleep 7171; echo \"got $?\"\n");
        await RunningAsync(id, "sleep 7171");
        await wire.TypeAsync("\u0003");
        await wire.UntilAsync("^C");
        await wire.TypeAsync("echo after-$?\n");
        await wire.UntilAsync("after-130");
        await wire.TypeAsync("sleep 7272\n");
        await RunningAsync(id, "sleep 7272");
        await wire.TypeAsync("\u001a");
        await wire.UntilAsync("Stopped");
        await wire.TypeAsync("jobs; kill %1; cat\n");
        // Before it runs the shell would take the line, which the terminal then does not show.
        await RunningAsync(id, "cat");
        await wire.UntilAsync("sleep 7272");
        await wire.TypeAsync("Zwölf Boxkämpfer ✓\n");
        await wire.UntilAsync("Zwölf Boxkämpfer ✓\r\nZwölf Boxkämpfer ✓\r\n");
        await wire.TypeAsync("\u0004");
        await wire.TypeAsync("echo so-$((6*7))\n");
        await wire.UntilAsync("so-42");
    }

    [Fact]
    public async Task The_end_of_the_shell_is_told_by_a_frame_and_by_the_close_code()
    {
        var id = await SandboxAsync();
        foreach (var (exit, code) in ((int, int)[])[(0, 1000), (3, 1003), (5, 1001), (130, 1001)])
        {
            var session = await OpenAsync(id);
            using var wire = await AttachAsync(id, session);
            await wire.TypeAsync($"echo last words; exit {exit}\n");
            Assert.Equal((exit, code), await wire.ToEndAsync());
            Assert.Contains("last words\r\n", wire.Output, StringComparison.Ordinal);
            // Whoever comes late still gets the last output and the end.
            using var late = await AttachAsync(id, session);
            Assert.Equal((exit, code), await late.ToEndAsync());
            Assert.Contains("last words\r\n", late.Output, StringComparison.Ordinal);
        }
        Assert.Empty((await Api.GetAsync($"sandboxes/{id}/terminal")).Expect(200).Json.GetProperty("data").EnumerateArray());
    }

    [Fact]
    public async Task A_terminal_outlives_its_socket_and_the_server_and_shows_what_was_printed_meanwhile()
    {
        var id = await SandboxAsync();
        var session = await OpenAsync(id);
        using (var first = await AttachAsync(id, session))
        {
            await first.TypeAsync("X=kept; while [ ! -e /tmp/go ]; do sleep 0.05; done; echo printed-$((40+2))-alone\n");
            await RunningAsync(id, "sleep 0.05");
            first.Abort();
        }
        await Api.RunAsync(id, "touch /tmp/go");
        await tenant.Platform.KillServerAsync();
        await tenant.Platform.StartServerAsync();
        using var again = await AttachAsync(id, session);
        await again.UntilAsync("printed-42-alone");
        await again.TypeAsync("echo still-$X\n");
        await again.UntilAsync("still-kept");
        using var other = await AttachAsync(id, session);
        await other.UntilAsync("still-kept");
        await other.TypeAsync("echo both-$((1+1))\n");
        await other.UntilAsync("both-2");
        await again.UntilAsync("both-2");
    }

    [Fact]
    public async Task Closing_a_terminal_leaves_nothing_of_it()
    {
        var id = await SandboxAsync();
        var session = await OpenAsync(id);
        using var wire = await AttachAsync(id, session);
        await wire.TypeAsync("trap '' HUP; (trap '' HUP; sleep 8181) & setsid sleep 8282 & sleep 8383\n");
        await RunningAsync(id, "sleep 8383");
        (await Api.DeleteAsync($"sandboxes/{id}/terminal/{session}")).Expect(200);
        Assert.Equal("", await Api.RunAsync(id, "ps -eo args | grep -E 'sleep 8[123]8[123]' | grep -v grep || true"));
        await wire.ToEndAsync();
        (await Api.DeleteAsync($"sandboxes/{id}/terminal/{session}")).Expect(200);
    }

    [Fact]
    public async Task A_reader_that_does_not_read_holds_its_program_and_nobody_else_and_the_guest_does_not_grow()
    {
        var id = await SandboxAsync();
        using var stuck = await AttachAsync(id, await OpenAsync(id));
        await stuck.TypeAsync("yes\n");
        await RunningAsync(id, "yes");
        using var wire = await AttachAsync(id, await OpenAsync(id));
        await wire.TypeAsync("echo fine-$((1+1))\n");
        await wire.UntilAsync("fine-2");
        var rss = int.Parse((await Api.RunAsync(id, "awk '/VmRSS/ { print $2 }' /proc/1/status")).Trim());
        Assert.InRange(rss, 0, 40_000);
        // And without any reader it runs on, and its output is forgotten.
        stuck.Abort();
        await wire.TypeAsync("echo still-$((1+1))\n");
        await wire.UntilAsync("still-2");
    }

    [Fact]
    public async Task More_than_32_are_refused_until_one_is_closed()
    {
        var id = await SandboxAsync();
        var sessions = new List<string>();
        for (var i = 0; i < 32; i++)
            sessions.Add(await OpenAsync(id));
        Assert.Equal(409, (await Api.PostAsync($"sandboxes/{id}/terminal", "{}")).Status);
        (await Api.DeleteAsync($"sandboxes/{id}/terminal/{sessions[0]}")).Expect(200);
        await OpenAsync(id);
    }

    [Fact]
    public async Task Faulty_fields_are_named_and_unknown_or_foreign_terminals_are_404()
    {
        var id = await SandboxAsync();
        foreach (var (body, field) in ((string, string)[])[("""{"cols":0}""", "cols"), ("""{"rows":1001}""", "rows"), ("""{"shell":"/no/such"}""", "shell"), ("""{"cwd":"/no/such"}""", "cwd"), ("""{"env":{"A=":"x"}}""", "env")])
        {
            var answer = await Api.PostAsync($"sandboxes/{id}/terminal", body);
            Assert.Equal(422, answer.Status);
            Assert.True(answer.Json.GetProperty("details").TryGetProperty(field, out _), answer.Body);
        }
        Assert.Equal(422, (await Api.PostAsync($"sandboxes/{id}/exec/resize", """{"session_id":"sess_x","cols":80}""")).Status);
        var session = await OpenAsync(id);
        using var other = tenant.Platform.Api(await tenant.Platform.NewKeyAsync(await tenant.Platform.NewTenantAsync("t-" + Guid.NewGuid().ToString("N")[..12])));
        foreach (var (api, name) in ((Api, string)[])[(Api, "sess_none"), (other, session)])
        {
            Assert.Equal(404, (await api.DeleteAsync($"sandboxes/{id}/terminal/{name}")).Status);
            Assert.Equal(404, (await api.PostAsync($"sandboxes/{id}/exec/resize", $$"""{"session_id":"{{name}}","cols":80,"rows":24}""")).Status);
            Assert.Equal(HttpStatusCode.NotFound, await Wire.RefusalAsync(api, $"sandboxes/{id}/terminal/{name}/ws"));
        }
        Assert.Equal(400, (await Api.GetAsync($"sandboxes/{id}/terminal/{session}/ws")).Status);
        using var nobody = tenant.Platform.Api("msk_live_nobody");
        Assert.Equal(HttpStatusCode.Unauthorized, await Wire.RefusalAsync(nobody, $"sandboxes/{id}/terminal/{session}/ws"));
    }

    [Fact]
    public async Task A_browser_may_send_its_key_in_the_address_of_a_socket_and_nowhere_else()
    {
        var id = await SandboxAsync();
        var session = await OpenAsync(id);
        var key = await tenant.Platform.NewKeyAsync(tenant.Id);
        using var keyless = new Api(Api.Root, null);
        using var wire = await Wire.ConnectAsync(keyless, $"sandboxes/{id}/terminal/{session}/ws?token={key}");
        await wire.TypeAsync("echo in-$((1+1))\n");
        await wire.UntilAsync("in-2");
        Assert.Equal(401, (await keyless.GetAsync($"sandboxes/{id}/terminal?token={key}")).Status);
    }

    [Fact]
    public async Task A_command_over_a_socket_takes_input_and_tells_both_streams_and_its_exit()
    {
        var id = await SandboxAsync();
        using var wire = await Wire.ConnectAsync(Api, $"sandboxes/{id}/exec/ws?command={Uri.EscapeDataString("read a; echo out $a $FROM_BOX; echo err >&2; cat; exit 7")}");
        await wire.SendTextAsync("in\n");
        await wire.UntilAsync("out in box\n");
        await wire.UntilErrorAsync("err\n");
        await wire.TypeAsync("more");
        await wire.SendTextAsync("""{"type":"stdin_close"}""");
        Assert.Equal((7, 1007), await wire.ToEndAsync());
        Assert.EndsWith("more", wire.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_command_dies_with_its_socket_whether_it_has_a_terminal_or_not()
    {
        var id = await SandboxAsync();
        foreach (var pty in (string[])["false", "true"])
        {
            var wire = await Wire.ConnectAsync(Api, $"sandboxes/{id}/exec/ws?pty={pty}&command={Uri.EscapeDataString("setsid sleep 9393 & sleep 9494")}");
            await RunningAsync(id, "sleep 9494");
            wire.Abort();
            var until = DateTime.UtcNow.AddSeconds(30);
            while ((await Api.RunAsync(id, "ps -eo args | grep -E 'sleep 9[34]9[34]' | grep -v grep || true")).Length > 0)
                Assert.True(DateTime.UtcNow < until, "still running with pty=" + pty);
        }
    }

    [Fact]
    public async Task The_addresses_of_other_clients_take_sandbox_ids_and_speak_their_frames()
    {
        var id = await SandboxAsync();
        // Go and Python share an address: everything comes twice.
        using (var both = await Wire.ConnectAsync(Api, $"computers/{id}/exec/spawn?command=bash&cols=71&rows=31"))
        {
            await both.TypeAsync("stty size; exit 4\n");
            Assert.Equal((4, 1000), await both.ToEndAsync());
            Assert.Contains("31 71", both.Output, StringComparison.Ordinal);
            Assert.Contains("31 71", both.JsonOutput, StringComparison.Ordinal);
        }
        using (var words = await Wire.ConnectAsync(Api, $"sandboxes/{id}/exec/spawn?command=printf&args={Uri.EscapeDataString("%s-,a b")}&env={Uri.EscapeDataString("""{"A":"1"}""")}&frames=json"))
        {
            Assert.Equal((0, 1000), await words.ToEndAsync());
            Assert.Equal(("", "a b-"), (words.Output, words.JsonOutput));
        }
        // Elixir: raw output, and its close frame is only the end of input.
        using var raw = await Wire.ConnectAsync(Api, $"computers/{id}/exec/ws?command={Uri.EscapeDataString("cat; echo end; exit 9")}", isRaw: true);
        await raw.SendTextAsync("text\n");
        await raw.UntilAsync("text\n");
        await raw.CloseOutputAsync();
        Assert.Equal((-1, 1009), await raw.ToEndAsync());
        Assert.Equal("text\nend\n", raw.Output);
    }

    private async Task RunningAsync(string sandbox, string command)
    {
        var until = DateTime.UtcNow.AddSeconds(30);
        while (!(await Api.RunAsync(sandbox, "ps -eo args")).Split('\n').Contains(command))
            Assert.True(DateTime.UtcNow < until, command + " does not run");
    }

    /// <summary>A WebSocket to a terminal or a command, and what came over it.</summary>
    internal sealed class Wire(ClientWebSocket socket, bool isRaw) : IDisposable
    {
        private readonly StringBuilder json = new();
        private readonly List<byte> output = [];
        private readonly List<byte> errors = [];
        private int? exit;

        public string Output => Encoding.UTF8.GetString([.. output]);

        public string JsonOutput => json.ToString();

        public static async Task<Wire> ConnectAsync(Api api, string path, bool isRaw = false)
        {
            var socket = new ClientWebSocket();
            await socket.ConnectAsync(Address(api, path), api.Http, CancellationToken.None);
            return new Wire(socket, isRaw);
        }

        public static async Task<HttpStatusCode> RefusalAsync(Api api, string path)
        {
            using var socket = new ClientWebSocket();
            socket.Options.CollectHttpResponseDetails = true;
            await Assert.ThrowsAsync<WebSocketException>(() => socket.ConnectAsync(Address(api, path), api.Http, CancellationToken.None));
            return socket.HttpStatusCode;
        }

        public Task TypeAsync(string text) => socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Binary, true, CancellationToken.None);

        public Task SendTextAsync(string text) => socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, true, CancellationToken.None);

        public Task CloseOutputAsync() => socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);

        public Task UntilAsync(string text) => UntilAsync(() => Output.Contains(text, StringComparison.Ordinal), text);

        public Task UntilErrorAsync(string text) => UntilAsync(() => Encoding.UTF8.GetString([.. errors]).Contains(text, StringComparison.Ordinal), text);

        /// <summary>The exit code of the frame (-1 without one) and the close code.</summary>
        public async Task<(int Exit, int Code)> ToEndAsync()
        {
            while (await ReceiveAsync())
            {
            }
            return (exit ?? -1, (int)(socket.CloseStatus ?? 0));
        }

        public void Abort() => socket.Abort();

        public void Dispose() => socket.Dispose();

        private static Uri Address(Api api, string path) => new("ws" + api.Root["http".Length..] + "/api/v1/" + path);

        private async Task UntilAsync(Func<bool> isThere, string text)
        {
            while (!isThere())
                Assert.True(await ReceiveAsync(), $"the socket ended before \"{text}\" came: {Output}");
        }

        private async Task<bool> ReceiveAsync()
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            var message = new List<byte>();
            var buffer = new byte[100_000];
            WebSocketReceiveResult part;
            do
            {
                try
                {
                    part = await socket.ReceiveAsync(buffer, limit.Token);
                }
                catch (OperationCanceledException)
                {
                    throw new TimeoutException("nothing came for 30 s after: " + Output);
                }
                message.AddRange(buffer.AsSpan(0, part.Count));
            }
            while (!part.EndOfMessage);
            if (part.MessageType == WebSocketMessageType.Close)
                return false;
            if (part.MessageType == WebSocketMessageType.Text)
            {
                var told = JsonDocument.Parse(message.ToArray()).RootElement;
                if (told.GetProperty("type").GetString() == "exit")
                    exit = told.GetProperty("exit").GetInt32();
                else
                    json.Append(told.GetProperty("data").GetString());
            }
            else if (isRaw)
                output.AddRange(message);
            else
                (message[0] == 2 ? errors : output).AddRange(message.Skip(1));
            return true;
        }
    }
}
