using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Platform;

namespace Miosa.Server.Tests;

public sealed class WorkspaceTests(Tenant tenant) : IClassFixture<Tenant>
{
    private Api Api => tenant.Api;

    private static string Fresh(string name) => $"{name}-{Guid.NewGuid().ToString("N")[..8]}";

    [Fact]
    public async Task A_workspace_is_made_found_by_id_and_slug_changed_and_deleted()
    {
        var name = Fresh("Staging EU");
        var made = (await Api.PostAsync("workspaces", $$"""{"name":"{{name}}","description":"d","metadata":{"team":"core","seats":3,"paid":true,"none":null},"external_workspace_id":"clinic_123"}""")).Expect(201);
        var (id, slug) = (made.Text("id"), made.Text("slug"));
        Assert.StartsWith("ws_", id, StringComparison.Ordinal);
        Assert.Equal(name.ToLowerInvariant().Replace(' ', '-'), slug);
        Assert.Equal("""{"team":"core","seats":"3","paid":"true"}""", made.Json.GetProperty("metadata").GetRawText());
        Assert.Equal((tenant.Id, "clinic_123", "{}"), (made.Text("tenant_id"), made.Text("external_workspace_id"), made.Json.GetProperty("settings").GetRawText()));
        Assert.Equal(id, made.Json.GetProperty("data").GetProperty("id").GetString());

        Assert.Equal(id, (await Api.GetAsync($"workspaces/{slug}")).Expect(200).Text("id"));
        // What clients send back without having changed it is no change, nor are fields that nobody knows.
        var changed = (await Api.PatchAsync($"workspaces/{id}", """{"name":"Staging US","slug":null,"description":null,"metadata":{"a":"b"},"colour":"red","id":"ws_other"}""")).Expect(200);
        Assert.Equal((id, "Staging US", slug), (changed.Text("id"), changed.Text("name"), changed.Text("slug")));
        Assert.Equal(JsonValueKind.Null, changed.Json.GetProperty("description").ValueKind);
        Assert.Equal("""{"a":"b"}""", changed.Json.GetProperty("metadata").GetRawText());

        Assert.Equal(204, (await Api.DeleteAsync($"workspaces/{id}")).Status);
        Assert.Equal(404, (await Api.GetAsync($"workspaces/{id}")).Status);
        Assert.Equal(404, (await Api.DeleteAsync($"workspaces/{slug}")).Status);
    }

    [Fact]
    public async Task A_slug_that_is_taken_is_409_and_one_made_of_a_name_gets_a_number()
    {
        var name = Fresh("twin");
        var first = (await Api.PostAsync("workspaces", $$"""{"name":"{{name}}"}""")).Expect(201).Text("slug");
        Assert.Equal(first + "-2", (await Api.PostAsync("workspaces", $$"""{"name":"{{name}}"}""")).Expect(201).Text("slug"));
        Assert.Equal(first + "-3", (await Api.PostAsync("workspaces", $$"""{"name":"{{name}}"}""")).Expect(201).Text("slug"));
        var taken = await Api.PostAsync("workspaces", $$"""{"name":"x","slug":"{{first}}"}""");
        Assert.Equal((409, "CONFLICT"), (taken.Status, taken.Code));
        var other = (await Api.PostAsync("workspaces", """{"name":"Ünïcödé 你好"}""")).Expect(201);
        Assert.Matches("^[a-z0-9-]+$", other.Text("slug"));
        Assert.Equal(409, (await Api.PatchAsync($"workspaces/{other.Text("id")}", $$"""{"slug":"{{first}}"}""")).Status);
        Assert.Equal(other.Text("slug"), (await Api.GetAsync($"workspaces/{other.Text("id")}")).Text("slug"));
        // Of another tenant it is free.
        using var stranger = await tenant.Platform.NewApiAsync();
        (await stranger.PostAsync("workspaces", $$"""{"name":"x","slug":"{{first}}"}""")).Expect(201);
    }

