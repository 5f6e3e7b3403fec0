using System.Text.Json.Nodes;
using Miosa.Server.Host;
using Miosa.Server.Metering;
using Miosa.Server.Sandboxes;

namespace Miosa.Server.Analytics;

/// <summary>What machines cost, from the same table that charges them. Prices in dollars are exact decimals, no floating point.</summary>
internal sealed class PricingEndpoints(Prices prices, Sizes sizes)
{
    private const decimal MicroCentsPerDollar = 100_000_000m;

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<PricingEndpoints>();
        api.Map("GET", "/compute/pricing", context => Task.FromResult(Bare(it.Table()))).NeedsAnyKey();
        api.Map("GET", "/settings/compute-pricing", context => Task.FromResult(Reply.One(it.BySize(), WireJson.Default.JsonObject))).NeedsAnyKey();
        // There are no GPUs to be had.
        api.Map("GET", "/settings/gpu-pricing", context => Task.FromResult(Bare([]))).NeedsAnyKey();
    }

    private static IResult Bare(JsonObject data) => Reply.Bare(new JsonObject { ["data"] = data }, WireJson.Default.JsonObject);

    private JsonObject Table() => new()
    {
        ["currency"] = Prices.Currency,
        ["unit"] = "hour",
        ["vcpu_hour"] = Dollars(prices.Vcpu),
        ["memory_gib_hour"] = Dollars(prices.MemoryGib),
        ["disk_gib_hour"] = Dollars(prices.DiskGib),
        // For a thousand tokens; models of the operator's file may have their own.
        ["tokens"] = new JsonObject
        {
            ["input_1k"] = Dollars(prices.TokenIn),
            ["output_1k"] = Dollars(prices.TokenOut),
            ["embedding_1k"] = Dollars(prices.TokenEmbedding),
        },
        ["micro_cents"] = new JsonObject { ["vcpu_hour"] = prices.Vcpu, ["memory_gib_hour"] = prices.MemoryGib, ["disk_gib_hour"] = prices.DiskGib },
        ["sizes"] = BySize(),
    };

    private JsonObject BySize()
    {
        var all = new JsonObject();
        foreach (var name in sizes.Names)
        {
            if (sizes.Find(name) is not { } shape)
                continue;
            var (compute, storage) = (prices.ComputeRate(shape.Vcpus, shape.MemoryMb), prices.StorageRate(shape.DiskMb));
            all[name] = new JsonObject
            {
                ["price_hour"] = Dollars(compute + storage),
                ["price_hour_paused"] = Dollars(storage),
                ["price_hour_micro_cents"] = compute + storage,
                ["currency"] = Prices.Currency,
                ["vcpus"] = shape.Vcpus,
                ["memory_mb"] = shape.MemoryMb,
                ["disk_size_mb"] = shape.DiskMb,
            };
        }
        return all;
    }

    private static decimal Dollars(long microCents) => microCents / MicroCentsPerDollar;
}
