using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Platform;
using SkiaSharp;

namespace Miosa.Server.Tests;

/// <summary>One computer with a desktop for a test class, in a tenant of its own, and ways to see inside it that do not go through the server.</summary>
public sealed class DesktopComputer(ServerPlatform shared) : IAsyncLifetime
{
    private Api? api;
    private int commands;

    public Miosa.Platform.Platform Platform => shared.Platform;

    public Api Api => api ?? throw new InvalidOperationException("not started");

    public string TenantId { get; private set; } = "";

    public string Id { get; private set; } = "";

    public string Path => $"computers/{Id}";

    public string Desktop => $"computers/{Id}/desktop";

    public async ValueTask InitializeAsync()
    {
        TenantId = await Platform.NewTenantAsync("d-" + Guid.NewGuid().ToString("N")[..12]);
        api = Platform.Api(await Platform.NewKeyAsync(TenantId));
        Id = await NewAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (api is null)
            return;
        if (await api.TryGetAsync(api.Root + "/readyz") is not null)
        {
            foreach (var computer in (await api.GetAsync("computers")).Json.GetProperty("data").EnumerateArray())
                await api.DeleteAsync("computers/" + computer.GetProperty("id").GetString());
        }
        api.Dispose();
    }

    /// <summary>Another one, which runs.</summary>
    public async Task<string> NewAsync()
    {
        var id = (await Api.PostAsync("computers", """{"template_type":"miosa-desktop","vcpus":2,"memory_mb":2048}""")).Expect(201).Text("id");
        await UntilAsync(id, "running");
        return id;
    }

    public Task UntilAsync(string id, string status) => Miosa.Platform.Platform.UntilAsync(
        $"computer {id} is {status}",
        async () =>
        {
            var told = (await Api.GetAsync($"computers/{id}")).Expect(200);
            return told.Text("status") == status || (told.Text("status") == "error" ? throw new InvalidOperationException(told.Body) : false);
        },
        TimeSpan.FromSeconds(120));

    /// <summary>Done, in the contract's body.</summary>
    public async Task DoAsync(string operation, string json = "{}")
    {
        var answer = (await Api.PostAsync($"{Desktop}/{operation}", json)).Expect(200);
        Assert.True(answer.Json.GetProperty("success").GetBoolean() && answer.Json.GetProperty("ok").GetBoolean());
    }

    public async Task<SKBitmap> ScreenshotAsync(string query = "")
    {
        using var response = await Api.Http.GetAsync($"{Desktop}/screenshot{query}");
        var bytes = await response.Content.ReadAsByteArrayAsync();
        Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode}: {System.Text.Encoding.UTF8.GetString(bytes)}");
        return SKBitmap.Decode(bytes) ?? throw new InvalidOperationException("the screenshot is no picture");
    }

    /// <summary>A file of the computer as the host sees it; null while it is not there.</summary>
    public async Task<string?> FileAsync(string path)
    {
        var state = await Platform.AskRuntimeAsync(new JsonObject { ["op"] = "inspect", ["machine"] = Id });
        var file = $"/proc/{state.GetProperty("pid").GetInt32()}/root{path}";
        try
        {
            return await File.ReadAllTextAsync(file);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    public async Task<string> UntilFileAsync(string path, Func<string, bool> isRight)
    {
        var last = "";
        try
        {
            await Miosa.Platform.Platform.UntilAsync($"{path} is right", async () => await FileAsync(path) is { } text && isRight(last = text), TimeSpan.FromSeconds(30));
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}; it is: {last[Math.Max(0, last.Length - 2000)..]}");
        }
        return last;
    }

    /// <summary>Starts a command in the desktop's session; what it writes goes into the file that is given back.</summary>
    public async Task<string> StartAsync(string shell)
    {
        var file = $"/tmp/out-{Interlocked.Increment(ref commands)}";
        await LaunchAsync($"({shell}) > {file} 2>&1");
        return file;
    }

    /// <summary>Runs a command in the desktop's session and gives its output.</summary>
    public async Task<string> RunAsync(string shell)
    {
        var file = await StartAsync($"{shell}\n echo =$?=");
        var text = await UntilFileAsync(file, text => text.EndsWith("=\n", StringComparison.Ordinal));
        return text.EndsWith("=0=\n", StringComparison.Ordinal) ? text[..^4] : throw new InvalidOperationException($"{shell}: {text}");
    }

    public Task LaunchAsync(string command) => DoAsync("launch", JsonSerializer.Serialize(new { app = command }));

    public async Task<JsonElement?> FindWindowAsync(string title)
    {
        foreach (var window in (await Api.GetAsync($"{Desktop}/windows")).Expect(200).Json.GetProperty("windows").EnumerateArray())
        {
            if (window.GetProperty("title").GetString() == title)
                return window;
        }
        return null;
    }

    public async Task<JsonElement> WindowAsync(string title, Func<JsonElement, bool>? isRight = null)
    {
        JsonElement? found = null;
        await Miosa.Platform.Platform.UntilAsync($"there is a window \"{title}\" as it should be", async () => (found = await FindWindowAsync(title)) is { } window && (isRight?.Invoke(window) ?? true), TimeSpan.FromSeconds(30));
        return found ?? throw new InvalidOperationException("it was there");
    }

    /// <summary>A window that writes down every event it gets, in front and with the focus; the file, and the middle of it.</summary>
    public async Task<(string File, int X, int Y, string Window)> EventsAsync(string title)
    {
        var file = await StartAsync($"exec stdbuf -oL xev -name {title} -geometry 400x300+200+150");
        var window = await WindowAsync(title, window => window.GetProperty("focused").GetBoolean());
        return (file, window.GetProperty("x").GetInt32() + 200, window.GetProperty("y").GetInt32() + 150, window.GetProperty("id").GetString() ?? "");
    }
}
