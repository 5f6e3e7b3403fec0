using Miosa.Runtime.Wire;

namespace Miosa.Server.Nodes;

/// <summary>Which images there are. Known ones are remembered: the runtime is asked only about names not seen yet, or after a while.</summary>
internal sealed class ImageNames(RuntimeClient runtime, TimeProvider time)
{
    /// <summary>Made by a build, for its template's owner alone.</summary>
    public const string BuildPrefix = "bld_";

    /// <summary>Fetched from a registry for one build.</summary>
    public const string FetchPrefix = "oci-";

    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(10);

    private volatile Known known = new([], DateTimeOffset.MinValue);

    /// <summary>An image that everybody may use.</summary>
    public async ValueTask<ImageInfo?> FindOfficialAsync(string name, CancellationToken ct) => IsOfficial(name) ? await FindAsync(name, ct) : null;

    public async ValueTask<ImageInfo?> FindAsync(string name, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        if (now < known.ReadAt + Fresh && known.Images.TryGetValue(name, out var image))
            return image;
        return (await ReadAsync(ct)).Images.GetValueOrDefault(name);
    }

    public async Task<IReadOnlyList<ImageInfo>> OfficialAsync(CancellationToken ct) =>
        [.. (await ReadAsync(ct)).Images.Values.Where(image => IsOfficial(image.Name)).OrderBy(image => image.Name, StringComparer.Ordinal)];

    /// <summary>What to say of a name that is none.</summary>
    public async Task<string> UnknownAsync(string name, CancellationToken ct)
    {
        var names = (await OfficialAsync(ct)).Select(image => image.Name).ToList();
        return $"names the unknown image \"{name}\"; " + (names.Count == 0 ? "there are none yet" : "there are: " + string.Join(", ", names));
    }

    private static bool IsOfficial(string name) =>
        !name.StartsWith(BuildPrefix, StringComparison.Ordinal) && !name.StartsWith(FetchPrefix, StringComparison.Ordinal);

    private async Task<Known> ReadAsync(CancellationToken ct)
    {
        var now = time.GetUtcNow();
        return known = new Known((await runtime.ImagesAsync(ct)).ToDictionary(image => image.Name), now);
    }

    private sealed record Known(Dictionary<string, ImageInfo> Images, DateTimeOffset ReadAt);
}
