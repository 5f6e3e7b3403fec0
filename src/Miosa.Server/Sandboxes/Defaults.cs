using Miosa.Server.Host;

namespace Miosa.Server.Sandboxes;

/// <summary>
/// What a create takes where its body names nothing. What a template says of its shape goes before the size from here.
/// </summary>
internal sealed record Defaults(string Image, string Size, string Region, int TimeoutSec, int IdleTimeoutSec)
{
    /// <summary>
    /// Layers laid over each other, the one nearest to the sandbox first (workspace, settings of the tenant, its policy); the server's settings
    /// fill what is left. A missing layer changes nothing.
    /// </summary>
    public static Defaults Of(ServerSettings server, params ReadOnlySpan<DefaultsLayer?> strongestFirst)
    {
        var all = new DefaultsLayer();
        foreach (var layer in strongestFirst)
        {
            all = new DefaultsLayer
            {
                Image = all.Image ?? layer?.Image,
                Size = all.Size ?? layer?.Size,
                Region = all.Region ?? layer?.Region,
                TimeoutSec = all.TimeoutSec ?? layer?.TimeoutSec,
                IdleTimeoutSec = all.IdleTimeoutSec ?? layer?.IdleTimeoutSec,
            };
        }
        return new Defaults(all.Image ?? server.DefaultImage, all.Size ?? Sizes.Default, all.Region ?? server.Region, all.TimeoutSec ?? server.DefaultTimeoutSec, all.IdleTimeoutSec ?? 0);
    }
}

/// <summary>What one place says of defaults; null is nothing.</summary>
internal sealed record DefaultsLayer
{
    /// <summary>An image, or a template of the tenant.</summary>
    public string? Image { get; init; }
    public string? Size { get; init; }
    public string? Region { get; init; }
    public int? TimeoutSec { get; init; }
    public int? IdleTimeoutSec { get; init; }
}
