using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Server.Host;

namespace Miosa.Server.Models;

/// <summary>
/// One provider. A call goes: 1. its key; 2. a turn, or the queue; 3. the breaker; 4. tries, until the first byte of a good answer is here;
/// 5. from there on the answer is the caller's to read (<see cref="Upstream"/>) and nothing is tried again.
/// </summary>
internal sealed partial class Provider : IDisposable
{
    private const int MaxErrorBody = 64 * 1024;
    private const int MaxErrorText = 500;
    private const int FirstBytes = 16 * 1024;

    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    /// <summary>A provider that wants to be left alone for longer is not waited for; the caller is told.</summary>
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    private readonly ProviderConfig config;
    private readonly ProviderSecrets secrets;
    private readonly ModelMetrics metrics;
    private readonly TimeProvider time;
    private readonly ILogger<Provider> log;
    private readonly Turns turns;
    private readonly Breaker breaker;
    private readonly HttpClient http;

    public Provider(ProviderConfig config, ProviderSecrets secrets, ModelMetrics metrics, TimeProvider time, ILogger<Provider> log)
    {
        (this.config, this.secrets, this.metrics, this.time, this.log) = (config, secrets, metrics, time, log);
        turns = new Turns(config.Turns, time);
        breaker = new Breaker(time);
        http = new HttpClient(new SocketsHttpHandler
        {
            // A redirect would carry the key elsewhere.
            AllowAutoRedirect = false,
            UseCookies = false,
            ConnectTimeout = ConnectTimeout,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            // A call that is given up closes its connection at once: that is how the provider learns to stop.
            MaxResponseDrainSize = 0,
            MaxConnectionsPerServer = config.Concurrency + 1,
        })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    public string Name => config.Name;

    public async Task<(Upstream? Answer, Refusal? Refusal)> OpenAsync(ProviderCall call, CancellationToken ct)
    {
        var (key, missing) = await secrets.OfAsync(config, call.Tenant, ct);
        if (missing is not null)
            return (null, missing);
        if (breaker.Wait(call.Tenant) is { } alone)
            return (null, LeftAlone(alone));
        if (!await turns.EnterAsync(call.Tenant, config.Silence, change => metrics.Waiting(config.Name, change), ct))
            return (null, Busy());
        metrics.Running(config.Name, 1);
        Upstream? answer = null;
        try
        {
            (answer, var refusal) = await TryAsync(call, key, ct);
            return (answer, refusal);
        }
        finally
        {
            if (answer is null)
                Left(call);
        }
    }

    /// <summary>The turn is free again.</summary>
    public void Left(ProviderCall call)
    {
        metrics.Running(config.Name, -1);
        turns.Leave(call.Tenant);
    }

    /// <summary>How an answer ended: good, failed, or, with null, in a way that says nothing about the provider.</summary>
    public void Ended(ProviderCall call, bool? isGood) => breaker.Ended(call.Tenant, isGood);

    public Refusal Broke(string says) => new(ErrorCodes.ProviderFailed, $"the provider \"{config.Name}\" {says}");

    public void Dispose() => http.Dispose();

    private async Task<(Upstream? Answer, Refusal? Refusal)> TryAsync(ProviderCall call, string? key, CancellationToken ct)
    {
        if (breaker.Enter(call.Tenant) is { } alone)
            return (null, LeftAlone(alone));
        // However often it is tried, it is one call that fails.
        var attempt = new Attempt();
        try
        {
            for (var tries = 1; ; tries++)
            {
                attempt = await TryOnceAsync(call, key, ct);
                if (attempt.Answer is not null)
                    return (attempt.Answer, null);
                if (attempt.Pause is not { } wait || tries > config.Retries || wait > LongestPause)
                {
                    Refused(log, config.Name, call.Operation, tries, attempt.Refusal?.Code ?? "");
                    return (null, attempt.Refusal);
                }
                metrics.Retried(config.Name);
                await Task.Delay(wait > TimeSpan.Zero ? wait : TimeSpan.FromSeconds(0.2 * Math.Pow(2, tries - 1) * (0.75 + (Random.Shared.NextDouble() / 2))), time, ct);
            }
        }
        finally
        {
            if (attempt.Answer is null)
                Ended(call, attempt.IsGood);
        }
    }

    private async Task<Attempt> TryOnceAsync(ProviderCall call, string? key, CancellationToken ct)
    {
        var limit = new CallLimit(config.Silence, config.Total, time, ct);
        HttpResponseMessage? response = null;
        Upstream? answer = null;
        try
        {
            using var request = Request(call, key);
            response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            limit.Restart();
            if (!response.IsSuccessStatusCode)
            {
                call.IsSent = false;
                var said = Said(await ReadErrorAsync(await response.Content.ReadAsStreamAsync(limit.Token), limit.Token), key);
                var (refusal, pause) = Refuse(response, said, call.Model);
                // What it was asked was at fault, or it has enough for now: it is well.
                return new Attempt { Refusal = refusal, Pause = pause, IsGood = (int)response.StatusCode < 500 };
            }
            breaker.Answers();
            var stream = await response.Content.ReadAsStreamAsync(limit.Token);
            var first = new byte[FirstBytes];
            var count = await stream.ReadAsync(first, limit.Token);
            limit.Pause();
            if (count == 0)
                throw new IOException("an answer without a body");
            answer = new Upstream(this, call, response, stream, limit, key, first.AsMemory(0, count));
            return new Attempt { Answer = answer };
        }
        catch (Exception e) when (limit.IsLeft && e is HttpRequestException or IOException)
        {
            throw new OperationCanceledException("the caller left", e, ct);
        }
        catch (Exception e) when (limit.IsOver && e is OperationCanceledException or HttpRequestException or IOException)
        {
            // It may be at work on it: once more would be twice.
            return limit.IsTooLong
                ? new Attempt { Refusal = Broke("did not answer in time") }
                : new Attempt { Refusal = Broke(string.Create(CultureInfo.InvariantCulture, $"did not answer for {config.Silence.TotalSeconds} seconds")), IsGood = false };
        }
        // A connection that took too long to make is cancelled by the client's own clock.
        catch (Exception e) when (!limit.IsLeft && e is OperationCanceledException or HttpRequestException or IOException)
        {
            call.IsSent = false;
            var isThere = e is IOException or HttpRequestException { HttpRequestError: not (HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError) };
            return new Attempt { Refusal = Broke(isThere ? "broke off before its answer" : "cannot be reached"), Pause = TimeSpan.Zero, IsGood = false };
        }
        finally
        {
            if (answer is null)
            {
                response?.Dispose();
                limit.Dispose();
            }
        }
    }

    private HttpRequestMessage Request(ProviderCall call, string? key)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, AddressOf(call.Operation, call.Model)) { Content = call.Content() };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        if (key is not null && config.Kind == ProviderKind.Azure)
            request.Headers.TryAddWithoutValidation("api-key", key);
        else if (key is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return request;
    }

