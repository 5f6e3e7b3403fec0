namespace Miosa.Server.Models;

/// <summary>
/// Leaves a provider alone that fails: after five failures in a row nothing is sent for fifteen seconds, then one call tries, and its end decides for
/// all. Failures are those of the provider (no connection, silence, 5xx), not of what it was asked.
/// </summary>
internal sealed class Breaker(TimeProvider time)
{
    public const int FailuresInARow = 5;
    public static readonly TimeSpan LeftAlone = TimeSpan.FromSeconds(15);

    private readonly Lock gate = new();
    private int failures;
    private long openedAt;
    private bool isTried;

    /// <summary>How long it is still left alone; null when it may be called now. Takes nothing.</summary>
    public TimeSpan? Wait
    {
        get
        {
            lock (gate)
                return Left();
        }
    }

    /// <summary>Asks to call now. Who may must tell how it ended, by one of the methods below.</summary>
    public TimeSpan? Enter()
    {
        lock (gate)
        {
            if (Left() is { } left)
                return left;
            isTried = failures >= FailuresInARow;
            return null;
        }
    }

    public void Succeeded()
    {
        lock (gate)
            (failures, isTried) = (0, false);
    }

    public void Failed()
    {
        lock (gate)
        {
            failures++;
            isTried = false;
            openedAt = time.GetTimestamp();
        }
    }

    /// <summary>It says nothing about the provider: the caller left.</summary>
    public void Abandoned()
    {
        lock (gate)
            isTried = false;
    }

    private TimeSpan? Left()
    {
        if (failures < FailuresInARow)
            return null;
        var left = LeftAlone - time.GetElapsedTime(openedAt);
        return left > TimeSpan.Zero ? left : isTried ? TimeSpan.FromSeconds(1) : null;
    }
}
