using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Miosa.Platform;

/// <summary>Plain HTTP with a key: tests look at the wire itself.</summary>
public sealed class Api : IDisposable
{
    private readonly HttpClient http;

    public Api(string rootUrl, string? key)
    {
        Root = rootUrl;
        http = new HttpClient { BaseAddress = new Uri(rootUrl + "/api/v1/"), Timeout = TimeSpan.FromSeconds(120) };
        if (key is not null)
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
    }

    public string Root { get; }

    /// <summary>For what the short forms below do not cover; its base address ends in <c>/api/v1/</c>.</summary>
    public HttpClient Http => http;

    public Task<Answer> GetAsync(string path) => SendAsync(HttpMethod.Get, path);

    public Task<Answer> PostAsync(string path, string? json = null, params (string Name, string Value)[] headers) => SendAsync(HttpMethod.Post, path, json, headers);

    public Task<Answer> PatchAsync(string path, string json) => SendAsync(HttpMethod.Patch, path, json);

    public Task<Answer> PutAsync(string path, string json) => SendAsync(HttpMethod.Put, path, json);

    public Task<Answer> DeleteAsync(string path) => SendAsync(HttpMethod.Delete, path);

    public async Task<Answer> SendAsync(HttpMethod method, string path, string? json = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path);
        if (json is not null)
            request.Content = new StringContent(json, Encoding.UTF8, "application/json");
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        using var response = await http.SendAsync(request);
        return await Answer.ReadAsync(response);
    }

    /// <summary>The status of a GET, or null when nobody answers.</summary>
    public async Task<HttpStatusCode?> TryGetAsync(string url)
    {
        try
        {
            using var response = await http.GetAsync(url);
            return response.StatusCode;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    /// <summary>Creates a sandbox and gives its id.</summary>
    public async Task<string> CreateAsync(string json = "{}") => (await PostAsync("sandboxes", json)).Expect(201).Text("id");

    /// <summary>Runs a shell command and gives its standard output; it must end with 0.</summary>
    public async Task<string> RunAsync(string sandbox, string shell)
    {
        var answer = (await PostAsync($"sandboxes/{sandbox}/exec", JsonSerializer.Serialize(new Dictionary<string, string> { ["command"] = shell }))).Expect(200);
        return answer.Json.GetProperty("exit_code").GetInt32() == 0 ? answer.Text("stdout") : throw new InvalidOperationException(answer.Body);
    }

    /// <summary>Opens a stream of server-sent events.</summary>
    public async Task<EventReader> EventsAsync(string path, string? lastEventId = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (lastEventId is not null)
            request.Headers.TryAddWithoutValidation("Last-Event-ID", lastEventId);
        var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        return new EventReader(response, new StreamReader(await response.Content.ReadAsStreamAsync()));
    }

    public void Dispose() => http.Dispose();
}

/// <summary>An answer, read to its end.</summary>
public sealed record Answer(int Status, string Body, HttpResponseHeaders Headers, HttpContentHeaders ContentHeaders)
{
    public JsonElement Json => JsonDocument.Parse(Body).RootElement;

    public string Code => Text("code");

    public string Text(string field) => Json.GetProperty(field).GetString() ?? throw new InvalidOperationException($"{field} is null in {Body}");

    public Answer Expect(int status) => Status == status ? this : throw new InvalidOperationException($"expected {status}, got {Status}: {Body}");

    public static async Task<Answer> ReadAsync(HttpResponseMessage response) =>
        new((int)response.StatusCode, await response.Content.ReadAsStringAsync(), response.Headers, response.Content.Headers);
}

public sealed record SseEvent(string? Id, string Type, string Data)
{
    public JsonElement Json => JsonDocument.Parse(Data).RootElement;
}

/// <summary>Reads events by the framing rules of the contract; anything else fails.</summary>
public sealed class EventReader(HttpResponseMessage response, StreamReader reader) : IDisposable
{
    public HttpResponseMessage Response => response;

    /// <summary>The next event, or null at the end of the stream.</summary>
    public async Task<SseEvent?> NextAsync(TimeSpan? within = null)
    {
        using var limit = new CancellationTokenSource(within ?? TimeSpan.FromSeconds(30));
        string? id = null;
        string? type = null;
        string? data = null;
        while (await reader.ReadLineAsync(limit.Token) is { } line)
        {
            if (line.Length == 0 && type is not null)
                return new SseEvent(id, type, data ?? throw new InvalidOperationException($"event {type} without data"));
            if (line.StartsWith("id: ", StringComparison.Ordinal))
                id = line[4..];
            else if (line.StartsWith("event: ", StringComparison.Ordinal))
                type = line[7..];
            else if (line.StartsWith("data: ", StringComparison.Ordinal))
                data = data is null ? line[6..] : throw new InvalidOperationException("two data lines in one event");
            else if (line.Length > 0 && line[0] != ':')
                throw new InvalidOperationException($"not a line of the contract: {line}");
        }
        return null;
    }

    public async Task<List<SseEvent>> ToEndAsync()
    {
        var events = new List<SseEvent>();
        while (await NextAsync() is { } next)
            events.Add(next);
        return events;
    }

    public void Dispose()
    {
        reader.Dispose();
        response.Dispose();
    }
}
