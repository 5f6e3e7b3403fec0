using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Miosa.Server.Templates;

/// <summary>A Dockerfile as steps, or what is wrong with it: every fault names its line, and nothing of a faulty file runs.</summary>
internal sealed partial class Dockerfile
{
    private const int MaxText = 128 * 1024;
    private const int MaxInstructions = 200;
    private const int MaxInstruction = 32 * 1024;
    private const int MaxSources = 100;
    private const int MaxWords = 256;

    private static readonly string[] Known = ["FROM", "RUN", "COPY", "ADD", "ENV", "ARG", "WORKDIR", "USER", "CMD", "ENTRYPOINT", "EXPOSE", "LABEL"];

    private readonly List<BuildStep> steps = [];
    private readonly List<string> faults = [];
    private readonly Dictionary<string, string> globals = [];
    private readonly IReadOnlyDictionary<string, string> args;
    private readonly BuildContext context;
    private int instructions;

    private Dockerfile(IReadOnlyDictionary<string, string> args, BuildContext context) => (this.args, this.context) = (args, context);

    public string? From { get; private set; }

    public IReadOnlyList<BuildStep> Steps => steps;

    public IReadOnlyList<string> Faults => faults;

    public static Dockerfile Read(string text, IReadOnlyDictionary<string, string> args, BuildContext context)
    {
        var file = new Dockerfile(args, context);
        if (text.Length > MaxText)
            file.faults.Add($"is longer than {MaxText} characters");
        else
            file.Take(text.ReplaceLineEndings("\n").Split('\n'));
        if (file.From is null && file.faults.Count == 0)
            file.faults.Add("has no FROM: it must begin with one");
        return file;
    }

    private void Take(string[] lines)
    {
        for (var at = 0; at < lines.Length; at++)
        {
            if (IsNothing(lines[at]))
                continue;
            var number = at + 1;
            var text = new StringBuilder();
            while (true)
            {
                var line = lines[at].TrimEnd();
                var goesOn = line.EndsWith('\\');
                text.Append(goesOn ? line[..^1] : line);
                if (!goesOn)
                    break;
                // Comments and empty lines between the lines of one instruction are not part of it.
                do
                    at++;
                while (at < lines.Length && IsNothing(lines[at]));
                if (at >= lines.Length)
                    break;
            }
            var instruction = text.ToString().Trim();
            string? document = null;
            if (Heredoc().Match(instruction) is { Success: true } heredoc && Verb(instruction) is "RUN" or "COPY" or "ADD")
            {
                var body = new StringBuilder();
                var isTabbed = heredoc.Groups["tabs"].Length > 0;
                for (at++; at < lines.Length && (isTabbed ? lines[at].TrimStart('\t') : lines[at]) != heredoc.Groups["end"].Value; at++)
                    body.Append(isTabbed ? lines[at].TrimStart('\t') : lines[at]).Append('\n');
                if (at >= lines.Length)
                {
                    faults.Add($"line {number}: the text after <<{heredoc.Groups["end"].Value} has no end");
                    return;
                }
                document = body.ToString();
            }
            if (++instructions > MaxInstructions)
            {
                faults.Add($"line {number}: has more than {MaxInstructions} instructions");
                return;
            }
            try
            {
                if (instruction.Length + (document?.Length ?? 0) > MaxInstruction)
                    throw new FormatException($"is longer than {MaxInstruction} characters: put it into a file of the context");
                Take(instruction, document);
            }
            catch (FormatException e)
            {
                faults.Add($"line {number}: {Verb(instruction)} {e.Message}");
            }
        }
    }

