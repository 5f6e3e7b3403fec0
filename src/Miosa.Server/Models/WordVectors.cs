using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace Miosa.Server.Models;

/// <summary>
/// The embedding model <c>miosa-embed-small</c>: a table of int8 rows, one for each word and each bucket of word pieces. A text is the sum of its words'
/// rows, scaled to length 1; how much a word counts lies in the length of its row, as it was trained. There is nothing in it that a runtime for
/// neural networks would do better (docs/adr/0027).
/// <code>
/// magic "MEMBED01" | u32 dimensions | u32 words | u32 irregular | u32 buckets            little endian
/// words:      u8 length, UTF-8
/// irregular:  u8 length, UTF-8, u32 row of the word
/// scales:     f32 for each row (words, then buckets)
/// rows:       i8 × dimensions for each row
/// </code>
/// </summary>
internal sealed class WordVectors
{
    public const int MaxDimensions = 1024;

    private const int MaxRows = 1 << 22;

    private readonly WordVocabulary vocabulary;
    private readonly float[] scales;
    private readonly sbyte[] rows;

    private WordVectors(WordVocabulary vocabulary, int dimensions, float[] scales, sbyte[] rows) =>
        (this.vocabulary, Dimensions, this.scales, this.rows) = (vocabulary, dimensions, scales, rows);

    private static ReadOnlySpan<byte> Magic => "MEMBED01"u8;

    public int Dimensions { get; }

    /// <exception cref="InvalidDataException">It is not such a file, or it is cut.</exception>
    public static WordVectors Load(ReadOnlySpan<byte> file)
    {
        var at = 0;
        if (!Take(file, ref at, Magic.Length).SequenceEqual(Magic))
            throw new InvalidDataException("not a model of word vectors");
        var dimensions = Number(file, ref at, MaxDimensions);
        var count = Number(file, ref at, MaxRows);
        var irregularCount = Number(file, ref at, MaxRows);
        var buckets = Number(file, ref at, MaxRows);
        if (dimensions == 0 || buckets == 0)
            throw new InvalidDataException("a model without dimensions or buckets");
        var words = new string[count];
        for (var i = 0; i < count; i++)
            words[i] = Text(file, ref at);
        var irregular = new Dictionary<string, int>(irregularCount, StringComparer.Ordinal);
        for (var i = 0; i < irregularCount; i++)
            irregular[Text(file, ref at)] = Number(file, ref at, count - 1);
        var scales = new float[count + buckets];
        for (var i = 0; i < scales.Length; i++)
            scales[i] = BinaryPrimitives.ReadSingleLittleEndian(Take(file, ref at, sizeof(float)));
        var rows = new sbyte[checked(scales.Length * dimensions)];
        System.Runtime.InteropServices.MemoryMarshal.Cast<byte, sbyte>(Take(file, ref at, rows.Length)).CopyTo(rows);
        return at == file.Length ? new WordVectors(new WordVocabulary(words, irregular, buckets), dimensions, scales, rows) : throw new InvalidDataException("bytes after the model's end");
    }

    /// <summary>Writes a table of floats in the form above.</summary>
    public static byte[] Save(WordVocabulary vocabulary, int dimensions, ReadOnlySpan<float> table)
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes, Encoding.UTF8);
        writer.Write(Magic);
        writer.Write(dimensions);
        writer.Write(vocabulary.Words.Count);
        writer.Write(vocabulary.Irregular.Count);
        writer.Write(vocabulary.Buckets);
        foreach (var word in vocabulary.Words)
            WriteText(writer, word);
        foreach (var (form, row) in vocabulary.Irregular.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            WriteText(writer, form);
            writer.Write(row);
        }
        var scales = new float[vocabulary.Rows];
        for (var row = 0; row < scales.Length; row++)
        {
            foreach (var value in table.Slice(row * dimensions, dimensions))
                scales[row] = Math.Max(scales[row], Math.Abs(value) / sbyte.MaxValue);
            writer.Write(scales[row]);
        }
        for (var i = 0; i < table.Length; i++)
            writer.Write((sbyte)(scales[i / dimensions] is var scale && scale > 0 ? MathF.Round(table[i] / scale) : 0));
        writer.Flush();
        return bytes.ToArray();
    }

    /// <summary>The vector of a text, of length 1, and the number of its words.</summary>
    public (float[] Vector, int Words) Embed(string text)
    {
        var sum = new float[Dimensions];
        var parts = new List<WordPart>(64);
        var words = vocabulary.Read(text, parts);
        foreach (var (row, share) in parts)
            AddScaled(rows.AsSpan(row * Dimensions, Dimensions), scales[row] * share, sum);
        var squares = 0f;
        foreach (var value in sum)
            squares += value * value;
        // Rows of zeros alone, or words that cancel each other out: any direction is as good, and a vector of length 0 has none.
        if (squares < 1e-20f)
            (sum[0], squares) = (1, 1);
        var length = MathF.Sqrt(squares);
        for (var i = 0; i < sum.Length; i++)
            sum[i] /= length;
        return (sum, words);
    }

    private static void AddScaled(ReadOnlySpan<sbyte> row, float scale, Span<float> sum)
    {
        var at = 0;
        var width = Vector<float>.Count;
        for (; at + Vector<sbyte>.Count <= row.Length; at += Vector<sbyte>.Count)
        {
            Vector.Widen(new Vector<sbyte>(row[at..]), out var low, out var high);
            Add(low, sum[at..]);
            Add(high, sum[(at + Vector<short>.Count)..]);
        }
        for (; at < row.Length; at++)
            sum[at] += row[at] * scale;

        void Add(Vector<short> values, Span<float> to)
        {
            Vector.Widen(values, out var low, out var high);
            (new Vector<float>(to) + (Vector.ConvertToSingle(low) * scale)).CopyTo(to);
            to = to[width..];
            (new Vector<float>(to) + (Vector.ConvertToSingle(high) * scale)).CopyTo(to);
        }
    }

    private static void WriteText(BinaryWriter writer, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        writer.Write(checked((byte)bytes.Length));
        writer.Write(bytes);
    }

    private static string Text(ReadOnlySpan<byte> file, ref int at) => Encoding.UTF8.GetString(Take(file, ref at, Take(file, ref at, 1)[0]));

    private static int Number(ReadOnlySpan<byte> file, ref int at, int max) =>
        BinaryPrimitives.ReadUInt32LittleEndian(Take(file, ref at, sizeof(uint))) is var number && number <= max ? (int)number : throw new InvalidDataException($"{number} is more than {max}");

    private static ReadOnlySpan<byte> Take(ReadOnlySpan<byte> file, ref int at, int count)
    {
        if (file.Length - at < count)
            throw new InvalidDataException("the model is cut");
        var taken = file.Slice(at, count);
        at += count;
        return taken;
    }
}
