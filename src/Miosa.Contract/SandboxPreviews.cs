namespace Miosa;

/// <summary>The values of <see cref="Preview.Visibility"/>.</summary>
public static class PreviewVisibility
{
    /// <summary>Everybody who knows the address may open it.</summary>
    public const string Public = "public";

    /// <summary>Opened with a key of the tenant, a preview token, a share link or a share token of the preview.</summary>
    public const string Private = "private";
}

/// <summary>What a preview token lets its bearer do.</summary>
public static class PreviewScopes
{
    /// <summary>Look: GET, HEAD and OPTIONS, no WebSocket.</summary>
    public const string Read = "read";

    /// <summary>Everything the server in the sandbox offers.</summary>
    public const string Interact = "interact";
}

/// <summary>The values of <see cref="PreviewUrlInfo.UrlClass"/>.</summary>
public static class PreviewUrlClasses
{
    /// <summary>Ends with the sandbox, which ends at its life limit.</summary>
    public const string Temporary = "temporary_preview";

    /// <summary>The sandbox has no life limit.</summary>
    public const string AlwaysOn = "always_on_preview";
}

/// <summary>A published port of a sandbox.</summary>
public sealed record Preview
{
    /// <summary>Opaque id, <c>prv_…</c>.</summary>
    public required string Id { get; init; }

    /// <summary>The sandbox.</summary>
    public required string SandboxId { get; init; }

    /// <summary>The port inside the sandbox, 1 to 65535.</summary>
    public int Port { get; init; }

    /// <summary>Its address: an origin of its own.</summary>
    public required string Url { get; init; }

    /// <summary>The same as <see cref="Url"/>.</summary>
    public required string PreviewUrl { get; init; }

    /// <summary>The first part of the host name, <c>3000-acme</c>.</summary>
    public required string PreviewSlug { get; init; }

    /// <summary>Label, null when it has none.</summary>
    public string? Name { get; init; }

    /// <summary>One of <see cref="PreviewVisibility"/>.</summary>
    public required string Visibility { get; init; }

    /// <summary><c>ready</c> while something listens on the port, <c>waiting</c> while nothing does, else the state of the sandbox.</summary>
    public required string Status { get; init; }

    /// <summary>First characters of the newest share token that is still good; null without one.</summary>
    public string? ShareTokenPrefix { get; init; }

    /// <summary>End of that share token.</summary>
    public DateTimeOffset? ShareTokenExpiresAt { get; init; }

    /// <summary>When it was published.</summary>
    public DateTimeOffset CreatedAt { get; init; }
}

/// <summary>The previews of a sandbox.</summary>
public sealed record PreviewList
{
    /// <summary>The previews by port; never null.</summary>
    public required IReadOnlyList<Preview> Data { get; init; }
}

/// <summary>A preview address and how it may be used.</summary>
public sealed record PreviewUrlInfo
{
    /// <summary>The address.</summary>
    public required string Url { get; init; }

    /// <summary>The same as <see cref="Url"/>.</summary>
    public required string PreviewUrl { get; init; }

    /// <summary>The port inside the sandbox.</summary>
    public int? Port { get; init; }

    /// <summary>One of <see cref="PreviewUrlClasses"/>.</summary>
    public required string UrlClass { get; init; }

    /// <summary>The same as <see cref="UrlClass"/>.</summary>
    public required string Class { get; init; }

    /// <summary>Whether the address may be stored: true for a sandbox without a life limit.</summary>
    public bool StableForEmbedding { get; init; }

    /// <summary>Hint for callers.</summary>
    public required string RecommendedNextAction { get; init; }

    /// <summary>Alias in the host name; null without one.</summary>
    public string? AliasSlug { get; init; }
}

/// <summary>A port to publish.</summary>
public sealed record PreviewCreateRequest
{
    /// <summary>The port inside the sandbox, 1 to 65535.</summary>
    public required int Port { get; init; }

