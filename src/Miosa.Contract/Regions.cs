namespace Miosa;

/// <summary>The values of <see cref="Region.Status"/>.</summary>
public static class RegionStatus
{
    /// <summary>All is well.</summary>
    public const string Live = "live";

    /// <summary>Machines can be made, but the host lacks something: the network or disk limits.</summary>
    public const string Degraded = "degraded";

    /// <summary>No machine can be made now.</summary>
    public const string Unavailable = "unavailable";
}

/// <summary>A place where machines run.</summary>
public sealed record Region
{
    /// <summary>The same as <see cref="Slug"/>.</summary>
    public required string Id { get; init; }

    /// <summary>Its name in calls.</summary>
    public required string Slug { get; init; }

    /// <summary>Its name for people.</summary>
    public required string Name { get; init; }

    /// <summary>Country; empty when unknown.</summary>
    public string Country { get; init; } = "";

    /// <summary>City; empty when unknown.</summary>
    public string City { get; init; } = "";

    /// <summary>Where it is, in free words.</summary>
    public string? Location { get; init; }

    /// <summary>Takes new machines now.</summary>
    public required bool Available { get; init; }

    /// <summary>One of <see cref="RegionStatus"/>.</summary>
    public required string Status { get; init; }

    /// <summary>Used when a create names no region.</summary>
    public bool Default { get; init; }

    /// <summary>Hosts in it.</summary>
    public int Nodes { get; init; }

    /// <summary>The caller's own machines in it that are not destroyed.</summary>
    public int Machines { get; init; }

    /// <summary>Most virtual CPUs of one machine.</summary>
    public int MaxVcpus { get; init; }

    /// <summary>Most memory of one machine, in MiB.</summary>
    public int MaxMemoryMb { get; init; }

    /// <summary>Largest disk of one machine, in MiB.</summary>
    public int MaxDiskMb { get; init; }
}

/// <summary>A named shape of machines.</summary>
public sealed record ComputeSize
{
    /// <summary>The same as <see cref="Slug"/>.</summary>
    public required string Id { get; init; }

    /// <summary>Its name in calls.</summary>
    public required string Slug { get; init; }

    /// <summary>Its name for people.</summary>
    public required string Name { get; init; }

    /// <summary>Virtual CPUs.</summary>
    public int Vcpus { get; init; }

    /// <summary>The same as <see cref="Vcpus"/>.</summary>
    public int Cpu { get; init; }

    /// <summary>Memory in MiB.</summary>
    public int MemoryMb { get; init; }

    /// <summary>Disk in GiB.</summary>
    public int DiskGb { get; init; }

    /// <summary>Price per hour; null where the server has no prices.</summary>
    public double? PriceHour { get; init; }

    /// <summary>The server can make machines of this size.</summary>
    public bool Available { get; init; }
}

/// <summary>The values of <see cref="ArtifactReadiness.State"/>.</summary>
public static class ArtifactStates
{
    /// <summary>A machine of it waits in the warm pool.</summary>
    public const string FastReady = "fast_ready";

    /// <summary>Its image is there; a machine is started when it is asked for.</summary>
    public const string ColdBootOnly = "cold_boot_only";

    /// <summary>Its image is gone.</summary>
    public const string Missing = "missing";
}

/// <summary>What can be made here.</summary>
public sealed record ComputeCatalog
{
    /// <summary>The products; never null.</summary>
    public required IReadOnlyList<CatalogProduct> Products { get; init; }

    /// <summary>The sizes; never null.</summary>
    public required IReadOnlyList<ComputeSize> Sizes { get; init; }

    /// <summary>The regions; never null.</summary>
    public required IReadOnlyList<Region> Regions { get; init; }

    /// <summary>When it was looked up.</summary>
    public DateTimeOffset GeneratedAt { get; init; }
}

/// <summary>A product of the catalogue.</summary>
public sealed record CatalogProduct
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>The same as <see cref="Id"/>.</summary>
    public required string ProductId { get; init; }

    /// <summary>Its name for people.</summary>
    public required string Name { get; init; }

    /// <summary>What it is.</summary>
    public string? Description { get; init; }

    /// <summary>The template of a create that names none.</summary>
    public required string DefaultTemplate { get; init; }

    /// <summary>The same as <see cref="DefaultTemplate"/>.</summary>
    public required string DefaultTemplateId { get; init; }

    /// <summary>The size of a create that names none.</summary>
    public required string DefaultSize { get; init; }

    /// <summary>Sizes that this server can make; never null.</summary>
    public required IReadOnlyList<string> SizeIds { get; init; }

    /// <summary>What it can be made of; never null.</summary>
    public required IReadOnlyList<CatalogTemplate> Templates { get; init; }
}

/// <summary>A template of the catalogue.</summary>
public sealed record CatalogTemplate
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>The same as <see cref="Id"/>.</summary>
    public required string TemplateId { get; init; }

    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>What it is.</summary>
    public string? Description { get; init; }

    /// <summary>The size of a create that names none.</summary>
    public required string DefaultSize { get; init; }

    /// <summary>Sizes that this server can make; never null.</summary>
    public required IReadOnlyList<string> SizeIds { get; init; }

    /// <summary>The same as <see cref="SizeIds"/>.</summary>
    public required IReadOnlyList<string> SupportedSizes { get; init; }

    /// <summary>How fast it starts, for each size; never null.</summary>
    public required IReadOnlyList<ArtifactReadiness> ArtifactReadiness { get; init; }
}

/// <summary>How fast a template starts at one size.</summary>
public sealed record ArtifactReadiness
{
    /// <summary>The size.</summary>
    public required string Size { get; init; }

    /// <summary>One of <see cref="ArtifactStates"/>.</summary>
    public required string State { get; init; }

    /// <summary>Hosts asked.</summary>
    public int CheckedNodes { get; init; }

    /// <summary>Hosts with a machine that waits.</summary>
    public int ReadyNodes { get; init; }

    /// <summary>Hosts that would start one.</summary>
    public int ColdBootNodes { get; init; }

    /// <summary>Hosts without its image.</summary>
    public int MissingNodes { get; init; }

    /// <summary>The same as <see cref="CheckedNodes"/>.</summary>
    public int CheckedHosts { get; init; }

    /// <summary>The same as <see cref="ReadyNodes"/>.</summary>
    public int ReadyHosts { get; init; }

    /// <summary>The same as <see cref="ColdBootNodes"/>.</summary>
    public int ColdBootHosts { get; init; }

    /// <summary>The same as <see cref="MissingNodes"/>.</summary>
    public int MissingHosts { get; init; }

    /// <summary>Remarks; never null.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}

/// <summary>A template that machines can be made of.</summary>
public sealed record ComputeTemplate
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>Its name in calls.</summary>
    public required string Slug { get; init; }

    /// <summary>Its name for people.</summary>
    public required string Name { get; init; }

    /// <summary>What it is.</summary>
    public string? Description { get; init; }

    /// <summary>When it was made.</summary>
    public DateTimeOffset CreatedAt { get; init; }
}
