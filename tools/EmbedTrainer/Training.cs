using System.Diagnostics;
using System.Numerics;
using Miosa.Server.Models;

namespace Miosa.EmbedTrainer;

/// <summary>
/// Contrastive training of a table of word vectors: in a batch of pairs, each left text should be nearer to its own right text than to any other, and the
/// reverse. Everything that runs in parallel writes to places of its own and the table is changed in the order of the batch, so the same input gives
/// the same model.
/// </summary>
internal sealed class Training
{
    private const int Batch = 512;
    private const float Temperature = 0.06f;
    private const float LearningRate = 0.15f;
    private const float LastLearningRate = 0.005f;
    private const float Unlike = -1e9f;

    private readonly int dimensions;
    private readonly float[] table;
    private readonly float[] squares;
    private readonly (WordPart[] Left, WordPart[] Right, int Group)[] pairs;
    private readonly Random random;

    private readonly float[] left;
    private readonly float[] right;
    private readonly float[] leftLength = new float[Batch];
    private readonly float[] rightLength = new float[Batch];
    private readonly float[] likeness = new float[Batch * Batch];
    private readonly float[] byColumn = new float[Batch * Batch];
    private readonly float[] leftGradient;
    private readonly float[] rightGradient;

    public Training(WordVocabulary vocabulary, IReadOnlyList<TextPair> texts, IReadOnlyList<float> frequency, int dimensions, int seed)
    {
        this.dimensions = dimensions;
        random = new Random(seed);
        table = new float[vocabulary.Rows * dimensions];
        squares = new float[vocabulary.Rows];
        (left, right) = (new float[Batch * dimensions], new float[Batch * dimensions]);
        (leftGradient, rightGradient) = (new float[Batch * dimensions], new float[Batch * dimensions]);
        var parts = new List<WordPart>();
        pairs = [.. texts.Select(pair => (Parts(pair.Left), Parts(pair.Right), pair.Group))];
        for (var i = 0; i < table.Length; i++)
        {
            // Frequent words say little: they begin short, which saves the epochs in which they would learn it.
            var common = i / dimensions < frequency.Count ? frequency[i / dimensions] : 0;
            table[i] = ((float)random.NextDouble() - 0.5f) * 0.2f * Math.Max(0.02f, 1e-3f / (1e-3f + common));
        }

        WordPart[] Parts(string text)
        {
            vocabulary.Read(text, parts);
            return [.. parts];
        }
    }

    public float[] Run(int epochs, Action<string> say)
    {
        var order = Enumerable.Range(0, pairs.Length).ToArray();
        var steps = (long)epochs * (pairs.Length / Batch);
        var clock = Stopwatch.StartNew();
        var (step, loss) = (0L, 0.0);
        for (var epoch = 0; epoch < epochs; epoch++)
        {
            random.Shuffle(order);
            for (var at = 0; at + Batch <= order.Length; at += Batch)
            {
                var rate = LastLearningRate + ((LearningRate - LastLearningRate) * (1 - ((float)step / steps)));
                loss = (loss * 0.99) + (Step(order.AsMemory(at, Batch), rate) * 0.01);
                if (++step % 200 == 0)
                    say($"step {step} of {steps}, loss {loss / (1 - Math.Pow(0.99, step)):F3}, {clock.Elapsed.TotalSeconds:F0} s");
            }
        }
        return table;
    }

