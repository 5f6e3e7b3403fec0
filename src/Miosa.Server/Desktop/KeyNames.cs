using System.Text;
using Miosa.Guest;

namespace Miosa.Server.Desktop;

/// <summary>
/// The contract's vocabulary of keys (DesktopKeyName): <c>ctrl+c</c> becomes the names that the guest presses. A name that is not listed here is passed on:
/// it may be any other keysym of X11, which the guest knows.
/// </summary>
internal static class KeyNames
{
    private const int MaxLength = 64;
    private const int NearEnough = 2;

    private static readonly (string Name, string[] Aliases)[] Table =
    [
        ("ctrl", ["control", "Control_L", "Control_R"]), ("shift", ["Shift_L", "Shift_R"]), ("alt", ["Alt_L", "Alt_R", "option"]),
        ("super", ["win", "windows", "meta", "cmd", "command", "Super_L"]),
        ("Return", ["Enter", "KP_Enter"]), ("Escape", ["esc"]), ("Tab", []), ("BackSpace", []), ("Delete", ["del"]), ("Insert", ["ins"]), ("space", []),
        ("Up", ["ArrowUp"]), ("Down", ["ArrowDown"]), ("Left", ["ArrowLeft"]), ("Right", ["ArrowRight"]), ("Home", []), ("End", []),
        ("Page_Up", ["PageUp", "Prior"]), ("Page_Down", ["PageDown", "Next"]), ("Caps_Lock", ["CapsLock"]), ("Print", ["PrintScreen"]), ("Menu", []), ("plus", []),
        .. Enumerable.Range(1, 12).Select(number => ($"F{number}", Array.Empty<string>())),
    ];

    private static readonly Dictionary<string, string> Known = Table
        .SelectMany(entry => entry.Aliases.Append(entry.Name).Select(spelling => (spelling, entry.Name)))
        .ToDictionary(pair => pair.spelling, pair => pair.Name, StringComparer.OrdinalIgnoreCase);

    /// <summary>The keys of one text, in press order; a fault is told in words that go behind the field's name.</summary>
    public static (IReadOnlyList<string> Keys, string? Fault) Split(string text)
    {
        if (text.Length > MaxLength * DesktopLimits.MaxKeys)
            return ([], $"must be at most {MaxLength * DesktopLimits.MaxKeys} characters, got {text.Length}");
        if (text == "+")
            return (["plus"], null);
        // "ctrl++" can only mean the plus sign, whose name is plus.
        if (text.EndsWith("++", StringComparison.Ordinal))
            text = text[..^1] + "plus";
        var keys = new List<string>();
        foreach (var part in text.Split('+'))
        {
            var (key, fault) = One(part, text);
            if (fault is not null)
                return ([], fault);
            keys.Add(key);
        }
        return keys.Count <= DesktopLimits.MaxKeys ? (keys, null) : ([], $"must name at most {DesktopLimits.MaxKeys} keys, got {keys.Count}");
    }

    /// <summary>The names that look like this one, for a refusal.</summary>
    public static string Suggest(string key)
    {
        var near = Known.Keys.Select(name => (Name: name, Distance: Distance(name.ToLowerInvariant(), key.ToLowerInvariant())))
            .Where(candidate => candidate.Distance <= Math.Min(NearEnough, Math.Max(1, key.Length / 2)))
            .OrderBy(candidate => candidate.Distance).ThenBy(candidate => candidate.Name, StringComparer.Ordinal)
            .Select(candidate => candidate.Name).Take(3).ToList();
        return near.Count == 0
            ? "use a single character, ctrl, shift, alt, super, Return, Escape, Tab, BackSpace, Delete, Insert, space, Up, Down, Left, Right, Home, End, Page_Up, Page_Down, F1 to F12, or the name of an X11 keysym"
            : "did you mean " + string.Join(" or ", near) + "?";
    }

    /// <summary>Those of the keys that this table does not have and that are no single character: what a guest can mean when it knows one of them not.</summary>
    public static IReadOnlyList<string> Strangers(IEnumerable<string> keys) => [.. keys.Where(key => !IsCharacter(key) && !Known.ContainsKey(key))];

    private static (string Key, string? Fault) One(string part, string whole)
    {
        // A single character is taken as it is, a space among them.
        if (!IsCharacter(part))
            part = part.Trim();
        if (part.Length == 0)
            return ("", $"has an empty key in \"{Shown(whole)}\": the plus sign itself is written plus");
        if (part.Length > MaxLength || part.Any(c => char.IsControl(c) || char.IsSurrogate(c) && part.Length > 2))
            return ("", $"has \"{Shown(part)}\", which is no key: {Suggest(part.Length > MaxLength ? "" : part)}");
        return (Known.GetValueOrDefault(part) ?? part, null);
    }

    private static bool IsCharacter(string text) => Rune.TryGetRuneAt(text.Length == 0 ? "\ud800" : text, 0, out var rune) && rune.Utf16SequenceLength == text.Length && !Rune.IsControl(rune);

    private static string Shown(string text) => text.Length <= MaxLength ? text : text[..MaxLength] + "…";

    private static int Distance(string one, string other)
    {
        var previous = Enumerable.Range(0, other.Length + 1).ToArray();
        for (var i = 1; i <= one.Length; i++)
        {
            var current = new int[other.Length + 1];
            current[0] = i;
            for (var j = 1; j <= other.Length; j++)
                current[j] = Math.Min(Math.Min(current[j - 1], previous[j]) + 1, previous[j - 1] + (one[i - 1] == other[j - 1] ? 0 : 1));
            previous = current;
        }
        return previous[other.Length];
    }
}
