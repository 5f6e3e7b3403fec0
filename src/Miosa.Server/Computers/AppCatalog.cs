using System.Collections.Frozen;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Miosa.Server.Computers;

/// <summary>
/// The applications that can be asked for when a computer is made, and the Debian packages that they are. What the image has already is not installed
/// again. Applications that Debian does not have are not here: nothing is fetched from anywhere else.
/// </summary>
internal static class AppCatalog
{
    private static readonly FrozenDictionary<string, string[]> Packages = new Dictionary<string, string[]>
    {
        ["audacity"] = ["audacity"],
        ["blender"] = ["blender"],
        ["calculator"] = ["galculator"],
        // The browser whose pages Chrome shows alike; Chrome itself is not in Debian.
        ["chrome"] = ["chromium"],
        ["browser"] = ["chromium"],
        ["chromium"] = ["chromium"],
        ["editor"] = ["mousepad"],
        ["emacs"] = ["emacs-gtk"],
        ["evince"] = ["evince"],
        ["files"] = ["thunar"],
        ["filezilla"] = ["filezilla"],
        ["firefox"] = ["firefox-esr"],
        ["geany"] = ["geany"],
        ["gimp"] = ["gimp"],
        ["git"] = ["git"],
        ["gnumeric"] = ["gnumeric"],
        ["inkscape"] = ["inkscape"],
        ["libreoffice"] = ["libreoffice-calc", "libreoffice-gtk3", "libreoffice-impress", "libreoffice-writer"],
        ["lxterminal"] = ["lxterminal"],
        ["meld"] = ["meld"],
        ["mousepad"] = ["mousepad"],
        ["nodejs"] = ["nodejs", "npm"],
        ["python"] = ["python3", "python3-venv", "python3-pip"],
        ["ristretto"] = ["ristretto"],
        ["terminal"] = ["lxterminal"],
        ["thunar"] = ["thunar"],
        ["thunderbird"] = ["thunderbird"],
        ["vim"] = ["vim-gtk3"],
        ["vlc"] = ["vlc"],
        ["xterm"] = ["xterm"],
    }.ToFrozenDictionary();

    public static IEnumerable<string> Names => Packages.Keys.Order(StringComparer.Ordinal);

    public static IReadOnlyList<string>? PackagesOf(string app) => Packages.GetValueOrDefault(app);

    /// <summary>As a row keeps them; null for none.</summary>
    public static string? Stored(IReadOnlyList<string>? apps) =>
        apps is null or { Count: 0 } ? null : new JsonArray([.. apps.Select(app => (JsonNode)app)]).ToJsonString();

    public static IReadOnlyList<string> Read(string? stored) => stored is null ? [] : JsonSerializer.Deserialize<string[]>(stored) ?? [];

    /// <summary>All of them are still to be looked at; null for none.</summary>
    public static string? Missing(IReadOnlyList<string>? apps) => MissingOf((apps ?? []).ToDictionary(app => app, _ => ""));

    /// <summary>Name and reason; an empty reason is one still to be done.</summary>
    public static IReadOnlyDictionary<string, string> ReadMissing(string? stored) =>
        stored is null ? new Dictionary<string, string>() : JsonSerializer.Deserialize<Dictionary<string, string>>(stored) ?? [];

    public static string? MissingOf(IReadOnlyDictionary<string, string> missing) => missing.Count == 0 ? null : JsonSerializer.Serialize(missing);
}
