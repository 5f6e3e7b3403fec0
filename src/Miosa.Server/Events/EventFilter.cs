using System.IO.Enumeration;

namespace Miosa.Server.Events;

/// <summary>
/// Which events somebody wants, by names and globs; nothing named is all. Some events have a second name: who asks for it gets them under it,
/// who asks by a glob gets them once, under the first.
/// </summary>
internal sealed class EventFilter
{
    private readonly string[] wanted;

    public EventFilter(IReadOnlyList<string> wanted) => this.wanted = [.. wanted];

    /// <summary>Names separated by commas, as addresses have them.</summary>
    public static EventFilter Parse(string types) => new(types.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));

    /// <summary>The name under which an event is told; null when it is not wanted.</summary>
    public string? NameFor(string type)
    {
        if (wanted.Length == 0)
            return type;
        string? other = null;
        foreach (var name in wanted)
        {
            if (name == type || FileSystemName.MatchesSimpleExpression(name, type, ignoreCase: false))
                return type;
            if (EventNames.Aliases.TryGetValue(name, out var meant) && meant == type)
                other ??= name;
        }
        return other;
    }
}
