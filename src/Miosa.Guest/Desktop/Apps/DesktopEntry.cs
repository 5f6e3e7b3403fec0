using System.Text;

namespace Miosa.Guest.Desktop.Apps;

/// <summary>
/// What a .desktop file says of an application (Desktop Entry Specification 1.5); null from <see cref="Parse"/> when it is not for people to
/// start. Anybody in the machine may have written it: everything is cut to a length.
/// </summary>
internal sealed record DesktopEntry
{
    private const int MaxName = 100;
    private const int MaxComment = 200;
    private const int MaxCommand = 1000;
    private const int MaxCategories = 12;

    public required string Id { get; init; }
    public required string Name { get; init; }
    public required string Comment { get; init; }
    public required string Exec { get; init; }
    public required string[] Categories { get; init; }
    public required bool InTerminal { get; init; }
    public required string? Directory { get; init; }

    public static DesktopEntry? Parse(string id, string text)
    {
        var values = new Dictionary<string, string>();
        var isEntry = false;
        foreach (var raw in text.Split('\n'))
        {
            var line = raw.Trim();
            if (line.StartsWith('['))
                isEntry = line == "[Desktop Entry]";
            else if (isEntry && line.IndexOf('=', StringComparison.Ordinal) is > 0 and var equals && line[0] != '#')
                values.TryAdd(line[..equals].TrimEnd(), line[(equals + 1)..].TrimStart());
        }
        if (values.GetValueOrDefault("Type") != "Application" || IsTrue(values, "NoDisplay") || IsTrue(values, "Hidden"))
            return null;
        if (values.GetValueOrDefault("Name") is not { Length: > 0 } name || values.GetValueOrDefault("Exec") is not { Length: > 0 and <= MaxCommand } exec)
            return null;
        var entry = new DesktopEntry
        {
            Id = id,
            Name = Cut(Unescape(name), MaxName),
            Comment = Cut(Unescape(values.GetValueOrDefault("Comment") ?? ""), MaxComment),
            Exec = Unescape(exec),
            Categories = [.. (values.GetValueOrDefault("Categories") ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries).Take(MaxCategories).Select(word => Cut(word, MaxName))],
            InTerminal = IsTrue(values, "Terminal"),
            Directory = values.GetValueOrDefault("Path") is { Length: > 0 } path && path[0] == '/' ? path : null,
        };
        return entry.Words([]) is [] ? null : entry;
    }

    /// <summary>The program and its arguments; <paramref name="files"/> stand where the entry wants files or addresses, else at the end.</summary>
    public List<string> Words(IReadOnlyList<string> files)
    {
        var words = new List<string>();
        var areIn = false;
        foreach (var word in Split(Exec))
        {
            switch (word)
            {
                case "%f" or "%F" or "%u" or "%U":
                    if (!areIn)
                        words.AddRange(files);
                    areIn = true;
                    break;
                case "%i" or "%c" or "%k" or "%d" or "%D" or "%n" or "%N" or "%v" or "%m":
                    break;
                default:
                    words.Add(word.Replace("%%", "%", StringComparison.Ordinal));
                    break;
            }
        }
        if (!areIn)
            words.AddRange(files);
        return words;
    }

    /// <summary>Words of the key Exec: double quotes keep spaces, within them a backslash keeps the next character.</summary>
    private static List<string> Split(string exec)
    {
        var words = new List<string>();
        var word = new StringBuilder();
        var (isQuoted, hasWord) = (false, false);
        for (var i = 0; i < exec.Length; i++)
        {
            var letter = exec[i];
            if (letter == '"')
                (isQuoted, hasWord) = (!isQuoted, true);
            else if (isQuoted && letter == '\\' && i + 1 < exec.Length)
                word.Append(exec[++i]);
            else if (letter != ' ' || isQuoted)
                word.Append(letter);
            if ((letter == ' ' && !isQuoted) || i == exec.Length - 1)
            {
                if (word.Length > 0 || hasWord)
                    words.Add(word.ToString());
                word.Clear();
                hasWord = false;
            }
        }
        return words;
    }

    /// <summary>The escapes that every string value of the file may have.</summary>
    private static string Unescape(string value)
    {
        if (!value.Contains('\\', StringComparison.Ordinal))
            return value;
        var text = new StringBuilder(value.Length);
        for (var i = 0; i < value.Length; i++)
        {
            if (value[i] != '\\' || i + 1 == value.Length)
            {
                text.Append(value[i]);
                continue;
            }
            var letter = value[++i];
            _ = letter switch
            {
                's' => text.Append(' '),
                'n' or 'r' => text.Append('\n'),
                't' => text.Append('\t'),
                '\\' => text.Append('\\'),
                // An escape of Exec's own quoting.
                _ => text.Append('\\').Append(letter),
            };
        }
        return text.ToString();
    }

    private static bool IsTrue(Dictionary<string, string> values, string key) => values.GetValueOrDefault(key) == "true";

    private static string Cut(string text, int most) => text.Length <= most ? text : text[..most];
}
