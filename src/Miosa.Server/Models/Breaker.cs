namespace Miosa.Server.Models;

/// <summary>
/// Leaves a provider alone that fails: after five failures in a row nothing is sent for fifteen seconds, then one call tries. As soon as an answer to it
/// begins the others may call again, and one more failure leaves it alone again. Failures are those of the provider (no connection, silence, 5xx), not of what it was
/// asked; since that is not always to be told apart, one tenant's failures leave it alone for that tenant only: for all it takes those of others, too.
/// </summary>
internal sealed class Breaker(TimeProvider time)
{
    public const int FailuresInARow = 5;
    public static readonly TimeSpan LeftAlone = TimeSpan.FromSeconds(15);

    /// <summary>So many of the five must be of other tenants than the one with the most.</summary>
    private const int OfOthers = 2;

    private readonly Lock gate = new();

    /// <summary>Those in a row, by whose call it was.</summary>
    private readonly Dictionary<string, int> failures = new(StringComparer.Ordinal);
    private long openedAt;
    private bool isTried;
    private bool isAnswered;

    /// <summary>How long it is still left alone by this tenant; null when it may be called now. Takes nothing.</summary>
    public TimeSpan? Wait(string tenant)
    {
        lock (gate)
            return Left(tenant);
    }

    /// <summary>Asks to call now. Who may must tell how it ended, once for all its tries, by <see cref="Ended"/>.</summary>
    public TimeSpan? Enter(string tenant)
    {
        lock (gate)
        {
            if (Left(tenant) is { } left)
                return left;
            isTried |= IsOpen(tenant);
            return null;
        }
    }

    /// <summary>The head of a good answer is here.</summary>
    public void Answers()
    {
        lock (gate)
        {
            if (isTried)
                (isTried, isAnswered) = (false, true);
        }
    }

    /// <param name="isGood">Null when the end says nothing about the provider: the caller left, or had it do too much.</param>
    public void Ended(string tenant, bool? isGood)
    {
        lock (gate)
        {
            isTried = false;
            if (isGood == true)
                failures.Clear();
            if (isGood != false)
                return;
            failures[tenant] = failures.GetValueOrDefault(tenant) + 1;
            isAnswered = false;
            openedAt = time.GetTimestamp();
        }
    }

    private TimeSpan? Left(string tenant)
    {
        if (!IsOpen(tenant))
            return null;
        var left = LeftAlone - time.GetElapsedTime(openedAt);
        return left > TimeSpan.Zero ? left : isTried ? TimeSpan.FromSeconds(1) : null;
    }

    private bool IsOpen(string tenant)
    {
        if (isAnswered || failures.Count == 0)
            return false;
        var all = failures.Values.Sum();
        return failures.GetValueOrDefault(tenant) >= FailuresInARow || (all >= FailuresInARow && all - failures.Values.Max() >= OfOthers);
    }
}