    private double Step(ReadOnlyMemory<int> batch, float rate)
    {
        Parallel.For(0, Batch, i =>
        {
            var pair = pairs[batch.Span[i]];
            leftLength[i] = Sum(pair.Left, left.AsSpan(i * dimensions, dimensions));
            rightLength[i] = Sum(pair.Right, right.AsSpan(i * dimensions, dimensions));
        });
        Parallel.For(0, Batch, i =>
        {
            for (var j = 0; j < Batch; j++)
            {
                var isOwn = i == j;
                var same = !isOwn && pairs[batch.Span[i]].Group == pairs[batch.Span[j]].Group;
                likeness[(i * Batch) + j] = byColumn[(j * Batch) + i] = same ? Unlike : Dot(left.AsSpan(i * dimensions, dimensions), right.AsSpan(j * dimensions, dimensions)) / Temperature;
            }
        });
        var losses = new double[Batch];
        Parallel.For(0, Batch, i =>
        {
            losses[i] = SoftMax(likeness.AsSpan(i * Batch, Batch), i);
            losses[i] += SoftMax(byColumn.AsSpan(i * Batch, Batch), i);
        });
        Parallel.For(0, Batch, i =>
        {
            var toLeft = leftGradient.AsSpan(i * dimensions, dimensions);
            var toRight = rightGradient.AsSpan(i * dimensions, dimensions);
            toLeft.Clear();
            toRight.Clear();
            for (var j = 0; j < Batch; j++)
            {
                Add(right.AsSpan(j * dimensions, dimensions), (likeness[(i * Batch) + j] + byColumn[(j * Batch) + i]) / (2 * Temperature), toLeft);
                Add(left.AsSpan(j * dimensions, dimensions), (likeness[(j * Batch) + i] + byColumn[(i * Batch) + j]) / (2 * Temperature), toRight);
            }
        });
        for (var i = 0; i < Batch; i++)
        {
            var pair = pairs[batch.Span[i]];
            Change(pair.Left, left.AsSpan(i * dimensions, dimensions), leftGradient.AsSpan(i * dimensions, dimensions), leftLength[i], rate);
            Change(pair.Right, right.AsSpan(i * dimensions, dimensions), rightGradient.AsSpan(i * dimensions, dimensions), rightLength[i], rate);
        }
        return losses.Sum() / (2 * Batch);
    }

    private float Sum(WordPart[] parts, Span<float> sum)
    {
        sum.Clear();
        foreach (var (row, share) in parts)
            Add(table.AsSpan(row * dimensions, dimensions), share, sum);
        var length = MathF.Sqrt(Dot(sum, sum)) + 1e-6f;
        for (var i = 0; i < sum.Length; i++)
            sum[i] /= length;
        return length;
    }

    /// <summary>The gradient through the scaling to length 1, then a step of AdaGrad with one sum of squares for each row.</summary>
    private void Change(WordPart[] parts, ReadOnlySpan<float> unit, Span<float> gradient, float length, float rate)
    {
        var along = Dot(unit, gradient);
        for (var i = 0; i < gradient.Length; i++)
            gradient[i] = (gradient[i] - (along * unit[i])) / length;
        var square = Dot(gradient, gradient) / dimensions;
        foreach (var (row, share) in parts)
        {
            squares[row] += square * share * share;
            Add(gradient, -rate * share / (MathF.Sqrt(squares[row]) + 1e-4f), table.AsSpan(row * dimensions, dimensions));
        }
    }

    /// <summary>Turns likenesses into what each pushes: its probability, less one for the right one. Gives the loss.</summary>
    private static double SoftMax(Span<float> row, int own)
    {
        var most = float.NegativeInfinity;
        foreach (var value in row)
            most = Math.Max(most, value);
        var sum = 0f;
        for (var i = 0; i < row.Length; i++)
            sum += row[i] = MathF.Exp(row[i] - most);
        for (var i = 0; i < row.Length; i++)
            row[i] /= sum;
        var loss = -Math.Log(row[own] + 1e-9);
        row[own] -= 1;
        return loss;
    }

    private static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        var sum = Vector<float>.Zero;
        var at = 0;
        for (; at + Vector<float>.Count <= a.Length; at += Vector<float>.Count)
            sum += new Vector<float>(a[at..]) * new Vector<float>(b[at..]);
        var whole = Vector.Sum(sum);
        for (; at < a.Length; at++)
            whole += a[at] * b[at];
        return whole;
    }

    private static void Add(ReadOnlySpan<float> row, float times, Span<float> to)
    {
        if (Math.Abs(times) < 1e-5f)
            return;
        var at = 0;
        for (; at + Vector<float>.Count <= row.Length; at += Vector<float>.Count)
            (new Vector<float>(to[at..]) + (new Vector<float>(row[at..]) * times)).CopyTo(to[at..]);
        for (; at < row.Length; at++)
            to[at] += row[at] * times;
    }
}
