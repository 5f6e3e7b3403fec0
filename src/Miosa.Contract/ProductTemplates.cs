using System.Text.Json.Nodes;

namespace Miosa;

/// <summary>What can be made here, over all products.</summary>
public sealed record ProductTemplateCatalog
{
    /// <summary>The templates.</summary>
    public required IReadOnlyList<ProductTemplate> Templates { get; init; }

    /// <summary>The same once more.</summary>
    public required IReadOnlyList<ProductTemplate> Data { get; init; }

    /// <summary>The products.</summary>
    public IReadOnlyList<JsonObject> Products { get; init; } = [];

    /// <summary>The named sizes.</summary>
    public IReadOnlyList<JsonObject> Sizes { get; init; } = [];

    /// <summary>The shapes of each product.</summary>
    public JsonObject ShapeContracts { get; init; } = [];

    /// <summary>The states of readiness there are.</summary>
    public IReadOnlyList<string> ReadinessStates { get; init; } = [];

    /// <summary>Rules of the catalogue.</summary>
    public JsonObject Rules { get; init; } = [];
}

/// <summary>One row of the catalogue.</summary>
public sealed record ProductTemplate
{
    /// <summary>Id of the template.</summary>
    public required string Id { get; init; }

    /// <summary>Name.</summary>
    public string? Name { get; init; }

    /// <summary>What is made of it: <c>sandbox</c>.</summary>
    public required string Product { get; init; }

    /// <summary>Same as <see cref="Product"/>.</summary>
    public string? Primitive { get; init; }

    /// <summary>What it is for.</summary>
    public string? Description { get; init; }

    /// <summary>The size of a sandbox that asks for none.</summary>
    public required string DefaultSize { get; init; }

    /// <summary>The image.</summary>
    public string? ImageId { get; init; }

    /// <summary>What is installed in it, as far as it is known.</summary>
    public IReadOnlyList<string> InstalledTools { get; init; } = [];

    /// <summary>What <c>template/start</c> runs first.</summary>
    public string? InstallCommand { get; init; }

    /// <summary>What <c>template/start</c> leaves running.</summary>
    public string? StartCommand { get; init; }

    /// <summary>What tells that its program is up.</summary>
    public JsonObject ReadinessContract { get; init; } = [];

    /// <summary>Other ids.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>How fast each size starts.</summary>
    public required IReadOnlyList<ProductTemplateSize> Sizes { get; init; }

    /// <summary>How fast it starts.</summary>
    public string? Readiness { get; init; }
}

/// <summary>How fast a template starts in one size.</summary>
public sealed record ProductTemplateSize
{
    /// <summary>The size.</summary>
    public required string Size { get; init; }

    /// <summary><c>fast_ready</c> or <c>cold_boot</c>.</summary>
    public required string State { get; init; }

    /// <summary>True: machines are kept ready.</summary>
    public bool FastReady { get; init; }

    /// <summary>True: every machine is booted when it is asked for.</summary>
    public bool ColdBootOnly { get; init; }

    /// <summary>Nodes looked at.</summary>
    public int CheckedNodes { get; init; }

    /// <summary>Nodes with machines kept ready.</summary>
    public int ReadyNodes { get; init; }

    /// <summary>Nodes that boot.</summary>
    public int ColdBootNodes { get; init; }

    /// <summary>Nodes without the image.</summary>
    public int MissingNodes { get; init; }

    /// <summary>Nodes that do not answer.</summary>
    public int UnavailableNodes { get; init; }
}
