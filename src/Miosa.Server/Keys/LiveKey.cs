using Miosa.Server.Host;
using Miosa.Server.Limits;
using Miosa.Server.Storage;

namespace Miosa.Server.Keys;

/// <summary>
/// A key in memory. Whatever it lets in holds it and ends with <see cref="Ended"/>; as long as somebody holds it, it stays the one object of
/// its key, so that its end reaches everybody.
/// </summary>
internal sealed class LiveKey : IDisposable
{
    private const int Retired = -1;

    private readonly CancellationTokenSource ended = new();
    private int holders;
    private long lastUsedMs;
    private long flushedMs;

    public LiveKey(KeyRow row, IReadOnlySet<string> scopes, TokenBucket? bucket)
    {
        Row = row;
        Bucket = bucket;
        Caller = new Caller(row.TenantId ?? "", row.Id, scopes)
        {
            IsPlatform = row.TenantId is null,
            BoundExternalUserId = row.ExternalUserId,
            ExpiresAt = row.ExpiresAt,
            RateLimitRpm = row.RateLimitRpm,
        };
    }

    public KeyRow Row { get; }

    public Caller Caller { get; }

    /// <summary>Null where requests are not limited.</summary>
    public TokenBucket? Bucket { get; }

    /// <summary>Cancelled when the key is revoked or its time is over.</summary>
    public CancellationToken Ended => ended.Token;

    public bool IsOver(DateTimeOffset now) => ended.IsCancellationRequested || Row.ExpiresAt <= now;

    /// <summary>False: it was just dropped from memory; look it up again.</summary>
    public bool TryHold(DateTimeOffset now)
    {
        for (var seen = Volatile.Read(ref holders); seen != Retired;)
        {
            var before = Interlocked.CompareExchange(ref holders, seen + 1, seen);
            if (before == seen)
            {
                Volatile.Write(ref lastUsedMs, now.ToUnixTimeMilliseconds());
                return true;
            }
            seen = before;
        }
        return false;
    }

    public void Release() => Interlocked.Decrement(ref holders);

    /// <summary>True when nobody holds it and nobody has used it since; nobody can from then on.</summary>
    public bool TryRetire(DateTimeOffset since) =>
        Volatile.Read(ref lastUsedMs) < since.ToUnixTimeMilliseconds() && Interlocked.CompareExchange(ref holders, Retired, 0) == 0;

    /// <summary>The time of last use, if it is not written down yet.</summary>
    public DateTimeOffset? TakeUnwritten()
    {
        var used = Volatile.Read(ref lastUsedMs);
        return Interlocked.Exchange(ref flushedMs, used) == used ? null : DateTimeOffset.FromUnixTimeMilliseconds(used);
    }

    /// <summary>Everything that it let in is cut before this returns.</summary>
    public void Dispose() => ended.Cancel();
}
