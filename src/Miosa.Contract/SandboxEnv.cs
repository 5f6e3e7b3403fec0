namespace Miosa;

/// <summary>One environment variable of a sandbox.</summary>
public sealed record SandboxEnvVar
{
    /// <summary>Name: letters, digits and underscores, not beginning with a digit.</summary>
    public required string Key { get; init; }

    /// <summary>Same as <see cref="Key"/>.</summary>
    public string? Name { get; init; }

    /// <summary>The value; null when it is <see cref="Encrypted"/>.</summary>
    public string? Value { get; init; }

    /// <summary>True for a secret, whose value is never told again. The default of every variable that is set.</summary>
    public bool Encrypted { get; init; }

    /// <summary>When it was set; null when the server does not tell.</summary>
    public DateTimeOffset? UpdatedAt { get; init; }
}

/// <summary>All variables of a sandbox, by name.</summary>
public sealed record SandboxEnvList
{
    /// <summary>The variables; empty when there are none, never null.</summary>
    public required IReadOnlyList<SandboxEnvVar> Data { get; init; }
}

/// <summary>Variables to set; those not named stay.</summary>
public sealed record SandboxEnvSetRequest
{
    /// <summary>The variables.</summary>
    public required IReadOnlyList<SandboxEnvItem> Vars { get; init; }

    /// <summary>True drops the variables that are not named. Default: false.</summary>
    public bool? Replace { get; init; }
}

/// <summary>One variable to set.</summary>
public sealed record SandboxEnvItem
{
    /// <summary>Name: letters, digits and underscores, not beginning with a digit, at most 256.</summary>
    public required string Key { get; init; }

    /// <summary>Value, without NUL characters.</summary>
    public required string Value { get; init; }

    /// <summary>False lets the value be listed. Default: true.</summary>
    public bool? Encrypted { get; init; }
}

/// <summary>A variable is gone.</summary>
public sealed record SandboxEnvDeleted
{
    /// <summary>Always true.</summary>
    public bool Deleted { get; init; } = true;

    /// <summary>The variable.</summary>
    public required string Name { get; init; }

    /// <summary>Same as <see cref="Name"/>.</summary>
    public required string Key { get; init; }

    /// <summary>Always true.</summary>
    public bool Ok { get; init; } = true;

    /// <summary>Always true.</summary>
    public bool Success { get; init; } = true;
}
