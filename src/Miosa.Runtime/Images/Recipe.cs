using System.Text.Json;
using System.Text.Json.Serialization;
using Miosa.Runtime.Host;

namespace Miosa.Runtime.Images;

/// <summary>
/// What an image is made of: <c>recipe.json</c> in a folder of its own. With <see cref="Packages"/> it is a Debian system,
/// without it the busybox of the host (small and quick, for tests).
/// </summary>
/// <remarks>Setters, not <c>init</c>: generated JSON code sets absent <c>init</c> properties to null over their defaults.</remarks>
internal sealed record Recipe
{
    public string Description { get; set; } = "";

    /// <summary>The Debian release.</summary>
    public string Suite { get; set; } = "bookworm";
    public IReadOnlyList<string> Packages { get; set; } = [];

    /// <summary>npm packages (<c>name@version</c>, exact) unpacked under /usr/local/lib/node_modules.</summary>
    public IReadOnlyList<string> Npm { get; set; } = [];

    /// <summary>A shell script of the recipe's folder, run as root inside the new system.</summary>
    public string? Setup { get; set; }
    public IReadOnlyDictionary<string, string> Env { get; set; } = new Dictionary<string, string>();
    public string? Workdir { get; set; }
    public string? User { get; set; }
    public IReadOnlyList<string> Cmd { get; set; } = [];

    public static Recipe Read(string folder)
    {
        var file = Path.Combine(folder, "recipe.json");
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(file), RecipeJson.Default.Recipe) ?? throw new JsonException("empty");
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new CommandFailure($"cannot read the recipe {file}: {e.Message}", e);
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    ReadCommentHandling = JsonCommentHandling.Skip)]
[JsonSerializable(typeof(Recipe))]
internal sealed partial class RecipeJson : JsonSerializerContext;
