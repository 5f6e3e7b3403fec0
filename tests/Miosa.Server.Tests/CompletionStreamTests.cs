using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text;
using System.Text.Json;
using Miosa.Platform;
using Miosa.Server.Models;

namespace Miosa.Server.Tests;

/// <summary>Completions in pieces, and everything that can end them early.</summary>
public sealed class CompletionStreamTests(ModelServer server) : IClassFixture<ModelServer>
{
    [Fact]
    public async Task Pieces_come_in_the_contract_s_form_and_end_with_DONE()
    {
        server.Provider.Streams("main", RecordedProvider.Good);
        var answer = await AskAsync("qwen3:32b");
        Assert.DoesNotContain("event:", answer.Body, StringComparison.Ordinal);
        Assert.DoesNotContain('\r', answer.Body);
        var pieces = Pieces(answer);
        Assert.Equal("Hello, world", string.Concat(pieces.Select(p => p.GetProperty("delta").GetString())));
        Assert.Equal("Hello, world", string.Concat(pieces.Select(p => p.GetProperty("choices")[0].GetProperty("delta").TryGetProperty("content", out var content) ? content.GetString() : "")));
        Assert.All(pieces, p => Assert.Equal(("qwen3:32b", "chat.completion.chunk", "chatcmpl-123"), (p.GetProperty("model").GetString(), p.GetProperty("object").GetString(), p.GetProperty("id").GetString())));
        Assert.Equal("assistant", pieces[0].GetProperty("choices")[0].GetProperty("delta").GetProperty("role").GetString());
        Assert.Equal("stop", pieces[^1].GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.All(pieces, p => Assert.False(p.TryGetProperty("usage", out _)));
        Assert.Equal(("no-cache", "no"), (answer.Headers.CacheControl?.ToString(), answer.Headers.GetValues("X-Accel-Buffering").Single()));
        // Usage is always asked for, and told when it was asked for.
        Assert.True(server.Provider.Of("main")[^1].Json.GetProperty("stream_options").GetProperty("include_usage").GetBoolean());
        var told = Pieces(await AskAsync("qwen3:32b", ",\"stream_options\":{\"include_usage\":true}"));
        Assert.Equal((0, 13), (told[^1].GetProperty("choices").GetArrayLength(), told[^1].GetProperty("usage").GetProperty("total_tokens").GetInt32()));
    }

    [Fact]
    public async Task A_prompt_streams_as_text()
    {
        server.Provider.Streams("main", RecordedProvider.Good);
        var answer = (await server.Api.PostAsync("intelligence/completions", """{"model":"qwen3:32b","prompt":"x","stream":true}""")).Expect(200);
        var pieces = Pieces(answer);
        Assert.Equal("Hello, world", string.Concat(pieces.Select(p => p.GetProperty("choices")[0].GetProperty("text").GetString())));
        Assert.All(pieces, p => Assert.Equal("text_completion", p.GetProperty("object").GetString()));
    }

    [Fact]
    public async Task Pieces_that_are_cut_anywhere_with_any_line_ends_are_put_together()
    {
        var bytes = string.Concat(RecordedProvider.Good).Replace("\n", "\r\n", StringComparison.Ordinal);
        server.Provider.Streams("main", [": comment\r\n\r\n", "event: x\r\n", .. bytes.Chunk(7).Select(part => new string(part))]);
        Assert.Equal("Hello, world", TextOf(await AskAsync("qwen3:32b")));
    }

    [Theory]
    [InlineData("data: {not json\n\n")]
    [InlineData("data: [1]\n\n")]
    [InlineData("data: {\"choices\":{}}\n\n")]
    [InlineData("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\ud800\"}}]}\n\n")]
    [InlineData("data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning\":\"\\ud800\"}}]}\n\n")]
    [InlineData("data: {\"choices\":[{\"index\":0,\"delta\":{\"own\":\"\\ud800\"}}]}\n\n")]
    [InlineData("data: {\"error\":{\"message\":\"out of memory\",\"code\":\"oom\"}}\n\n")]
    public async Task A_piece_that_is_none_becomes_an_error_and_the_end(string piece)
    {
        server.Provider.Streams("main", RecordedProvider.Role, RecordedProvider.Chunk("Hel"), piece, RecordedProvider.Chunk("never"), RecordedProvider.Done);
        var answer = await AskAsync("qwen3:32b");
        Assert.EndsWith("data: [DONE]\n\n", answer.Body, StringComparison.Ordinal);
        var pieces = Pieces(answer);
        Assert.Equal("Hel", pieces[1].GetProperty("delta").GetString());
        Assert.Equal("PROVIDER_FAILED", pieces[^1].GetProperty("error").GetProperty("code").GetString());
        Assert.Contains(piece.Contains("memory", StringComparison.Ordinal) ? "out of memory" : "\"main\"", pieces[^1].GetProperty("error").GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain("never", answer.Body, StringComparison.Ordinal);
        await WellAsync("main", "qwen3:32b");
    }

    [Fact]
    public async Task A_provider_that_dies_stops_or_floods_in_the_middle_is_told_as_an_error()
    {
        var cut = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        server.Provider.Says("main", async (context, _) =>
        {
            await RecordedProvider.StreamAsync(context, RecordedProvider.Role, RecordedProvider.Chunk("Hel"));
            await cut.Task;
            context.Abort();
        });
        using (var request = new HttpRequestMessage(HttpMethod.Post, "intelligence/completions") { Content = new StringContent(Body("qwen3:32b"), Encoding.UTF8, "application/json") })
        using (var response = await server.Api.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead))
        using (var reader = new StreamReader(await response.Content.ReadAsStreamAsync()))
        {
            Assert.StartsWith("data: ", await reader.ReadLineAsync(), StringComparison.Ordinal);
            cut.SetResult();
            var rest = await reader.ReadToEndAsync();
            Assert.Contains("broke off", rest, StringComparison.Ordinal);
            Assert.EndsWith("data: [DONE]\n\n", rest, StringComparison.Ordinal);
        }
        server.Provider.Streams("main", RecordedProvider.Role, RecordedProvider.Chunk("Hel"));
        Assert.Contains("broke off", ErrorOf(await AskAsync("qwen3:32b")), StringComparison.Ordinal);
        await WellAsync("main", "qwen3:32b");
        server.Provider.Says("hasty", async (context, _) =>
        {
            await RecordedProvider.StreamAsync(context, RecordedProvider.Role, RecordedProvider.Chunk("Hel"));
            await RecordedProvider.GoneAsync(context);
        });
        Assert.Contains("stopped sending", ErrorOf(await AskAsync("hasty")), StringComparison.Ordinal);
        server.Provider.Streams("hasty", RecordedProvider.Role, "data: ", new string('x', 2_000_000));
        Assert.Contains("line", ErrorOf(await AskAsync("hasty")), StringComparison.Ordinal);
        server.Provider.Says("hasty", 200, RecordedProvider.Answer);
        Assert.Contains("application/json", ErrorOf(await AskAsync("hasty")), StringComparison.Ordinal);
        // Finished but for the mark at the end: nothing is missing.
        server.Provider.Streams("hasty", RecordedProvider.Good[..^1]);
        Assert.Equal("Hello, world", TextOf(await AskAsync("hasty")));
    }

    [Fact]
    public async Task A_client_that_reads_slowly_is_not_taken_for_a_silent_provider()
    {
        // More than all buffers on the way hold.
        var piece = RecordedProvider.Chunk(new string('x', 100_000));
        server.Provider.Streams("hasty", [.. Enumerable.Repeat(piece, 120), RecordedProvider.Chunk("", "stop"), RecordedProvider.Done]);
        using var request = new HttpRequestMessage(HttpMethod.Post, "intelligence/completions") { Content = new StringContent(Body("hasty"), Encoding.UTF8, "application/json") };
        using var response = await server.Api.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        // Two calls that end when the provider was silent for as long as it may: the reader above is slower than that.
        server.Provider.Says("hasty", (context, _) => RecordedProvider.GoneAsync(context));
        for (var i = 0; i < 2; i++)
            Assert.Contains("did not answer", (await server.Api.PostAsync("intelligence/completions", Body("hasty"))).Expect(502).Text("message"), StringComparison.Ordinal);
        var all = await response.Content.ReadAsStringAsync();
        Assert.EndsWith("data: [DONE]\n\n", all, StringComparison.Ordinal);
        Assert.DoesNotContain("PROVIDER_FAILED", all[^1000..], StringComparison.Ordinal);
        await WellAsync("hasty", "hasty");
    }

    [Fact]
    public async Task Failures_before_the_first_byte_are_statuses_and_tried_again()
    {
        var count = 0;
        server.Provider.Says("main", (context, _) => Interlocked.Increment(ref count) == 1
            ? RecordedProvider.WriteAsync(context, 503, "{}")
            : RecordedProvider.StreamAsync(context, RecordedProvider.Good));
        Assert.Equal("Hello, world", TextOf(await AskAsync("qwen3:32b")));
        Assert.Equal(2, count);
        server.Provider.Says("main", 400, RecordedProvider.TooLong);
        (await server.Api.PostAsync("intelligence/completions", Body("qwen3:32b"))).Expect(422);
    }

    [Fact]
    public async Task A_client_that_leaves_ends_the_provider_s_work_within_a_tenth_of_a_second()
    {
        var gone = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        server.Provider.Says("main", async (context, _) =>
        {
            await RecordedProvider.StreamAsync(context, RecordedProvider.Role, RecordedProvider.Chunk("Hel"));
            await RecordedProvider.GoneAsync(context);
            gone.TrySetResult(Stopwatch.GetTimestamp());
        });
        // A client that closes at once, instead of reading on for two seconds in the hope of keeping its connection.
        using var client = new HttpClient(new SocketsHttpHandler { MaxResponseDrainSize = 0 });
        client.DefaultRequestHeaders.Authorization = new("Bearer", server.Key);
        // The host of a test may be busy: the fastest of a few tries tells what the server takes.
        var fastest = TimeSpan.MaxValue;
        for (var tries = 0; tries < 5 && fastest > TimeSpan.FromMilliseconds(100); tries++)
        {
            gone = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
            using var request = new HttpRequestMessage(HttpMethod.Post, server.Root + "/v1/chat/completions") { Content = new StringContent(Body("qwen3:32b"), Encoding.UTF8, "application/json") };
            var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
            Assert.StartsWith("data: ", await reader.ReadLineAsync(), StringComparison.Ordinal);
            var left = Stopwatch.GetTimestamp();
            response.Dispose();
            var took = Stopwatch.GetElapsedTime(left, await gone.Task.WaitAsync(TimeSpan.FromSeconds(30)));
            fastest = took < fastest ? took : fastest;
        }
        Assert.True(fastest <= TimeSpan.FromMilliseconds(100), fastest.ToString());
        await WellAsync("main", "qwen3:32b");
    }

    [Fact]
    public async Task A_silent_model_is_kept_alive_with_the_head_and_comments()
    {
        var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        server.Provider.Says("main", async (context, _) =>
        {
            await go.Task;
            await RecordedProvider.StreamAsync(context, RecordedProvider.Good);
        });
        using var request = new HttpRequestMessage(HttpMethod.Post, "intelligence/completions") { Content = new StringContent(Body("qwen3:32b"), Encoding.UTF8, "application/json") };
        using var response = await server.Api.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        Assert.Equal(": heartbeat", await reader.ReadLineAsync(limit.Token));
        go.SetResult();
        Assert.EndsWith("data: [DONE]\n\n", await reader.ReadToEndAsync(limit.Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Time_to_the_first_token_and_tokens_per_second_are_measured()
    {
        var measured = new System.Collections.Concurrent.ConcurrentDictionary<string, double>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, it) =>
        {
            if (instrument.Meter.Name == ModelMetrics.Name)
                it.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => measured[instrument.Name] = value);
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => measured.AddOrUpdate(instrument.Name, value, (_, sum) => sum + value));
        listener.Start();
        server.Provider.Streams("main", RecordedProvider.Good);
        await AskAsync("qwen3:32b");
        // Written down behind the answer's last byte.
        await Miosa.Platform.Platform.UntilAsync("the call is measured", () => Task.FromResult(measured.ContainsKey("miosa.models.tokens_per_second") && measured.GetValueOrDefault("miosa.models.running") == 0));
        Assert.InRange(measured["miosa.models.time_to_first_token"], 0.000001, 60);
        Assert.True(measured["miosa.models.tokens_per_second"] > 0);
        Assert.True(measured["miosa.models.tokens"] >= 13);
    }

    private static string Body(string model, string more = "") => $$"""{"model":"{{model}}","messages":[{"role":"user","content":"Hello"}],"stream":true{{more}}}""";

    private async Task<Answer> AskAsync(string model, string more = "")
    {
        var answer = (await server.Api.PostAsync("intelligence/chat/completions", Body(model, more))).Expect(200);
        Assert.Equal("text/event-stream", answer.ContentHeaders.ContentType?.MediaType);
        return answer;
    }

    /// <summary>A good answer, so that the faults of several tests do not add up to a provider that is left alone.</summary>
    private async Task WellAsync(string provider, string model)
    {
        server.Provider.Streams(provider, RecordedProvider.Good);
        Assert.Equal("Hello, world", TextOf(await AskAsync(model)));
    }

    private static List<JsonElement> Pieces(Answer answer)
    {
        Assert.EndsWith("data: [DONE]\n\n", answer.Body, StringComparison.Ordinal);
        return [.. answer.Body.Split("\n\n").Where(frame => frame.StartsWith("data: {", StringComparison.Ordinal)).Select(frame => JsonDocument.Parse(frame["data: ".Length..]).RootElement)];
    }

    private static string TextOf(Answer answer) => string.Concat(Pieces(answer).Select(piece => piece.GetProperty("delta").GetString()));

    private static string ErrorOf(Answer answer) => Pieces(answer)[^1].GetProperty("error").GetProperty("message").GetString() ?? "";
}
