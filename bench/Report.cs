using System.Globalization;

namespace Miosa.Bench;

/// <summary>What was measured, on the screen and in artifacts/bench.txt.</summary>
internal sealed class Report
{
    private readonly List<string> lines = [];

    public void Line(string text)
    {
        Console.WriteLine(text);
        lines.Add(text);
    }

    public void Add(Times times) => Line(times.ToString());

    /// <summary>How many times faster the first is than the second, by their medians.</summary>
    public void Ratio(Times ours, Times peer) => Line(string.Create(CultureInfo.InvariantCulture,
        $"  => {peer.Median / ours.Median:F1} x faster than \"{peer.What}\""));

    public void Save()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Miosa.slnx")))
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("not in a clone");
        File.WriteAllLines(Path.Combine(folder, "artifacts", "bench.txt"), lines);
    }
}
