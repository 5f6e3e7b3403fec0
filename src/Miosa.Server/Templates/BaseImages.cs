using Miosa.Runtime.Wire;
using Miosa.Server.Nodes;

namespace Miosa.Server.Templates;

/// <summary>The image a build begins with. One that was made for this build alone loses its name again: what stands on it keeps its content.</summary>
internal sealed class BaseImage(ImageInfo image, RuntimeClient? ownedBy) : IAsyncDisposable
{
    public ImageInfo Image => image;

    public async ValueTask DisposeAsync()
    {
        if (ownedBy is null)
            return;
        try
        {
            await ownedBy.RemoveImageAsync(image.Name, CancellationToken.None);
        }
        catch (Exception e) when (e is RuntimeDownException or RuntimeRefusedException)
        {
            // Nobody's by now: a sweep removes it.
        }
    }
}

/// <summary>Where the image that a recipe begins with comes from.</summary>
internal sealed class BaseImages(TemplateSet templates, RuntimeClient runtime)
{
    public async Task<BaseImage> OpenAsync(string build, string tenantId, Recipe recipe, BuildLog log, CancellationToken ct)
    {
        // Of this build alone; the random part of its id.
        var name = ImageNames.FetchPrefix + build[ImageNames.BuildPrefix.Length..];
        if (recipe.Suite is { } suite)
        {
            log.Write("system", $"making a Debian system ({suite}) with {string.Join(' ', recipe.Packages)}");
            var made = await runtime.BootstrapAsync(
                new RuntimeRequest { Name = name, Suite = suite, Packages = recipe.Packages }, step => log.Write("system", $"{step.Step}: {step.Message}"), ct);
            return new BaseImage(made, runtime);
        }
        log.Write("system", $"from {recipe.From}");
        var (image, _, refusal) = await templates.ResolveAsync(tenantId, recipe.From, "from", ct);
        return image is not null
            ? new BaseImage(image, ownedBy: null)
            : throw new BuildFailedException(BuildFailedException.ImageUnavailable, refusal?.Message ?? $"there is no image \"{recipe.From}\"");
    }
}
