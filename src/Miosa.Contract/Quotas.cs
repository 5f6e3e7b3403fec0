namespace Miosa;

/// <summary>Caps of one of your users, and what that user has now. A cap that is null does not limit.</summary>
public sealed record Quota
{
    /// <summary>Your own name for the user.</summary>
    public required string ExternalUserId { get; init; }

    /// <summary>Most machines owned at once.</summary>
    public int? MaxSandboxes { get; init; }

    /// <summary>Most machines running at once.</summary>
    public int? MaxConcurrent { get; init; }

    /// <summary>Most GiB written to the disks of the machines; also the largest disk that one machine may have.</summary>
    public int? MaxStorageGb { get; init; }

    /// <summary>Most cents spent in a calendar month (UTC).</summary>
    public long? MaxCreditCents { get; init; }

    /// <summary>The same caps again.</summary>
    public required QuotaLimits Limits { get; init; }

    /// <summary>What the user has now.</summary>
    public required QuotaUsage Usage { get; init; }

    /// <summary>The same as <see cref="QuotaUsage.Sandboxes"/>.</summary>
    public int CurrentSandboxes { get; init; }

    /// <summary>True when the user has no caps of its own and the tenant's default counts.</summary>
    public bool Inherited { get; init; }

    /// <summary>When the caps were last set; null when they are inherited.</summary>
    public DateTimeOffset? UpdatedAt { get; init; }
}

/// <summary>The four caps; null: not capped. As a request it replaces all four: what is left out is lifted.</summary>
public sealed record QuotaLimits
{
    /// <summary>Most machines owned at once, 0 or more.</summary>
    public int? MaxSandboxes { get; init; }

    /// <summary>Most machines running at once, 0 or more.</summary>
    public int? MaxConcurrent { get; init; }

    /// <summary>Most GiB written to disks, 0 or more; also the largest disk that one machine may have.</summary>
    public int? MaxStorageGb { get; init; }

    /// <summary>Most cents spent in a calendar month (UTC), 0 or more.</summary>
    public long? MaxCreditCents { get; init; }
}

/// <summary>What counts against the caps.</summary>
public sealed record QuotaUsage
{
    /// <summary>Machines owned: all that are not destroyed.</summary>
    public int Sandboxes { get; init; }

    /// <summary>The same as <see cref="Sandboxes"/>.</summary>
    public int TotalSandboxes { get; init; }

    /// <summary>Machines that run or are being made.</summary>
    public int Concurrent { get; init; }

    /// <summary>GiB written to the disks of the machines, as last measured.</summary>
    public double StorageGb { get; init; }

    /// <summary>Cents spent in this calendar month (UTC).</summary>
    public long CreditCents { get; init; }
}

/// <summary>The caps of users that have none of their own.</summary>
public sealed record DefaultQuota
{
    /// <summary>The caps.</summary>
    public required QuotaLimits Limits { get; init; }

    /// <summary>True when the tenant has set none and the server's setting counts.</summary>
    public bool Inherited { get; init; }

    /// <summary>When they were last set; null when they are inherited.</summary>
    public DateTimeOffset? UpdatedAt { get; init; }
}
