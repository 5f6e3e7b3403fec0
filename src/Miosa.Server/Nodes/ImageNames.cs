using Miosa.Server.Host;

namespace Miosa.Server.Nodes;

/// <summary>Which images there are. Known ones are remembered: the runtime is asked only about names not seen yet, or after a while.</summary>
internal sealed class ImageNames(RuntimeClient runtime, TimeProvider time)
{
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(10);

    private volatile Known known = new([], DateTimeOffset.MinValue);

    public async ValueTask<(string? Digest, Refusal? Refusal)> FindAsync(string name, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        if (now < known.ReadAt + Fresh && known.Digests.TryGetValue(name, out var digest))
            return (digest, null);
        var images = await runtime.ImagesAsync(ct);
        known = new Known(images.ToDictionary(i => i.Name, i => i.Digest), now);
        if (known.Digests.TryGetValue(name, out digest))
            return (digest, null);
        var names = images.Count == 0 ? "there are none yet" : "there are: " + string.Join(", ", images.Select(i => i.Name).Order());
        return (null, Refusal.Invalid("template_id", $"names the unknown image \"{name}\"; {names}"));
    }

    private sealed record Known(Dictionary<string, string> Digests, DateTimeOffset ReadAt);
}
