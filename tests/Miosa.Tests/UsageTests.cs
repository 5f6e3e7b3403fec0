using System.Text.Json;
using System.Text.Json.Nodes;

namespace Miosa.Tests;

public sealed class UsageTests
{
    [Fact]
    public void A_row_tells_the_key_of_its_grouping_alone()
    {
        var row = new UsageRollupRow { ExternalUserId = "u", SandboxSeconds = 1, ComputerSeconds = 0, StorageGbHours = 0.5, CreditCents = 2 };
        var json = JsonSerializer.Serialize(new UsageRollup { PeriodStart = default, PeriodEnd = default, Results = [row] }, WireJson.Default.UsageRollup);
        var fields = JsonNode.Parse(json)?["results"]?[0]?.AsObject().Select(pair => pair.Key);
        Assert.Equal(["external_user_id", "sandbox_seconds", "computer_seconds", "storage_gb_hours", "ai_tokens", "credit_cents", "exact"], fields);

        var read = JsonSerializer.Deserialize(json.Replace("\"u\"", "null", StringComparison.Ordinal), WireJson.Default.UsageRollup)?.Results[0];
        Assert.Equal(("u", null), (row.Key, read?.Key));
    }
}
