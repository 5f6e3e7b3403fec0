using Miosa.Runtime.Wire;
using Miosa.Server.Host;
using Miosa.Server.Nodes;
using Miosa.Server.Registries;

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

/// <summary>What is known of a recipe's beginning before it is built.</summary>
/// <param name="Template">The tenant's template it begins with.</param>
/// <param name="IsFetched">True: a registry or a Debian mirror has it.</param>
/// <param name="Refusal">There is no such image, or it may not be had.</param>
internal sealed record BaseLook(TemplateRow? Template, bool IsFetched, Refusal? Refusal);

/// <summary>Where the image that a recipe begins with comes from.</summary>
internal sealed class BaseImages(TemplateSet templates, RuntimeClient runtime, RegistryPull registries, RegistryAddresses addresses, ServerSettings settings)
{
    /// <summary>Where images of registries lie while they are imported.</summary>
    public string Folder { get; } = Path.Combine(settings.DataDir, "pulls");

    public async Task<BaseLook> LookAsync(string tenantId, Recipe recipe, string field, CancellationToken ct)
    {
        if (recipe.Suite is not null)
            return new BaseLook(null, IsFetched: true, null);
        var (image, template, refusal) = await templates.ResolveAsync(tenantId, recipe.From, field, ct);
        if (image is not null || template is not null)
            return new BaseLook(template, IsFetched: false, refusal);
        if (ImageReference.Parse(recipe.From) is not { } reference)
            return new BaseLook(null, IsFetched: false, refusal);
        return addresses.Refuses(addresses.RootOf(reference.Host)) is { } closed
            ? new BaseLook(null, IsFetched: true, Refusal.Invalid(field, $"cannot be fetched: {closed}"))
            : new BaseLook(null, IsFetched: true, null);
    }

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
        var (image, template, refusal) = await templates.ResolveAsync(tenantId, recipe.From, "from", ct);
        if (image is not null)
            return new BaseImage(image, ownedBy: null);
        return template is null && ImageReference.Parse(recipe.From) is { } reference
            ? await FetchAsync(name, build, reference, recipe.Login, log, ct)
            : throw new BuildFailedException(BuildFailedException.ImageUnavailable, refusal?.Message ?? $"there is no image \"{recipe.From}\"");
    }

    private async Task<BaseImage> FetchAsync(string name, string build, ImageReference reference, RegistryLogin? login, BuildLog log, CancellationToken ct)
    {
        var layout = Path.Combine(Folder, build);
        try
        {
            log.Write("system", $"fetching {reference}");
            Directory.CreateDirectory(layout, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            await registries.FetchAsync(reference, login, layout, text => log.Write("system", text), ct);
            log.Write("system", "unpacking");
            return new BaseImage(await runtime.ImportAsync(name, layout, step => log.Write("system", $"{step.Step}: {step.Message}"), ct), runtime);
        }
        catch (RegistryException e)
        {
            throw new BuildFailedException(BuildFailedException.ImageUnavailable, e.Message);
        }
        catch (RuntimeRefusedException e)
        {
            throw new BuildFailedException(BuildFailedException.ImageUnavailable, $"{reference} cannot be used: {e.Message}");
        }
        finally
        {
            if (Directory.Exists(layout))
                Directory.Delete(layout, recursive: true);
        }
    }
}
