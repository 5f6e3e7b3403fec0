using System.Buffers;

namespace Miosa.Server.Models;

/// <summary>
/// Words of a text and what they may also be written as. The trainer (tools/EmbedTrainer) and the server read texts with this same code: a word that one of
/// them cut otherwise would find another row.
/// </summary>
internal static class WordTokens
{
    /// <summary>Of a longer run of letters the rest is another word: a line without blanks is no reason for one huge word.</summary>
    private const int LongestWord = 40;

    private const int ShortestGram = 3;
    private const int LongestGram = 4;

    private const uint FnvOffset = 2166136261;
    private const uint FnvPrime = 16777619;

    /// <summary>Calls back for every word, in lower case, in order.</summary>
    public static void Each<TState>(ReadOnlySpan<char> text, TState state, ReadOnlySpanAction<char, TState> word)
    {
        Span<char> buffer = stackalloc char[LongestWord];
        var length = 0;
        foreach (var c in text)
        {
            if (char.IsLetterOrDigit(c) || char.IsSurrogate(c))
                buffer[length++] = char.ToLowerInvariant(c);
            if (length > 0 && (length == LongestWord || !(char.IsLetterOrDigit(c) || char.IsSurrogate(c))))
            {
                word(buffer[..length], state);
                length = 0;
            }
        }
        if (length > 0)
            word(buffer[..length], state);
    }

    /// <summary>What an English word may be a form of, the likeliest first. Most are no words: the vocabulary decides.</summary>
    public static IEnumerable<string> Stems(string word)
    {
        if (Cut("ies", 2) is { } ies)
            yield return ies + "y";
        if (Cut("ing", 3) is { } ing)
        {
            yield return ing;
            yield return ing + "e";
            if (ing[^1] == ing[^2])
                yield return ing[..^1];
        }
        if (Cut("ed", 3) is { } ed)
        {
            yield return ed;
            yield return ed + "e";
            if (ed[^1] == ed[^2])
                yield return ed[..^1];
        }
        if (Cut("es", 2) is { } es)
            yield return es;
        if (Cut("s", 2) is { } s && s[^1] != 's')
            yield return s;
        if (Cut("ly", 3) is { } ly)
            yield return ly;

        string? Cut(string ending, int left) =>
            word.Length >= ending.Length + left && word.EndsWith(ending, StringComparison.Ordinal) ? word[..^ending.Length] : null;
    }

    /// <summary>Buckets of the pieces of a word that no vocabulary has: related spellings share some.</summary>
    public static void Grams(ReadOnlySpan<char> word, int buckets, List<int> into)
    {
        into.Clear();
        Span<char> framed = stackalloc char[LongestWord + 2];
        framed[0] = '<';
        word.CopyTo(framed[1..]);
        framed[word.Length + 1] = '>';
        framed = framed[..(word.Length + 2)];
        for (var size = ShortestGram; size <= LongestGram; size++)
        {
            for (var at = 0; at + size <= framed.Length; at++)
                into.Add((int)(Hash(framed.Slice(at, size)) % (uint)buckets));
        }
    }

    private static uint Hash(ReadOnlySpan<char> text)
    {
        var hash = FnvOffset;
        foreach (var c in text)
            hash = (hash ^ c) * FnvPrime;
        return hash;
    }
}
