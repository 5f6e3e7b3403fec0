using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.EntityFrameworkCore;
using Miosa.Server.Host;
using Miosa.Server.Storage;

namespace Miosa.Server.Settings;

/// <summary>A tenant's key of a provider of language models.</summary>
internal sealed record ProviderKeyRow
{
    public required string TenantId { get; init; }
    public required string Provider { get; init; }

    /// <summary>Encrypted for this tenant and this provider: in another row it opens nothing.</summary>
    public required byte[] Sealed { get; init; }
    public required string Masked { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; init; }
}

/// <summary>Keys of providers: stored encrypted as environment values are, told masked.</summary>
internal sealed partial class ProviderKeys(Database database, IDataProtectionProvider protection, TimeProvider time)
{
    private const int MaxKey = 4096;
    private const int MaxProviders = 100;

    /// <summary>A shorter key shows nothing of itself.</summary>
    private const int ShownFrom = 16;

    [GeneratedRegex(@"\A[a-z0-9][a-z0-9._-]{0,63}\z")]
    private static partial Regex ProviderName();

    [GeneratedRegex(@"\A[\x21-\x7e]+\z")]
    private static partial Regex KeyText();

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<ProviderKeys>();
        api.Map("GET", "/settings/provider-keys", it.ListAsync).Needs(Scopes.SettingsRead);
        api.Map("PUT", "/settings/provider-keys/{provider}", it.PutAsync).Needs(Scopes.SettingsWrite);
        api.Map("DELETE", "/settings/provider-keys/{provider}", it.DeleteAsync).Needs(Scopes.SettingsWrite);
    }

    /// <summary>Null when the tenant has keys of too many providers.</summary>
    public async Task<ProviderKeyRow?> StoreAsync(string tenantId, string provider, string key, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var row = new ProviderKeyRow
        {
            TenantId = tenantId,
            Provider = provider,
            Sealed = ProtectorOf(tenantId, provider).Protect(Encoding.UTF8.GetBytes(key)),
            Masked = key.Length < ShownFrom ? "..." : $"{key[..3]}...{key[^4..]}",
            CreatedAt = now,
            UpdatedAt = now,
        };
        var isFull = false;
        await database.WriteAsync(
            db =>
            {
                var old = db.ProviderKeys.FirstOrDefault(k => k.TenantId == tenantId && k.Provider == provider);
                isFull = old is null && db.ProviderKeys.Count(k => k.TenantId == tenantId) >= MaxProviders;
                if (isFull)
                    return;
                row = row with { CreatedAt = old?.CreatedAt ?? now };
                _ = old is null ? db.Add(row) : db.Update(row);
            },
            ct);
        return isFull ? null : row;
    }

    /// <summary>The key itself; null when there is none, or when it was sealed with keys that this server does not have.</summary>
    public async Task<string?> OpenAsync(string tenantId, string provider, CancellationToken ct)
    {
        await using var db = database.Read();
        var row = await db.ProviderKeys.FirstOrDefaultAsync(k => k.TenantId == tenantId && k.Provider == provider, ct);
        try
        {
            return row is null ? null : Encoding.UTF8.GetString(ProtectorOf(tenantId, provider).Unprotect(row.Sealed));
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    private async Task<IResult> ListAsync(HttpContext context)
    {
        var tenant = context.Caller().TenantId;
        await using var db = database.Read();
        var rows = await db.ProviderKeys.Where(k => k.TenantId == tenant).OrderBy(k => k.Provider).ToListAsync(context.RequestAborted);
        return Reply.ListOf(context, [.. rows.Select(Of)], WireJson.Default.PageProviderKey);
    }

    private async Task<IResult> PutAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, Aliases.None);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var provider = context.PathValue("provider");
        if (!ProviderName().IsMatch(provider))
            body.Fail("provider", "must be 1 to 64 lower-case letters, digits, dots, hyphens and underscores");
        if (!body.Has("key"))
            body.Fail("key", "is missing: send the provider's key");
        // Not by Fields.Text with its pattern: that complaint shows the value.
        var key = body.Text("key", MaxKey);
        if (key is not null && !KeyText().IsMatch(key))
            body.Fail("key", "must be one word of ASCII characters, without blanks");
        if (body.Errors() is { } faults || key is null)
            return Reply.Refuse(body.Errors() ?? Refusal.Internal());
        return await StoreAsync(context.Caller().TenantId, provider, key, context.RequestAborted) is { } row
            ? Reply.One(Of(row), WireJson.Default.ProviderKey)
            : Reply.Refuse(new Refusal(ErrorCodes.QuotaExceeded, $"a tenant has keys of at most {MaxProviders} providers; delete one first"));
    }

    private async Task<IResult> DeleteAsync(HttpContext context)
    {
        var (tenant, provider) = (context.Caller().TenantId, context.PathValue("provider"));
        var deleted = 0;
        await database.WriteAsync(db => deleted = db.ProviderKeys.Where(k => k.TenantId == tenant && k.Provider == provider).ExecuteDelete(), context.RequestAborted);
        return deleted > 0 ? Reply.Nothing() : Reply.Refuse(Refusal.NotFound("provider key"));
    }

    private IDataProtector ProtectorOf(string tenantId, string provider) => protection.CreateProtector("provider.key", tenantId, provider);

    private static ProviderKey Of(ProviderKeyRow row) => new() { Provider = row.Provider, Masked = row.Masked, CreatedAt = row.CreatedAt, UpdatedAt = row.UpdatedAt };
}