    private void Take(string instruction, string? document)
    {
        var verb = Verb(instruction);
        var rest = instruction[verb.Length..].Trim();
        if (!Known.Contains(verb))
            throw new FormatException($"is not supported: use only {string.Join(", ", Known)}");
        if (rest.Length == 0)
            throw new FormatException("has nothing behind it");
        if (From is null && verb is not ("FROM" or "ARG"))
            throw new FormatException("stands before FROM");
        var says = instruction.Length > 200 ? instruction[..200] + "…" : instruction;
        switch (verb)
        {
            case "FROM":
                TakeFrom(rest);
                break;
            case "RUN":
                TakeRun(says, rest, document);
                break;
            case "COPY" or "ADD":
                TakeCopy(says, verb, rest, document);
                break;
            case "ENV":
                steps.Add(new EnvStep(says, Pairs(rest)));
                break;
            case "ARG":
                TakeArg(says, rest);
                break;
            case "WORKDIR":
                steps.Add(new WorkdirStep(says, Checked(rest)));
                break;
            case "USER":
                steps.Add(new UserStep(says, Checked(rest)));
                break;
            case "CMD":
                steps.Add(new CmdStep(says, Json(rest) ?? ["/bin/sh", "-c", rest]));
                break;
            case "ENTRYPOINT":
                steps.Add(new EntrypointStep(says, Json(rest) ?? ["/bin/sh", "-c", rest]));
                break;
            case "EXPOSE":
                steps.Add(new ExposeStep(says, [.. DockerWords.Split(rest).Select(Checked)]));
                break;
            default:
                // LABEL: kept nowhere, but a faulty one is told.
                Pairs(rest);
                break;
        }
    }

    private void TakeFrom(string rest)
    {
        if (From is not null)
            throw new FormatException("stands here a second time: builds of several stages are not supported");
        var words = DockerWords.Split(rest);
        if (words is [['-', '-', ..], ..])
            throw new FormatException($"does not take {words[0].Split('=')[0]} here: images are linux/amd64");
        if (words.Count is not 1 && !(words.Count is 3 && words[1].Equals("AS", StringComparison.OrdinalIgnoreCase)))
            throw new FormatException("must be followed by one image");
        var image = DockerWords.Expand(words[0], name => globals.GetValueOrDefault(name));
        From = image is "scratch" or "" ? throw new FormatException($"\"{image}\" is no image that anything could be built in") : image;
    }

    private void TakeRun(string says, string rest, string? document)
    {
        if (rest.StartsWith("--", StringComparison.Ordinal))
            throw new FormatException($"does not take {rest.Split('=', ' ')[0]} here");
        if (document is not null)
        {
            if (document.StartsWith("#!", StringComparison.Ordinal))
                throw new FormatException("with a text of its own runs it by sh: leave out the line with #!");
            if (!rest.StartsWith("<<", StringComparison.Ordinal) || DockerWords.Split(rest).Count != 1)
                throw new FormatException("takes either a command or one text, not both");
            steps.Add(new RunStep(says, document));
        }
        else if (Json(rest) is { } argv)
        {
            steps.Add(new RunStep(says, null, argv));
        }
        else
        {
            steps.Add(new RunStep(says, rest));
        }
    }

    private void TakeCopy(string says, string verb, string rest, string? document)
    {
        RecipeText? owner = null;
        int? mode = null;
        while (rest.StartsWith("--", StringComparison.Ordinal))
        {
            var flag = rest.Split(' ', '\t')[0];
            rest = rest[flag.Length..].Trim();
            if (flag.StartsWith("--chown=", StringComparison.Ordinal))
                owner = Checked(flag["--chown=".Length..]);
            else if (flag.StartsWith("--chmod=", StringComparison.Ordinal))
                mode = ModeOf(flag["--chmod=".Length..]) ?? throw new FormatException("takes --chmod as an octal number only");
            else if (flag != "--link")
                throw new FormatException($"does not take {flag.Split('=')[0]} here");
        }
        var words = Json(rest)?.Select(word => new RecipeText(word, IsLiteral: true)).ToList() ?? [.. DockerWords.Split(rest).Select(Checked)];
        if (words.Count > MaxSources)
            throw new FormatException($"takes at most {MaxSources} sources");
        if (words.Count < 2)
            throw new FormatException("needs a source and a target");
        if (document is not null)
        {
            if (words.Count != 2 || !words[0].Raw.StartsWith("<<", StringComparison.Ordinal))
                throw new FormatException("takes one text and one target");
            steps.Add(new CopyStep(says, [], words[1]) { Owner = owner, Mode = mode, Inline = document });
            return;
        }
        foreach (var source in words[..^1])
        {
            if (source.Raw.Contains("://", StringComparison.Ordinal))
                throw new FormatException("does not fetch addresses: use RUN with curl or wget");
            if (verb == "ADD" && Archive().IsMatch(source.Raw))
                throw new FormatException("does not unpack archives: use COPY, and RUN tar");
            // One with a variable is known only when the build comes to it.
            if ((source.IsLiteral || !source.Raw.Contains('$', StringComparison.Ordinal)) && !context.Matching(source.Value(_ => null)).Any())
                throw new FormatException($"names \"{source.Raw}\", which is not in the context");
        }
        steps.Add(new CopyStep(says, words[..^1], words[^1]) { Owner = owner, Mode = mode });
    }

