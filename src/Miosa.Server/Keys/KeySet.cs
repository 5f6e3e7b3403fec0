using Microsoft.EntityFrameworkCore;
using Miosa.Server.Host;
using Miosa.Server.Storage;

namespace Miosa.Server.Keys;

/// <summary>A key to be made, checked.</summary>
internal sealed record NewKey(string? TenantId, string Name, IReadOnlyList<string> Scopes)
{
    public string Type { get; init; } = ApiKeyTypes.User;
    public string Purpose { get; init; } = "api";
    public string? ExternalUserId { get; init; }
    public int? RateLimitRpm { get; init; }
    public string Metadata { get; init; } = "{}";
    public DateTimeOffset? ExpiresAt { get; init; }
}

/// <summary>The keys in the database, for the API and the command line alike.</summary>
internal sealed class KeySet(Database database, TimeProvider time)
{
    /// <summary>Grows with every revocation, so that servers look again at the keys that they have in memory (<see cref="ApiKeys"/>).</summary>
    public const string Mark = "keys";

    /// <summary>Called in the transaction that makes a key invalid.</summary>
    public static void Raise(ServerDb db)
    {
        if (db.Marks.Where(m => m.Name == Mark).ExecuteUpdate(set => set.SetProperty(m => m.Value, m => m.Value + 1)) == 0)
            db.Marks.Add(new MarkRow { Name = Mark, Value = 1 });
    }

    /// <summary>Makes a key and gives its text, which nobody can ever see again.</summary>
    public async Task<(KeyRow Key, string Text)> CreateAsync(NewKey wanted, CancellationToken ct)
    {
        var text = KeyText.New(wanted switch
        {
            { TenantId: null } => KeyText.PlatformStart,
            { ExternalUserId: not null } => KeyText.ScopedStart,
            { Type: ApiKeyTypes.Admin } => KeyText.AdminStart,
            _ => KeyText.Start,
        });
        var key = new KeyRow
        {
            Id = Ids.New("key"),
            TenantId = wanted.TenantId,
            Name = wanted.Name,
            Prefix = KeyText.Prefix(text),
            Hash = KeyText.Hash(text),
            Scopes = string.Join(' ', wanted.Scopes),
            Type = wanted.TenantId is null ? ApiKeyTypes.Platform : wanted.Type,
            Purpose = wanted.Purpose,
            ExternalUserId = wanted.ExternalUserId,
            RateLimitRpm = wanted.RateLimitRpm,
            Metadata = wanted.Metadata,
            CreatedAt = time.GetUtcNow(),
            ExpiresAt = wanted.ExpiresAt,
        };
        await database.WriteAsync(db => db.Keys.Add(key), ct);
        return (key, text);
    }

    public async Task<KeyRow?> FindAsync(string tenantId, string id, CancellationToken ct)
    {
        await using var db = database.Read();
        return await db.Keys.FirstOrDefaultAsync(k => k.TenantId == tenantId && k.Id == id, ct);
    }

    /// <summary>Newest first, and one more than a page has, if there is one; revoked and expired ones are among them.</summary>
    public async Task<(List<KeyRow> Keys, int Total)> ListAsync(string tenantId, Paging paging, CancellationToken ct)
    {
        await using var db = database.Read();
        var keys = db.Keys.Where(k => k.TenantId == tenantId);
        var total = await keys.CountAsync(ct);
        keys = keys.OrderByDescending(k => k.CreatedAt).ThenByDescending(k => k.Id);
        if (paging.Cursor is { } after && await keys.FirstOrDefaultAsync(k => k.Id == after, ct) is { } last)
            keys = keys.Where(k => k.CreatedAt < last.CreatedAt || (k.CreatedAt == last.CreatedAt && string.Compare(k.Id, last.Id) < 0));
        return (await keys.Skip(paging.Skip).Take(paging.PerPage + 1).ToListAsync(ct), total);
    }

    /// <summary>False when there is none; revoking twice is fine.</summary>
    /// <param name="tenantId">Whose key it must be; null for anybody's.</param>
    public async Task<bool> RevokeAsync(string? tenantId, string id, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var isFound = false;
        await database.WriteAsync(
            db =>
            {
                var key = db.Keys.Where(k => k.Id == id && (tenantId == null || k.TenantId == tenantId));
                isFound = key.Any();
                if (key.Where(k => k.RevokedAt == null).ExecuteUpdate(set => set.SetProperty(k => k.RevokedAt, now)) > 0)
                    Raise(db);
            },
            ct);
        return isFound;
    }
}
