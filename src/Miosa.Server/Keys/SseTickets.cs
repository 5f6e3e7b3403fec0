using System.Security.Cryptography;
using System.Text;
using Miosa.Server.Host;

namespace Miosa.Server.Keys;

/// <summary>Marks a route that also takes a one-time ticket as <c>?ticket=</c>: a browser's EventSource cannot send headers.</summary>
internal sealed record TicketInQuery;

/// <summary>
/// One-time tickets: each stands for the caller that it was made for, for a minute, once. In memory, as hashes: a ticket is used at once, and
/// after a restart the page asks for a new one as it does whenever its stream ends.
/// </summary>
internal sealed class SseTickets(TimeProvider time)
{
    public static readonly TimeSpan Life = TimeSpan.FromSeconds(60);

    private const string Start = "sset_";

    /// <summary>Unused tickets of one tenant at a time.</summary>
    private const int Most = 1000;

    private readonly Dictionary<string, (Caller Caller, DateTimeOffset EndsAt)> issued = [];
    private readonly Queue<(string Hash, DateTimeOffset EndsAt)> byAge = [];

    public (string? Ticket, Refusal? Refusal) Issue(Caller caller)
    {
        var ticket = Start + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        var now = time.GetUtcNow();
        lock (issued)
        {
            while (byAge.TryPeek(out var oldest) && oldest.EndsAt <= now)
                issued.Remove(byAge.Dequeue().Hash);
            if (issued.Values.Count(i => i.Caller.TenantId == caller.TenantId) >= Most)
                return (null, new Refusal(ErrorCodes.RateLimitExceeded, $"{Most} tickets of the tenant are unused; one ends after {Life.TotalSeconds:0} s", RetryAfter: 5));
            // It is for the tenant that was named with the key, whoever made it: it goes to a browser, which must not name another one.
            issued[HashOf(ticket)] = (caller with { IsPlatform = false }, now + Life);
            byAge.Enqueue((HashOf(ticket), now + Life));
        }
        return (ticket, null);
    }

    /// <summary>The caller that the ticket was made for; the ticket is used up by that.</summary>
    public Caller? Redeem(string ticket)
    {
        // Found by its hash: how long the look-up takes says nothing of the ticket.
        lock (issued)
            return issued.Remove(HashOf(ticket), out var found) && found.EndsAt > time.GetUtcNow() ? found.Caller : null;
    }

    private static string HashOf(string ticket) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(ticket)));
}
