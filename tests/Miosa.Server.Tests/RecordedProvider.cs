using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Miosa.Server.Tests;

/// <summary>What a provider was asked, byte for byte.</summary>
internal sealed record Asked(string Path, string Query, IReadOnlyDictionary<string, string> Headers, byte[] Body)
{
    public JsonElement Json => JsonDocument.Parse(Body).RootElement;
}

/// <summary>
/// A provider on loopback that speaks OpenAI's wire as its public specification writes it, faults included. It answers by the first part of the path, so
/// that one stands for all providers of a server; what it says to a part is the test's.
/// </summary>
internal sealed class RecordedProvider : IAsyncDisposable
{
    public const string Answer = """
        {"id":"chatcmpl-B9MBs8","object":"chat.completion","created":1741569952,"model":"gpt-4.1-2025-04-14","choices":[{"index":0,"message":{"role":"assistant","content":"Hello! How can I assist you today?","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":0}},"service_tier":"default","system_fingerprint":"fp_44709d6fcb"}
        """;

    public const string TextAnswer = """{"id":"cmpl-uqkvlQ","object":"text_completion","created":1589478378,"model":"own-name","choices":[{"text":"This is indeed a test","index":0,"logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}""";

    public const string TooLong = """{"error":{"message":"This model's maximum context length is 8192 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}""";

    private readonly WebApplication app;
    private readonly ConcurrentQueue<Asked> all = [];
    private readonly ConcurrentDictionary<string, Func<HttpContext, Asked, Task>> answers = [];

    private RecordedProvider(WebApplication app) => this.app = app;

    /// <summary>Such as <c>http://127.0.0.1:40123</c>.</summary>
    public string Url { get; private set; } = "";

    public static async Task<RecordedProvider> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var provider = new RecordedProvider(builder.Build());
        provider.app.Run(provider.TakeAsync);
        await provider.app.StartAsync();
        provider.Url = provider.app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        return provider;
    }

    /// <summary>What the provider of this name answers from now on.</summary>
    public void Says(string name, Func<HttpContext, Asked, Task> answer) => answers[name] = answer;

    public void Says(string name, int status, string json, params (string Name, string Value)[] headers) => Says(name, (context, _) => WriteAsync(context, status, json, headers));

    /// <summary>A stream in exactly these pieces.</summary>
    public void Streams(string name, params string[] pieces) => Says(name, (context, _) => StreamAsync(context, pieces));

    public IReadOnlyList<Asked> Of(string name) => [.. all.Where(asked => NameOf(asked.Path) == name)];

    public static async Task WriteAsync(HttpContext context, int status, string json, params (string Name, string Value)[] headers)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        foreach (var (name, value) in headers)
            context.Response.Headers[name] = value;
        await context.Response.WriteAsync(json);
    }

    public static async Task StreamAsync(HttpContext context, params string[] pieces)
    {
        context.Response.ContentType = "text/event-stream; charset=utf-8";
        foreach (var piece in pieces)
        {
            await context.Response.WriteAsync(piece);
            await context.Response.Body.FlushAsync();
        }
    }

    /// <summary>Ends when the caller is gone.</summary>
    public static Task GoneAsync(HttpContext context)
    {
        var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        context.RequestAborted.Register(() => gone.TrySetResult());
        return gone.Task;
    }

    public static string Chunk(string text, string? finish = null) =>
        $$"""data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"own-name","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{{(text.Length == 0 ? "{}" : JsonSerializer.Serialize(new { content = text }))}},"logprobs":null,"finish_reason":{{(finish is null ? "null" : $"\"{finish}\"")}}}]}""" + "\n\n";

    public static string Usage(int prompt, int completion) =>
        $$$"""data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"own-name","choices":[],"usage":{"prompt_tokens":{{{prompt}}},"completion_tokens":{{{completion}}},"total_tokens":{{{prompt + completion}}}}}""" + "\n\n";

    public const string Role = """data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"own-name","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}""" + "\n\n";

    public const string Done = "data: [DONE]\n\n";

    /// <summary>As a provider that works streams "Hello, world".</summary>
    public static readonly string[] Good = [Role, Chunk("Hello"), Chunk(", "), Chunk("world"), Chunk("", "stop"), Usage(9, 4), Done];

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await app.StopAsync(now.Token);
        await app.DisposeAsync();
    }

    private static string NameOf(string path) => path.Split('/')[1];

    private async Task TakeAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        var path = context.Request.Path.Value ?? "";
        var asked = new Asked(path, context.Request.QueryString.Value ?? "", context.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase), body.ToArray());
        all.Enqueue(asked);
        if (answers.TryGetValue(NameOf(path), out var answer))
            await answer(context, asked);
        else if (Encoding.UTF8.GetString(asked.Body).Contains("\"stream\":true", StringComparison.Ordinal))
            await StreamAsync(context, Good);
        else
            await WriteAsync(context, 200, Answer);
    }
}
