namespace Miosa.Server.Credits;

/// <summary>Values of <see cref="CreditRow.Kind"/>.</summary>
internal static class CreditKind
{
    public const string Grant = "grant";
    public const string Promo = "promo";
    public const string Usage = "usage";
    public const string Adjustment = "adjustment";
}

/// <summary>Values of <c>--credit-rule</c>: whether what is left of the credits stands against new machines.</summary>
internal static class CreditRules
{
    public const string None = "none";

    /// <summary>Nothing is created or resumed at a balance of zero or less.</summary>
    public const string Prepaid = "prepaid";

    public static readonly IReadOnlyList<string> All = [None, Prepaid];
}

/// <summary>One entry of the ledger; written once and never changed.</summary>
internal sealed record CreditRow
{
    public long Position { get; init; }
    public required string Id { get; init; }
    public required string TenantId { get; init; }
    public required string Kind { get; init; }

    /// <summary>Millionths of a cent; negative for what was used.</summary>
    public required long Amount { get; init; }

    /// <summary>Sum of the tenant's entries up to this one.</summary>
    public required long BalanceAfter { get; init; }
    public required string Description { get; init; }

    /// <summary>The stretch of time that an entry of usage charges, in milliseconds of the meter clock.</summary>
    public long? From { get; init; }
    public long? To { get; init; }
    public required DateTimeOffset At { get; init; }
}

/// <summary>How far a tenant's usage is charged; moved in the transaction that writes the entry, so that no time is charged twice or left out.</summary>
internal sealed record ChargedRow
{
    public required string TenantId { get; init; }
    public required long UntilMs { get; init; }

    /// <summary>What the entries so far left out, because they are whole millionths of a cent: less than one of them, times milliseconds by the hour.</summary>
    public required long Remainder { get; init; }
}
