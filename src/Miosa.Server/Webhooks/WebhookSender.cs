using System.Buffers;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Reflection;
using System.Text;
using Miosa.Server.Host;

namespace Miosa.Server.Webhooks;

/// <summary>What one attempt came to.</summary>
internal sealed record Attempt(DateTimeOffset At, long DurationMs, int? Status, string? Answer, string? Error, TimeSpan? RetryAfter)
{
    public bool IsDelivered => Status is >= 200 and < 300;
}

/// <summary>What is sent where; everything an attempt needs.</summary>
internal sealed record Shipment(string Url, IReadOnlyDictionary<string, string> Headers, string Secret, string? OldSecret, string Event, string PayloadId, byte[] Payload);

/// <summary>
/// One attempt: signs, sends, reads a little of the answer. The target is a stranger: it decides neither where the server connects to (no
/// redirects, no proxy, the address checked when it is connected to), nor how long that takes, nor how much is read.
/// </summary>
internal sealed class WebhookSender : IDisposable
{
    public const string EventHeader = "X-Miosa-Event";
    public const string DeliveryHeader = "X-Miosa-Delivery";

    public const int KeptAnswer = 4096;

    /// <summary>Read to the end so that the connection can be used again; a longer answer costs it its connection.</summary>
    private const int MostRead = 64 * 1024;

    private static readonly string UserAgent = "miosa-webhooks/"
        + (typeof(WebhookSender).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0");

    private readonly HttpClient http;
    private readonly TimeSpan limit;
    private readonly bool isLegacy;
    private readonly TimeProvider time;

    public WebhookSender(ServerSettings settings, TimeProvider time)
    {
        this.time = time;
        limit = TimeSpan.FromSeconds(settings.WebhookTimeoutSec);
        isLegacy = settings.WebhookSignature == ServerSettings.LegacySignature;
        Destinations = new Destinations("webhook-allow", settings.WebhookAllow.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
        http = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.None,
            ActivityHeadersPropagator = null,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            // A name may lead elsewhere by now, to where it must not.
            PooledConnectionLifetime = TimeSpan.FromMinutes(1),
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(15),
            MaxResponseHeadersLength = 16,
            MaxResponseDrainSize = 0,
            ConnectCallback = Destinations.ConnectAsync,
        })
        {
            Timeout = Timeout.InfiniteTimeSpan,
            DefaultRequestVersion = HttpVersion.Version11,
        };
    }

    public Destinations Destinations { get; }

    /// <param name="shipment">What and where.</param>
    /// <param name="ct">Ends the attempt as if it had never been made.</param>
    public async Task<Attempt> SendAsync(Shipment shipment, CancellationToken ct)
    {
        var at = time.GetUtcNow();
        var begun = Stopwatch.GetTimestamp();
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
        patience.CancelAfter(limit);
        try
        {
            using var request = RequestOf(shipment, at);
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token);
            var answer = await BeginningOfAsync(response, patience.Token);
            ct.ThrowIfCancellationRequested();
            var status = (int)response.StatusCode;
            return new Attempt(at, Elapsed(), status, answer, ErrorOf(status), WaitOf(response.Headers.RetryAfter, at));
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return Failed($"no answer within {limit.TotalSeconds:0} s");
        }
        catch (HttpRequestException e)
        {
            return Failed(Words(e));
        }
        catch (IOException e)
        {
            return Failed(e is DestinationRefusedException ? e.Message : "the connection broke");
        }

        long Elapsed() => (long)Stopwatch.GetElapsedTime(begun).TotalMilliseconds;

        Attempt Failed(string error) => new(at, Elapsed(), Status: null, Answer: null, error, RetryAfter: null);
    }

    public void Dispose() => http.Dispose();

    private HttpRequestMessage RequestOf(Shipment shipment, DateTimeOffset at)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, shipment.Url) { Content = new ByteArrayContent(shipment.Payload) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        // The customer's first: ours cannot be replaced, the names were checked.
        foreach (var (name, value) in shipment.Headers)
            request.Headers.TryAddWithoutValidation(name, value);
        Add("User-Agent", UserAgent);
        Add(EventHeader, shipment.Event);
        Add(DeliveryHeader, shipment.PayloadId);
        var plain = WebhookSignature.Plain(shipment.Payload, shipment.Secret);
        var seconds = at.ToUnixTimeSeconds();
        var timed = shipment.OldSecret is null
            ? WebhookSignature.Timed(shipment.Payload, seconds, shipment.Secret)
            : WebhookSignature.Timed(shipment.Payload, seconds, shipment.Secret, shipment.OldSecret);
        Add(WebhookSignature.PlainHeader, isLegacy ? timed : WebhookSignature.PlainPrefix + plain);
        Add(WebhookSignature.TimedHeader, timed);
        Add(WebhookSignature.HexHeader, plain);
        if (shipment.OldSecret is { } old)
            Add(WebhookSignature.PreviousHeader, WebhookSignature.PlainPrefix + WebhookSignature.Plain(shipment.Payload, old));
        return request;

        void Add(string name, string value) => request.Headers.TryAddWithoutValidation(name, value);
    }

    /// <summary>The status is what counts and has come: an answer that does not end, or breaks off, changes nothing any more.</summary>
    private static async Task<string> BeginningOfAsync(HttpResponseMessage response, CancellationToken ct)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(MostRead);
        var length = 0;
        try
        {
            await using var body = await response.Content.ReadAsStreamAsync(ct);
            while (length < MostRead && await body.ReadAsync(buffer.AsMemory(length, MostRead - length), ct) is > 0 and var count)
                length += count;
        }
        catch (Exception e) when (e is IOException or HttpRequestException or OperationCanceledException)
        {
            // What came is told.
        }
        var text = Encoding.UTF8.GetString(buffer, 0, Math.Min(length, KeptAnswer));
        ArrayPool<byte>.Shared.Return(buffer);
        return text;
    }

    private static string? ErrorOf(int status) => status switch
    {
        >= 200 and < 300 => null,
        >= 300 and < 400 => $"the endpoint answered {status}; redirects are not followed",
        _ => $"the endpoint answered {status}",
    };

    private static TimeSpan? WaitOf(RetryConditionHeaderValue? header, DateTimeOffset now) => header switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } => date - now,
        _ => null,
    };

    /// <summary>In words of ours: the system's tell addresses behind names, which are nobody's business.</summary>
    private static string Words(HttpRequestException e) => e.InnerException switch
    {
        DestinationRefusedException own => own.Message,
        SocketException { SocketErrorCode: SocketError.ConnectionRefused } => "the connection was refused",
        SocketException { SocketErrorCode: SocketError.HostNotFound or SocketError.TryAgain or SocketError.NoData } => "the name does not resolve",
        SocketException { SocketErrorCode: SocketError.HostUnreachable or SocketError.NetworkUnreachable } => "the address cannot be reached",
        System.Security.Authentication.AuthenticationException => "the TLS certificate is not valid, or TLS failed",
        _ => e.HttpRequestError switch
        {
            HttpRequestError.NameResolutionError => "the name does not resolve",
            HttpRequestError.SecureConnectionError => "the TLS certificate is not valid, or TLS failed",
            HttpRequestError.ConnectionError => "the connection failed",
            HttpRequestError.ResponseEnded => "the endpoint closed the connection without an answer",
            HttpRequestError.InvalidResponse => "the answer is no HTTP",
            HttpRequestError.ConfigurationLimitExceeded => "the answer's headers are too long",
            _ => "the connection broke",
        },
    };
}
