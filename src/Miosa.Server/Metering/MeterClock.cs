using Microsoft.Data.Sqlite;
using Miosa.Server.Storage;

namespace Miosa.Server.Metering;

/// <summary>
/// The time that is charged. It runs as the kernel's monotonic clock does and never steps: a change of the wall clock neither adds nor takes time.
/// 1. Each write that charges time notes the clock (boot, monotonic time, meter time) in the same transaction, and a loop notes it every ten seconds.
/// 2. A server that starts in the same boot goes on from that note by the monotonic clock: its own absence is counted, as the machines ran.
/// 3. After a reboot it goes on at the wall clock, or at the note when the wall clock lies before it. Between the note and then nothing ran:
///    open spans end at the note (<see cref="Meter.Begin"/>).
/// 4. When the wall clock is ahead (it was stepped, or the host slept), the meter jumps to it and open spans get a gap (<see cref="Meter.CatchUp"/>). When it is
///    behind, the meter stays ahead until a reboot: two spans of a machine never lie over each other.
/// </summary>
/// <param name="boot">The run of the host's kernel, as <see cref="HostBoot"/> tells it.</param>
internal sealed class MeterClock(TimeProvider time, string boot)
{
    private const string BootIdFile = "/proc/sys/kernel/random/boot_id";

    /// <summary>Less is the rounding of two clocks read one after the other.</summary>
    private static readonly TimeSpan Unnoticed = TimeSpan.FromSeconds(2);

    private readonly Lock gate = new();
    private long anchorMs = time.GetUtcNow().ToUnixTimeMilliseconds();
    private long anchorTimestamp = time.GetTimestamp();

    public static string HostBoot() => File.Exists(BootIdFile) ? File.ReadAllText(BootIdFile).Trim() : "";

    /// <summary>Milliseconds since 1970; never less than before.</summary>
    public long NowMs
    {
        get
        {
            lock (gate)
                return anchorMs + (long)time.GetElapsedTime(anchorTimestamp).TotalMilliseconds;
        }
    }

    public DateTimeOffset Now => DateTimeOffset.FromUnixTimeMilliseconds(NowMs);

    /// <summary>How far the wall clock is ahead; null when they agree or it is behind.</summary>
    public long? LagMs => time.GetUtcNow().ToUnixTimeMilliseconds() - NowMs is var lag && lag > Unnoticed.TotalMilliseconds ? lag : null;

    /// <summary>Sets the clock by the note of a former process. Gives the time at which all spans ended, if the host was started anew since.</summary>
    public long? Resume(SqliteTransaction transaction)
    {
        var noted = transaction.One(
            "SELECT BootId, MonotonicMs, MeterMs FROM meter_clock WHERE Id = 1", row => (Boot: row.GetString(0), Monotonic: row.GetInt64(1), Meter: row.GetInt64(2)));
        var isSameBoot = noted.Boot == boot && MonotonicMs() >= noted.Monotonic;
        if (isSameBoot)
            Set(noted.Meter + MonotonicMs() - noted.Monotonic);
        else
            Set(Math.Max(time.GetUtcNow().ToUnixTimeMilliseconds(), noted.Meter));
        Note(transaction);
        return isSameBoot || noted.Boot is null ? null : noted.Meter;
    }

    /// <summary>Writes down where the clock stands.</summary>
    public void Note(SqliteTransaction transaction) => transaction.Run(
        "INSERT INTO meter_clock (Id, BootId, MonotonicMs, MeterMs) VALUES (1, $boot, $monotonic, $meter) "
            + "ON CONFLICT (Id) DO UPDATE SET BootId = $boot, MonotonicMs = $monotonic, MeterMs = $meter",
        ("$boot", boot),
        ("$monotonic", MonotonicMs()),
        ("$meter", NowMs));

    public void JumpBy(long ms) => Set(NowMs + ms);

    private void Set(long ms)
    {
        lock (gate)
        {
            anchorMs = ms;
            anchorTimestamp = time.GetTimestamp();
        }
    }

    private long MonotonicMs() => (long)time.GetElapsedTime(0, time.GetTimestamp()).TotalMilliseconds;
}
