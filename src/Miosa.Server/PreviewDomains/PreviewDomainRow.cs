namespace Miosa.Server.PreviewDomains;

/// <summary>
/// The domain that a tenant claims. A claim holds nothing until DNS proves it: several tenants may claim the same domain, one can prove it.
/// </summary>
internal sealed record PreviewDomainRow
{
    public required string TenantId { get; init; }

    /// <summary>In lower case, without a dot at its end.</summary>
    public required string Domain { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When DNS proved it last; null while previews are not served on it.</summary>
    public DateTimeOffset? VerifiedAt { get; init; }

    /// <summary>When DNS was asked last.</summary>
    public DateTimeOffset? CheckedAt { get; init; }

    /// <summary>Whether the last answer of DNS proved it; null before the first one.</summary>
    public bool? WasProven { get; init; }

    /// <summary>When the record was first missing, while it still is.</summary>
    public DateTimeOffset? MissingSince { get; init; }

    /// <summary>When DNS is asked again; null for a claim that is not proven.</summary>
    public DateTimeOffset? DueAt { get; init; }

    public bool IsProven => VerifiedAt is not null;
}
