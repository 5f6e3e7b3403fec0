namespace Miosa.Server.Models;

/// <summary>A row of the table and how much of it a word takes.</summary>
internal readonly record struct WordPart(int Row, float Share);

/// <summary>Which rows of the table a text is the sum of. Rows of words come first, the buckets of word pieces after them.</summary>
/// <param name="words">The word of each row.</param>
/// <param name="irregular">Forms that no ending tells (<c>mice</c>), with the row of what they are forms of.</param>
/// <param name="buckets">Number of rows for pieces.</param>
internal sealed class WordVocabulary(IReadOnlyList<string> words, IReadOnlyDictionary<string, int> irregular, int buckets)
{
    private readonly Dictionary<string, int> rows = words.Select((word, row) => (word, row)).ToDictionary(pair => pair.word, pair => pair.row, StringComparer.Ordinal);

    public IReadOnlyList<string> Words => words;

    public IReadOnlyDictionary<string, int> Irregular => irregular;

    public int Buckets => buckets;

    public int Rows => words.Count + buckets;

    /// <summary>Replaces the content of <paramref name="parts"/>, which is never empty after; gives the number of words.</summary>
    public int Read(ReadOnlySpan<char> text, List<WordPart> parts)
    {
        parts.Clear();
        var reading = new Reading(this, parts, []);
        WordTokens.Each(text, reading, static (word, to) => to.Add(word));
        // Without a letter or digit the text itself is all there is to tell it by.
        if (reading.Count == 0)
            reading.Add(text[..Math.Min(text.Length, 16)]);
        return reading.Count;
    }

    private sealed class Reading(WordVocabulary vocabulary, List<WordPart> parts, List<int> grams)
    {
        public int Count { get; private set; }

        public void Add(ReadOnlySpan<char> word)
        {
            Count++;
            var before = parts.Count;
            var lookup = vocabulary.rows.GetAlternateLookup<ReadOnlySpan<char>>();
            if (lookup.TryGetValue(word, out var row))
                parts.Add(new WordPart(row, 1));
            if (vocabulary.FormOf(word.ToString()) is { } stem && (parts.Count == before || stem != row))
                parts.Add(new WordPart(stem, 1));
            if (parts.Count > before)
                return;
            WordTokens.Grams(word, vocabulary.Buckets, grams);
            foreach (var gram in grams)
                parts.Add(new WordPart(vocabulary.Words.Count + gram, 1f / grams.Count));
        }
    }

    private int? FormOf(string word)
    {
        if (irregular.TryGetValue(word, out var known))
            return known;
        foreach (var stem in WordTokens.Stems(word))
        {
            if (rows.TryGetValue(stem, out var row))
                return row;
        }
        return null;
    }
}
