using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Miosa.Platform;
using Wire = Miosa.Server.Tests.TerminalTests.Wire;

namespace Miosa.Server.Tests;

/// <summary>Commands and terminals of computers, in the shapes and frames that their clients read.</summary>
public sealed class ComputerExecTests(OneComputer computer) : IClassFixture<OneComputer>
{
    private Api Api => computer.Api;

    [Fact]
    public async Task A_command_answers_bare_and_under_data_and_its_output_is_standard_output_alone()
    {
        var ran = (await computer.PostAsync("exec", new { command = "echo out $FROM_BOX $MORE; echo err >&2; pwd; exit 3", working_dir = "/tmp", env = new { MORE = "more" } })).Expect(200);
        foreach (var one in (JsonElement[])[ran.Json, ran.Json.GetProperty("data")])
        {
            Assert.Equal(("out box more\n/tmp\n", "err\n", "out box more\n/tmp\n", 3, false, false), (
                one.GetProperty("stdout").GetString(), one.GetProperty("stderr").GetString(), one.GetProperty("output").GetString(), one.GetProperty("exit_code").GetInt32(),
                one.GetProperty("success").GetBoolean(), one.GetProperty("timed_out").GetBoolean()));
        }
        Assert.Contains("\"computer.exec\"", (await computer.AuditedAsync("computer.exec")).Body, StringComparison.Ordinal);
        // Words, and the other name of a command: ids of sandboxes work where these do.
        Assert.Equal("a b", (await computer.PostAsync("exec", new { cmd = (string[])["printf", "%s", "a b"] })).Expect(200).Text("output"));
    }

    [Fact]
    public async Task The_limit_ends_a_command_with_124_and_its_unit_follows_its_size()
    {
        foreach (var timeout in (object[])[new { command = "sleep 100", timeout = 1000 }, new { command = "sleep 100", timeout = 1 }, new { command = "sleep 100", timeout_ms = 700 }])
        {
            var ended = (await Api.PostAsync($"computers/{computer.Id}/exec", JsonSerializer.Serialize(timeout))).Expect(200);
            Assert.Equal((124, true), (ended.Json.GetProperty("exit_code").GetInt32(), ended.Json.GetProperty("timed_out").GetBoolean()));
        }
        // Clamped, not refused.
        (await computer.PostAsync("exec", new { command = "true", timeout = 100_000_000 })).Expect(200);
        (await computer.PostAsync("exec", new { command = "true", timeout = 500 })).Expect(200);
    }

    [Fact]
    public async Task Python_code_runs_from_a_file_that_is_gone_afterwards()
    {
        var ran = (await computer.PostAsync("exec/python", new { code = "import os, sys\nprint(2 + 2, os.environ['FROM_BOX'], os.getcwd())\nprint('bad', file=sys.stderr)\nraise SystemExit(5)", working_dir = "/tmp" })).Expect(200);
        Assert.Equal(("4 box /tmp\n", "bad\n", 5), (ran.Text("output"), ran.Text("stderr"), ran.Json.GetProperty("exit_code").GetInt32()));
        var traced = (await computer.PostAsync("exec/python", new { code = "\n\n1/0\n" })).Expect(200);
        Assert.Contains("line 3", traced.Text("stderr"), StringComparison.Ordinal);
        Assert.Equal(124, (await computer.PostAsync("exec/python", new { code = "while True: pass", timeout = 1 })).Expect(200).Json.GetProperty("exit_code").GetInt32());
        Assert.Equal("", await computer.RunAsync("ls -A /tmp | grep python || true"));
    }

    [Theory]
    [InlineData("exec", "{}", "command")]
    [InlineData("exec", """{"command":""}""", "command")]
    [InlineData("exec", """{"command":"true","timeout_sec":100000}""", "timeout_sec")]
    [InlineData("exec", """{"command":"true","detached":true}""", "detached")]
    [InlineData("exec", """{"command":"true","env":{"A=B":"c"}}""", "env")]
    [InlineData("exec", """{"command":"true","working_dir":"/nowhere"}""", "cwd")]
    [InlineData("exec/python", "{}", "code")]
    [InlineData("exec/python", """{"code":7}""", "code")]
    [InlineData("terminal", """{"cols":0}""", "cols")]
    [InlineData("terminal", """{"shell":["bash"]}""", "shell")]
    public async Task Bad_input_names_the_field(string path, string body, string field)
    {
        var refused = (await Api.PostAsync($"computers/{computer.Id}/{path}", body)).Expect(422);
        Assert.True(refused.Json.GetProperty("details").TryGetProperty(field, out _), refused.Body);
    }

