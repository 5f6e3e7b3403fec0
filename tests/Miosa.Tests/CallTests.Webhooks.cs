namespace Miosa.Tests;

public sealed partial class CallTests
{
    private const string Hook = """{"id":"wh_1","url":"https://x/","events":["sandbox.*"],"active":true,"enabled":true,"state":"active","headers":{},"secret":"whsec_1","metadata":{},"created_at":"2026-05-26T10:14:23Z","updated_at":"2026-05-26T10:14:23Z"}""";
    private const string Delivery = """{"id":"del_1","webhook_id":"wh_1","event_type":"webhook.test","state":"delivered","success":true,"status_code":204,"attempts":1,"duration_ms":4,"created_at":"2026-05-26T10:14:23Z"}""";
    private const string Happened = "id: evt_1\nevent: sandbox.ready\ndata: {\"type\":\"sandbox.ready\",\"event_id\":\"evt_1\",\"id\":\"sbx_1\",\"tenant_id\":\"ten_1\",\"ts\":\"2026-05-26T10:14:23.000Z\",\"data\":{\"id\":\"sbx_1\"}}\n\n";

    private static readonly UpdateWebhookRequest Off = new() { Active = false, RetryCount = 0 };

    private static Case[] WebhookCases =>
    [
        new("Webhooks.Create", "POST /webhooks", """{"url":"https://x/","events":["sandbox.*"],"name":"n","secret":"s"}""", Wire.Merged(Hook), "whsec_1",
            (_, c) => c.Webhooks.Create("https://x/", ["sandbox.*"], "n", "s").Secret, async (_, c) => (await c.Webhooks.CreateAsync("https://x/", ["sandbox.*"], "n", "s")).Secret),
        new("Webhooks.Create request", "POST /webhooks", """{"url":"https://x/","headers":{"A":"b"},"retry_count":0,"active":false}""", Wire.Merged(Hook), "wh_1",
            (_, c) => c.Webhooks.Create(new CreateWebhookRequest { Url = "https://x/", Headers = new Dictionary<string, string> { ["A"] = "b" }, RetryCount = 0, Active = false }).Id,
            async (_, c) => (await c.Webhooks.CreateAsync(new CreateWebhookRequest { Url = "https://x/", Headers = new Dictionary<string, string> { ["A"] = "b" }, RetryCount = 0, Active = false })).Id),
        new("Webhooks.List", "GET /webhooks?active=true&page=2&per_page=10", "", Page(Hook), "wh_1 7 wh_9 True",
            (_, c) => Of(c.Webhooks.List(true, 2, 10)), async (_, c) => Of(await c.Webhooks.ListAsync(true, 2, 10))),
        new("Webhooks.Get", "GET /webhooks/a%2Fb", "", Wire.Merged(Hook), true, (_, c) => c.Webhooks.Get("a/b").Active, async (_, c) => (await c.Webhooks.GetAsync("a/b")).Active),
        new("Webhooks.Update", "PATCH /webhooks/wh_1", """{"active":false,"retry_count":0}""", Wire.Merged(Hook), "active",
            (_, c) => c.Webhooks.Update("wh_1", Off).State, async (_, c) => (await c.Webhooks.UpdateAsync("wh_1", Off)).State),
        new("Webhooks.Delete", "DELETE /webhooks/wh_1", "", "", null, (_, c) => Null(() => c.Webhooks.Delete("wh_1")), (_, c) => Null(c.Webhooks.DeleteAsync("wh_1"))),
        new("Webhooks.Test", "POST /webhooks/wh_1/test", "", Wire.Merged(Delivery), true, (_, c) => c.Webhooks.Test("wh_1").Success, async (_, c) => (await c.Webhooks.TestAsync("wh_1")).Success),
        new("Webhooks.RotateSecret", "POST /webhooks/wh_1/rotate-secret", """{"overlap_seconds":60}""", Wire.Merged(Hook), "whsec_1",
            (_, c) => c.Webhooks.RotateSecret("wh_1", 60).Secret, async (_, c) => (await c.Webhooks.RotateSecretAsync("wh_1", 60)).Secret),
        new("Webhooks.ListDeliveries", "GET /webhooks/wh_1/deliveries?limit=5&cursor=c&before=2026-05-26T10%3A14%3A23.000Z", "", Page(Delivery), 204,
            (_, c) => c.Webhooks.ListDeliveries("wh_1", 5, "c", new(2026, 5, 26, 12, 14, 23, TimeSpan.FromHours(2))).Data[0].StatusCode,
            async (_, c) => (await c.Webhooks.ListDeliveriesAsync("wh_1", 5, "c", new(2026, 5, 26, 12, 14, 23, TimeSpan.FromHours(2)))).Data[0].StatusCode),
        new("Webhooks.Replay", "POST /webhooks/wh_1/deliveries/del_1/replay", """{"replay_id":"550e8400-e29b-41d4-a716-446655440000"}""", Wire.Merged(Delivery), "del_1",
            (_, c) => c.Webhooks.Replay("wh_1", "del_1", "550e8400-e29b-41d4-a716-446655440000").Id,
            async (_, c) => (await c.Webhooks.ReplayAsync("wh_1", "del_1", "550e8400-e29b-41d4-a716-446655440000")).Id),
        new("Webhooks.GetEventCatalog", "GET /webhooks/events", "", """{"data":{"sandboxes":["sandbox.created"]},"events":["sandbox.created"],"signing":{"header":"h"}}""", "sandbox.created",
            (_, c) => c.Webhooks.GetEventCatalog().Data["sandboxes"][0], async (_, c) => (await c.Webhooks.GetEventCatalogAsync()).Data["sandboxes"][0]),
        new("TenantEvents.Stream", "GET /events/stream?tenant_wide=true&types=sandbox.%2A%2Cbuild.failed", "", Happened, "evt_1 sbx_1",
            (_, c) => c.Events.Stream(types: ["sandbox.*", "build.failed"]).Select(Of).First(), async (_, c) => await c.Events.StreamAsync(types: ["sandbox.*", "build.failed"]).Select(Of).FirstAsync(), "text/event-stream"),
        new("TenantEvents.Stream part", "GET /events/stream?tenant_wide=false&scope=external_user%3Au%2F1", "", Happened, "evt_1 sbx_1",
            (_, c) => c.Events.Stream(tenantWide: false, scope: "external_user:u/1").Select(Of).First(),
            async (_, c) => await c.Events.StreamAsync(tenantWide: false, scope: "external_user:u/1").Select(Of).FirstAsync(), "text/event-stream"),
        new("TenantEvents.CreateTicket", "POST /auth/sse-ticket", "", Wire.Merged("""{"ticket":"sset_1","expires_in":60}"""), "sset_1",
            (_, c) => c.Events.CreateTicket().Ticket, async (_, c) => (await c.Events.CreateTicketAsync()).Ticket),
    ];

    private static string Of(TenantEvent one) => $"{one.EventId} {one.Data["id"]}";

    private static string Of(Page<Webhook> page) => $"{page.Data[0].Id} {page.Total} {page.NextCursor} {page.HasNext}";

    private static string Page(string item) => $$"""{"data":[{{item}}],"total":7,"meta":{"total":7,"page":2,"per_page":10},"has_next":true,"next_cursor":"wh_9"}""";
}
