using System.Globalization;
using Miosa.Server.Models;

namespace Miosa.EmbedTrainer;

/// <summary>Two texts and how near people would call them, 0 (nothing in common) to 5 (the same).</summary>
internal sealed record Judged(double Score, string Left, string Right);

/// <summary>How well a model orders judged pairs.</summary>
/// <param name="Spearman">Rank correlation with the judgements.</param>
/// <param name="Separation">How often a pair judged 4 or more lies nearer than one judged 1 or less: 1 is always, a half is chance.</param>
internal sealed record Quality(double Spearman, double Separation, double MeanNear, double MeanFar)
{
    public static IReadOnlyList<Judged> Read(string file) =>
        [.. File.ReadLines(file).Where(line => line.Length > 0 && line[0] != '#').Select(line => line.Split('\t')).Select(f => new Judged(double.Parse(f[0], CultureInfo.InvariantCulture), f[1], f[2]))];

    public static Quality Of(WordVectors model, IReadOnlyList<Judged> pairs)
    {
        var likeness = pairs.Select(pair => Cosine(model, pair.Left, pair.Right)).ToArray();
        var near = pairs.Zip(likeness).Where(p => p.First.Score >= 4).Select(p => p.Second).ToArray();
        var far = pairs.Zip(likeness).Where(p => p.First.Score <= 1).Select(p => p.Second).ToArray();
        var wins = near.Sum(n => far.Sum(f => n > f ? 1.0 : n == f ? 0.5 : 0));
        return new Quality(Correlation(Ranks([.. pairs.Select(pair => pair.Score)]), Ranks(likeness)), wins / (near.Length * far.Length), near.Average(), far.Average());
    }

    public static double Cosine(WordVectors model, string left, string right) =>
        model.Embed(left).Vector.Zip(model.Embed(right).Vector).Sum(pair => (double)pair.First * pair.Second);

    private static double[] Ranks(double[] values)
    {
        var order = Enumerable.Range(0, values.Length).OrderBy(i => values[i]).ToArray();
        var ranks = new double[values.Length];
        for (var at = 0; at < order.Length;)
        {
            var end = at;
            while (end < order.Length && values[order[end]] == values[order[at]])
                end++;
            for (var i = at; i < end; i++)
                ranks[order[i]] = (at + end - 1) / 2.0;
            at = end;
        }
        return ranks;
    }

    private static double Correlation(double[] a, double[] b)
    {
        var (meanA, meanB) = (a.Average(), b.Average());
        var both = a.Zip(b).Sum(p => (p.First - meanA) * (p.Second - meanB));
        return both / Math.Sqrt(a.Sum(x => (x - meanA) * (x - meanA)) * b.Sum(x => (x - meanB) * (x - meanB)));
    }
}
