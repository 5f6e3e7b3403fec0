using System.Diagnostics;
using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Miosa.Bench;

/// <summary>
/// Usage by user over one million spans, through HTTP, against a bare count of the same table: what a database must do at least to have looked at every row.
/// A thousand users, two sizes, thirty days; the spans are written into the server's own database while it is stopped.
/// </summary>
internal static class UsageBench
{
    private const int Spans = 1_000_000;
    private const int Users = 1000;
    private const int Rounds = 30;
    private const long DayMs = 86_400_000;

    public static async Task RunAsync(Report report)
    {
        await using var bed = await Bed.StartAsync("--pool-size", "0");
        // One real machine, so that there is a meter, and a tenant to take.
        await using (await bed.Client.Sandboxes.CreateAsync(image: Bed.Image, externalUserId: "real"))
        {
        }
        await bed.Platform.StopServerAsync();
        var file = new SqliteConnectionStringBuilder { DataSource = Path.Combine(bed.Platform.ServerData, "miosa.db"), Pooling = false }.ToString();
        Fill(file);
        await bed.Platform.StartServerAsync();

        var floor = new Times("floor: SELECT COUNT(*) over the same table");
        var summed = new Times("floor: SELECT SUM(To - From) over the same table");
        var rollup = new Times("usage by user, 30 days, one million spans");
        var day = new Times("usage by user, one day of the same");
        var series = new Times("credits by day, 30 days, one million spans");
        await bed.Client.Usage.GetAsync(period: "31d");
        for (var round = 0; round < Rounds; round++)
        {
            // In turns, so that whatever else the machine does meets all of them.
            floor.Add(Timed(file, "SELECT COUNT(*) FROM usage_spans"));
            summed.Add(Timed(file, "SELECT SUM(\"To\" - \"From\") FROM usage_spans"));
            var found = await rollup.MeasureAsync(() => bed.Client.Usage.GetAsync(period: "31d"));
            if (found.Results.Count != Users + 1)
                throw new InvalidOperationException($"{found.Results.Count} rows instead of {Users + 1}");
            await day.MeasureAsync(() => bed.Client.Usage.GetAsync(period: "24h"));
            if (round % 3 == 0)
                await series.MeasureAsync(() => bed.Client.Usage.CreditsAsync("31d"));
        }
        foreach (var times in (Times[])[rollup, day, series, floor, summed])
            report.Add(times);
        report.Line(string.Create(CultureInfo.InvariantCulture, $"  the rollup takes {rollup.Median / floor.Median:F1} x the count and {rollup.Median / summed.Median:F1} x the bare sum; the day {day.Median / floor.Median:F2} x the count"));
    }

    private static void Fill(string file)
    {
        using var connection = new SqliteConnection(file);
        connection.Open();
        using var transaction = connection.BeginTransaction();
        Run("INSERT INTO usage_meters (TenantId, Kind, ExternalUserId, ExternalProjectId, IsRunning, Vcpus, MemoryMb, DiskMb, ComputeRate, StorageRate) "
            + "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < $meters) "
            + "SELECT (SELECT TenantId FROM usage_meters LIMIT 1), 'sandbox', 'usr_' || (i / 2), 'prj_' || (i % 50), 1, 2 + 2 * (i % 2), 4096, 10240, 16400000, 100000 FROM n",
            ("$meters", (2 * Users) - 1));
        // Up to ten minutes each, anywhere in the thirty days before now. The multiplications scatter the numbers.
        Run("INSERT INTO usage_spans (MachineId, MeterId, \"From\", \"To\", IsFirst) "
            + "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < $spans) "
            + "SELECT 'sbx_' || printf('%026d', i / 4), (SELECT MAX(Id) FROM usage_meters) - (i * 7919 % $meters), $begin + i * $step, $begin + i * $step + 1000 + (i * 104729 % 600000), i % 4 = 0 FROM n",
            ("$spans", Spans - 1),
            ("$meters", 2 * Users),
            ("$begin", DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() - (30 * DayMs)),
            ("$step", (30 * DayMs / Spans) - 1));
        transaction.Commit();
        Run("PRAGMA wal_checkpoint(TRUNCATE)");

        void Run(string sql, params (string Name, long Value)[] values)
        {
            using var command = connection.CreateCommand();
            command.CommandText = sql;
            foreach (var (name, value) in values)
                command.Parameters.AddWithValue(name, value);
            command.ExecuteNonQuery();
        }
    }

    private static double Timed(string file, string sql)
    {
        using var connection = new SqliteConnection(file);
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        var begun = Stopwatch.GetTimestamp();
        _ = command.ExecuteScalar();
        return Stopwatch.GetElapsedTime(begun).TotalMilliseconds;
    }
}
