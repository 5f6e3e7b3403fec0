namespace Miosa;

/// <summary>The values of <see cref="PreviewDomain.Status"/>.</summary>
public static class PreviewDomainStatus
{
    /// <summary>The tenant has no domain of its own.</summary>
    public const string NotConfigured = "not_configured";

    /// <summary>The domain is not proven yet, or not any more: previews are not served on it.</summary>
    public const string PendingDns = "pending_dns";

    /// <summary>Proven: previews are served on it.</summary>
    public const string Configured = "configured";
}

/// <summary>The values of <see cref="PreviewDomain.DnsStatus"/>.</summary>
public static class PreviewDomainDnsStatus
{
    /// <summary>Not looked at yet.</summary>
    public const string Pending = "pending";

    /// <summary>The last look found a record that proves it.</summary>
    public const string Ok = "ok";

    /// <summary>The last look found none.</summary>
    public const string Failed = "failed";
}

/// <summary>The domain below which a tenant's previews have their names.</summary>
public sealed record PreviewDomain
{
    /// <summary>The tenant's own domain; null when none is set.</summary>
    public required string? Domain { get; init; }

    /// <summary>The same as <see cref="Domain"/>.</summary>
    [System.Text.Json.Serialization.JsonPropertyName("preview_domain")]
    public required string? PreviewDomainName { get; init; }

    /// <summary>Previews are served on it.</summary>
    public bool Verified { get; init; }

    /// <summary>When DNS proved it last; null when it is not proven.</summary>
    public DateTimeOffset? VerifiedAt { get; init; }

    /// <summary>The host name a CNAME record must lead to: this tenant's, and no other tenant's.</summary>
    public required string CnameTarget { get; init; }

    /// <summary>The domain of previews without one of their own.</summary>
    public required string DefaultDomain { get; init; }

    /// <summary>One of <see cref="PreviewDomainStatus"/>.</summary>
    public required string Status { get; init; }

    /// <summary>One of <see cref="PreviewDomainDnsStatus"/>; null when no domain is set.</summary>
    public string? DnsStatus { get; init; }

    /// <summary>The record to make; null when no domain is set.</summary>
    public DnsInstruction? DnsInstructions { get; init; }

    /// <summary>The record that proves the domain as well, where a wildcard CNAME cannot be made; names still have to lead to the server.</summary>
    public DnsInstruction? TxtInstructions { get; init; }

    /// <summary>When it was looked at last.</summary>
    public DateTimeOffset? CheckedAt { get; init; }

    /// <summary>When it stops serving previews unless the record comes back; null while the record is there.</summary>
    public DateTimeOffset? LapsesAt { get; init; }
}

/// <summary>A DNS record to make.</summary>
public sealed record DnsInstruction
{
    /// <summary><c>CNAME</c> or <c>TXT</c>.</summary>
    public required string Type { get; init; }

    /// <summary>The name that gets the record.</summary>
    public required string Name { get; init; }

    /// <summary>What the record says.</summary>
    public required string Value { get; init; }
}

/// <summary>What a look at the DNS of a domain found. One that proves nothing is a result, not an error.</summary>
public sealed record PreviewDomainVerification
{
    /// <summary>The domain is proven by this look.</summary>
    public required bool Verified { get; init; }

    /// <summary>The host name the CNAME must lead to.</summary>
    public required string Target { get; init; }

    /// <summary>The same as <see cref="Target"/>.</summary>
    public required string CnameTarget { get; init; }

    /// <summary>The domain looked at.</summary>
    public required string Domain { get; init; }

    /// <summary>The same as <see cref="Domain"/>.</summary>
    public required string PreviewDomain { get; init; }

    /// <summary>One of <see cref="PreviewDomainStatus"/>, afterwards.</summary>
    public required string Status { get; init; }

    /// <summary>One of <see cref="PreviewDomainDnsStatus"/>, afterwards.</summary>
    public required string DnsStatus { get; init; }

    /// <summary>When DNS proved it last.</summary>
    public DateTimeOffset? VerifiedAt { get; init; }

    /// <summary>When this look was.</summary>
    public DateTimeOffset CheckedAt { get; init; }

    /// <summary>The records asked for and what was found; never null.</summary>
    public required IReadOnlyList<PreviewDomainCheckRecord> Records { get; init; }

    /// <summary>Why it is not proven; null when it is.</summary>
    public string? Error { get; init; }
}

/// <summary>One record that was looked for.</summary>
public sealed record PreviewDomainCheckRecord
{
    /// <summary><c>CNAME</c> or <c>TXT</c>.</summary>
    public required string Type { get; init; }

    /// <summary>The name asked for.</summary>
    public required string Name { get; init; }

    /// <summary>What it should say.</summary>
    public required string Value { get; init; }

    /// <summary>What it says, at most ten values; empty when there is no such record.</summary>
    public required IReadOnlyList<string> Found { get; init; }

    /// <summary>It says what it should.</summary>
    public required bool Ok { get; init; }
}

/// <summary>A domain to set.</summary>
public sealed record PreviewDomainRequest
{
    /// <summary>A host name without scheme, port or <c>*.</c>, such as <c>preview.acme.com</c>.</summary>
    public required string Domain { get; init; }
}
