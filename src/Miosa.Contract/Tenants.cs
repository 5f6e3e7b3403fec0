namespace Miosa;

/// <summary>A tenant as an administrator of the server sees it.</summary>
public sealed record TenantInfo
{
    /// <summary>Id, <c>ten_…</c>.</summary>
    public required string Id { get; init; }

    /// <summary>Name; no two tenants have the same.</summary>
    public required string Name { get; init; }

    /// <summary>Machines that it has now, running or paused.</summary>
    public int Machines { get; init; }

    /// <summary>Keys of it that work.</summary>
    public int ApiKeys { get; init; }

    /// <summary>When it was made.</summary>
    public DateTimeOffset CreatedAt { get; init; }
}

/// <summary>A tenant to be made.</summary>
public sealed record CreateTenantRequest
{
    /// <summary>Its name, 1 to 100 characters, different from that of every other tenant.</summary>
    public required string Name { get; init; }
}
