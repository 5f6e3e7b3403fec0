namespace Miosa;

/// <summary>Credits of the tenant; one credit is one cent.</summary>
public sealed record CreditBalance
{
    /// <summary>The tenant.</summary>
    public string? TenantId { get; init; }

    /// <summary>Whole credits left, cut off; negative when more was used than granted. What was used up to this moment is counted.</summary>
    public required long Balance { get; init; }

    /// <summary>The same as <see cref="Balance"/>.</summary>
    public required long BalanceCredits { get; init; }

    /// <summary>Credits ever granted.</summary>
    public long LifetimeEarned { get; init; }

    /// <summary>Credits ever used.</summary>
    public long LifetimeSpent { get; init; }

    /// <summary>Name of the plan.</summary>
    public string? Plan { get; init; }

    /// <summary>Currency of the cents.</summary>
    public string? Currency { get; init; }

    /// <summary>Always null: credits do not expire.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>The same as <see cref="ExpiresAt"/>.</summary>
    public DateTimeOffset? CreditExpiryAt { get; init; }

    /// <summary>When the last entry was written; null when there is none.</summary>
    public DateTimeOffset? UpdatedAt { get; init; }
}

/// <summary>One entry of the ledger.</summary>
public sealed record CreditTransaction
{
    /// <summary>Id, <c>tx_…</c>.</summary>
    public required string Id { get; init; }

    /// <summary>The tenant.</summary>
    public string? TenantId { get; init; }

    /// <summary>Whole credits, negative when used. Entries are cut so that they add up to the balance they lead to.</summary>
    public required long Amount { get; init; }

    /// <summary>The same as <see cref="Amount"/>.</summary>
    public long AmountCredits { get; init; }

    /// <summary>The exact amount in millionths of a cent.</summary>
    public long AmountMicroCents { get; init; }

    /// <summary>Whole credits after it.</summary>
    public long BalanceAfter { get; init; }

    /// <summary><c>debit</c>, <c>credit</c> or <c>promo</c>.</summary>
    public required string Type { get; init; }

    /// <summary><c>spend</c> or <c>earn</c>.</summary>
    public string? Kind { get; init; }

    /// <summary>What it was for.</summary>
    public string? Description { get; init; }

    /// <summary>Always null: an entry is the sum over all machines of its period.</summary>
    public string? ComputerId { get; init; }

    /// <summary>Always null, likewise.</summary>
    public string? SandboxId { get; init; }

    /// <summary>Always null.</summary>
    public string? UserId { get; init; }

    /// <summary>Always null: an entry is the sum over all models of its period.</summary>
    public string? Provider { get; init; }

    /// <summary>Always null, likewise.</summary>
    public string? Model { get; init; }

    /// <summary>Always null, likewise.</summary>
    public long? InputTokens { get; init; }

    /// <summary>Always null, likewise.</summary>
    public long? OutputTokens { get; init; }

    /// <summary>What was used, in millionths of a dollar; null for entries that are not usage.</summary>
    public long? CostUsdMicros { get; init; }

    /// <summary>Start of the usage it charges; null for entries that are not usage.</summary>
    public DateTimeOffset? PeriodStart { get; init; }

    /// <summary>End of the usage it charges.</summary>
    public DateTimeOffset? PeriodEnd { get; init; }

    /// <summary>When it was written.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The same as <see cref="CreatedAt"/>.</summary>
    public DateTimeOffset InsertedAt { get; init; }
}

/// <summary>Credits used in a period, by kind.</summary>
public sealed record CreditUsage
{
    /// <summary>Start, inclusive.</summary>
    public DateTimeOffset PeriodStart { get; init; }

    /// <summary>End, exclusive.</summary>
    public DateTimeOffset PeriodEnd { get; init; }

    /// <summary>For CPUs and memory.</summary>
    public long ComputeCredits { get; init; }

    /// <summary>For language models.</summary>
    public long AiCredits { get; init; }

    /// <summary>For disks.</summary>
    public long StorageCredits { get; init; }

    /// <summary>All together.</summary>
    public long TotalCredits { get; init; }

    /// <summary>The same as <see cref="ComputeCredits"/>.</summary>
    public long Compute { get; init; }

    /// <summary>The same as <see cref="AiCredits"/>.</summary>
    public long Ai { get; init; }

    /// <summary>The same as <see cref="StorageCredits"/>.</summary>
    public long Storage { get; init; }

    /// <summary>The same as <see cref="TotalCredits"/>.</summary>
    public long Total { get; init; }
}
