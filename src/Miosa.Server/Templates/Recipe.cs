using Miosa.Server.Registries;

namespace Miosa.Server.Templates;

/// <summary>What a template is made by, checked and in order. Nothing in it has run or been looked up yet.</summary>
internal sealed record Recipe
{
    public required string From { get; init; }
    public bool IsDockerfile { get; init; }
    public IReadOnlyList<string> Packages { get; init; } = [];
    public IReadOnlyList<BuildStep> Steps { get; init; } = [];
    public IReadOnlyDictionary<string, string> Env { get; init; } = new Dictionary<string, string>();
    public IReadOnlyDictionary<string, string> Args { get; init; } = new Dictionary<string, string>();
    public string? Workdir { get; init; }
    public string? User { get; init; }
    public int? Vcpus { get; init; }
    public int? MemoryMb { get; init; }
    public int? DiskMb { get; init; }
    public string? InstallCommand { get; init; }
    public string? StartCommand { get; init; }
    public string? ReadyCommand { get; init; }
    public int? PreviewPort { get; init; }
    public IReadOnlyList<string> ArtifactPaths { get; init; } = [];
    public int? TimeoutSec { get; init; }
    /// <summary>For the registry of <see cref="From"/>; kept for this build alone.</summary>
    public RegistryLogin? Login { get; init; }
    public BuildContext Context { get; init; } = BuildContext.Empty;

    /// <summary>The Debian release of which a new system is made, when that is what is wanted.</summary>
    public string? Suite => Packages.Count == 0 ? null : From switch
    {
        "debian:bookworm" or "debian:12" => "bookworm",
        "debian:trixie" or "debian:13" => "trixie",
        _ => null,
    };

    /// <summary>False: the image it stands on is used as it is.</summary>
    public bool ChangesImage => Packages.Count > 0 || Steps.Count > 0 || Env.Count > 0 || Workdir is not null || User is not null;
}

/// <summary>A text of a recipe: as it stands, or with the quotes and variables of a Dockerfile.</summary>
internal readonly record struct RecipeText(string Raw, bool IsLiteral)
{
    public string Value(Func<string, string?> variable) => IsLiteral ? Raw : DockerWords.Expand(Raw, variable);
}

/// <summary>One step. <see cref="Says"/> is how the log and an error name it.</summary>
internal abstract record BuildStep(string Says);

/// <summary>Runs a shell text or a program.</summary>
internal sealed record RunStep(string Says, string? Shell, IReadOnlyList<string>? Argv = null) : BuildStep(Says);

/// <summary>Puts files of the context, or one written in the recipe itself, into the image.</summary>
internal sealed record CopyStep(string Says, IReadOnlyList<RecipeText> Sources, RecipeText To) : BuildStep(Says)
{
    /// <summary><c>user</c> or <c>user:group</c>, names or numbers.</summary>
    public RecipeText? Owner { get; init; }
    public int? Mode { get; init; }

    /// <summary>The content written in the recipe; <see cref="Sources"/> is empty then.</summary>
    public string? Inline { get; init; }
}

internal sealed record EnvStep(string Says, IReadOnlyList<(string Name, RecipeText Value)> Variables) : BuildStep(Says);

/// <summary>A variable that only the build knows.</summary>
internal sealed record ArgStep(string Says, string Name, RecipeText? Default) : BuildStep(Says);

internal sealed record WorkdirStep(string Says, RecipeText Path) : BuildStep(Says);

internal sealed record UserStep(string Says, RecipeText User) : BuildStep(Says);

internal sealed record CmdStep(string Says, IReadOnlyList<string> Words) : BuildStep(Says);

internal sealed record EntrypointStep(string Says, IReadOnlyList<string> Words) : BuildStep(Says);

internal sealed record ExposeStep(string Says, IReadOnlyList<RecipeText> Ports) : BuildStep(Says);
