using System.Globalization;
using Miosa.Server.Host;
using Miosa.Server.Workspaces;

namespace Miosa.Server.Keys;

/// <summary>
/// The bodies that make keys and tokens. What is made is never worth more than the key that makes it: not in scopes, nor in time, nor in its rate.
/// </summary>
internal sealed class KeyFields(WorkspaceSet workspaces, ServerSettings settings, TimeProvider time)
{
    private const int MaxScopes = 100;
    private const int MaxMetadata = 16 * 1024;
    private const int MaxRate = 1_000_000;
    private const int MaxTokenSec = 86_400;
    private const int DefaultTokenSec = 3600;

    public (NewKey? Key, Refusal? Refusal) Create(Fields fields, Caller maker)
    {
        var name = Required(fields, "name");
        var type = OneOf(fields, "key_type", ApiKeyTypes.User, ApiKeyTypes.Admin, ApiKeyTypes.Platform) ?? ApiKeyTypes.User;
        if (type == ApiKeyTypes.Platform && maker.IsPlatform)
            fields.Fail("key_type", "must be user or admin: a key of an administrator is made on the server, by miosa-server key create --platform");
        var purpose = OneOf(fields, "purpose", "api", "optimal") ?? "api";
        var metadata = fields.Object("metadata")?.ToJsonString() ?? "{}";
        if (metadata.Length > MaxMetadata)
            fields.Fail("metadata", $"must have at most {MaxMetadata} characters as JSON, got {metadata.Length}");
        var (scopes, tooWide) = ScopesOf(fields, maker, type == ApiKeyTypes.Admin ? [Scopes.Admin] : null);
        var key = new NewKey(maker.TenantId, name ?? "", scopes)
        {
            Type = type,
            Purpose = purpose,
            Metadata = metadata,
            ExpiresAt = EndOf(fields, maker),
            RateLimitRpm = RateOf(fields, maker),
        };
        if (type != ApiKeyTypes.User && !maker.Has(type == ApiKeyTypes.Admin ? Scopes.Admin : ScopeSet.Administration))
            tooWide = new Refusal(ErrorCodes.InsufficientScope, $"the key may not make keys of the type \"{type}\"");
        return (fields.Errors() ?? tooWide) is { } refusal ? (null, refusal) : (key, null);
    }

    /// <summary>A key that acts for one external user.</summary>
    public (NewKey? Key, Refusal? Refusal) CreateScoped(Fields fields, Caller maker)
    {
        var user = Required(fields, "external_user_id");
        var (scopes, tooWide) = RequiredScopes(fields, maker);
        var key = new NewKey(maker.TenantId, fields.Text("name") ?? user ?? "", scopes)
        {
            ExternalUserId = user,
            ExpiresAt = EndOf(fields, maker),
            RateLimitRpm = RateOf(fields, maker),
        };
        return (fields.Errors() ?? tooWide) is { } refusal ? (null, refusal) : (key, null);
    }

    public (ScopedTokenClaims? Token, Refusal? Refusal) CreateToken(Fields fields, Caller maker)
    {
        var user = Required(fields, "user_id");
        Required(fields, "workspace_id");
        var workspace = workspaces.Named(fields, maker.TenantId);
        var (scopes, tooWide) = ScopesOf(fields, maker, null);
        var now = time.GetUtcNow();
        var end = now.AddSeconds(fields.Int("expires_in_seconds", 1, MaxTokenSec) ?? DefaultTokenSec);
        if ((fields.Errors() ?? tooWide) is { } refusal)
            return (null, refusal);
        var token = new ScopedTokenClaims
        {
            Id = Ids.New("tok"),
            KeyId = maker.KeyId,
            UserId = user!, // both are there when there are no errors
            WorkspaceId = workspace!.Id,
            Scopes = scopes,
            IssuedAt = now.ToUnixTimeSeconds(),
            Expires = (maker.ExpiresAt < end ? maker.ExpiresAt.Value : end).ToUnixTimeSeconds(),
        };
        return (token, null);
    }

    public int RateOf(int? own) => own ?? settings.RateLimitRpm;

    private static string? Required(Fields fields, string name)
    {
        if (!fields.Has(name))
            fields.Fail(name, "is required");
        return fields.Text(name);
    }

    private static string? OneOf(Fields fields, string name, params ReadOnlySpan<string> allowed)
    {
        var value = fields.Text(name);
        if (value is not null && !allowed.Contains(value))
            fields.Fail(name, $"must be {string.Join(" or ", allowed)}, got \"{value}\"");
        return value;
    }

    private static (IReadOnlyList<string> Scopes, Refusal? TooWide) RequiredScopes(Fields fields, Caller maker)
    {
        if (fields.List("scopes") is not { Count: > 0 })
            fields.Fail("scopes", "must name at least one scope");
        return ScopesOf(fields, maker, null);
    }

    /// <summary>What is asked for; without a word of it, what the maker may do.</summary>
    private static (IReadOnlyList<string> Scopes, Refusal? TooWide) ScopesOf(Fields fields, Caller maker, IReadOnlyList<string>? standard)
    {
        IReadOnlyList<string> asked = [.. (fields.TextList("scopes", MaxScopes) ?? []).Distinct()];
        if (asked.Count == 0)
            asked = standard ?? (maker.Has(Scopes.All) ? [Scopes.All] : [.. maker.Scopes.Order(StringComparer.Ordinal)]);
        var unknown = asked.Where(s => !Scopes.Known.Contains(s)).Select(s => $"\"{s}\"").ToList();
        if (unknown.Count > 0)
        {
            fields.Fail("scopes", $"has unknown names: {string.Join(", ", unknown)}; there are {string.Join(", ", Scopes.Known)}");
            return (asked, null);
        }
        var wider = ScopeSet.Of(asked).Where(s => !maker.Has(s)).Order(StringComparer.Ordinal).ToList();
        return (asked, wider.Count == 0 ? null : new Refusal(ErrorCodes.InsufficientScope, $"a key cannot give what it does not have: {string.Join(", ", wider)}"));
    }

    private DateTimeOffset? EndOf(Fields fields, Caller maker)
    {
        if (fields.Time("expires_at") is not { } end)
            return maker.ExpiresAt;
        if (end <= time.GetUtcNow())
            fields.Fail("expires_at", string.Create(CultureInfo.InvariantCulture, $"must be in the future, got {end:yyyy-MM-dd'T'HH:mm:ss'Z'}"));
        else if (end > maker.ExpiresAt)
            fields.Fail("expires_at", string.Create(CultureInfo.InvariantCulture, $"must not be after {maker.ExpiresAt:yyyy-MM-dd'T'HH:mm:ss'Z'}, when the key that makes it ends"));
        return end;
    }

    private int? RateOf(Fields fields, Caller maker)
    {
        if (fields.Int("rate_limit_rpm", 1, MaxRate) is not { } rate)
            return maker.RateLimitRpm;
        // Whoever administers the server decides about rates; all others give on what they have.
        var most = maker.IsPlatform ? 0 : RateOf(maker.RateLimitRpm);
        if (most > 0 && rate > most)
            fields.Fail("rate_limit_rpm", $"must be at most {most}, what the key that makes it is allowed");
        return rate;
    }
}
