using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Storage;

namespace Miosa.Server.Policies;

/// <summary>Whether a tenant's policy lets it have one more machine; asked in the transaction that makes it, so that creates at once cannot pass together.</summary>
internal sealed class MachineCap(Database database, TenantRows<PolicyRow> policies) : IDisposable
{
    // The partial index of slugs has just these rows.
    private readonly SqliteCommand count = database.Command("SELECT COUNT(*) FROM machines WHERE TenantId = $tenant AND State <> 'destroyed'");

    /// <exception cref="CapReachedException">It has as many as it may have; nothing is to be written.</exception>
    public void Check(Machine machine, SqliteTransaction transaction)
    {
        if (policies.Of(machine.TenantId)?.MaxSandboxes is not { } limit)
            return;
        count.Transaction = transaction;
        count.Parameters.Clear();
        count.Parameters.AddWithValue("$tenant", machine.TenantId);
        var current = (long)(count.ExecuteScalar() ?? 0L);
        if (current >= limit)
        {
            throw new CapReachedException(new Refusal(
                ErrorCodes.QuotaExceeded,
                $"the tenant has {current} sandboxes and its policy allows {limit}: destroy some, or raise max_sandboxes of the policy",
                new JsonObject { ["what"] = "max_sandboxes", ["limit"] = limit, ["current"] = current }));
        }
    }

    public void Dispose() => count.Dispose();
}

/// <summary>Takes back the transaction it is thrown in.</summary>
internal sealed class CapReachedException(Refusal refusal) : Exception(refusal.Message)
{
    public Refusal Refusal { get; } = refusal;
}
