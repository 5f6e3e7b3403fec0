using System.Collections.Concurrent;
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

    /// <summary>More than are asked for in a while; beyond it all are forgotten.</summary>
    private const int MostKnown = 1000;

    private readonly ConcurrentDictionary<string, Known> known = [];

    /// <summary>An image that everybody may use.</summary>
    public async ValueTask<ImageInfo?> FindOfficialAsync(string name, CancellationToken ct) => IsOfficial(name) ? await FindAsync(name, ct) : null;

    public async ValueTask<ImageInfo?> FindAsync(string name, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        if (known.TryGetValue(name, out var last) && now < last.ReadAt + Fresh)
            return last.Image;
        if (await runtime.FindImageAsync(name, ct) is not { } image)
        {
            known.TryRemove(name, out _);
            return null;
        }
        if (known.Count >= MostKnown)
            known.Clear();
        known[name] = new Known(image, now);
        return image;
    }

    public async Task<IReadOnlyList<ImageInfo>> OfficialAsync(CancellationToken ct)
    {
        var images = new List<ImageInfo>();
        foreach (var name in (await runtime.ImagesAsync(ct)).Select(image => image.Name).Where(IsOfficial).Order(StringComparer.Ordinal))
        {
            if (await FindAsync(name, ct) is { } image)
                images.Add(image);
        }
        return images;
    }

    /// <summary>What to say of a name that is none.</summary>
    public async Task<string> UnknownAsync(string name, CancellationToken ct)
    {
        var names = (await runtime.ImagesAsync(ct)).Select(image => image.Name).Where(IsOfficial).Order(StringComparer.Ordinal).ToList();
        return $"names the unknown image \"{name}\"; " + (names.Count == 0 ? "there are none yet" : "there are: " + string.Join(", ", names));
    }

    private static bool IsOfficial(string name) =>
        !name.StartsWith(BuildPrefix, StringComparison.Ordinal) && !name.StartsWith(FetchPrefix, StringComparison.Ordinal);

    private sealed record Known(ImageInfo Image, DateTimeOffset ReadAt);
}
