using System.Diagnostics;
using System.Globalization;
using Miosa.EmbedTrainer;
using Miosa.Server.Models;

// train WORDNET OUT [EPOCHS]: makes the model from the files of Debian's package wordnet-base.
// check MODEL SIMILARITY:     says how well a model orders the judged pairs, and how fast it is.
const int Dimensions = 96;
const int MostWords = 34_000;
const int Buckets = 10_000;
const int Rare = 3;
const int Seed = 7;

switch (args)
{
    case ["train", var wordnet, var output, .. var more]:
        Train(wordnet, output, more.Length > 0 ? int.Parse(more[0], CultureInfo.InvariantCulture) : 10);
        return 0;
    case ["check", var model, var similarity, ..]:
        Check(model, similarity, isWordy: args.Length > 3);
        return 0;
    default:
        Console.Error.WriteLine("usage: train WORDNET-FOLDER OUTPUT [EPOCHS] | check MODEL SIMILARITY.tsv [all]");
        return 2;
}

static void Train(string wordnet, string output, int epochs)
{
    var pairs = WordNetPairs.Read(wordnet);
    var counts = new Dictionary<string, int>(StringComparer.Ordinal);
    var total = 0;
    foreach (var pair in pairs)
    {
        Count(pair.Left);
        Count(pair.Right);
    }
    var words = counts.Where(word => word.Value >= Rare && word.Key.Length <= 40).OrderByDescending(word => word.Value).ThenBy(word => word.Key, StringComparer.Ordinal).Take(MostWords).ToList();
    var rows = words.Select((word, row) => (word.Key, row)).ToDictionary(pair => pair.Key, pair => pair.row, StringComparer.Ordinal);
    var irregular = new Dictionary<string, int>(StringComparer.Ordinal);
    foreach (var (form, of) in WordNetPairs.Irregular(wordnet))
    {
        if (rows.TryGetValue(of, out var row))
            irregular.TryAdd(form, row);
    }
    var vocabulary = new WordVocabulary([.. words.Select(word => word.Key)], irregular, Buckets);
    Console.WriteLine($"{pairs.Count} pairs, {words.Count} words of {counts.Count}, {irregular.Count} irregular forms");
    var training = new Training(vocabulary, pairs, [.. words.Select(word => (float)word.Value / total)], Dimensions, Seed);
    var table = training.Run(epochs, Console.WriteLine);
    File.WriteAllBytes(output, WordVectors.Save(vocabulary, Dimensions, table));
    Console.WriteLine($"{output}: {new FileInfo(output).Length} bytes");

    void Count(string text) => WordTokens.Each(text, counts, (word, all) =>
    {
        System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(all, word.ToString(), out _)++;
        total++;
    });
}

static void Check(string file, string similarity, bool isWordy)
{
    var model = WordVectors.Load(File.ReadAllBytes(file));
    var pairs = Quality.Read(similarity);
    foreach (var pair in isWordy ? pairs : [])
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{pair.Score:F1} {Quality.Cosine(model, pair.Left, pair.Right):F3}  {pair.Left} | {pair.Right}"));
    var quality = Quality.Of(model, pairs);
    Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture, $"{pairs.Count} pairs: rank correlation {quality.Spearman:F3}, separation {quality.Separation:F3}, mean of near pairs {quality.MeanNear:F3}, of far pairs {quality.MeanFar:F3}"));
    const int Texts = 20_000;
    const string Text = "The quick brown fox jumps over the lazy dog and runs away";
    for (var i = 0; i < Texts; i++)
        model.Embed(Text);
    var clock = Stopwatch.StartNew();
    for (var i = 0; i < Texts; i++)
        model.Embed(Text);
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{clock.Elapsed.TotalMicroseconds / Texts:F2} µs for a text of 12 words"));
}