    private Uri AddressOf(string operation, string model)
    {
        var root = config.Url.GetLeftPart(UriPartial.Path).TrimEnd('/');
        if (config.Kind == ProviderKind.Azure)
            return new Uri($"{root}/openai/deployments/{Uri.EscapeDataString(model)}/{operation}?api-version={Uri.EscapeDataString(config.ApiVersion)}");
        return new Uri(config.Url.AbsolutePath.Trim('/').Length == 0 ? $"{root}/v1/{operation}" : $"{root}/{operation}");
    }

    private (Refusal Refusal, TimeSpan? Pause) Refuse(HttpResponseMessage response, (string? Text, string? Code) said, string model)
    {
        var because = said.Text is null ? "" : $": {said.Text}";
        var details = said.Code is null ? null : new JsonObject { ["provider_code"] = said.Code };
        switch (response.StatusCode)
        {
            case HttpStatusCode.TooManyRequests:
                var wait = RetryAfter(response);
                return (Refusal.TooMany($"the provider \"{config.Name}\" takes no more calls for now{because}", (int)Math.Ceiling(wait.TotalSeconds)), wait);
            case HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden:
                return (Broke("refused its key" + (config.Key == KeySource.Tenant ? $": check PUT /settings/provider-keys/{config.KeyName}" : "")), null);
            case HttpStatusCode.NotFound:
                return (Broke($"does not have the model \"{model}\" at this address{because}"), null);
            case HttpStatusCode.RequestEntityTooLarge:
                return (Refusal.TooLarge($"the provider \"{config.Name}\" says that the request is too large{because}"), null);
            case >= HttpStatusCode.InternalServerError:
                return (Broke($"failed with status {(int)response.StatusCode}{because}"), RetryAfter(response, TimeSpan.Zero));
            case >= HttpStatusCode.BadRequest:
                return (new Refusal(ErrorCodes.ValidationError, $"the provider \"{config.Name}\" refused the request{because}", details), null);
            default:
                return (Broke($"answered with status {(int)response.StatusCode}"), null);
        }
    }

    private TimeSpan RetryAfter(HttpResponseMessage response, TimeSpan? standard = null) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } when delta >= TimeSpan.Zero => delta,
        { Date: { } date } when date > time.GetUtcNow() => date - time.GetUtcNow(),
        _ => standard ?? TimeSpan.FromSeconds(1),
    };

    private static async Task<byte[]> ReadErrorAsync(Stream stream, CancellationToken ct)
    {
        var buffer = new byte[MaxErrorBody];
        var length = await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, ct);
        return buffer[..length];
    }

    /// <summary>What it says in the usual places, short, in one line, and without the key, should it repeat it.</summary>
    private static (string? Text, string? Code) Said(byte[] body, string? key)
    {
        try
        {
            return CompletionShape.IsError(CompletionShape.Parse(body), out var text, out var code)
                ? (text is null ? null : Plain(text, key), code is null ? null : Plain(code, key))
                : (null, null);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return (null, null);
        }
    }

    public static string Plain(string text, string? key)
    {
        if (key is not null)
            text = text.Replace(key, "[key]", StringComparison.Ordinal);
        text = string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c)).Trim();
        return text.Length <= MaxErrorText ? text : text[..MaxErrorText] + "…";
    }

    private Refusal Busy() => Refusal.Unavailable(
        $"the provider \"{config.Name}\" is busy: {config.Turns.AtOnce} calls run and {config.Turns.Waiting} may wait, of one tenant {config.Turns.OfOne} and {config.Turns.WaitingOfOne}");

    private Refusal LeftAlone(TimeSpan left) =>
        Refusal.Unavailable($"the provider \"{config.Name}\" failed {Breaker.FailuresInARow} times in a row and is left alone for a moment", (int)Math.Ceiling(left.TotalSeconds));

    [LoggerMessage(Level = LogLevel.Warning, Message = "provider {Provider}: {Operation} failed after {Tries} tries: {Code}")]
    private static partial void Refused(ILogger log, string provider, string operation, int tries, string code);

    /// <summary>How one try went.</summary>
    private readonly record struct Attempt
    {
        public Upstream? Answer { get; init; }
        public Refusal? Refusal { get; init; }

        /// <summary>Another try makes sense, after this long; zero leaves it to the caller.</summary>
        public TimeSpan? Pause { get; init; }

        /// <inheritdoc cref="Ended"/>
        public bool? IsGood { get; init; }
    }
}