    [Fact]
    public async Task Twenty_creations_of_one_slug_at_once_make_one_workspace()
    {
        var slug = Fresh("race");
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Api.PostAsync("workspaces", $$"""{"name":"race","slug":"{{slug}}"}""")));
        Assert.Equal(1, answers.Count(a => a.Status == 201));
        Assert.Equal(19, answers.Count(a => a.Status == 409));
    }

    [Theory]
    [InlineData("""{}""", "name")]
    [InlineData("""{"name":""}""", "name")]
    [InlineData("""{"name":7}""", "name")]
    [InlineData("""{"name":"x","slug":"Not A Slug"}""", "slug")]
    [InlineData("""{"name":"x","slug":"-a"}""", "slug")]
    [InlineData("""{"name":"x","metadata":[]}""", "metadata")]
    [InlineData("""{"name":"x","metadata":{"a":{"b":1}}}""", "metadata")]
    [InlineData("""{"name":"x","external_workspace_id":"a\nb"}""", "external_workspace_id")]
    public async Task A_faulty_field_is_422_and_named(string body, string field)
    {
        var answer = await Api.PostAsync("workspaces", body);
        Assert.Equal((422, "VALIDATION_ERROR"), (answer.Status, answer.Code));
        Assert.True(answer.Json.GetProperty("details").TryGetProperty(field, out _), answer.Body);
    }

    [Fact]
    public async Task Machines_are_made_in_a_workspace_by_id_or_slug_and_show_its_names_as_they_are_now()
    {
        var made = (await Api.PostAsync("workspaces", $$"""{"name":"Home","slug":"{{Fresh("home")}}"}""")).Expect(201);
        var (id, slug) = (made.Text("id"), made.Text("slug"));
        var first = (await Api.PostAsync("sandboxes", $$"""{"workspace_id":"{{id}}"}""")).Expect(201);
        var second = (await Api.PostAsync("sandboxes", $$"""{"workspace_id":"{{slug}}"}""")).Expect(201);
        var outside = await Api.CreateAsync();
        Assert.Equal((id, slug, "Home"), (first.Text("workspace_id"), first.Text("workspace_slug"), first.Text("workspace_name")));
        Assert.Equal(id, second.Text("workspace_id"));
        var fork = (await Api.PostAsync($"sandboxes/{first.Text("id")}/fork", "{}")).Expect(201);
        Assert.Equal(id, fork.Text("workspace_id"));

        (await Api.PatchAsync($"workspaces/{id}", """{"name":"Moved"}""")).Expect(200);
        Assert.Equal("Moved", (await Api.GetAsync($"sandboxes/{second.Text("id")}")).Text("workspace_name"));
        string[] inside = [first.Text("id"), second.Text("id"), fork.Text("id")];
        foreach (var list in (string[])[$"workspaces/{id}/sandboxes", $"workspaces/{slug}/sandboxes", $"sandboxes?workspace_id={id}", $"sandboxes?workspace_id={slug}"])
            Assert.Equal(inside.Order(), (await Api.GetAsync(list)).Expect(200).Json.GetProperty("data").EnumerateArray().Select(s => s.GetProperty("id").GetString()).Order());
        Assert.Equal(0, (await Api.GetAsync($"workspaces/{id}/computers")).Expect(200).Json.GetProperty("data").GetArrayLength());

        (await Api.PostAsync($"sandboxes/{second.Text("id")}/pause")).Expect(200);
        var stats = (await Api.GetAsync($"workspaces/{id}/stats")).Expect(200).Json;
        Assert.Equal((3, 2, 1), (Number(stats, "sandboxes", "total"), Number(stats, "sandboxes", "running"), Number(stats, "sandboxes", "paused")));
        Assert.Equal(first.Json.GetProperty("vcpus").GetInt32() * 2, Number(stats, "resources", "vcpus"));
        Assert.Equal(0, Number(stats, "computers", "total"));
        (await Api.DeleteAsync($"sandboxes/{outside}")).Expect(200);
    }

    [Fact]
    public async Task A_workspace_that_is_not_the_tenants_is_422_and_everything_of_it_404()
    {
        using var other = await tenant.Platform.NewApiAsync();
        var made = (await other.PostAsync("workspaces", """{"name":"theirs"}""")).Expect(201);
        foreach (var named in (string[])[made.Text("id"), made.Text("slug"), "ws_nothing", "nothing"])
        {
            var answer = await Api.PostAsync("sandboxes", $$"""{"workspace_id":"{{named}}","timeout_sec":-1}""");
            Assert.Equal((422, "VALIDATION_ERROR"), (answer.Status, answer.Code));
            // Every fault is told at once.
            Assert.True(answer.Json.GetProperty("details").TryGetProperty("workspace_id", out _) && answer.Json.GetProperty("details").TryGetProperty("timeout_sec", out _), answer.Body);
            foreach (var path in (string[])["", "/stats", "/usage", "/sandboxes", "/computers"])
                Assert.Equal((path, 404), (path, (await Api.GetAsync($"workspaces/{named}{path}")).Status));
            Assert.Equal(404, (await Api.PatchAsync($"workspaces/{named}", """{"name":"mine"}""")).Status);
            Assert.Equal(404, (await Api.PutAsync($"workspaces/{named}/settings", "{}")).Status);
            Assert.Equal(404, (await Api.DeleteAsync($"workspaces/{named}")).Status);
        }
        Assert.Equal("theirs", (await other.GetAsync($"workspaces/{made.Text("id")}")).Expect(200).Text("name"));
        Assert.DoesNotContain(made.Text("id"), (await Api.GetAsync("workspaces")).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_workspace_with_machines_cannot_be_deleted_and_says_so()
    {
        var id = (await Api.PostAsync("workspaces", """{"name":"full"}""")).Expect(201).Text("id");
        var sandbox = await Api.CreateAsync($$"""{"workspace_id":"{{id}}","persistent":true}""");
        (await Api.PostAsync($"sandboxes/{sandbox}/stop")).Expect(200);

        var refused = await Api.DeleteAsync($"workspaces/{id}");

        Assert.Equal((409, "WORKSPACE_NOT_EMPTY", 1), (refused.Status, refused.Code, refused.Json.GetProperty("details").GetProperty("machines").GetInt32()));
        (await Api.DeleteAsync($"sandboxes/{sandbox}")).Expect(200);
        Assert.Equal(204, (await Api.DeleteAsync($"workspaces/{id}")).Status);
        // The destroyed one is still shown with what it had, but the workspace's names are gone.
        var gone = (await Api.GetAsync($"sandboxes/{sandbox}")).Expect(200).Json;
        Assert.Equal((id, JsonValueKind.Null), (gone.GetProperty("workspace_id").GetString(), gone.GetProperty("workspace_slug").ValueKind));
    }

    [Fact]
    public async Task Creating_in_a_workspace_while_it_is_deleted_leaves_no_machine_without_one()
    {
        for (var round = 0; round < 5; round++)
        {
            var id = (await Api.PostAsync("workspaces", """{"name":"brief"}""")).Expect(201).Text("id");
            var creations = Enumerable.Range(0, 4).Select(_ => Api.PostAsync("sandboxes", $$"""{"workspace_id":"{{id}}"}""")).ToList();
            var deleted = await Api.DeleteAsync($"workspaces/{id}");
            var answers = await Task.WhenAll(creations);
            Assert.All(answers, answer => Assert.Contains(answer.Status, (int[])[201, 422]));
            if (deleted.Status == 204)
                Assert.All(answers, answer => Assert.Equal(422, answer.Status));
            foreach (var answer in answers.Where(a => a.Status == 201))
                (await Api.DeleteAsync($"sandboxes/{answer.Text("id")}")).Expect(200);
        }
    }

    [Fact]
    public async Task A_workspace_that_is_named_by_slug_is_made_once()
    {
        var slug = Fresh("by-slug");
        var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Api.PostAsync("sandboxes", $$"""{"workspace_slug":"{{slug}}","workspace_name":"By slug"}""")));
        var ids = answers.Select(answer => answer.Expect(201).Text("workspace_id")).Distinct().ToList();
        Assert.Equal((slug, "By slug"), (answers[0].Text("workspace_slug"), answers[0].Text("workspace_name")));
        Assert.Equal((await Api.GetAsync($"workspaces/{slug}")).Expect(200).Text("id"), Assert.Single(ids));
        // A creation that is faulty makes none.
        (await Api.PostAsync("sandboxes", """{"workspace_slug":"never-made","timeout_sec":0}""")).Expect(422);
        Assert.Equal(404, (await Api.GetAsync("workspaces/never-made")).Status);
        Assert.Equal(422, (await Api.PostAsync("sandboxes", """{"workspace_slug":"No Slug"}""")).Status);
    }

    [Fact]
    public async Task Settings_give_new_machines_their_defaults_and_what_is_named_goes_before()
    {
        var id = (await Api.PostAsync("workspaces", """{"name":"defaults"}""")).Expect(201).Text("id");
        var settings = """{"defaults":{"memory_mb":300,"cpu_count":1,"timeout_sec":120,"idle_timeout_sec":60,"persistent":true,"egress":{"mode":"closed"}},"note":{"kept":"as it is"}}""";
        var set = (await Api.PutAsync($"workspaces/{id}/settings", settings)).Expect(200);
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(settings), JsonNode.Parse(set.Json.GetProperty("settings").GetRawText())), set.Body);

        var plain = (await Api.PostAsync("sandboxes", $$"""{"workspace_id":"{{id}}"}""")).Expect(201).Json;
        Assert.Equal((300, 1, 120, 60, true), (Get(plain, "memory_mb"), Get(plain, "cpu_count"), Get(plain, "timeout_sec"), Get(plain, "idle_timeout_sec"), plain.GetProperty("persistent").GetBoolean()));
        Assert.Equal("closed", (await Api.GetAsync($"sandboxes/{plain.GetProperty("id").GetString()}/egress")).Expect(200).Text("mode"));
        var named = (await Api.PostAsync("sandboxes", $$"""{"workspace_id":"{{id}}","size":"xs","timeout":240,"persistent":false}""")).Expect(201).Json;
        Assert.Equal(("xs", 2048, 240, false), (named.GetProperty("size").GetString(), Get(named, "memory_mb"), Get(named, "timeout_sec"), named.GetProperty("persistent").GetBoolean()));
        // Another set takes the place of the whole.
        (await Api.PutAsync($"workspaces/{id}/settings", "{}")).Expect(200);
        Assert.Equal(3600, Get((await Api.PostAsync("sandboxes", $$"""{"workspace_id":"{{id}}"}""")).Expect(201).Json, "timeout_sec"));
    }

    [Fact]
    public async Task Limits_of_a_workspace_hold_for_its_machines_alone()
    {
        var id = (await Api.PostAsync("workspaces", """{"name":"limits"}""")).Expect(201).Text("id");
        (await Api.PutAsync($"workspaces/{id}/settings", """{"limits":{"max_sandboxes":2},"max_concurrent":1}""")).Expect(200);
        var first = await Api.CreateAsync($$"""{"workspace_id":"{{id}}"}""");

        var concurrent = await Api.PostAsync("sandboxes", $$"""{"workspace_id":"{{id}}"}""");
        Assert.Equal((403, "QUOTA_EXCEEDED"), (concurrent.Status, concurrent.Code));
        Assert.Equal(("max_concurrent", 1, 1, "workspace", id), Details(concurrent));
        (await Api.PostAsync($"sandboxes/{first}/pause")).Expect(200);
        var second = await Api.CreateAsync($$"""{"workspace_id":"{{id}}"}""");
        Assert.Equal(403, (await Api.PostAsync($"sandboxes/{first}/resume")).Status);
        (await Api.PostAsync($"sandboxes/{second}/pause")).Expect(200);
        Assert.Equal(("max_sandboxes", 2, 2, "workspace", id), Details(await Api.PostAsync("sandboxes", $$"""{"workspace_id":"{{id}}"}""")));
        Assert.Equal("paused", (await Api.GetAsync($"sandboxes/{first}")).Text("state"));
        await Api.CreateAsync();
    }

    [Theory]
    [InlineData("""{"max_sandboxes":-1}""", "max_sandboxes")]
    [InlineData("""{"limits":{"max_concurrent":"two"}}""", "limits.max_concurrent")]
    [InlineData("""{"limits":{"max_colours":1}}""", "limits.max_colours")]
    [InlineData("""{"limits":5}""", "limits")]
    [InlineData("""{"defaults":{"size":"enormous"}}""", "defaults.size")]
    [InlineData("""{"defaults":{"env":{"A":"b"}}}""", "defaults.env")]
    [InlineData("""{"defaults":{"timeout_sec":0}}""", "defaults.timeout_sec")]
    public async Task Settings_that_could_not_work_are_refused_by_name_and_change_nothing(string settings, string field)
    {
        var id = (await Api.PostAsync("workspaces", """{"name":"faulty"}""")).Expect(201).Text("id");
        var answer = await Api.PutAsync($"workspaces/{id}/settings", settings);
        Assert.Equal(422, answer.Status);
        Assert.True(answer.Json.GetProperty("details").TryGetProperty(field, out _), answer.Body);
        Assert.Equal("{}", (await Api.GetAsync($"workspaces/{id}")).Json.GetProperty("settings").GetRawText());
    }

    [Fact]
    public async Task Two_updates_at_once_both_stay()
    {
        var id = (await Api.PostAsync("workspaces", """{"name":"both"}""")).Expect(201).Text("id");
        for (var round = 0; round < 10; round++)
        {
            await Task.WhenAll(
                Api.PatchAsync($"workspaces/{id}", $$"""{"description":"d{{round}}"}"""),
                Api.PatchAsync($"workspaces/{id}", $$"""{"name":"n{{round}}"}"""),
                Api.PutAsync($"workspaces/{id}/settings", $$"""{"round":{{round}}}"""));
            var now = (await Api.GetAsync($"workspaces/{id}")).Expect(200);
            Assert.Equal(($"d{round}", $"n{round}", round), (now.Text("description"), now.Text("name"), now.Json.GetProperty("settings").GetProperty("round").GetInt32()));
        }
    }

    [Fact]
    public async Task The_list_has_pages_cursors_and_every_spelling_of_its_figures()
    {
        using var api = await tenant.Platform.NewApiAsync();
        for (var i = 0; i < 5; i++)
            (await api.PostAsync("workspaces", $$"""{"name":"w{{i}}","external_workspace_id":"e{{i % 2}}"}""")).Expect(201);

        var all = (await api.GetAsync("workspaces")).Expect(200).Json;
        Assert.Equal(["w4", "w3", "w2", "w1", "w0"], Names(all));
        Assert.Equal(all.GetProperty("data").GetRawText(), all.GetProperty("workspaces").GetRawText());
        Assert.Equal((5, false, JsonValueKind.Null), (all.GetProperty("total").GetInt32(), all.GetProperty("has_next").GetBoolean(), all.GetProperty("next_cursor").ValueKind));
        Assert.Equal(["w1", "w0"], Names((await api.GetAsync("workspaces?page=2&per_page=3")).Expect(200).Json));
        Assert.Equal(["w3", "w1"], Names((await api.GetAsync("workspaces?external_workspace_id=e1")).Expect(200).Json));

        // A workspace that is made meanwhile neither repeats nor hides another.
        var seen = new List<string?>();
        var cursor = "";
        do
        {
            var page = (await api.GetAsync("workspaces?limit=2" + cursor)).Expect(200).Json;
            seen.AddRange(Names(page));
            (await api.PostAsync("workspaces", """{"name":"late"}""")).Expect(201);
            cursor = page.GetProperty("has_next").GetBoolean() ? "&cursor=" + page.GetProperty("next_cursor").GetString() : "";
        }
        while (cursor.Length > 0);
        Assert.Equal(["w4", "w3", "w2", "w1", "w0"], seen);

        foreach (var faulty in (string[])["page=0", "page=x", "per_page=1000000000", "per_page=0", "limit=1001", "cursor=nonsense"])
            Assert.Equal((faulty, 422), (faulty, (await api.GetAsync("workspaces?" + faulty)).Status));
    }

    [Fact]
    public async Task Scopes_are_kept_apart()
    {
        using var reader = tenant.Platform.Api(await tenant.Platform.NewKeyAsync(tenant.Id, ["workspaces:read"]));
        (await reader.GetAsync("workspaces")).Expect(200);
        var answer = await reader.PostAsync("workspaces", """{"name":"x"}""");
        Assert.Equal((403, "insufficient_scope"), (answer.Status, answer.Code));
        var id = (await Api.PostAsync("workspaces", """{"name":"scopes"}""")).Expect(201).Text("id");
        Assert.Equal(403, (await reader.GetAsync($"workspaces/{id}/usage")).Status);
        Assert.Equal(403, (await reader.GetAsync($"workspaces/{id}/sandboxes")).Status);
    }

    [Fact]
    public async Task Workspaces_survive_a_kill_of_the_server()
    {
        var made = (await Api.PostAsync("workspaces", """{"name":"kept","description":"d"}""")).Expect(201);
        await tenant.Platform.KillServerAsync();
        await tenant.Platform.StartServerAsync();
        Assert.Equal("d", (await Api.GetAsync($"workspaces/{made.Text("slug")}")).Expect(200).Text("description"));
    }

    private static (string?, int, int, string?, string?) Details(Answer answer)
    {
        var details = answer.Expect(403).Json.GetProperty("details");
        return (details.GetProperty("what").GetString(), details.GetProperty("limit").GetInt32(), details.GetProperty("current").GetInt32(),
            details.GetProperty("subject").GetString(), details.GetProperty("workspace_id").GetString());
    }

    private static int Get(JsonElement body, string name) => body.GetProperty(name).GetInt32();

    private static int Number(JsonElement body, string group, string name) => body.GetProperty(group).GetProperty(name).GetInt32();

    private static IEnumerable<string?> Names(JsonElement list) => list.GetProperty("data").EnumerateArray().Select(w => w.GetProperty("name").GetString());
}
