using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Miosa.Bench;

/// <summary>
/// What the server adds to a completion: the same call to a provider on loopback directly and through the server, whole and to the first piece of a
/// stream; and what a text costs in the embedding model of the server.
/// </summary>
internal static class ModelBench
{
    private const int Rounds = 1000;
    private const int Warmups = 200;
    private const int Batch = 1000;

    private const string Answer = """{"id":"chatcmpl-1","object":"chat.completion","created":1741569952,"model":"own","choices":[{"index":0,"message":{"role":"assistant","content":"Hello! How can I assist you today?"},"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29}}""";
    private const string Chunk = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"own\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"},\"finish_reason\":null}]}\n\n";
    private const string Body = """{"model":"own","messages":[{"role":"user","content":"Hello"}]}""";
    private const string StreamBody = """{"model":"own","stream":true,"messages":[{"role":"user","content":"Hello"}]}""";

    public static async Task RunAsync(Report report)
    {
        await using var upstream = await StartUpstreamAsync();
        var url = upstream.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        var file = Path.Combine(Path.GetTempPath(), $"miosa-bench-models-{Environment.ProcessId}.json");
        await File.WriteAllTextAsync(file, $$$"""{"providers":[{"name":"bench","kind":"openai","url":"{{{url}}}","models":{"own":"own"}}]}""");
        try
        {
            await using var bed = await Bed.WithAsync(Bed.SmallImage, "--pool-size", "0", "--models", file);
            using var direct = new HttpClient { BaseAddress = new Uri(url + "/v1/") };
            using var through = new HttpClient { BaseAddress = new Uri(bed.Platform.RootUrl + "/v1/") };
            through.DefaultRequestHeaders.Authorization = new("Bearer", bed.Key);
            await ComparedAsync(report, "a completion", client => PostAsync(client, Body), direct, through);
            await ComparedAsync(report, "first piece of a stream", FirstPieceAsync, direct, through);
            await EmbedAsync(report, bed);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static async Task ComparedAsync(Report report, string what, Func<HttpClient, Task<bool>> call, HttpClient direct, HttpClient through)
    {
        var (floor, ours) = (new Times($"floor: {what}, the provider asked directly"), new Times($"{what}, through the server"));
        for (var i = -Warmups; i < Rounds; i++)
        {
            var (one, other) = (new Times(""), new Times(""));
            await one.MeasureAsync(() => call(direct));
            await other.MeasureAsync(() => call(through));
            if (i < 0)
                continue;
            floor.AddAll(one);
            ours.AddAll(other);
        }
        report.Add(floor);
        report.Add(ours);
        report.Line(string.Create(CultureInfo.InvariantCulture, $"  => {ours.Median - floor.Median:F2} ms more"));
    }

    private static async Task EmbedAsync(Report report, Bed bed)
    {
        var texts = Enumerable.Range(0, Batch).Select(i => $"The quick brown fox jumps over the lazy dog and runs away {i}").ToArray();
        var (single, batch) = (new Times("embedding of one text of 13 words, through HTTP"), new Times($"embeddings of {Batch} texts in one call"));
        for (var i = 0; i < Rounds; i++)
            await single.MeasureAsync(() => bed.Client.Embeddings.CreateAsync(Embeddings.DefaultModel, texts[i % Batch]));
        for (var i = 0; i < 20; i++)
            await batch.MeasureAsync(() => bed.Client.Embeddings.CreateAsync(Embeddings.DefaultModel, texts));
        report.Add(single);
        report.Add(batch);
        report.Line(string.Create(CultureInfo.InvariantCulture, $"  => {batch.Median * 1000 / Batch:F0} µs a text, JSON on both sides included"));
    }

    private static async Task<bool> PostAsync(HttpClient client, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var response = await client.PostAsync("chat/completions", content);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadAsByteArrayAsync()).Length > 0;
    }

    private static async Task<bool> FirstPieceAsync(HttpClient client)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "chat/completions") { Content = new StringContent(StreamBody, Encoding.UTF8, "application/json") };
        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        response.EnsureSuccessStatusCode();
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        var isPiece = (await reader.ReadLineAsync())?.StartsWith("data: {", StringComparison.Ordinal) == true;
        await reader.ReadToEndAsync();
        return isPiece ? true : throw new InvalidOperationException("no piece");
    }

    private static async Task<WebApplication> StartUpstreamAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.Run(async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            if (body.GetBuffer().AsSpan(0, (int)body.Length).IndexOf("\"stream\":true"u8) < 0)
            {
                context.Response.ContentType = "application/json";
                await context.Response.WriteAsync(Answer);
                return;
            }
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync(Chunk);
            await context.Response.Body.FlushAsync();
            await context.Response.WriteAsync("data: [DONE]\n\n");
        });
        await app.StartAsync();
        return app;
    }
}
