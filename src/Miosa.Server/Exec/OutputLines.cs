using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using Miosa.Guest;

namespace Miosa.Server.Exec;

/// <summary>A piece of output: a whole line with its newline in <see cref="Data"/>, or a part of a very long one.</summary>
internal readonly record struct OutputLine(string Line, string Data);

/// <summary>
/// Cuts one output stream into lines. A line that would not fit an event is cut between two characters; its pieces carry no newline but the
/// last, so the <c>data</c> fields put together are the output again. Bytes that are not UTF-8 become U+FFFD.
/// </summary>
internal sealed class OutputLines
{
    /// <summary>
    /// A piece may take this much as JSON. An event holds it twice (line and data) and must stay under 32 KiB, because the Go client
    /// cuts lines at 64 KiB and the contract promises half of it.
    /// </summary>
    public const int MaxEncodedBytes = 16_000;

    // What JSON makes of one byte at worst: \u001b.
    private const int WorstExpansion = 6;

    private readonly ArrayBufferWriter<byte> open = new(256);

    /// <summary>Takes a chunk and gives the lines that are complete now.</summary>
    public void Add(ReadOnlySpan<byte> chunk, List<OutputLine> into)
    {
        while (!chunk.IsEmpty)
        {
            var newline = chunk.IndexOf((byte)'\n');
            var take = newline < 0 ? chunk.Length : newline + 1;
            // Never more than a piece waits here, whatever the command prints.
            take = Math.Min(take, MaxEncodedBytes - open.WrittenCount);
            open.Write(chunk[..take]);
            chunk = chunk[take..];
            if (open.WrittenSpan[^1] == '\n')
                Cut(open.WrittenCount, into);
            else if (open.WrittenCount == MaxEncodedBytes)
                Cut(Utf8Text.WholeCharacters(open.WrittenSpan), into);
        }
    }

    /// <summary>The command ended: what is left is a line without a newline.</summary>
    public void Finish(List<OutputLine> into)
    {
        if (open.WrittenCount > 0)
            Cut(open.WrittenCount, into);
    }

    private void Cut(int count, List<OutputLine> into)
    {
        var rest = open.WrittenSpan[count..].ToArray();
        Emit(open.WrittenSpan[..count], into);
        open.ResetWrittenCount();
        open.Write(rest);
    }

    private static void Emit(ReadOnlySpan<byte> bytes, List<OutputLine> into)
    {
        if (!Fits(bytes))
        {
            var half = Utf8Text.WholeCharacters(bytes[..(bytes.Length / 2)]);
            Emit(bytes[..half], into);
            Emit(bytes[half..], into);
            return;
        }
        var data = Encoding.UTF8.GetString(bytes);
        var line = data.EndsWith("\r\n", StringComparison.Ordinal) ? data[..^2] : data.EndsWith('\n') ? data[..^1] : data;
        into.Add(new OutputLine(line, data));
    }

    private static bool Fits(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length * WorstExpansion <= MaxEncodedBytes)
            return true;
        var encoded = ArrayPool<byte>.Shared.Rent(bytes.Length * WorstExpansion);
        try
        {
            JavaScriptEncoder.UnsafeRelaxedJsonEscaping.EncodeUtf8(bytes, encoded, out _, out var written);
            return written <= MaxEncodedBytes;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(encoded);
        }
    }
}
