using System.Text.Json.Nodes;

namespace Miosa.Server.Webhooks;

/// <summary>What a webhook can be sent, and how to know that it comes from here.</summary>
internal static class WebhookCatalog
{
    private const string Sandboxes = "sandboxes";
    private const string Computers = "computers";
    private const string Builds = "builds";

    public static WebhookEventCatalog Of(bool isLegacy)
    {
        var names = typeof(EventNames).GetFields().Where(f => f.IsLiteral).Select(f => (string?)f.GetRawConstantValue() ?? "").Concat(EventNames.Aliases.Keys).Order(StringComparer.Ordinal).ToList();
        return new WebhookEventCatalog
        {
            Data = names.GroupBy(CategoryOf).ToDictionary(g => g.Key, g => (IReadOnlyList<string>)[.. g]),
            Events = names,
            WorkspaceScopedCategories = [Sandboxes, Computers, Builds],
            Signing = new JsonObject
            {
                ["header"] = WebhookSignature.PlainHeader.ToLowerInvariant(),
                ["algorithm"] = "hmac-sha256",
                ["format"] = isLegacy ? "t=<unix seconds>,v1=<hex>" : "sha256=<hex>",
                ["timestamped"] = new JsonObject
                {
                    ["header"] = WebhookSignature.TimedHeader.ToLowerInvariant(),
                    ["format"] = "t=<unix seconds>,v1=<hex>",
                    ["signed"] = "<t>.<body>",
                    ["tolerance_seconds"] = (int)WebhookSignature.DefaultTolerance.TotalSeconds,
                },
            },
            DeliveryHeaders =
            [
                .. ((string[])[WebhookSender.EventHeader, WebhookSender.DeliveryHeader, WebhookSignature.PlainHeader, WebhookSignature.TimedHeader,
                    WebhookSignature.HexHeader, WebhookSignature.PreviousHeader, "User-Agent"]).Select(h => h.ToLowerInvariant()),
            ],
        };
    }

    private static string CategoryOf(string name) => name[..name.IndexOf('.', StringComparison.Ordinal)] switch
    {
        "sandbox" => Sandboxes,
        "computer" => Computers,
        "build" => Builds,
        var other => other + "s",
    };
}
