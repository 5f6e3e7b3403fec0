using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Miosa.Server.Tests;

/// <summary>One running sandbox for a test class, and short ways to call it over real HTTP.</summary>
public sealed class ExecMachine(ServerPlatform server) : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Uri address = new(server.Platform.RootUrl);
    private string key = "";

    public HttpClient Http { get; private set; } = new();

    public string Id { get; private set; } = "";

    public static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        key = await server.Platform.NewKeyAsync(await server.Platform.NewTenantAsync($"tests {Guid.NewGuid():N}"));
        Http = NewClient();
        Id = (await CallAsync(HttpMethod.Post, "sandboxes", """{"image":"miosa-busybox"}""")).Text("id");
    }

    public async ValueTask DisposeAsync()
    {
        using var _ = await Http.DeleteAsync($"sandboxes/{Id}", CancellationToken.None);
        Http.Dispose();
    }

    /// <summary>A client with connections of its own.</summary>
    public HttpClient NewClient()
    {
        var client = new HttpClient { BaseAddress = new Uri(address, "/api/v1/"), Timeout = TimeSpan.FromMinutes(5) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return client;
    }

    public static StringContent Json(string json) => new(json, Encoding.UTF8, "application/json");

    public Task<HttpResponseMessage> PostAsync(string path, string json) => Http.PostAsync($"sandboxes/{Id}/{path}", Json(json), Token);

    public Task<HttpResponseMessage> GetAsync(string path) => Http.GetAsync($"sandboxes/{Id}/{path}", Token);

    public Task<JsonElement> ExecAsync(object body) => ExecAsync(JsonSerializer.Serialize(body));

    public Task<JsonElement> ExecAsync(string body) => CallAsync(HttpMethod.Post, $"sandboxes/{Id}/exec", body);

    /// <summary>The machine's processes, a line each.</summary>
    public Task<string> ProcessesAsync() => ShellAsync("ps");

    /// <summary>The output of a command that must succeed.</summary>
    public async Task<string> ShellAsync(string command)
    {
        var result = await ExecAsync(new { command });
        Assert.True(result.Int("exit_code") == 0, result.GetRawText());
        return result.Text("stdout");
    }

    /// <summary>A call that must succeed.</summary>
    public async Task<JsonElement> CallAsync(HttpMethod method, string path, string? json = null)
    {
        using var request = new HttpRequestMessage(method, path) { Content = json is null ? null : Json(json) };
        using var answer = await Http.SendAsync(request, Token);
        var body = await answer.Content.ReadAsStringAsync(Token);
        Assert.True(answer.IsSuccessStatusCode, $"{(int)answer.StatusCode} {body}");
        return JsonDocument.Parse(body).RootElement;
    }

    /// <summary>A call to a path below the sandbox that must be refused with this status; gives the code.</summary>
    public async Task<string> RefusedAsync(HttpMethod method, string path, string? json, int status)
    {
        using var request = new HttpRequestMessage(method, $"sandboxes/{Id}/{path}") { Content = json is null ? null : Json(json) };
        using var answer = await Http.SendAsync(request, Token);
        var body = await answer.Content.ReadAsStringAsync(Token);
        Assert.True((int)answer.StatusCode == status, $"{(int)answer.StatusCode} {body}");
        return JsonDocument.Parse(body).RootElement.Text("code");
    }

    public static async Task<JsonElement> JsonAsync(HttpResponseMessage answer) =>
        JsonDocument.Parse(await answer.Content.ReadAsStringAsync(Token)).RootElement;

    /// <summary>Asks again until the fact holds; the deadline is the test's failure.</summary>
    public async Task<T> UntilAsync<T>(Func<Task<T>> ask, Func<T, bool> holds)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Token);
        deadline.CancelAfter(Patience);
        while (true)
        {
            var value = await ask();
            if (holds(value))
                return value;
            Assert.False(deadline.IsCancellationRequested, $"never held; last: {value}");
        }
    }

    /// <summary>Opens a connection of its own and sends a POST by hand, for peers that stop reading or vanish.</summary>
    public async Task<Socket> SendByHandAsync(string method, string path, string contentType, long contentLength, byte[] body)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 16 * 1024 };
        await socket.ConnectAsync(address.Host, address.Port, Token);
        var head = $"{method} /api/v1/sandboxes/{Id}/{path} HTTP/1.1\r\nHost: {address.Authority}\r\nAuthorization: Bearer {key}\r\n"
            + $"Content-Type: {contentType}\r\nContent-Length: {contentLength}\r\n\r\n";
        await socket.SendAsync((byte[])[.. Encoding.ASCII.GetBytes(head), .. body], SocketFlags.None, Token);
        return socket;
    }

    /// <summary>Resident bytes of the server process.</summary>
    public long ServerBytes()
    {
        var line = File.ReadLines($"/proc/{server.Platform.ServerPid}/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]) * 1024;
    }
}

internal static class JsonElementFields
{
    public static string Text(this JsonElement element, string name) => element.GetProperty(name).GetString() ?? "";

    public static long Int(this JsonElement element, string name) => element.GetProperty(name).GetInt64();

    public static bool Bool(this JsonElement element, string name) => element.GetProperty(name).GetBoolean();
}
