using System.Collections.Frozen;

namespace Miosa.Server.Keys;

/// <summary>What follows from scopes: writing includes reading, everything includes everything.</summary>
internal static class ScopeSet
{
    private const string Read = ":read";
    private const string Write = ":write";

    private static readonly FrozenSet<string> Everything = Scopes.Known.ToFrozenSet();

    /// <summary>All that a key with these scopes may do.</summary>
    public static IReadOnlySet<string> Of(IEnumerable<string> given)
    {
        var all = given.ToHashSet();
        if (all.Contains(Scopes.All) || all.Contains(Scopes.Admin))
            return Everything;
        foreach (var scope in all.Where(s => s.EndsWith(Write, StringComparison.Ordinal)).ToList())
            all.Add(string.Concat(scope.AsSpan(0, scope.Length - Write.Length), Read));
        if (all.Contains(Scopes.SandboxesWrite))
            all.UnionWith([Scopes.SandboxesCreate, Scopes.SandboxesExec]);
        return all;
    }
}
