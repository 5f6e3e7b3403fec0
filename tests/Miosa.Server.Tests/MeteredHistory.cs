using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Metering;
using Miosa.Server.Storage;

namespace Miosa.Server.Tests;

/// <summary>A wall clock that can be set and a monotonic one that cannot, as a host has them.</summary>
internal sealed class HostClock : TimeProvider
{
    private DateTimeOffset wall = new(2026, 5, 26, 10, 0, 0, TimeSpan.Zero);
    private long monotonicMs = 1000;

    public string Boot { get; private set; } = "boot-1";

    public override long TimestampFrequency => 1000;

    public override DateTimeOffset GetUtcNow() => wall;

    public override long GetTimestamp() => monotonicMs;

    public void Pass(long ms)
    {
        monotonicMs += ms;
        wall = wall.AddMilliseconds(ms);
    }

    /// <summary>Somebody sets the wall clock.</summary>
    public void Step(long ms) => wall = wall.AddMilliseconds(ms);

    /// <summary>The host is off for a while and counts from the beginning again.</summary>
    public void Reboot(long offMs)
    {
        wall = wall.AddMilliseconds(offMs);
        monotonicMs = 50;
        Boot += "'";
    }
}

/// <summary>
/// The meter on a real database, driven through lives of machines, steps of the clock, restarts and reboots; and beside it a plain tally of the time
/// that really passed. No server runs.
/// </summary>
internal sealed class MeteredHistory : IDisposable
{
    public const string Tenant = "ten_1";

    private static readonly Lock Making = new();
    private static byte[]? empty;

    private readonly string folder = Directory.CreateTempSubdirectory("miosa-meter").FullName;
    private readonly Dictionary<string, Machine> machines = [];
    private Meter meter;

    public MeteredHistory()
    {
        File.WriteAllBytes(Path.Combine(folder, "miosa.db"), EmptyDatabase());
        (Database, MeterClock, meter) = Start();
    }

    public HostClock Clock { get; } = new();

    public Prices Prices { get; set; } = new(5_000_000, 1_600_000, 10_000);

    public Database Database { get; private set; }

    public MeterClock MeterClock { get; private set; }

    /// <summary>What really passed, by external user.</summary>
    public Dictionary<string, UsageSum> Passed { get; } = [];

    public long StartMs { get; } = new DateTimeOffset(2026, 5, 1, 0, 0, 0, TimeSpan.Zero).ToUnixTimeMilliseconds();

    /// <summary>Time passes, and every machine uses it.</summary>
    public void Pass(long ms)
    {
        Clock.Pass(ms);
        foreach (var machine in machines.Values)
        {
            if (Prices.MeterOf(machine) is not { } used)
                continue;
            if (!Passed.TryGetValue(machine.ExternalUserId ?? "", out var sum))
                Passed[machine.ExternalUserId ?? ""] = sum = new UsageSum();
            sum.Add(used, ms);
        }
    }

    public void Change(string id, Func<Machine, Machine> change)
    {
        var machine = change(machines.TryGetValue(id, out var old) ? old : New(id));
        machines[id] = machine;
        Write(transaction => meter.Record(transaction, machine));
    }

    /// <summary>A server that was killed comes back, in the same run of the host.</summary>
    public void Restart()
    {
        Database.Dispose();
        (Database, MeterClock, meter) = Start();
    }

    /// <summary>The host goes down and up again; what it did in its last moments was noted.</summary>
    public void Reboot(long offMs)
    {
        Note();
        Clock.Reboot(offMs);
        Restart();
    }

    public void Note() => Write(meter.CatchUp);

    public void Write(Action<Microsoft.Data.Sqlite.SqliteTransaction> change) => Done(Database.WriteRowsAsync(change, CancellationToken.None));

    public UsageSum Sum(long fromMs, long toMs, string? user = null) =>
        Database.ReadRows(transaction => Rollup.Sum(transaction, new UsageFilter(Tenant) { ExternalUserId = user }, fromMs, Math.Min(toMs, MeterClock.NowMs)));

    public void Dispose()
    {
        Database.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    private (Database, MeterClock, Meter) Start()
    {
        var database = new Database(new ServerSettings { DataDir = folder });
        var clock = new MeterClock(Clock, Clock.Boot);
        var started = new Meter(clock, Prices);
        Done(database.WriteRowsAsync(transaction => started.Begin(transaction, [.. machines.Values]), CancellationToken.None));
        return (database, clock, started);
    }

    /// <summary>Migrated once: it takes longer than a whole history.</summary>
    private static byte[] EmptyDatabase()
    {
        lock (Making)
        {
            if (empty is not null)
                return empty;
            var folder = Directory.CreateTempSubdirectory("miosa-empty").FullName;
            using (var database = new Database(new ServerSettings { DataDir = folder }))
            {
                database.Migrate();
                Done(database.WriteAsync(db => db.Tenants.Add(new TenantRow { Id = Tenant, Name = "t", CreatedAt = DateTimeOffset.UnixEpoch }), CancellationToken.None));
                database.Checkpoint();
            }
            empty = File.ReadAllBytes(Path.Combine(folder, "miosa.db"));
            Directory.Delete(folder, recursive: true);
            return empty;
        }
    }

#pragma warning disable VSTHRD002 // Nobody else writes, so the task is complete when it is given.
    private static void Done(Task write) => write.GetAwaiter().GetResult();
#pragma warning restore VSTHRD002

    private static Machine New(string id) => new()
    {
        Id = id,
        TenantId = Tenant,
        OwnerId = "key",
        NodeId = "local",
        Slug = id,
        Image = "i",
        Vcpus = 1,
        MemoryMb = 512,
        DiskMb = 1024,
    };
}
