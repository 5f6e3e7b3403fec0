using System.Text.RegularExpressions;
using Miosa.Server.Host;
using Miosa.Server.Workspaces;

namespace Miosa.Server.Webhooks;

/// <summary>What a caller wants of a webhook, checked; null is "not said".</summary>
internal sealed record WebhookWish
{
    public string? Url { get; init; }
    public IReadOnlyList<string>? Events { get; init; }
    public string? Name { get; init; }
    public string? Description { get; init; }
    public string? Secret { get; init; }
    public bool? Active { get; init; }
    public IReadOnlyDictionary<string, string>? Headers { get; init; }
    public int? RetryCount { get; init; }
    public string? Metadata { get; init; }
    public string? WorkspaceId { get; init; }

    /// <summary>Fields sent as null, which a change clears.</summary>
    public IReadOnlySet<string> Cleared { get; init; } = new HashSet<string>();
}

/// <summary>Reads the bodies of create, change and rotation.</summary>
internal static partial class WebhookFields
{
    private const int MaxUrl = 2048;
    private const int MaxEvents = 100;
    private const int MaxEventName = 100;
    private const int MaxHeaders = 20;
    private const int MaxHeaderBytes = 8 * 1024;
    private const int MaxMetadata = 16 * 1024;
    private const int MostRetries = 10;
    private const int MinSecret = 16;
    private const int MaxSecret = 256;

    /// <summary>The switch has three spellings; the state is one in words.</summary>
    public static readonly Aliases Aliases = new Aliases().Add("active", "enabled");

    /// <summary>Ours, those that HTTP itself needs, and those that would make the request another one.</summary>
    private static readonly HashSet<string> Reserved = new(StringComparer.OrdinalIgnoreCase)
    {
        "Host", "Connection", "Transfer-Encoding", "TE", "Trailer", "Upgrade", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Expect",
        "User-Agent", "Miosa-Signature", "Cookie2", "HTTP2-Settings", "Date",
    };

    public static WebhookWish Read(Fields fields, bool isNew, WorkspaceSet workspaces, string tenant)
    {
        var wish = new WebhookWish
        {
            Url = Url(fields),
            Events = Events(fields),
            Name = fields.Text("name", allowEmpty: true),
            Description = fields.Text("description", 4096, allowEmpty: true),
            Secret = Secret(fields),
            Active = Active(fields),
            Headers = Headers(fields),
            RetryCount = fields.Int("retry_count", 0, MostRetries),
            Metadata = Metadata(fields),
            WorkspaceId = workspaces.Named(fields, tenant)?.Id,
            Cleared = ((string[])["name", "description", "workspace_id"]).Where(fields.IsNull).ToHashSet(),
        };
        if (isNew && !fields.Has("url"))
            fields.Fail("url", "is needed: the address that is sent the events");
        return wish;
    }

    /// <summary>Visible ASCII: some receivers keep secrets where nothing else survives.</summary>
    public static string? Secret(Fields fields)
    {
        var secret = fields.Text("secret", MaxSecret, VisibleAscii(), "must be printable ASCII without blanks");
        if (secret is not { Length: < MinSecret })
            return secret;
        fields.Fail("secret", $"must be at least {MinSecret} characters, got {secret.Length}");
        return null;
    }

    private static string? Url(Fields fields)
    {
        if (fields.Text("url", MaxUrl) is not { } text)
            return null;
        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https") || uri.Host.Length == 0)
            fields.Fail("url", "must be an http or https address");
        else if (uri.UserInfo.Length > 0)
            fields.Fail("url", "must not have a user name or password in it: send them in a header");
        else if (uri.Port == 0)
            fields.Fail("url", "must not have the port 0");
        else
            return text;
        return null;
    }

    private static IReadOnlyList<string>? Events(Fields fields)
    {
        if (fields.TextList("events", MaxEvents, MaxEventName) is not { } events)
            return null;
        if (events.FirstOrDefault(name => !EventName().IsMatch(name)) is { } faulty)
        {
            fields.Fail("events", $"must hold names such as sandbox.created or globs such as sandbox.*, got \"{faulty}\"");
            return null;
        }
        return [.. events.Distinct()];
    }

    private static bool? Active(Fields fields)
    {
        var active = fields.Bool("active");
        return fields.Text("state") switch
        {
            null => active,
            WebhookState.Active => active ?? true,
            WebhookState.Inactive => active ?? false,
            _ => Fail(),
        };

        bool? Fail()
        {
            fields.Fail("state", "must be active or inactive");
            return null;
        }
    }

    private static IReadOnlyDictionary<string, string>? Headers(Fields fields)
    {
        if (fields.TextMap("headers", HeaderName(), MaxHeaders, MaxHeaderBytes) is not { } headers)
            return null;
        foreach (var (name, value) in headers)
        {
            if (Reserved.Contains(name) || name.StartsWith("X-Miosa-", StringComparison.OrdinalIgnoreCase) || name.StartsWith("Content-", StringComparison.OrdinalIgnoreCase))
                fields.Fail("headers", $"must not have \"{name}\": the server sets it");
            else if (!HeaderValue().IsMatch(value))
                fields.Fail("headers", $"has a value under \"{name}\" that is not printable ASCII");
        }
        if (headers.Sum(h => h.Key.Length + h.Value.Length) > MaxHeaderBytes)
            fields.Fail("headers", $"must be at most {MaxHeaderBytes} bytes together");
        if (headers.Keys.Distinct(StringComparer.OrdinalIgnoreCase).Count() < headers.Count)
            fields.Fail("headers", "has a name twice");
        return headers;
    }

    private static string? Metadata(Fields fields)
    {
        var text = fields.Object("metadata")?.ToJsonString();
        if (text is { Length: > MaxMetadata })
            fields.Fail("metadata", $"must be at most {MaxMetadata} characters as JSON, got {text.Length}");
        return text;
    }

    [GeneratedRegex(@"^[\x21-\x7e]+$")]
    private static partial Regex VisibleAscii();

    [GeneratedRegex(@"^[A-Za-z0-9_.*?-]+$")]
    private static partial Regex EventName();

    [GeneratedRegex(@"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")]
    private static partial Regex HeaderName();

    [GeneratedRegex(@"^[\x20-\x7e\t]*$")]
    private static partial Regex HeaderValue();
}
