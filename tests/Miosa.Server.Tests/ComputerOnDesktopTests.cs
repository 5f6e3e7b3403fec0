using System.Net.WebSockets;
using System.Text.Json;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>What works inside a computer that has a desktop: commands are its user's and show on it, and what happens on it is told.</summary>
public sealed class ComputerOnDesktopTests(DesktopImagePlatform desktop) : IClassFixture<DesktopImagePlatform>
{
    private static readonly TimeSpan Boot = TimeSpan.FromSeconds(120);

    private Api Api => desktop.Api;

    [Fact]
    public async Task Commands_terminals_services_and_files_are_the_desktops_users()
    {
        var id = await ComputerAsync();
        const string show = "id -un; pwd; echo $HOME $DISPLAY; xdotool getdisplaygeometry";
        Assert.Equal("user\n/home/user\n/home/user :1\n1280 720\n", await OneComputer.RunAsync(Api, id, show));
        var root = (await Api.PostAsync($"computers/{id}/exec", """{"command":"id -un; pwd","user":"root","cwd":"/root"}""")).Expect(200);
        Assert.Equal("root\n/root\n", root.Text("output"));
        Assert.Equal("user /home/user :1\n", (await Api.PostAsync($"computers/{id}/exec/python", """{"code":"import os, getpass\nprint(getpass.getuser(), os.getcwd(), os.environ['DISPLAY'])"}""")).Expect(200).Text("output"));
        (await Api.PostAsync($"computers/{id}/files/write", """{"path":"/home/user/Documents/new/a.txt","content":"hi"}""")).Expect(200);
        await OneComputer.RunAsync(Api, id, "echo more >> Documents/new/a.txt && touch Documents/new/b.txt");
        Assert.Contains((await Api.GetAsync($"computers/{id}/files")).Expect(200).Json.GetProperty("data").EnumerateArray(), entry => entry.GetProperty("path").GetString() == "/home/user/Documents");
        var session = (await Api.PostAsync($"computers/{id}/terminal")).Expect(201).Text("session_id");
        using (var wire = await TerminalTests.Wire.ConnectAsync(Api, $"computers/{id}/pty/{session}", isRaw: true))
        {
            await wire.TypeAsync("id -un; pwd; echo $DISPLAY; exit\n");
            await wire.UntilAsync("user\r\n/home/user\r\n:1\r\n");
        }
        (await Api.PostAsync($"computers/{id}/services", """{"name":"window","command":"id -un; pwd; exec xterm -T of-a-service -e sleep 1000"}""")).Expect(201);
        await Miosa.Platform.Platform.UntilAsync("the service's window is there", async () => (await OneComputer.RunAsync(Api, id, "xdotool search --name of-a-service || true")).Length > 0);
        (await Api.PostAsync($"computers/{id}/stop")).Expect(200);
        (await Api.PostAsync($"computers/{id}/start")).Expect(200);
        await Api.UntilStatusAsync(id, "running", Boot);
        await Miosa.Platform.Platform.UntilAsync("it comes back with the desktop", async () => (await OneComputer.RunAsync(Api, id, "xdotool search --name of-a-service || true")).Length > 0);
        Assert.Contains("user\n/home/user", (await Api.GetAsync($"computers/{id}/logs")).Expect(200).Text("logs"), StringComparison.Ordinal);
        (await Api.DeleteAsync($"computers/{id}")).Expect(200);
    }

    [Fact]
    public async Task Windows_the_clipboard_and_idleness_are_told_as_they_change()
    {
        var id = await ComputerAsync();
        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(new Uri("ws" + Api.Root["http".Length..] + $"/api/v1/computers/{id}/events?subscribe=window,clipboard,idle&idle_threshold_sec=1"), Api.Http, CancellationToken.None);
        // From when on the desktop is watched is not told: the first window is opened until it is.
        var first = UntilAsync(socket, told => Is(told, "window.opened"));
        while (!first.IsCompleted)
            await OneComputer.RunAsync(Api, id, "timeout 2 xterm -T first || true");
        await first;
        await OneComputer.RunAsync(Api, id, "setsid xterm -T agent-window -e sleep 1000 >/dev/null 2>&1 &");
        var opened = (await UntilAsync(socket, told => Is(told, "window.opened") && told.GetProperty("payload").GetProperty("title").GetString() == "agent-window")).GetProperty("payload");
        Assert.Equal((JsonValueKind.String, JsonValueKind.String), (opened.GetProperty("window_id").ValueKind, opened.GetProperty("pid").ValueKind));
        var window = opened.GetProperty("window_id").GetString();
        await OneComputer.RunAsync(Api, id, $"kill {opened.GetProperty("pid").GetString()}");
        await UntilAsync(socket, told => Is(told, "window.closed") && told.GetProperty("payload").GetProperty("window_id").GetString() == window);
        await OneComputer.RunAsync(Api, id, "printf hello | xclip -selection clipboard >/dev/null 2>&1");
        var copied = await UntilAsync(socket, told => Is(told, "clipboard.changed"));
        Assert.Equal(5, copied.GetProperty("payload").GetProperty("size_bytes").GetInt32());
        // Nobody has touched it so far, which was told meanwhile.
        await OneComputer.RunAsync(Api, id, "xdotool mousemove 10 10 mousemove 200 200");
        await UntilAsync(socket, told => Is(told, "idle.active"));
        var idle = await UntilAsync(socket, told => Is(told, "idle.inactive"));
        Assert.True(idle.GetProperty("payload").GetProperty("idle_ms").GetInt64() >= 1000);
        (await Api.DeleteAsync($"computers/{id}")).Expect(200);
    }

    private async Task<string> ComputerAsync()
    {
        var id = (await Api.PostAsync("computers", "{}")).Expect(201).Text("id");
        await Api.UntilStatusAsync(id, "running", Boot);
        return id;
    }

    private static bool Is(JsonElement told, string type) => told.GetProperty("type").GetString() == type;

    private static async Task<JsonElement> UntilAsync(ClientWebSocket socket, Func<JsonElement, bool> isIt)
    {
        var buffer = new byte[64 * 1024];
        while (true)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            var part = await socket.ReceiveAsync(buffer, limit.Token);
            Assert.Equal(WebSocketMessageType.Text, part.MessageType);
            Assert.True(part.EndOfMessage);
            var told = JsonDocument.Parse(buffer.AsMemory(0, part.Count)).RootElement.Clone();
            Assert.False(Is(told, "producer.unavailable"), told.GetRawText());
            if (isIt(told))
                return told;
        }
    }
}