    [Fact]
    public async Task A_stopped_computer_is_409_with_what_to_do_and_nobody_starts_it()
    {
        var id = await Api.NewComputerAsync();
        (await Api.PostAsync($"computers/{id}/stop")).Expect(200);
        foreach (var (path, body) in ((string, string)[])[("exec", """{"command":"true"}"""), ("exec/python", """{"code":"1"}"""), ("terminal", "{}"), ("files/mkdir", """{"path":"/tmp/d"}"""), ("services", """{"name":"a","command":"true"}""")])
        {
            var refused = (await Api.PostAsync($"computers/{id}/{path}", body)).Expect(409);
            Assert.Contains("the computer is stopped: start it first", refused.Text("message"), StringComparison.Ordinal);
        }
        foreach (var path in (string[])["files", "logs", "logs/stream"])
            (await Api.GetAsync($"computers/{id}/{path}")).Expect(409);
        Assert.Equal(HttpStatusCode.Conflict, await Wire.RefusalAsync(Api, $"computers/{id}/exec/spawn?command=bash"));
        Assert.Equal("stopped", await Api.StatusAsync(id));
    }

    [Fact]
    public async Task Computers_and_sandboxes_do_not_see_each_other_and_no_tenant_another()
    {
        var sandbox = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        using var other = await computer.Platform.NewApiAsync();
        (await Api.PostAsync($"computers/{sandbox}/exec", """{"command":"true"}""")).Expect(404);
        (await Api.PostAsync($"sandboxes/{computer.Id}/exec", """{"command":"true"}""")).Expect(404);
        (await other.PostAsync($"computers/{computer.Id}/exec", """{"command":"true"}""")).Expect(404);
        Assert.Equal(HttpStatusCode.NotFound, await Wire.RefusalAsync(other, $"computers/{computer.Id}/exec/ws?command=true"));
        // The addresses of WebSockets are the exception: clients have no others for sandboxes.
        using (var wire = await Wire.ConnectAsync(Api, $"computers/{sandbox}/exec/spawn?command={Uri.EscapeDataString("exit 4")}&pty=false&frames=json"))
            Assert.Equal((4, 1000), await wire.ToEndAsync());
        using var reader = computer.Platform.Api(await computer.Platform.NewKeyAsync(computer.Tenant, ["sandboxes:exec"]));
        Assert.Equal(HttpStatusCode.Forbidden, await Wire.RefusalAsync(reader, $"computers/{computer.Id}/exec/ws?command=true"));
        using (var wire = await Wire.ConnectAsync(reader, $"computers/{sandbox}/exec/ws?command=true"))
            await wire.ToEndAsync();
        await Api.DeleteAsync("sandboxes/" + sandbox);
    }

    [Fact]
    public async Task Spawn_speaks_to_Go_and_Python_at_once_and_ws_to_Elixir()
    {
        using (var both = await Wire.ConnectAsync(Api, $"computers/{computer.Id}/exec/spawn?command=bash&cols=71&rows=31"))
        {
            await both.TypeAsync("stty size; echo $FROM_BOX; exit 4\n");
            Assert.Equal((4, 1000), await both.ToEndAsync());
            Assert.Contains("31 71\r\nbox", both.Output, StringComparison.Ordinal);
            Assert.Contains("31 71\r\nbox", both.JsonOutput, StringComparison.Ordinal);
        }
        using var raw = await Wire.ConnectAsync(Api, $"computers/{computer.Id}/exec/ws?command={Uri.EscapeDataString("cat; echo end; exit 9")}", isRaw: true);
        await raw.SendTextAsync("text\n");
        await raw.UntilAsync("text\n");
        await raw.CloseOutputAsync();
        Assert.Equal((-1, 1009), await raw.ToEndAsync());
    }