    /// <summary>One of <see cref="PreviewVisibility"/>; default <c>private</c>.</summary>
    public string? Visibility { get; init; }

    /// <summary>Label, at most 255 characters.</summary>
    public string? Name { get; init; }
}

/// <summary>A port to make public.</summary>
public sealed record ExposeRequest
{
    /// <summary>The port inside the sandbox, 1 to 65535; default 3000.</summary>
    public int? Port { get; init; }
}

/// <summary>A short-lived credential for the previews of a sandbox, to mint.</summary>
public sealed record PreviewTokenRequest
{
    /// <summary>Life in seconds, 1 to 86400; default 3600.</summary>
    public int? ExpiresIn { get; init; }

    /// <summary>One of <see cref="PreviewScopes"/>; default <c>read</c>.</summary>
    public string? Scope { get; init; }

    /// <summary>The one port it opens; default: every port.</summary>
    public int? Port { get; init; }
}

/// <summary>A short-lived credential for the previews of a sandbox; the token is shown only here.</summary>
public sealed record PreviewToken
{
    /// <summary>The secret, <c>mp_…</c>.</summary>
    public required string Token { get; init; }

    /// <summary>The preview address with the token in it; the first visit turns it into a cookie.</summary>
    public required string Url { get; init; }

    /// <summary>The same as <see cref="Url"/>.</summary>
    public required string EmbedUrl { get; init; }

    /// <summary>When it ends.</summary>
    public DateTimeOffset ExpiresAt { get; init; }

    /// <summary>One of <see cref="PreviewScopes"/>.</summary>
    public required string Scope { get; init; }
}

/// <summary>A share token of one preview, to mint.</summary>
public sealed record PreviewShareRequest
{
    /// <summary>Life in seconds, 1 to 31536000; default 3600.</summary>
    public int? TtlSeconds { get; init; }
}

/// <summary>A share token of one preview; the token is shown only here.</summary>
public sealed record PreviewShareResult
{
    /// <summary>Id of the preview.</summary>
    public required string Id { get; init; }

    /// <summary>The secret, <c>miosa_pv_…</c>.</summary>
    public required string PreviewToken { get; init; }

    /// <summary>The same as <see cref="PreviewToken"/>.</summary>
    public required string Token { get; init; }

    /// <summary>The address with the token in it.</summary>
    public required string ShareUrl { get; init; }

    /// <summary>The same as <see cref="ShareUrl"/>.</summary>
    public required string Url { get; init; }

    /// <summary>The first characters of the token, by which lists show it.</summary>
    public required string ShareTokenPrefix { get; init; }

    /// <summary>When it ends.</summary>
    public DateTimeOffset ShareTokenExpiresAt { get; init; }

    /// <summary>The same as <see cref="ShareTokenExpiresAt"/>.</summary>
    public DateTimeOffset ExpiresAt { get; init; }
}

/// <summary>A public link to look at a sandbox, to make.</summary>
public sealed record ShareCreateRequest
{
    /// <summary>Life in seconds, at least 1; default: no end.</summary>
    public int? ExpiresIn { get; init; }
}

/// <summary>A public link to look at the previews of a sandbox without a key.</summary>
public sealed record Share
{
    /// <summary>Id by which it is revoked, <c>ms_…</c>; not the secret.</summary>
    public required string ShareId { get; init; }

    /// <summary>The same as <see cref="ShareId"/>.</summary>
    public required string Id { get; init; }

    /// <summary>The link. Only the answer of its creation has the secret in it: nothing but its hash is kept.</summary>
    public required string ShareUrl { get; init; }

    /// <summary>When it ends; null for never.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>Always <c>read</c>.</summary>
    public required string Scope { get; init; }

    /// <summary>When it was made.</summary>
    public DateTimeOffset CreatedAt { get; init; }
}

/// <summary>The live public links of a sandbox.</summary>
public sealed record ShareList
{
    /// <summary>The links, newest first; never null.</summary>
    public required IReadOnlyList<Share> Data { get; init; }
}
