using System.Globalization;
using System.Text.Json.Nodes;
using Miosa.Server.Host;

namespace Miosa.Server.Quotas;

/// <summary>The four caps; null does not limit.</summary>
internal sealed record Caps(int? MaxSandboxes, int? MaxConcurrent, int? MaxStorageGb, long? MaxCreditCents)
{
    public const string Sandboxes = "max_sandboxes";
    public const string Concurrent = "max_concurrent";
    public const string StorageGb = "max_storage_gb";
    public const string CreditCents = "max_credit_cents";

    public static readonly Caps None = new(null, null, null, null);

    private const int Most = 1_000_000_000;

    public static readonly IReadOnlyList<string> Names = [Sandboxes, Concurrent, StorageGb, CreditCents];

    public QuotaLimits Wire => new() { MaxSandboxes = MaxSandboxes, MaxConcurrent = MaxConcurrent, MaxStorageGb = MaxStorageGb, MaxCreditCents = MaxCreditCents };

    /// <summary>The caps of a body; what is absent or null is lifted. Faults are told by the fields.</summary>
    public static Caps Read(Fields fields) =>
        new(fields.Int(Sandboxes, 0, Most), fields.Int(Concurrent, 0, Most), fields.Int(StorageGb, 0, Most), fields.Int(CreditCents, 0, int.MaxValue));

    /// <summary>A setting: <c>max_sandboxes=5,max_concurrent=2</c>.</summary>
    public static Caps Of(string name, string setting)
    {
        var body = new JsonObject();
        foreach (var entry in setting.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (entry.Split('=', 2, StringSplitOptions.TrimEntries) is not [var cap, var value] || !Names.Contains(cap)
                || !long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                throw new SettingsException($"--{name}: \"{entry}\" is not a cap: name=number with one of {string.Join(", ", Names)}");
            body[cap] = JsonNode.Parse(number.ToString(CultureInfo.InvariantCulture));
        }
        var fields = new Fields(body);
        var caps = Read(fields);
        return fields.Errors() is { } refusal ? throw new SettingsException($"--{name}: {refusal.Message}") : caps;
    }
}

/// <summary>Caps as the database has them, replaced as a whole.</summary>
internal sealed record QuotaRow
{
    public required string TenantId { get; init; }

    /// <summary>One of <see cref="QuotaSubject"/>.</summary>
    public required string Subject { get; init; }

    /// <summary>The external user; empty for the other subjects.</summary>
    public required string ExternalUserId { get; init; }
    public int? MaxSandboxes { get; init; }
    public int? MaxConcurrent { get; init; }
    public int? MaxStorageGb { get; init; }
    public long? MaxCreditCents { get; init; }
    public required DateTimeOffset UpdatedAt { get; init; }

    public Caps Caps => new(MaxSandboxes, MaxConcurrent, MaxStorageGb, MaxCreditCents);
}

/// <summary>Who has caps.</summary>
internal static class QuotaSubject
{
    public const string Tenant = "tenant";

    /// <summary>One external user.</summary>
    public const string User = "external_user";

    /// <summary>Every external user that has none of its own.</summary>
    public const string EachUser = "each_external_user";

    /// <summary>A workspace; its caps stand in its settings.</summary>
    public const string Workspace = "workspace";
}