    [Fact]
    public async Task Stream_without_a_subprotocol_is_the_text_of_old_Python()
    {
        using var wire = await Wire.ConnectAsync(Api, $"computers/{computer.Id}/exec/stream?command=printf&args={Uri.EscapeDataString("%s-,a b")}&env={Uri.EscapeDataString("""{"A":"1"}""")}&pty=false");
        Assert.Equal((0, 1000), await wire.ToEndAsync());
        Assert.Equal(("", "a b-"), (wire.Output, wire.JsonOutput));
    }

    [Fact]
    public async Task Stream_with_its_subprotocol_is_typed_in_both_directions()
    {
        using var typed = await Typed.ConnectAsync(Api, $"computers/{computer.Id}/exec/stream?command=sh&args=-c&args={Uri.EscapeDataString("read line; echo \"$line $A,$1\"; echo bad >&2; exit 258")}&args=sh&args=two%2Cwords&env=A%3D1&env=B%3D2", "miosa-exec-v1");
        Assert.Equal("miosa-exec-v1", typed.Answered);
        // In pieces, of which only the first says what it is; text and unknown kinds are nobody's.
        await typed.SendAsync("ignored"u8.ToArray(), WebSocketMessageType.Text);
        await typed.SendAsync([9, 1, 2], WebSocketMessageType.Binary);
        await typed.SendAsync([0, .. "a li"u8], WebSocketMessageType.Binary, isLast: false);
        await typed.SendAsync("ne\n"u8.ToArray(), WebSocketMessageType.Binary);
        Assert.Equal(("a line 1,two,words\n", "bad\n", 2), await typed.ToEndAsync());
    }

    [Fact]
    public async Task A_typed_terminal_has_the_size_that_its_client_says()
    {
        using var typed = await Typed.ConnectAsync(Api, $"computers/{computer.Id}/exec/stream?command=bash&tty=true", "miosa-exec-v1");
        await typed.SendAsync([5, 0, 33, 0, 101], WebSocketMessageType.Binary);
        await typed.SendAsync([0, .. "stty size; exit\n"u8], WebSocketMessageType.Binary);
        var (output, _, exit) = await typed.ToEndAsync();
        Assert.Contains("33 101", output, StringComparison.Ordinal);
        Assert.Equal(0, exit);
    }

    [Fact]
    public async Task A_browser_gives_its_key_as_a_subprotocol_which_is_never_answered()
    {
        using var nobody = computer.Platform.Api(null);
        var key = await computer.Platform.NewKeyAsync(computer.Tenant, ["computers:write"]);
        using (var typed = await Typed.ConnectAsync(nobody, $"computers/{computer.Id}/exec/stream?command=true", "miosa-exec-v1", "bearer." + key))
        {
            Assert.Equal("miosa-exec-v1", typed.Answered);
            Assert.Equal(0, (await typed.ToEndAsync()).Exit);
        }
        await Assert.ThrowsAsync<WebSocketException>(() => Typed.ConnectAsync(nobody, $"computers/{computer.Id}/exec/stream?command=true", "miosa-exec-v1", "bearer.msk_live_wrong"));
    }

    [Fact]
    public async Task A_terminal_is_opened_attached_left_and_attached_again()
    {
        var opened = (await computer.PostAsync("terminal", new { cols = 101, rows = 33, cwd = "/tmp" })).Expect(201);
        Assert.False(opened.Json.TryGetProperty("data", out _));
        var session = opened.Text("session_id");
        Assert.Equal($"ws://{new Uri(Api.Root).Authority}/api/v1/computers/{computer.Id}/pty/{session}", opened.Text("ws_url"));
        using (var wire = await Wire.ConnectAsync(Api, $"computers/{computer.Id}/pty/{session}", isRaw: true))
        {
            await wire.TypeAsync("stty size; pwd; echo $FROM_BOX\n");
            await wire.UntilAsync("33 101\r\n/tmp\r\nbox");
            (await computer.PostAsync($"pty/{session}/resize", new { cols = 62, rows = 22 })).Expect(200);
            await wire.TypeAsync("stty size\n");
            await wire.UntilAsync("22 62\r\n");
        }
        using var again = await Wire.ConnectAsync(Api, $"computers/{computer.Id}/pty/{session}", isRaw: true);
        await again.SendTextAsync("""{"type":"resize","cols":63,"rows":23}""");
        await again.TypeAsync("stty size; exit 5\n");
        await again.UntilAsync("23 63");
        Assert.Equal((5, 1000), await again.ToEndAsync());
        Assert.Equal(HttpStatusCode.NotFound, await Wire.RefusalAsync(Api, $"computers/{computer.Id}/pty/sess_none"));
        (await computer.PostAsync("pty/sess_none/resize", new { cols = 1, rows = 1 })).Expect(404);
        (await computer.PostAsync($"pty/{session}/resize", new { cols = 1 })).Expect(422);
        (await computer.GetAsync($"pty/{session}")).Expect(400);
    }

    [Fact]
    public async Task A_tunnel_is_one_connection_to_a_port_inside()
    {
        await computer.RunAsync("""setsid python3 -c 'import socketserver as s;exec("class H(s.StreamRequestHandler):\n def handle(self):\n  for line in self.rfile:\n   if line==b\"end\\n\": return\n   self.wfile.write(line.upper())");s.TCPServer(("127.0.0.1",4711),H).serve_forever()' >/dev/null 2>&1 & for i in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/4711) 2>/dev/null && exit 0; sleep 0.1; done; exit 1""");
        using var tunnel = await Typed.ConnectAsync(Api, $"computers/{computer.Id}/tunnel/4711", "miosa-tunnel-v1");
        Assert.Equal("miosa-tunnel-v1", tunnel.Answered);
        await tunnel.SendAsync("hello\n"u8.ToArray(), WebSocketMessageType.Binary);
        Assert.Equal("HELLO\n", await tunnel.ReceiveTextAsync());
        await tunnel.SendAsync("end\n"u8.ToArray(), WebSocketMessageType.Binary);
        Assert.Equal(1000, await tunnel.CloseCodeAsync());
        Assert.Equal(HttpStatusCode.Conflict, await Wire.RefusalAsync(Api, $"computers/{computer.Id}/tunnel/4712"));
        foreach (var port in (string[])["0", "65536", "-1", "x"])
            Assert.Equal(HttpStatusCode.NotFound, await Wire.RefusalAsync(Api, $"computers/{computer.Id}/tunnel/{port}"));
        (await computer.GetAsync("tunnel/4711")).Expect(400);
        await computer.AuditedAsync("computer.tunnel.open");
    }

    /// <summary>A WebSocket whose messages are read by hand.</summary>
    private sealed class Typed(ClientWebSocket socket) : IDisposable
    {
        public string? Answered => socket.SubProtocol;

        public static async Task<Typed> ConnectAsync(Api api, string path, params string[] protocols)
        {
            var socket = new ClientWebSocket();
            foreach (var protocol in protocols)
                socket.Options.AddSubProtocol(protocol);
            try
            {
                await socket.ConnectAsync(new Uri("ws" + api.Root["http".Length..] + "/api/v1/" + path), api.Http, CancellationToken.None);
                return new Typed(socket);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }

        public Task SendAsync(byte[] bytes, WebSocketMessageType type, bool isLast = true) => socket.SendAsync(bytes, type, isLast, CancellationToken.None);

        public async Task<(string Output, string Errors, int Exit)> ToEndAsync()
        {
            var (output, errors, exit) = (new StringBuilder(), new StringBuilder(), -1);
            while (await NextAsync() is { } message)
            {
                switch (message[0])
                {
                    case 1:
                        output.Append(Encoding.UTF8.GetString(message, 1, message.Length - 1));
                        break;
                    case 2:
                        errors.Append(Encoding.UTF8.GetString(message, 1, message.Length - 1));
                        break;
                    case 3:
                        Assert.Equal(5, message.Length);
                        exit = (message[1] << 24) | (message[2] << 16) | (message[3] << 8) | message[4];
                        break;
                    default:
                        throw new InvalidOperationException($"a message of kind {message[0]}");
                }
            }
            Assert.Equal(WebSocketCloseStatus.NormalClosure, socket.CloseStatus);
            return (output.ToString(), errors.ToString(), exit);
        }

        public async Task<string> ReceiveTextAsync() => Encoding.UTF8.GetString(await NextAsync() ?? []);

        public async Task<int> CloseCodeAsync()
        {
            while (await NextAsync() is not null)
            {
            }
            return (int)(socket.CloseStatus ?? 0);
        }

        public void Dispose() => socket.Dispose();

        private async Task<byte[]?> NextAsync()
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            var message = new List<byte>();
            var buffer = new byte[100_000];
            WebSocketReceiveResult part;
            do
            {
                part = await socket.ReceiveAsync(buffer, limit.Token);
                message.AddRange(buffer.AsSpan(0, part.Count));
            }
            while (!part.EndOfMessage);
            return part.MessageType == WebSocketMessageType.Close ? null : [.. message];
        }
    }
}
