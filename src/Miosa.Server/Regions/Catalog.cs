using Miosa.Server.Computers;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Nodes;
using Miosa.Server.Sandboxes;
using Miosa.Server.Settings;
using Miosa.Server.Templates;

namespace Miosa.Server.Regions;

/// <summary>A template that a tenant may use.</summary>
internal sealed record Offer(ComputeTemplate Template, string Image, bool HasImage);

/// <summary>What a tenant can make here: the sizes, the official templates and its own, and how fast each starts now.</summary>
internal sealed class Catalog(
    RegionSet regions, Sizes sizes, TemplateSet templates, ImageNames images, WarmPool pool, TenantDefaults defaults, ServerSettings settings, TimeProvider time)
{
    private const int MaxOwn = 100;

    public IReadOnlyList<ComputeSize> Sizes() => [.. sizes.All.Select(pair => Of(pair.Key, pair.Value))];

    /// <summary>The official ones first, then those of the tenant that can be used, newest first.</summary>
    public async Task<IReadOnlyList<Offer>> OffersAsync(string tenantId, CancellationToken ct)
    {
        var offers = new List<Offer>();
        foreach (var image in await images.OfficialAsync(ct))
            offers.Add(new Offer(new() { Id = image.Name, Slug = image.Name, Name = image.Name, CreatedAt = image.CreatedAt }, image.Name, HasImage: true));
        foreach (var row in await templates.ListAsync(tenantId, 1, MaxOwn, ct))
        {
            if (row.Status != TemplateStatus.Ready)
                continue;
            var template = new ComputeTemplate { Id = row.Id, Slug = row.Slug, Name = row.Name, Description = row.Description, CreatedAt = row.CreatedAt };
            offers.Add(new Offer(template, row.ImageName, await images.FindAsync(row.ImageName, ct) is not null));
        }
        return offers;
    }

    public async Task<ComputeCatalog> OfAsync(string tenantId, CancellationToken ct)
    {
        var holds = defaults.Of(tenantId);
        var possible = Sizes().Where(size => size.Available).Select(size => size.Id).ToList();
        var offers = await OffersAsync(tenantId, ct);
        return new ComputeCatalog
        {
            Products =
            [
                ProductOf(MachineKind.Sandbox, "Sandbox", "An isolated Linux machine for code", holds.Image),
                ProductOf(MachineKind.Computer, "Computer", "A persistent Linux machine with a desktop", ComputerFields.DefaultImage),
            ],
            Sizes = Sizes(),
            Regions = regions.Of(tenantId),
            GeneratedAt = time.GetUtcNow(),
        };

        CatalogProduct ProductOf(string id, string name, string description, string image) => new()
        {
            Id = id,
            ProductId = id,
            Name = name,
            Description = description,
            DefaultTemplate = image,
            DefaultTemplateId = image,
            DefaultSize = holds.Size,
            SizeIds = possible,
            Templates = [.. offers.Select(offer => Of(offer, id, holds.Size, possible))],
        };
    }

    private ComputeSize Of(string name, Shape shape) => new()
    {
        Id = name,
        Slug = name,
        Name = name.Length <= 2 ? name.ToUpperInvariant() : char.ToUpperInvariant(name[0]) + name[1..],
        Vcpus = shape.Vcpus,
        Cpu = shape.Vcpus,
        MemoryMb = shape.MemoryMb,
        DiskGb = shape.DiskMb / 1024,
        Available = shape.Vcpus <= settings.MaxVcpus && shape.MemoryMb <= settings.MaxMemoryMb && shape.DiskMb <= settings.MaxDiskMb,
    };

    private CatalogTemplate Of(Offer offer, string kind, string defaultSize, IReadOnlyList<string> possible) => new()
    {
        Id = offer.Template.Id,
        TemplateId = offer.Template.Id,
        Name = offer.Template.Name,
        Description = offer.Template.Description,
        DefaultSize = defaultSize,
        SizeIds = possible,
        SupportedSizes = possible,
        // A machine that waits is given the size that is asked for when it is claimed: all sizes are alike.
        ArtifactReadiness = [.. possible.Select(size => Of(size, !offer.HasImage ? ArtifactStates.Missing : pool.HasReady(new WarmKind(offer.Image, kind == MachineKind.Computer)) ? ArtifactStates.FastReady : ArtifactStates.ColdBootOnly))],
    };

    private static ArtifactReadiness Of(string size, string state)
    {
        var (ready, cold, missing) = state switch
        {
            ArtifactStates.FastReady => (1, 0, 0),
            ArtifactStates.ColdBootOnly => (0, 1, 0),
            _ => (0, 0, 1),
        };
        return new ArtifactReadiness
        {
            Size = size,
            State = state,
            CheckedNodes = 1,
            ReadyNodes = ready,
            ColdBootNodes = cold,
            MissingNodes = missing,
            CheckedHosts = 1,
            ReadyHosts = ready,
            ColdBootHosts = cold,
            MissingHosts = missing,
        };
    }
}
