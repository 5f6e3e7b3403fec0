using System.Net;
using System.Net.Sockets;
using Miosa.Server.Host;
using Miosa.Server.Webhooks;

namespace Miosa.Server.Desktop;

/// <summary>
/// Fetches a picture whose address a user named. The target is a stranger, and so is whatever it redirects to: every connection is checked where it is
/// made (the policy of webhooks), and neither the time, the size nor the kind of what comes is the target's to choose.
/// </summary>
internal sealed class PictureFetch : IDisposable
{
    public const int MaxBytes = 20 * 1024 * 1024;
    private const int MaxRedirects = 5;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private readonly Destinations destinations;
    private readonly HttpClient http;

    public PictureFetch(WebhookSender webhooks)
    {
        destinations = webhooks.Destinations;
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
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(5),
            MaxResponseHeadersLength = 16,
            MaxResponseDrainSize = 0,
            ConnectCallback = destinations.ConnectAsync,
        })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
        http.DefaultRequestHeaders.TryAddWithoutValidation("User-Agent", "miosa-wallpaper");
        http.DefaultRequestHeaders.TryAddWithoutValidation("Accept", "image/*");
    }

    /// <summary>The bytes and the ending of a file name that tells what they are; or what is wrong, in words that go behind the field's name.</summary>
    public async Task<(byte[]? Picture, string Ending, string? Fault)> GetAsync(Uri address, CancellationToken ct)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
        patience.CancelAfter(Patience);
        try
        {
            for (var redirects = 0; ; redirects++)
            {
                if (destinations.Refuses(address) is { } refused)
                    return Bad($"cannot be used: {refused}");
                using var response = await http.GetAsync(address, HttpCompletionOption.ResponseHeadersRead, patience.Token);
                if ((int)response.StatusCode is >= 300 and < 400 && response.Headers.Location is { } location)
                {
                    if (redirects == MaxRedirects)
                        return Bad($"redirects more than {MaxRedirects} times");
                    if (!Uri.TryCreate(address, location, out var next) || !IsWeb(next))
                        return Bad("redirects to something that is neither http nor https");
                    address = next;
                    continue;
                }
                return response.IsSuccessStatusCode ? await ReadAsync(response, patience.Token) : Bad($"cannot be fetched: it answers with status {(int)response.StatusCode}");
            }
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return Bad($"cannot be fetched: the picture was not there within {Patience.TotalSeconds:0} s");
        }
        catch (HttpRequestException e)
        {
            return Bad("cannot be fetched: " + Words(e));
        }
        catch (IOException e)
        {
            return Bad("cannot be fetched: " + (e is DestinationRefusedException ? e.Message : "the connection broke"));
        }
    }

    public static bool IsWeb(Uri address) => address.IsAbsoluteUri && (address.Scheme == Uri.UriSchemeHttp || address.Scheme == Uri.UriSchemeHttps) && address.UserInfo.Length == 0;

    public void Dispose() => http.Dispose();

    private static async Task<(byte[]? Picture, string Ending, string? Fault)> ReadAsync(HttpResponseMessage response, CancellationToken ct)
    {
        if (response.Content.Headers.ContentLength > MaxBytes)
            return TooLarge();
        await using var body = await response.Content.ReadAsStreamAsync(ct);
        // Grows with what really comes: a length that is only said costs nothing.
        using var picture = new MemoryStream();
        var buffer = new byte[64 * 1024];
        while (await body.ReadAsync(buffer, ct) is > 0 and var count)
        {
            if (picture.Length + count > MaxBytes)
                return TooLarge();
            picture.Write(buffer, 0, count);
            // What is no picture is not fetched to its end.
            if (picture.Length >= PictureKind.Needed && PictureKind.Of(picture.GetBuffer().AsSpan(0, (int)picture.Length)) is null)
                return NoPicture();
        }
        return PictureKind.Of(picture.GetBuffer().AsSpan(0, (int)picture.Length)) is { } ending ? (picture.ToArray(), ending, null) : NoPicture();
    }

    private static (byte[]? Picture, string Ending, string? Fault) TooLarge() => Bad($"holds more than {MaxBytes / (1024 * 1024)} MiB");

    private static (byte[]? Picture, string Ending, string? Fault) NoPicture() => Bad("holds no picture: PNG, JPEG, GIF, WebP, BMP and TIFF are known");

    private static (byte[]? Picture, string Ending, string? Fault) Bad(string fault) => (null, "", fault);

    /// <summary>In words of ours: the system's tell addresses behind names, which are nobody's business.</summary>
    private static string Words(HttpRequestException e) => e.InnerException switch
    {
        DestinationRefusedException own => own.Message,
        SocketException { SocketErrorCode: SocketError.ConnectionRefused } => "the connection was refused",
        SocketException { SocketErrorCode: SocketError.HostNotFound or SocketError.TryAgain or SocketError.NoData } => "the name does not resolve",
        System.Security.Authentication.AuthenticationException => "the TLS certificate is not valid, or TLS failed",
        _ => "the connection failed",
    };
}
