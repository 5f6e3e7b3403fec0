namespace Miosa;

/// <summary>Settings of a <see cref="MiosaClient"/>. Everything is optional; what is not set comes from the environment or the defaults told here.</summary>
/// <example>
/// <code>
/// using var client = new MiosaClient(new MiosaOptions { BaseUrl = "https://sandboxes.example.com/api/v1", Timeout = TimeSpan.FromSeconds(60) });
/// </code>
/// </example>
public sealed record MiosaOptions
{
    /// <summary>The address used when neither <see cref="BaseUrl"/> nor <c>MIOSA_BASE_URL</c> is set.</summary>
    public const string DefaultBaseUrl = "https://api.miosa.ai/api/v1";

    /// <summary>Workspace key, <c>msk_…</c>; default: the environment variable <c>MIOSA_API_KEY</c>.</summary>
    public string? ApiKey { get; init; }

    /// <summary>
    /// A token of <see cref="ApiKeys.CreateTokenAsync"/>, which is used in place of a key; default: the environment variable <c>MIOSA_ACCESS_TOKEN</c>,
    /// when there is no key.
    /// </summary>
    public string? AccessToken { get; init; }

    /// <summary>
    /// Name or id of the tenant to work in, for keys of administrators, which have none of their own; default: the environment variable <c>MIOSA_TENANT</c>.
    /// With a key of a tenant it can only be that one.
    /// </summary>
    public string? Tenant { get; init; }

    /// <summary>
    /// Address of the API including its version, such as <c>http://localhost:8080/api/v1</c>; a slash at the end does no harm.
    /// Default: the environment variable <c>MIOSA_BASE_URL</c>, else <see cref="DefaultBaseUrl"/>.
    /// </summary>
    public string? BaseUrl { get; init; }

    /// <summary>
    /// The longest silence, 30 s by default, counted anew for every try: until the headers of the answer, then between two reads of its body; while an
    /// upload flows, each block sent starts it again. It is not a limit on the whole call; use a cancellation token for that.
    /// Commands and event streams, which the server keeps alive with blanks and heartbeats, always wait at least 35 s.
    /// <see cref="System.Threading.Timeout.InfiniteTimeSpan"/> waits for ever.
    /// </summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How often a failed call is tried again, 3 by default; 0 tries once. See docs/sdk.md for what is tried again.</summary>
    public int MaxRetries { get; init; } = 3;

    /// <summary>Headers added to every request, for example for a proxy. They replace the SDK's own of the same name, except <c>Authorization</c>, which is refused.</summary>
    public IReadOnlyDictionary<string, string>? DefaultHeaders { get; init; }

    /// <summary>
    /// The <see cref="System.Net.Http.HttpClient"/> to send with; the caller keeps ownership and its own <c>Timeout</c> applies as well
    /// (set it to infinite for long commands). The synchronous methods need a handler that supports <c>HttpClient.Send</c>.
    /// </summary>
    public HttpClient? HttpClient { get; init; }

    /// <summary>The handler to send with, when <see cref="HttpClient"/> is not set; the caller keeps ownership.</summary>
    public HttpMessageHandler? Handler { get; init; }

    /// <summary>The clock for time limits and waits; default: the system's.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    internal string RequireApiKey()
    {
        if (ApiKey is null && (AccessToken ?? EnvironmentToken()) is { } token)
            return IsPlain(token) ? token : throw new ArgumentException("the access token is empty or contains a blank, a line break or a character outside ASCII", "accessToken");
        var key = ApiKey ?? Environment.GetEnvironmentVariable("MIOSA_API_KEY");
        if (string.IsNullOrEmpty(key))
            throw new ArgumentException("no API key: pass apiKey or set the environment variable MIOSA_API_KEY", "apiKey");
        // The key itself never goes into a message: messages end up in logs.
        if (!key.StartsWith("msk_", StringComparison.Ordinal))
            throw new ArgumentException("an API key starts with 'msk_'; this one does not", "apiKey");
        if (!IsPlain(key))
            throw new ArgumentException("the API key contains a blank, a line break or a character outside ASCII", "apiKey");
        return key;
    }

    internal string? TenantToName()
    {
        var tenant = Tenant ?? Environment.GetEnvironmentVariable("MIOSA_TENANT");
        if (string.IsNullOrEmpty(tenant))
            return null;
        foreach (var c in tenant)
        {
            if (c is < ' ' or >= '\x7f')
                throw new ArgumentException("the tenant contains a line break or a character outside ASCII: use its id", "tenant");
        }
        return tenant;
    }

    // A key wins: it is what most environments have.
    private static string? EnvironmentToken() =>
        string.IsNullOrEmpty(Environment.GetEnvironmentVariable("MIOSA_API_KEY")) && Environment.GetEnvironmentVariable("MIOSA_ACCESS_TOKEN") is { Length: > 0 } token ? token : null;

    private static bool IsPlain(string text) => text.Length > 0 && text.All(c => c is > ' ' and < '\x7f');

    internal string RequireBaseUrl()
    {
        var text = BaseUrl ?? Environment.GetEnvironmentVariable("MIOSA_BASE_URL");
        if (string.IsNullOrEmpty(text))
            text = DefaultBaseUrl;
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https") || url.Query.Length > 0 || url.Fragment.Length > 0)
            throw new ArgumentException($"the base URL must be an absolute http or https address without a query, not '{text}'", "baseUrl");
        return text.TrimEnd('/');
    }

    internal void Check()
    {
        if (Timeout != System.Threading.Timeout.InfiniteTimeSpan && (Timeout <= TimeSpan.Zero || Timeout.TotalMilliseconds > int.MaxValue))
            throw new ArgumentException($"the timeout must be positive and below 24 days, or infinite, not '{Timeout}'", nameof(Timeout));
        ArgumentOutOfRangeException.ThrowIfNegative(MaxRetries);
        ArgumentNullException.ThrowIfNull(TimeProvider);
        foreach (var name in DefaultHeaders?.Keys ?? [])
        {
            if (name.Equals("Authorization", StringComparison.OrdinalIgnoreCase))
                throw new ArgumentException("the Authorization header carries the API key and cannot be a default header", nameof(DefaultHeaders));
        }
    }
}
