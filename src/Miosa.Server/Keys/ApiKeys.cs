using System.Collections.Concurrent;
using System.Security.Cryptography;
using Microsoft.EntityFrameworkCore;
using Miosa.Server.Host;
using Miosa.Server.Limits;
using Miosa.Server.Storage;

namespace Miosa.Server.Keys;

/// <summary>What a credential turned out to be.</summary>
/// <param name="Key">Held; the receiver releases it (<see cref="RequestEnd"/>).</param>
/// <param name="TokenEnds">The end of a token, which is nearer than that of its key.</param>
/// <param name="Former">A key that was good once: its tenant learns that somebody tried it.</param>
/// <param name="Refusal">There when it lets nobody in.</param>
internal readonly record struct Credential(LiveKey? Key, Caller? Caller, DateTimeOffset? TokenEnds, KeyRow? Former, Refusal? Refusal)
{
    public static Credential Bad(Refusal refusal, KeyRow? former = null) => new(null, null, null, former, refusal);
}

/// <summary>
/// Turns the text of a key, or of a token that a key made, into its caller. Keys that were found stay in memory. How a revocation reaches them:
/// 1. whoever revokes keys, this process or the command line, raises a mark in the same transaction (<see cref="KeySet"/>);
/// 2. <see cref="LookAgainAsync"/> sees it (at once when it happened here, else within <see cref="LookEvery"/>) and raises the generation;
/// 3. it asks the database about every key in memory, and ends those that are over: their requests and streams are cut;
/// 4. a look-up that read its row before that finds another generation once it has stored the key, and reads again (<see cref="AgainAsync"/>).
/// </summary>
internal sealed partial class ApiKeys(
    Database database, ScopedTokens tokens, SseTickets tickets, TenantSet tenants, AddressLimits addresses, ServerSettings settings, TimeProvider time, ILogger<ApiKeys> log)
    : BackgroundService
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan ForgetAfter = TimeSpan.FromMinutes(10);
    private const int AskedAtOnce = 500;

    private static readonly Refusal Unknown = Refusal.Unauthorized("the API key is not valid: unknown, expired or revoked");

    private readonly ConcurrentDictionary<KeyHash, LiveKey> byHash = [];
    private readonly ConcurrentDictionary<string, LiveKey> byId = [];
    private readonly SemaphoreSlim looking = new(1);
    private long mark = -1;
    private long generation;

    public async ValueTask<Credential> FindAsync(string text, System.Net.IPAddress? address, CancellationToken ct)
    {
        if (KeyText.IsWellFormed(text))
            return await HoldAsync(text, id: "", address, ct);
        if (text.StartsWith(KeyText.AnyStart, StringComparison.Ordinal) || tokens.Read(text) is not { } token)
            return Credential.Bad(addresses.Refuse(address) ?? Unknown);
        var found = await HoldAsync(text: null, token.KeyId, address, ct);
        return found.Caller is { } maker ? found with { Caller = token.CallerOf(maker), TokenEnds = token.ExpiresAt } : found;
    }

    /// <summary>The caller for whom a ticket was made, with his key held like that of any request; the ticket is used up.</summary>
    public async ValueTask<Credential> OfTicketAsync(string text, System.Net.IPAddress? address, CancellationToken ct)
    {
        if (tickets.Redeem(text) is not { } caller)
            return Credential.Bad(addresses.Refuse(address) ?? Refusal.Unauthorized("the ticket is unknown, used or over: ask for a new one"));
        var found = await HoldAsync(text: null, caller.KeyId, address, ct);
        return found.Caller is null ? found : found with { Caller = caller, TokenEnds = caller.ExpiresAt };
    }

    /// <summary>A key by its id, held like that of any request: for what it made and what ends with it.</summary>
    public ValueTask<Credential> OfIdAsync(string id, System.Net.IPAddress? address, CancellationToken ct) => HoldAsync(text: null, id, address, ct);

    /// <summary>Ends what was revoked since the last look, if anything was. After a revocation in this process it is awaited before the answer goes out.</summary>
    public async Task LookAgainAsync(CancellationToken ct)
    {
        await looking.WaitAsync(ct);
        try
        {
            await using var db = database.Read();
            var now = await db.Marks.Where(m => m.Name == KeySet.Mark).Select(m => m.Value).FirstOrDefaultAsync(ct);
            if (now == mark)
                return;
            Interlocked.Increment(ref generation);
            tenants.Forget();
            foreach (var keys in byId.Values.ToList().Chunk(AskedAtOnce))
            {
                var ids = keys.Select(k => k.Row.Id).ToList();
                var good = await db.Keys.Where(k => ids.Contains(k.Id) && k.RevokedAt == null).Select(k => k.Id).ToHashSetAsync(ct);
                foreach (var key in keys.Where(k => !good.Contains(k.Row.Id)))
                    End(key);
            }
            // Last: when it fails half way the next look does it all again.
            mark = now;
        }
        finally
        {
            looking.Release();
        }
    }

    /// <summary>Writes down when keys were last used; called from a loop, never from a request.</summary>
    public async Task FlushUsedAsync(CancellationToken ct)
    {
        var stamps = byId.Values.Select(k => (k.Row.Id, At: k.TakeUnwritten())).Where(s => s.At is not null).ToList();
        if (stamps.Count == 0)
            return;
        await database.WriteAsync(
            db =>
            {
                foreach (var (id, at) in stamps)
                    db.Keys.Where(k => k.Id == id).ExecuteUpdate(set => set.SetProperty(k => k.LastUsedAt, at));
            },
            ct);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(LookEvery, time);
        var forgetAt = time.GetUtcNow() + ForgetAfter;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await timer.WaitForNextTickAsync(stoppingToken);
                await LookAgainAsync(stoppingToken);
                var now = time.GetUtcNow();
                foreach (var (_, key) in byId)
                {
                    if (key.IsOver(now))
                        End(key);
                }
                if (now < forgetAt)
                    continue;
                forgetAt = now + ForgetAfter;
                await FlushUsedAsync(stoppingToken);
                foreach (var (_, key) in byId)
                {
                    if (key.TryRetire(now - ForgetAfter))
                        Drop(key);
                }
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e) when (e is Microsoft.Data.Sqlite.SqliteException or DbUpdateException)
            {
                // The next look is soon; keys that are not in memory cannot be found either.
                LookFailed(log, e);
            }
        }
    }

    /// <param name="text">Of the key; null when it is looked up by its id.</param>
    private async ValueTask<Credential> HoldAsync(string? text, string id, System.Net.IPAddress? address, CancellationToken ct)
    {
        while (true)
        {
            var key = text is null ? byId.GetValueOrDefault(id) : byHash.GetValueOrDefault(KeyHash.Of(text));
            if (key is null)
            {
                if (addresses.IsBlocked(address) is { } blocked)
                    return Credential.Bad(blocked);
                var seen = Volatile.Read(ref generation);
                var row = text is null ? await RowOfAsync(id, ct) : await RowAsync(text, ct);
                if (row is null || row.RevokedAt is not null || row.ExpiresAt <= time.GetUtcNow())
                    return Credential.Bad(addresses.Refuse(address) ?? Unknown, row);
                key = Keep(row);
                await AgainAsync(key, seen, ct);
            }
            var now = time.GetUtcNow();
            if (key.IsOver(now))
                return Credential.Bad(addresses.Refuse(address) ?? Unknown, key.Row);
            if (key.TryHold(now))
                return new Credential(key, key.Caller, null, null, null);
            Drop(key);
        }
    }

    private LiveKey Keep(KeyRow row)
    {
        var scopes = row.TenantId is null ? ScopeSet.OfAdministrator : ScopeSet.Of(row.Scopes.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        var limit = row.RateLimitRpm ?? settings.RateLimitRpm;
        // One object per key, also when two requests look it up at once.
        var key = byId.GetOrAdd(row.Id, static (_, made) => made, new LiveKey(row, scopes, limit == 0 ? null : new TokenBucket(limit, time)));
        byHash[new KeyHash(row.Hash)] = key;
        return key;
    }

    private async ValueTask AgainAsync(LiveKey key, long seen, CancellationToken ct)
    {
        for (var now = Volatile.Read(ref generation); now != seen; now = Volatile.Read(ref generation))
        {
            seen = now;
            if (await RowOfAsync(key.Row.Id, ct) is not { RevokedAt: null })
                End(key);
        }
    }

    private void End(LiveKey key)
    {
        key.Dispose();
        Drop(key);
    }

    private void Drop(LiveKey key)
    {
        byId.TryRemove(KeyValuePair.Create(key.Row.Id, key));
        byHash.TryRemove(KeyValuePair.Create(new KeyHash(key.Row.Hash), key));
    }

    private async Task<KeyRow?> RowAsync(string text, CancellationToken ct)
    {
        var prefix = KeyText.Prefix(text);
        var hash = KeyText.Hash(text);
        await using var db = database.Read();
        // Several rows may share a prefix; the comparison takes the same time whichever byte differs.
        return (await db.Keys.Where(k => k.Prefix == prefix).ToListAsync(ct)).FirstOrDefault(k => CryptographicOperations.FixedTimeEquals(k.Hash, hash));
    }

    private async Task<KeyRow?> RowOfAsync(string id, CancellationToken ct)
    {
        await using var db = database.Read();
        return await db.Keys.FirstOrDefaultAsync(k => k.Id == id, ct);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "the look for revoked keys failed once; it goes on")]
    private static partial void LookFailed(ILogger log, Exception exception);

    /// <summary>SHA-256 of a key's text: what is looked up tells nothing about the text by the time it takes.</summary>
    private readonly record struct KeyHash(UInt128 High, UInt128 Low)
    {
        public KeyHash(ReadOnlySpan<byte> hash)
            : this(System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(hash), System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(hash[16..]))
        {
        }

        /// <summary>Of a well-formed text.</summary>
        public static KeyHash Of(string text)
        {
            Span<byte> bytes = stackalloc byte[128];
            Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
            SHA256.HashData(bytes[..System.Text.Encoding.ASCII.GetBytes(text, bytes)], hash);
            return new KeyHash(hash);
        }
    }
}
