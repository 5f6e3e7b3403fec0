using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Miosa.Server.Host;

/// <summary>
/// Typed access to a JSON object that collects one complaint per field. Absent and null are the same and give null; a faulty
/// field gives null too, and <see cref="Errors"/> tells all of them at once.
/// </summary>
internal sealed class Fields(JsonObject body)
{
    private readonly JsonObject errors = [];

    public JsonObject Body => body;

    public bool Has(string name) => body[name] is not null;

    /// <summary>True when the field was sent as <c>null</c>: in a PATCH that clears it.</summary>
    public bool IsNull(string name) => body.TryGetPropertyValue(name, out var value) && value is null;

    public void Fail(string name, string message) => errors.TryAdd(name, message);

    /// <summary>422 with one entry per faulty field, or null when all were fine.</summary>
    public Refusal? Errors()
    {
        if (errors.Count == 0)
            return null;
        var (name, message) = errors.First();
        var more = errors.Count == 1 ? "" : $" (and {errors.Count - 1} more)";
        return new Refusal(ErrorCodes.ValidationError, $"{name} {message}{more}", errors);
    }

    public string? Text(string name, int maxLength = 255, Regex? pattern = null, string? patternSays = null, bool allowEmpty = false)
    {
        if (body[name] is not { } node)
            return null;
        if (TextOf(node) is not { } text)
            return Fail<string>(name, $"must be a string, got {Show(node)}");
        if (text.Length == 0 && !allowEmpty)
            return Fail<string>(name, "must not be empty");
        if (text.Length > maxLength)
            return Fail<string>(name, $"must be at most {maxLength} characters, got {text.Length}");
        if (text.Contains('\0'))
            return Fail<string>(name, "must not contain a NUL character");
        if (pattern is not null && !pattern.IsMatch(text))
            return Fail<string>(name, $"{patternSays ?? $"must match {pattern}"}, got \"{Cut(text)}\"");
        return text;
    }

    /// <summary>A customer's own name for something, kept as it is: any text, but nothing that would break a line of a log or a header.</summary>
    public string? ExternalId(string name)
    {
        if (Text(name) is not { } text)
            return null;
        return text.Any(char.IsControl) ? Fail<string>(name, "must not contain control characters") : text;
    }

    public int? Int(string name, int min, int max)
    {
        if (body[name] is not { } node)
            return null;
        if (node.GetValueKind() != JsonValueKind.Number)
        {
            var fix = TextOf(node) is { } text && long.TryParse(text, out _) ? ": send it without quotes" : "";
            return FailValue<int>(name, $"must be a whole number from {min} to {max}, got {Show(node)}{fix}");
        }
        // 60.0 is a whole number for JavaScript and Python, which do not tell it from 60.
        var number = node.AsValue().GetValue<JsonElement>().GetDouble();
        if (number != Math.Floor(number) || number < min || number > max)
            return FailValue<int>(name, $"must be a whole number from {min} to {max}, got {Show(node)}");
        return (int)number;
    }

    public double? Number(string name, double min, double max)
    {
        if (body[name] is not { } node)
            return null;
        if (node.GetValueKind() != JsonValueKind.Number)
            return FailValue<double>(name, $"must be a number from {min} to {max}, got {Show(node)}");
        var number = node.AsValue().GetValue<JsonElement>().GetDouble();
        return number >= min && number <= max ? number : FailValue<double>(name, $"must be a number from {min} to {max}, got {Show(node)}");
    }

    public bool? Bool(string name) => body[name] is not { } node ? null : node.GetValueKind() switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => FailValue<bool>(name, $"must be true or false, got {Show(node)}"),
    };

    /// <summary>An RFC 3339 time; one without an offset is UTC.</summary>
    public DateTimeOffset? Time(string name)
    {
        if (Text(name, maxLength: 64) is not { } text)
            return null;
        // The parser also takes forms in which day and month could be meant either way.
        return text.Length >= 10 && char.IsAsciiDigit(text[3]) && text[4] == '-'
            && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time)
            ? time
            : FailValue<DateTimeOffset>(name, $"must be a time such as 2026-12-31T00:00:00Z, got \"{Cut(text)}\"");
    }

    public JsonObject? Object(string name) => body[name] switch
    {
        null => null,
        JsonObject value => value,
        { } other => Fail<JsonObject>(name, $"must be an object, got {Show(other)}"),
    };

    public JsonArray? List(string name) => body[name] switch
    {
        null => null,
        JsonArray value => value,
        { } other => Fail<JsonArray>(name, $"must be a list, got {Show(other)}"),
    };

    public IReadOnlyList<string>? TextList(string name, int maxItems = 100, int maxLength = 255)
    {
        if (List(name) is not { } items)
            return null;
        if (items.Count > maxItems)
            return Fail<IReadOnlyList<string>>(name, $"must have at most {maxItems} items, got {items.Count}");
        var texts = new List<string>(items.Count);
        foreach (var item in items)
        {
            if (item is null || TextOf(item) is not { } text)
                return Fail<IReadOnlyList<string>>(name, $"must hold only strings, got {Show(item)} at position {texts.Count}");
            if (text.Length > maxLength)
                return Fail<IReadOnlyList<string>>(name, $"must hold strings of at most {maxLength} characters, got {text.Length} at position {texts.Count}");
            texts.Add(text);
        }
        return texts;
    }

    public IReadOnlyDictionary<string, string>? TextMap(string name, Regex? keyPattern = null, int maxItems = 1000, int maxLength = 65536)
    {
        if (Object(name) is not { } map)
            return null;
        if (map.Count > maxItems)
            return Fail<IReadOnlyDictionary<string, string>>(name, $"must have at most {maxItems} entries, got {map.Count}");
        var texts = new Dictionary<string, string>(map.Count);
        foreach (var (key, node) in map)
        {
            if (keyPattern is not null && !keyPattern.IsMatch(key))
                return Fail<IReadOnlyDictionary<string, string>>(name, $"has the key \"{Cut(key)}\", which is not a valid name");
            if (node is null || TextOf(node) is not { } text)
                return Fail<IReadOnlyDictionary<string, string>>(name, $"must hold only strings, got {Show(node)} under \"{Cut(key)}\"");
            if (text.Length > maxLength || text.Contains('\0'))
                return Fail<IReadOnlyDictionary<string, string>>(name, $"has a value under \"{Cut(key)}\" that is too long or has a NUL character");
            texts[key] = text;
        }
        return texts;
    }

    private static string? TextOf(JsonNode node)
    {
        if (node.GetValueKind() != JsonValueKind.String)
            return null;
        try
        {
            return node.GetValue<string>();
        }
        catch (InvalidOperationException)
        {
            // An escaped lone surrogate: JSON allows it, UTF-8 cannot carry it.
            return null;
        }
    }

    private static string Show(JsonNode? node)
    {
        try
        {
            return Cut(node?.ToJsonString() ?? "null");
        }
        catch (InvalidOperationException)
        {
            return "text that is not valid Unicode";
        }
    }

    private static string Cut(string text) => text.Length <= 80 ? text : text[..80] + "…";

    private T? Fail<T>(string name, string message)
        where T : class
    {
        Fail(name, message);
        return null;
    }

    private T? FailValue<T>(string name, string message)
        where T : struct
    {
        Fail(name, message);
        return null;
    }
}