    private void TakeArg(string says, string rest)
    {
        var split = rest.Split('=', 2);
        if (!Variable().IsMatch(split[0]))
            throw new FormatException($"\"{split[0]}\" is not a name");
        RecipeText? standard = split.Length == 2 ? Checked(split[1]) : null;
        if (From is null)
            globals[split[0]] = args.GetValueOrDefault(split[0]) ?? standard?.Value(name => globals.GetValueOrDefault(name)) ?? "";
        else if (standard is null && globals.TryGetValue(split[0], out var global))
            steps.Add(new ArgStep(says, split[0], new RecipeText(global, IsLiteral: true)));
        else
            steps.Add(new ArgStep(says, split[0], standard));
    }

    /// <summary><c>a=1 b="2 3"</c>, or the old form <c>a 1</c> with the rest of the line as the value.</summary>
    private static List<(string Name, RecipeText Value)> Pairs(string rest)
    {
        var words = DockerWords.Split(rest);
        if (!words[0].Contains('=', StringComparison.Ordinal))
        {
            if (words.Count < 2)
                throw new FormatException($"needs a value for \"{words[0]}\"");
            words = [words[0] + "=" + rest[words[0].Length..].Trim()];
        }
        var pairs = new List<(string, RecipeText)>();
        foreach (var word in words)
        {
            var at = word.IndexOf('=');
            if (at < 1)
                throw new FormatException($"has \"{word}\", which is not name=value");
            pairs.Add((DockerWords.Expand(word[..at], _ => null), Checked(word[(at + 1)..])));
        }
        return pairs;
    }

    /// <summary>What can be wrong with quotes and braces is told before anything runs.</summary>
    private static RecipeText Checked(string raw)
    {
        DockerWords.Expand(raw, _ => "x");
        return raw.Contains('\0', StringComparison.Ordinal) ? throw new FormatException("has a NUL character") : new RecipeText(raw, IsLiteral: false);
    }

    private static List<string>? Json(string rest)
    {
        if (rest[0] != '[')
            return null;
        try
        {
            var words = JsonSerializer.Deserialize<List<string>>(rest);
            return words is { Count: > 0 and <= MaxWords } && words.All(word => word is not null && !word.Contains('\0', StringComparison.Ordinal)) ? words : throw new FormatException($"has an empty list, null in it, or more than {MaxWords} words");
        }
        catch (JsonException)
        {
            // What is no list of strings is a shell text: that is how Docker reads it.
            return null;
        }
    }

    private static int? ModeOf(string text) => OctalMode().IsMatch(text) ? Convert.ToInt32(text, 8) : null;

    private static string Verb(string instruction) => instruction.Split(' ', '\t')[0].ToUpperInvariant();

    private static bool IsNothing(string line) => line.TrimStart() is "" or ['#', ..];

    [GeneratedRegex("<<(?<tabs>-?)(?<quote>['\"]?)(?<end>[A-Za-z_][A-Za-z0-9_]*)\\k<quote>")]
    private static partial Regex Heredoc();

    [GeneratedRegex(@"\.(tar|tar\.(gz|bz2|xz|zst)|tgz|tbz2|txz)$")]
    private static partial Regex Archive();

    [GeneratedRegex(@"\A[A-Za-z_][A-Za-z0-9_]*\z")]
    private static partial Regex Variable();

    [GeneratedRegex(@"\A[0-7]{3,4}\z")]
    private static partial Regex OctalMode();
}
