using System.Globalization;
using Miosa.Server.Host;

namespace Miosa.Server.ComputerEvents;

/// <summary>What a reader of a computer's events asks for.</summary>
internal sealed record EventWish
{
    public const string Window = "window";
    public const string Clipboard = "clipboard";
    public const string File = "file";
    public const string Process = "process";
    public const string Idle = "idle";

    private const int MaxPaths = 16;
    private const int MaxIdleSec = 86_400;
    private const int DefaultIdleSec = 30;
    private static readonly string[] Known = [Window, Clipboard, File, Process, Idle];

    public required IReadOnlySet<string> Producers { get; init; }

    /// <summary>Empty: the home of the desktop's user, else /workspace.</summary>
    public required IReadOnlyList<string> Paths { get; init; }
    public required int IdleMs { get; init; }

    public bool NeedsDesktop => Producers.Contains(Window) || Producers.Contains(Clipboard) || Producers.Contains(Idle);

    /// <param name="isRequired">Nothing named is a fault.</param>
    public static (EventWish? Wish, Refusal? Refusal) Of(IQueryCollection query, bool isRequired)
    {
        var fields = new Fields([]);
        var producers = Words(query["subscribe"].ToString());
        if (producers.Count == 0 && isRequired)
            fields.Fail("subscribe", $"is required: name some of {string.Join(", ", Known)}, separated by commas");
        if (producers.FirstOrDefault(name => !Known.Contains(name)) is { } unknown)
            fields.Fail("subscribe", $"must name some of {string.Join(", ", Known)}, separated by commas, got \"{(unknown.Length <= 80 ? unknown : unknown[..80])}\"");
        var paths = Words(query["paths"].ToString());
        if (paths.Count > MaxPaths)
            fields.Fail("paths", $"must name at most {MaxPaths} folders, got {paths.Count}");
        if (paths.Any(path => path.Length > 4096 || path.Contains('\0', StringComparison.Ordinal)))
            fields.Fail("paths", "must be folders of at most 4096 characters");
        var idleSec = DefaultIdleSec;
        if (query["idle_threshold_sec"].ToString() is { Length: > 0 } text
            && !(int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out idleSec) && idleSec is >= 1 and <= MaxIdleSec))
            fields.Fail("idle_threshold_sec", $"must be a whole number from 1 to {MaxIdleSec}, got \"{(text.Length <= 80 ? text : text[..80])}\"");
        return fields.Errors() is { } refusal ? (null, refusal) : (new EventWish { Producers = producers.ToHashSet(), Paths = paths, IdleMs = idleSec * 1000 }, null);
    }

    private static List<string> Words(string text) => [.. text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Distinct()];
}
