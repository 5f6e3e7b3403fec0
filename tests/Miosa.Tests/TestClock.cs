namespace Miosa.Tests;

/// <summary>
/// A clock on which waits of up to 30 s (pauses between retries) are over at once and remembered, while longer limits (silence) never run out by themselves.
/// </summary>
public sealed class TestClock : TimeProvider
{
    private readonly Lock gate = new();
    private readonly List<TimeSpan> pauses = [];
    private readonly List<TimeSpan> limits = [];
    private readonly List<Alarm> alarms = [];
    private long looks;

    public IReadOnlyList<TimeSpan> Pauses
    {
        get
        {
            lock (gate)
                return [.. pauses];
        }
    }

    /// <summary>Every limit of silence that was set.</summary>
    public IReadOnlyList<TimeSpan> Limits
    {
        get
        {
            lock (gate)
                return [.. limits];
        }
    }

    public DateTimeOffset Now { get; } = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);

    public override DateTimeOffset GetUtcNow() => Now;

    /// <summary>The time that seems to pass between two looks at the clock, besides what really does.</summary>
    public TimeSpan EachLook { get; init; }

    public override long GetTimestamp() => base.GetTimestamp() + (long)(Interlocked.Increment(ref looks) * EachLook.TotalSeconds * TimestampFrequency);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var alarm = new Alarm(this, callback, state);
        alarm.Change(dueTime, period);
        return alarm;
    }

    /// <summary>All limits of silence that are set now run out.</summary>
    public void RunOut()
    {
        Alarm[] set;
        lock (gate)
            set = [.. alarms];
        foreach (var alarm in set)
            alarm.Fire();
    }

    private sealed class Alarm(TestClock clock, TimerCallback callback, object? state) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (clock.gate)
            {
                clock.alarms.Remove(this);
                if (dueTime == Timeout.InfiniteTimeSpan)
                    return true;
                if (dueTime > TimeSpan.FromSeconds(30))
                {
                    clock.limits.Add(dueTime);
                    clock.alarms.Add(this);
                    return true;
                }
                clock.pauses.Add(dueTime);
            }
            // On a thread of its own: a timer never calls back before it exists.
            new Thread(Fire) { IsBackground = true }.Start();
            return true;
        }

        public void Fire() => callback(state);

        public void Dispose()
        {
            lock (clock.gate)
                clock.alarms.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
