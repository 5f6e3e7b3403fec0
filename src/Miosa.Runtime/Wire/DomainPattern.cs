namespace Miosa.Runtime.Wire;

// The server compiles this same file, so it may use nothing else of the runtime.

/// <summary>A listed domain: a name, or <c>*.name</c> for everything below it (and not the name itself).</summary>
internal static class DomainPattern
{
    /// <summary>The pattern in lower case without a trailing dot, or null when it is none.</summary>
    public static string? Normalize(string text)
    {
        var pattern = (text.EndsWith('.') ? text[..^1] : text).ToLowerInvariant();
        var name = pattern.StartsWith("*.", StringComparison.Ordinal) ? pattern[2..] : pattern;
        if (name.Length is 0 or > 253) return null;
        var labels = name.Split('.');
        // A name of digits and dots alone is an address, which belongs among the ranges.
        return labels.All(IsLabel) && !labels[^1].All(char.IsAsciiDigit) ? pattern : null;
    }

    public static bool Matches(string pattern, string name) =>
        pattern.StartsWith("*.", StringComparison.Ordinal)
            ? name.Length > pattern.Length - 1 && name.EndsWith(pattern[1..], StringComparison.Ordinal)
            : name == pattern;

    private static bool IsLabel(string label) =>
        label.Length is > 0 and <= 63 && label[0] != '-' && label[^1] != '-' && label.All(c => c is (>= 'a' and <= 'z') or (>= '0' and <= '9') or '-' or '_');
}
