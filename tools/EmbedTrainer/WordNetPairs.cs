using System.Globalization;

namespace Miosa.EmbedTrainer;

/// <summary>Two texts that mean the same or nearly so. Pairs of one group are never each other's counter-example.</summary>
internal readonly record struct TextPair(string Left, string Right, int Group);

/// <summary>What WordNet says belongs together: a word and its definition, synonyms, an example and the sense it is of, a sense and what it is a kind of.</summary>
internal static class WordNetPairs
{
    private static readonly string[] Parts = ["noun", "verb", "adj", "adv"];

    /// <summary>Hypernym, instance of, similar to, derivationally related, entailment, cause, pertainym, part of.</summary>
    private static readonly HashSet<string> Related = ["@", "@i", "&", "+", "*", ">", "\\", "%p"];

    private sealed record Sense(int Group, string[] Words, string Definition, string[] Examples, string[] Relatives);

    public static List<TextPair> Read(string folder)
    {
        var senses = new Dictionary<string, Sense>(StringComparer.Ordinal);
        foreach (var part in Parts)
        {
            foreach (var line in File.ReadLines(Path.Combine(folder, "data." + part)).Where(line => line.Length > 0 && line[0] != ' '))
            {
                var (id, sense) = Parse(line, senses.Count);
                senses.Add(id, sense);
            }
        }
        var pairs = new List<TextPair>(600_000);
        foreach (var sense in senses.Values)
        {
            foreach (var word in sense.Words)
                pairs.Add(new TextPair(word, sense.Definition, sense.Group));
            for (var i = 1; i < sense.Words.Length; i++)
                pairs.Add(new TextPair(sense.Words[i - 1], sense.Words[i], sense.Group));
            var told = $"{string.Join(' ', sense.Words)} {sense.Definition}";
            foreach (var example in sense.Examples)
            {
                pairs.Add(new TextPair(example, sense.Definition, sense.Group));
                pairs.Add(new TextPair(example, told, sense.Group));
            }
            foreach (var relative in sense.Relatives.Select(senses.GetValueOrDefault).OfType<Sense>())
            {
                pairs.Add(new TextPair(told, $"{string.Join(' ', relative.Words)} {relative.Definition}", sense.Group));
                pairs.Add(new TextPair(sense.Words[0], relative.Words[0], sense.Group));
            }
        }
        return pairs;
    }

    /// <summary>Forms that no ending tells, such as <c>mice mouse</c>, one word each.</summary>
    public static IEnumerable<(string Form, string Of)> Irregular(string folder) =>
        from part in Parts
        from line in File.ReadLines(Path.Combine(folder, part + ".exc"))
        let words = line.Split(' ')
        where words.Length == 2 && !line.Contains('_', StringComparison.Ordinal) && words[0] != words[1]
        select (words[0], words[1]);

    // offset lexfile type count(hex) {word lexid}… pointers {symbol offset part source}… [frames] | gloss
    private static (string Id, Sense Sense) Parse(string line, int group)
    {
        var bar = line.IndexOf(" | ", StringComparison.Ordinal);
        var fields = line[..bar].Split(' ');
        var wordCount = int.Parse(fields[3], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        var words = Enumerable.Range(0, wordCount).Select(i => Plain(fields[4 + (2 * i)])).ToArray();
        var at = 4 + (2 * wordCount);
        var pointers = int.Parse(fields[at++], CultureInfo.InvariantCulture);
        var relatives = Enumerable.Range(0, pointers).Select(i => at + (4 * i)).Where(i => Related.Contains(fields[i])).Select(i => fields[i + 2] + fields[i + 1]).ToArray();
        var gloss = line[(bar + 3)..].Trim();
        var quoted = gloss.IndexOf('"', StringComparison.Ordinal);
        var definition = (quoted < 0 ? gloss : gloss[..quoted]).Trim(' ', ';');
        var examples = quoted < 0 ? [] : gloss[quoted..].Split('"').Where((_, i) => i % 2 == 1).Where(example => example.Contains(' ', StringComparison.Ordinal)).ToArray();
        return (PartOf(fields[2]) + fields[0], new Sense(group, words, definition.Length > 0 ? definition : string.Join(' ', words), examples, [.. relatives.Select(r => PartOf(r[..1]) + r[1..])]));
    }

    // A satellite adjective lies in the same file as the others.
    private static string PartOf(string part) => part == "s" ? "a" : part;

    private static string Plain(string word)
    {
        var marker = word.IndexOf('(', StringComparison.Ordinal);
        return (marker < 0 ? word : word[..marker]).Replace('_', ' ');
    }
}
