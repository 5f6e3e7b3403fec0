using System.Collections.Concurrent;
using System.Security.Cryptography;
using Microsoft.EntityFrameworkCore;
using Miosa.Server.Host;
using Miosa.Server.Storage;

namespace Miosa.Server.Keys;

/// <summary>
/// Turns the text of a key into its caller. A key that was found is remembered for some seconds (<c>--key-cache-sec</c>): the admin
/// commands run in another process, and this bounds how long a key they revoke goes on working. Unknown keys are not remembered.
/// </summary>
internal sealed class ApiKeys(Database database, ServerSettings settings, TimeProvider time)
{
    private readonly ConcurrentDictionary<string, Known> known = [];
    private readonly ConcurrentDictionary<string, DateTimeOffset> used = [];

    public async ValueTask<Caller?> FindAsync(string text, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        if (!known.TryGetValue(text, out var key) || now >= key.CheckAgainAt)
        {
            key = await LookUpAsync(text, now, ct);
            if (key is null)
            {
                known.TryRemove(text, out _);
                return null;
            }
            known[text] = key;
        }
        if (key.ExpiresAt <= now)
            return null;
        used[key.Caller.KeyId] = now;
        return key.Caller;
    }

    /// <summary>Writes down when keys were last used; called from a loop, never from a request.</summary>
    public async Task FlushUsedAsync(CancellationToken ct)
    {
        if (used.IsEmpty)
            return;
        var stamps = used.ToArray();
        await database.WriteAsync(
            db =>
            {
                foreach (var (id, at) in stamps)
                    db.Keys.Where(k => k.Id == id).ExecuteUpdate(set => set.SetProperty(k => k.LastUsedAt, at));
            },
            ct);
        foreach (var stamp in stamps)
            used.TryRemove(stamp);
        foreach (var (text, key) in known)
        {
            if (key.CheckAgainAt <= time.GetUtcNow())
                known.TryRemove(text, out _);
        }
    }

    private async Task<Known?> LookUpAsync(string text, DateTimeOffset now, CancellationToken ct)
    {
        if (!KeyText.IsWellFormed(text))
            return null;
        var prefix = KeyText.Prefix(text);
        var hash = KeyText.Hash(text);
        await using var db = database.Read();
        // Several rows may share a prefix; the comparison takes the same time whichever byte differs.
        var row = (await db.Keys.Where(k => k.Prefix == prefix).ToListAsync(ct))
            .FirstOrDefault(k => CryptographicOperations.FixedTimeEquals(k.Hash, hash));
        if (row is null || row.RevokedAt is not null || row.ExpiresAt <= now)
            return null;
        var scopes = ScopeSet.Of(row.Scopes.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        return new Known(new Caller(row.TenantId, row.Id, scopes), row.ExpiresAt, now.AddSeconds(settings.KeyCacheSec));
    }

    private sealed record Known(Caller Caller, DateTimeOffset? ExpiresAt, DateTimeOffset CheckAgainAt);
}
