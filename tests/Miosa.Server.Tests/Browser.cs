using System.Diagnostics;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Miosa.Server.Tests;

/// <summary>A page in a headless Chromium of the host (package chromium), driven by its own protocol; what these tests need of it and no more.</summary>
internal sealed class Browser : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Process process;
    private readonly string profile;
    private readonly ClientWebSocket socket = new();
    private readonly byte[] buffer = new byte[64 * 1024];
    private int calls;

    private Browser(Process process, string profile) => (this.process, this.profile) = (process, profile);

    /// <summary>What the page wrote to its console, and what its policy blocked.</summary>
    public List<string> Complaints { get; } = [];

    public static async Task<Browser> OpenAsync(string url)
    {
        var profile = Directory.CreateTempSubdirectory("miosa-browser").FullName;
        var start = new ProcessStartInfo("chromium") { RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (var argument in (string[])["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-port=0", "--window-size=1400,900", "--user-data-dir=" + profile, "about:blank"])
            start.ArgumentList.Add(argument);
        var process = Process.Start(start) ?? throw new InvalidOperationException("chromium did not start");
        process.ErrorDataReceived += (_, _) => { };
        process.OutputDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        var browser = new Browser(process, profile);
        try
        {
            var told = Path.Combine(profile, "DevToolsActivePort");
            await Miosa.Platform.Platform.UntilAsync("chromium listens", () => Task.FromResult(File.Exists(told) && File.ReadAllLines(told).Length > 1));
            using var http = new HttpClient();
            JsonElement page = default;
            await Miosa.Platform.Platform.UntilAsync("chromium has a page", async () =>
            {
                var targets = JsonDocument.Parse(await http.GetStringAsync($"http://127.0.0.1:{File.ReadAllLines(told)[0]}/json/list")).RootElement;
                page = targets.EnumerateArray().FirstOrDefault(target => target.GetProperty("type").GetString() == "page");
                return page.ValueKind == JsonValueKind.Object;
            });
            await browser.socket.ConnectAsync(new Uri(page.GetProperty("webSocketDebuggerUrl").GetString()!), CancellationToken.None); // every page has one
            await browser.SendAsync("Runtime.enable");
            await browser.SendAsync("Log.enable");
            await browser.SendAsync("Page.enable");
            await browser.SendAsync("Page.navigate", new JsonObject { ["url"] = url });
            return browser;
        }
        catch
        {
            await browser.DisposeAsync();
            throw;
        }
    }

    /// <summary>The value of an expression; promises are awaited.</summary>
    public async Task<JsonElement> EvaluateAsync(string expression)
    {
        var answer = await SendAsync("Runtime.evaluate", new JsonObject { ["expression"] = expression, ["returnByValue"] = true, ["awaitPromise"] = true });
        if (answer.TryGetProperty("exceptionDetails", out var failure))
            throw new InvalidOperationException($"{expression}: {failure}");
        return answer.GetProperty("result").TryGetProperty("value", out var value) ? value : default;
    }

    public Task UntilAsync(string fact, string expression, TimeSpan? within = null) => Miosa.Platform.Platform.UntilAsync(
        fact,
        async () => await EvaluateAsync($"Boolean({expression})") is { ValueKind: JsonValueKind.True },
        within ?? Patience);

    public Task MouseAsync(string type, double x, double y, bool isHeld) => SendAsync("Input.dispatchMouseEvent", new JsonObject
    {
        ["type"] = type, ["x"] = x, ["y"] = y, ["button"] = isHeld ? "left" : "none", ["buttons"] = isHeld && type != "mouseReleased" ? 1 : 0, ["clickCount"] = type == "mouseMoved" ? 0 : 1,
    });

    public async Task KeyAsync(string key, string code, int number)
    {
        foreach (var type in (string[])["keyDown", "keyUp"])
        {
            await SendAsync("Input.dispatchKeyEvent", new JsonObject
            {
                ["type"] = type, ["key"] = key, ["code"] = code, ["windowsVirtualKeyCode"] = number, ["text"] = type == "keyDown" ? key : "",
            });
        }
    }

    public async Task<byte[]> ScreenshotAsync() => Convert.FromBase64String((await SendAsync("Page.captureScreenshot")).GetProperty("data").GetString() ?? "");

    public async ValueTask DisposeAsync()
    {
        socket.Dispose();
        if (!process.HasExited)
            process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync();
        process.Dispose();
        // Its helpers may still write their last.
        await Miosa.Platform.Platform.UntilAsync("the profile is gone", () =>
        {
            try
            {
                Directory.Delete(profile, recursive: true);
            }
            catch (IOException)
            {
                return Task.FromResult(false);
            }
            return Task.FromResult(true);
        });
    }

    public async Task<JsonElement> SendAsync(string method, JsonObject? parameters = null)
    {
        using var limit = new CancellationTokenSource(Patience);
        var id = ++calls;
        var message = new JsonObject { ["id"] = id, ["method"] = method, ["params"] = parameters ?? [] };
        await socket.SendAsync(Encoding.UTF8.GetBytes(message.ToJsonString()), WebSocketMessageType.Text, endOfMessage: true, limit.Token);
        while (true)
        {
            var answer = await ReceiveAsync(limit.Token);
            if (answer.TryGetProperty("id", out var about) && about.GetInt32() == id)
                return answer.TryGetProperty("result", out var result) ? result : throw new InvalidOperationException($"{method}: {answer}");
            if (answer.TryGetProperty("method", out var name) && name.GetString() is "Log.entryAdded" or "Runtime.exceptionThrown")
                Complaints.Add(answer.GetRawText());
        }
    }

    private async Task<JsonElement> ReceiveAsync(CancellationToken ct)
    {
        using var message = new MemoryStream();
        while (true)
        {
            var part = await socket.ReceiveAsync(buffer, ct);
            message.Write(buffer, 0, part.Count);
            if (part.EndOfMessage)
                return JsonDocument.Parse(message.ToArray()).RootElement;
        }
    }
}
