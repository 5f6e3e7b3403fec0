using System.Diagnostics;
using System.Globalization;
using Miosa.Platform;

namespace Miosa.Bench;

/// <summary>
/// What who-asks costs per request: key, scope and rate against an open route; an entry of the audit log against the same call without one; all of
/// it against the time of a command. Calls of one table are made in turns on the same connection.
/// </summary>
internal static class AuthBench
{
    private const int Rounds = 2000;
    private const int ExecRounds = 500;
    private const int Warmups = 200;
    private const int Clients = 16;
    private static readonly TimeSpan Loaded = TimeSpan.FromSeconds(5);

    private const string None = "sandboxes/none";

    public static async Task RunAsync(Report report)
    {
        await OneAsync(report, "limits on", "--rate-limit-rpm", "1000000", "--bad-key-rpm", "60");
        await OneAsync(report, "limits off", "--rate-limit-rpm", "0", "--bad-key-rpm", "0");
    }

    private static async Task OneAsync(Report report, string what, params string[] settings)
    {
        await using var bed = await Bed.StartAsync(["--pool-size", "0", .. settings]);
        using var api = await bed.Platform.NewApiAsync();
        var sandbox = await api.CreateAsync("""{"image":"miosa-sandbox"}""");
        report.Line($"{what}:");
        Call open = new("floor: GET of an open route", () => api.GetAsync("version"));
        Call looked = new("GET with key, scope and rate", () => api.GetAsync($"sandboxes/{sandbox}/readiness"));
        Call missed = new("GET of what is not there", () => api.GetAsync(None));
        Call behind = new("the same as a command (404): entry written behind", () => api.PostAsync($"{None}/exec", """{"command":"true"}"""));
        Call committed = new("the same as a DELETE (404): entry before the answer", () => api.DeleteAsync(None));
        await InTurnsAsync(report, Rounds, open, looked, missed, behind, committed);
        Call run = new("exec of /bin/true, everything counted", () => api.PostAsync($"sandboxes/{sandbox}/exec", """{"command":["/bin/true"]}"""));
        await InTurnsAsync(report, ExecRounds, run, looked);
        foreach (var call in (Call[])[open, looked, committed])
            await LoadedAsync(report, call);
    }

    private static async Task InTurnsAsync(Report report, int rounds, params Call[] calls)
    {
        var times = calls.Select(call => new Times(call.What)).ToList();
        for (var i = -Warmups; i < rounds; i++)
        {
            for (var n = 0; n < calls.Length; n++)
            {
                var one = new Times("");
                await one.MeasureAsync(calls[n].Send);
                if (i >= 0)
                    times[n].Add(one.Median);
            }
        }
        times.ForEach(report.Add);
    }

    private static async Task LoadedAsync(Report report, Call call)
    {
        var clock = Stopwatch.StartNew();
        var all = await Task.WhenAll(Enumerable.Range(0, Clients).Select(_ => Task.Run(async () =>
        {
            var own = new Times(call.What);
            while (clock.Elapsed < Loaded)
                await own.MeasureAsync(call.Send);
            return own;
        })));
        var times = new Times($"{Clients} clients: {call.What}");
        foreach (var one in all)
            times.AddAll(one);
        report.Add(times);
        report.Line(string.Create(CultureInfo.InvariantCulture, $"  => {times.Count / clock.Elapsed.TotalSeconds:F0} per second"));
    }

    private sealed record Call(string What, Func<Task<Answer>> Send);
}
