using System.Diagnostics;
using System.Globalization;

namespace Miosa.Bench;

/// <summary>Times of one thing done many times, in milliseconds; quantiles by nearest rank.</summary>
internal sealed class Times(string what)
{
    private readonly List<double> values = [];

    public string What => what;

    public double Median => Quantile(0.50);

    public int Count => values.Count;

    public void AddAll(Times others) => values.AddRange(others.values);

    public void Add(double milliseconds) => values.Add(milliseconds);

    public async Task<T> MeasureAsync<T>(Func<Task<T>> action)
    {
        var start = Stopwatch.GetTimestamp();
        var result = await action();
        Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        return result;
    }

    public double Quantile(double share)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length == 0 ? double.NaN : sorted[Math.Clamp((int)Math.Ceiling(share * sorted.Length) - 1, 0, sorted.Length - 1)];
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{what,-58} n={Count,-5} p50 {Median,8:F2}  p95 {Quantile(0.95),8:F2}  p99 {Quantile(0.99),8:F2} ms");
}
