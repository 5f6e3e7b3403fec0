using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>Computers over HTTP on real machines, of images without a desktop: what the desktop itself does is tried where there is one.</summary>
public sealed class ComputerTests(Tenant tenant) : IClassFixture<Tenant>
{
    private Api Api => tenant.Api;

    [Fact]
    public async Task A_created_computer_starts_by_itself_and_is_told_in_the_shape_all_clients_read()
    {
        var made = (await Api.PostAsync("computers", """{"name":"runner-1","template":"miosa-sandbox","size":"small","metadata":{"team":"qa"},"external_user_id":"usr_1","external_workspace_id":"org_1"}""")).Expect(201);
        var id = made.Text("id");
        Assert.StartsWith("cmp_", id, StringComparison.Ordinal);
        Assert.Contains(made.Text("status"), (string[])["creating", "starting", "running"]);
        Assert.Equal((true, JsonValueKind.Null), (made.Json.GetProperty("success").GetBoolean(), made.Json.GetProperty("message").ValueKind));
        // The usual call right after create.
        Assert.Contains((await Api.PostAsync($"computers/{id}/start")).Expect(200).Text("status"), (string[])["starting", "running"]);
        await Api.UntilStatusAsync(id, "running");
        var told = (await Api.GetAsync($"computers/{id}")).Expect(200);
        foreach (var one in (JsonElement[])[told.Json, told.Json.GetProperty("data")])
        {
            Assert.Equal(
                (id, "runner-1", "running", "miosa-sandbox", "small", "public", "usr_1", "org_1", "qa"),
                (Text("id"), Text("name"), Text("status"), Text("template_type"), Text("size"), Text("visibility"), Text("external_user_id"), Text("external_workspace_id"), one.GetProperty("metadata").GetProperty("team").GetString()));
            Assert.NotEmpty(Text("slug") ?? "");
            Assert.NotEmpty(Text("preview_domain") ?? "");
            Assert.Equal((JsonValueKind.Null, JsonValueKind.Null), (one.GetProperty("screen_width").ValueKind, one.GetProperty("error").ValueKind));
            Assert.InRange(one.GetProperty("boot_ms").GetInt32(), 1, 60_000);
            string? Text(string name) => one.GetProperty(name).GetString();
        }
        Assert.Equal("running", (await tenant.Platform.MachinesAsync())[id]);
        Assert.Equal(id, (await Api.GetAsync("computers/" + told.Text("slug"))).Expect(200).Text("id"));
    }

    [Fact]
    public async Task Stop_keeps_the_disk_start_brings_it_back_and_both_can_be_repeated()
    {
        var id = await Api.NewComputerAsync();
        await tenant.Platform.EnterAsync(id, "echo kept > /kept");
        for (var i = 0; i < 2; i++)
            Assert.Equal("stopped", (await Api.PostAsync($"computers/{id}/stop", "null")).Expect(200).Text("status"));
        Assert.Equal("dead", (await tenant.Platform.MachinesAsync())[id]);
        Assert.Equal("stopped", await Api.StatusAsync(id));
        for (var i = 0; i < 2; i++)
            Assert.Contains((await Api.PostAsync($"computers/{id}/start", "{}")).Expect(200).Text("status"), (string[])["starting", "running"]);
        await Api.UntilStatusAsync(id, "running");
        Assert.Equal("kept\n", await tenant.Platform.EnterAsync(id, "cat /kept"));
    }

    [Fact]
    public async Task Restart_ends_what_ran_and_starts_a_stopped_one_too()
    {
        var id = await Api.NewComputerAsync();
        var before = await tenant.Platform.PidAsync(id);
        await tenant.Platform.EnterAsync(id, "echo kept > /kept");
        Assert.Equal("starting", (await Api.PostAsync($"computers/{id}/restart")).Expect(200).Text("status"));
        await Api.UntilStatusAsync(id, "running");
        var after = await tenant.Platform.PidAsync(id);
        Assert.NotEqual(before, after);
        Assert.Equal("kept\n", await tenant.Platform.EnterAsync(id, "cat /kept"));
        (await Api.PostAsync($"computers/{id}/stop")).Expect(200);
        (await Api.PostAsync($"computers/{id}/restart")).Expect(200);
        await Api.UntilStatusAsync(id, "running");
    }

    [Fact]
    public async Task A_deleted_computer_is_gone_at_once_and_deleting_it_again_is_fine()
    {
        var id = await Api.NewComputerAsync();
        for (var i = 0; i < 2; i++)
        {
            var answer = (await Api.DeleteAsync($"computers/{id}?force=true")).Expect(200);
            Assert.Equal((true, true, id, "destroyed"), (answer.Json.GetProperty("success").GetBoolean(), answer.Json.GetProperty("ok").GetBoolean(), answer.Text("id"), answer.Text("status")));
        }
        Assert.DoesNotContain(id, (await tenant.Platform.MachinesAsync()).Keys);
        Assert.Equal((404, "NOT_FOUND"), await CodeAsync(Api.GetAsync($"computers/{id}")));
        Assert.Equal(404, (await Api.PostAsync($"computers/{id}/start")).Status);
        Assert.DoesNotContain(id, (await Api.GetAsync("computers")).Body, StringComparison.Ordinal);
        Assert.Equal(404, (await Api.DeleteAsync("computers/cmp_00000000000000000000000000")).Status);
    }

    [Fact]
    public async Task Sandboxes_and_computers_do_not_see_each_other()
    {
        var computer = await Api.NewComputerAsync(""","name":"same" """);
        var sandbox = await Api.CreateAsync("""{"name":"same"}""");
        foreach (var path in (string[])["", "/env", "/events", "/previews", "/metrics", "/usage", "/files?path=/", "/processes"])
            Assert.Equal((path, 404), (path, (await Api.GetAsync($"sandboxes/{computer}{path}")).Status));
        foreach (var call in (string[])["pause", "resume", "stop", "fork", "extend", "snapshots", "exec"])
            Assert.Equal((call, 404), (call, (await Api.PostAsync($"sandboxes/{computer}/{call}", """{"command":"true"}""")).Status));
        Assert.Equal(404, (await Api.DeleteAsync($"sandboxes/{computer}")).Status);
        Assert.Equal(sandbox, (await Api.GetAsync("sandboxes/by-name/same")).Expect(200).Text("id"));
        Assert.DoesNotContain(computer, (await Api.GetAsync("sandboxes")).Body, StringComparison.Ordinal);
        foreach (var path in (string[])["", "/env", "/ports", "/metrics", "/urls", "/auto-stop", "/apps"])
            Assert.Equal((path, 404), (path, (await Api.GetAsync($"computers/{sandbox}{path}")).Status));
        foreach (var call in (string[])["start", "stop", "restart", "clone", "resize", "move"])
            Assert.Equal((call, 404), (call, (await Api.PostAsync($"computers/{sandbox}/{call}", "{}")).Status));
        Assert.Equal(404, (await Api.DeleteAsync($"computers/{sandbox}")).Status);
        Assert.DoesNotContain(sandbox, (await Api.GetAsync("computers")).Body, StringComparison.Ordinal);
        Assert.Equal("running", await Api.StatusAsync(computer));
    }

    [Fact]
    public async Task Another_tenant_sees_nothing_of_it()
    {
        var id = await Api.NewComputerAsync();
        using var other = await tenant.Platform.NewApiAsync();
        foreach (var path in (string[])["", "/env", "/ports", "/metrics", "/urls", "/auto-stop", "/apps"])
            Assert.Equal((path, 404), (path, (await other.GetAsync($"computers/{id}{path}")).Status));
        foreach (var call in (string[])["start", "stop", "restart", "clone", "resize", "move", "env", "ports", ""])
            Assert.Equal((call, 404), (call, (await other.PostAsync($"computers/{id}/{call}".TrimEnd('/'), """{"name":"A","value":"b","port":80,"size":"xs","region":"local"}""")).Status));
        Assert.Equal(404, (await other.DeleteAsync($"computers/{id}")).Status);
        Assert.Equal(0, (await other.GetAsync("computers")).Json.GetProperty("meta").GetProperty("total").GetInt32());
        Assert.Equal("running", await Api.StatusAsync(id));
    }

    [Fact]
    public async Task The_list_is_newest_first_and_its_filters_and_pages_hold()
    {
        using var own = await tenant.Platform.NewApiAsync();
        var ids = new List<string>();
        for (var i = 0; i < 3; i++)
            ids.Add(await own.NewComputerAsync($$""","name":"n{{i}}","external_user_id":"u{{i % 2}}" """));
        (await own.PostAsync($"computers/{ids[0]}/stop")).Expect(200);
        Assert.Equal([ids[2], ids[1], ids[0]], await IdsAsync(own, ""));
        Assert.Equal([ids[0]], await IdsAsync(own, "?status=stopped"));
        Assert.Equal([ids[0]], await IdsAsync(own, "?state=paused"));
        Assert.Equal([ids[2], ids[1]], await IdsAsync(own, "?status=active"));
        Assert.Equal([ids[1]], await IdsAsync(own, "?name=n1"));
        Assert.Equal([ids[2], ids[0]], await IdsAsync(own, "?external_user_id=u0"));
        Assert.Equal([], await IdsAsync(own, "?template_type=miosa-desktop"));
        Assert.Equal([], await IdsAsync(own, "?status=stopping"));
        Assert.Equal([ids[0]], await IdsAsync(own, "?page=2&per_page=2"));
        var page = (await own.GetAsync("computers?page=1&limit=2")).Expect(200).Json;
        Assert.Equal((3, 2, 2, true), (Number(page, "meta", "total"), Number(page, "meta", "per_page"), Number(page, "page", "page_size"), page.GetProperty("meta").GetProperty("has_next").GetBoolean()));
        foreach (var query in (string[])["status=asleep", "page=0", "per_page=101"])
            Assert.Equal((query, 422), (query, (await own.GetAsync("computers?" + query)).Status));
        foreach (var id in ids)
            (await own.DeleteAsync($"computers/{id}")).Expect(200);
    }

    [Fact]
    public async Task Update_changes_what_is_given_and_leaves_the_rest()
    {
        var id = await Api.NewComputerAsync(""","name":"before","metadata":{"x":"1"},"external_user_id":"u" """);
        var changed = (await Api.PatchAsync($"computers/{id}", """{"name":"after","agent_session_id":"s-1","visibility":"tenant","external_user_id":null}""")).Expect(200);
        Assert.Equal(("after", "s-1", "tenant", """{"x":"1"}"""), (changed.Text("name"), changed.Text("agent_session_id"), changed.Text("visibility"), changed.Json.GetProperty("metadata").GetRawText()));
        Assert.Equal(JsonValueKind.Null, changed.Json.GetProperty("external_user_id").ValueKind);
        Assert.Equal("key", (await Api.PostAsync($"computers/{id}", """{"visibility":"key"}""")).Expect(200).Text("visibility"));
        (await Api.PostAsync($"computers/{id}/stop")).Expect(200);
        Assert.Equal("{}", (await Api.PutAsync($"computers/{id}", """{"metadata":{},"slug":"my-slug","agent_session_id":null}""")).Expect(200).Json.GetProperty("metadata").GetRawText());
        Assert.Equal(id, (await Api.GetAsync("computers/my-slug")).Text("id"));
        foreach (var body in (string[])["""{"visibility":"everybody"}""", """{"name":""}""", """{"slug":"No!"}""", """{"metadata":[]}""", """{"workspace_id":"ws_none"}""", """{"selected_apps":["vscode"]}"""])
            Assert.Equal((body, 422), (body, (await Api.PatchAsync($"computers/{id}", body)).Status));
    }

    [Theory]
    [InlineData("""{"size":"huge"}""", "size")]
    [InlineData("""{"template_type":"no-such-image"}""", "template_type")]
    [InlineData("""{"template_type":"miosa-busybox","selected_apps":["vscode","chrome"]}""", "selected_apps")]
    [InlineData("""{"template_type":"miosa-busybox","visibility":"private"}""", "visibility")]
    [InlineData("""{"template_type":"miosa-busybox","region":"mars"}""", "region")]
    [InlineData("""{"template_type":"miosa-busybox","workspace_id":"ws_none"}""", "workspace_id")]
    [InlineData("""{"template_type":"miosa-busybox","screen_width":100}""", "screen_width")]
    [InlineData("""{"template_type":"miosa-busybox","auto_stop_seconds":-1}""", "auto_stop_seconds")]
    [InlineData("""{"template_type":"miosa-busybox","metadata":"x"}""", "metadata")]
    public async Task A_faulty_creation_is_422_and_names_the_field(string body, string field)
    {
        var answer = await Api.PostAsync("computers", body);
        Assert.Equal((422, "VALIDATION_ERROR"), (answer.Status, answer.Code));
        Assert.Contains(field, answer.Json.GetProperty("details").EnumerateObject().Select(f => f.Name));
    }

    [Fact]
    public async Task The_same_idempotency_key_makes_one_computer()
    {
        const string Body = """{"template_type":"miosa-busybox","vcpus":1,"memory_mb":256}""";
        var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Api.PostAsync("computers", Body, ("Idempotency-Key", "c-once"))));
        Assert.Single(answers.Select(a => a.Expect(201).Text("id")).Distinct());
        // Some clients have it in the body.
        const string Keyed = """{"template_type":"miosa-busybox","vcpus":1,"memory_mb":256,"idempotency_key":"c-body"}""";
        var first = (await Api.PostAsync("computers", Keyed)).Expect(201).Text("id");
        Assert.NotEqual(answers[0].Text("id"), first);
        Assert.Equal(first, (await Api.PostAsync("computers", Keyed)).Expect(201).Text("id"));
        var clones = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Api.PostAsync($"computers/{answers[0].Text("id")}/clone", "{}", ("Idempotency-Key", "c-clone"))));
        Assert.Single(clones.Select(a => a.Body).Distinct());
    }

    [Fact]
    public async Task A_clone_has_the_disk_and_the_settings_and_lives_by_itself()
    {
        var id = await Api.NewComputerAsync(""","name":"source","metadata":{"a":"b"},"env":{"K":"v"},"auto_stop_seconds":900""");
        await tenant.Platform.EnterAsync(id, "echo kept > /kept");
        foreach (var isStopped in (bool[])[false, true])
        {
            if (isStopped)
                (await Api.PostAsync($"computers/{id}/stop")).Expect(200);
            var made = (await Api.PostAsync($"computers/{id}/clone", isStopped ? "{\"name\":\"other\",\"metadata\":{}}" : null)).Expect(201);
            var clone = made.Json.GetProperty("data").GetProperty("id").GetString() ?? "";
            Assert.NotEqual(id, clone);
            await Api.UntilStatusAsync(clone, "running");
            Assert.Equal((isStopped ? "other" : "source-clone", isStopped ? "{}" : """{"a":"b"}""", 900), (made.Text("name"), made.Json.GetProperty("metadata").GetRawText(), made.Json.GetProperty("auto_stop_seconds").GetInt32()));
            Assert.Equal("kept\n", await tenant.Platform.EnterAsync(clone, "cat /kept"));
            Assert.Equal("v", (await Api.GetAsync($"computers/{clone}/env")).Json.GetProperty("data")[0].GetProperty("value").GetString());
            (await Api.DeleteAsync($"computers/{clone}")).Expect(200);
        }
        Assert.Equal("stopped", await Api.StatusAsync(id));
    }

    [Fact]
    public async Task A_resize_counts_at_once_and_on_a_stopped_one_from_its_next_start()
    {
        var id = await Api.NewComputerAsync(""","disk_size_mb":1024""");
        var changed = (await Api.PostAsync($"computers/{id}/resize", """{"cpu_count":2,"memory_mb":512}""")).Expect(200);
        Assert.Equal((2, 512, 1024), (changed.Json.GetProperty("vcpus").GetInt32(), changed.Json.GetProperty("memory_mb").GetInt32(), changed.Json.GetProperty("disk_size_mb").GetInt32()));
        Assert.Equal((2, 512, 1024), await LimitsAsync(id));
        (await Api.PostAsync($"computers/{id}/stop")).Expect(200);
        (await Api.SendAsync(HttpMethod.Patch, $"computers/{id}/resize", """{"cpus":1,"memory_mb":300,"disk_mb":2048}""")).Expect(200);
        Assert.Equal((422, "VALIDATION_ERROR"), await CodeAsync(Api.PostAsync($"computers/{id}/resize", """{"disk_mb":1024}""")));
        (await Api.PostAsync($"computers/{id}/start")).Expect(200);
        await Api.UntilStatusAsync(id, "running");
        Assert.Equal((1, 300, 2048), await LimitsAsync(id));
        foreach (var body in (string[])["{}", """{"size":"giant"}""", """{"vcpus":0}""", """{"memory_mb":"512"}"""])
            Assert.Equal((body, 422), (body, (await Api.PostAsync($"computers/{id}/resize", body)).Status));
    }

    [Fact]
    public async Task A_move_to_the_own_region_changes_nothing_and_to_another_is_422()
    {
        var id = await Api.NewComputerAsync();
        Assert.Equal("local", (await Api.PostAsync($"computers/{id}/move", """{"region_slug":"local"}""")).Expect(200).Text("region"));
        Assert.Equal(200, (await Api.PostAsync($"computers/{id}/move", """{"host_id":"local"}""")).Status);
        var refused = await Api.PostAsync($"computers/{id}/move", """{"region":"us-east-ny"}""");
        Assert.Equal(422, refused.Status);
        Assert.Contains("\\\"local\\\"", refused.Body, StringComparison.Ordinal);
        Assert.Equal(422, (await Api.PostAsync($"computers/{id}/move", "{}")).Status);
        Assert.Equal("running", await Api.StatusAsync(id));
    }

    [Fact]
    public async Task An_idle_computer_is_stopped_and_the_policy_says_when()
    {
        var id = await Api.NewComputerAsync();
        var policy = (await Api.GetAsync($"computers/{id}/auto-stop")).Expect(200).Json;
        Assert.Equal((false, 0, JsonValueKind.Null, false), (policy.GetProperty("enabled").GetBoolean(), policy.GetProperty("seconds").GetInt32(), policy.GetProperty("stops_at").ValueKind, policy.TryGetProperty("data", out _)));
        var set = (await Api.PatchAsync($"computers/{id}/auto-stop", """{"auto_stop_seconds":3600}""")).Expect(200).Json;
        Assert.Equal((true, 3600, 3600, id), (set.GetProperty("enabled").GetBoolean(), set.GetProperty("seconds").GetInt32(), set.GetProperty("auto_stop_seconds").GetInt32(), set.GetProperty("computer_id").GetString()));
        Assert.NotEqual(JsonValueKind.Null, set.GetProperty("stops_at").ValueKind);
        (await Api.PutAsync($"computers/{id}/auto-stop", """{"seconds":1}""")).Expect(200);
        await Api.UntilStatusAsync(id, "stopped");
        Assert.Equal(JsonValueKind.Null, (await Api.GetAsync($"computers/{id}/auto-stop")).Json.GetProperty("stops_at").ValueKind);
        foreach (var body in (string[])["{}", """{"seconds":-1}""", """{"seconds":"1"}""", """{"seconds":99999999}"""])
            Assert.Equal((body, 422), (body, (await Api.PatchAsync($"computers/{id}/auto-stop", body)).Status));
    }

    [Fact]
    public async Task A_stopped_computer_refuses_use_and_says_what_to_do()
    {
        var id = await Api.NewComputerAsync();
        (await Api.PostAsync($"computers/{id}/stop")).Expect(200);
        var refused = await Api.GetAsync($"computers/{id}/apps");
        Assert.Equal((409, "COMPUTER_NOT_RUNNING"), (refused.Status, refused.Code));
        Assert.Contains("the computer is stopped: start it first (POST /computers/{id}/start)", refused.Text("error"), StringComparison.Ordinal);
        Assert.Equal("stopped", await Api.StatusAsync(id));
    }

    [Fact]
    public async Task Variables_are_made_changed_listed_and_removed_and_every_call_can_be_repeated()
    {
        var id = await Api.NewComputerAsync();
        for (var i = 0; i < 2; i++)
        {
            var made = await Api.PostAsync($"computers/{id}/env", """{"name":"DATABASE_URL","value":"postgres://a"}""");
            Assert.Equal((i == 0 ? 201 : 200, "DATABASE_URL", "postgres://a", id), (made.Status, made.Text("name"), made.Text("value"), made.Text("computer_id")));
            Assert.False(made.Json.TryGetProperty("data", out _));
        }
        Assert.Equal("b", (await Api.PatchAsync($"computers/{id}/env/DATABASE_URL", """{"value":"b"}""")).Expect(200).Text("value"));
        (await Api.PostAsync($"computers/{id}/env", """{"key":"SECRET","value":"s3cret-value","encrypted":true}""")).Expect(201);
        var list = (await Api.GetAsync($"computers/{id}/env")).Expect(200);
        Assert.Equal((2, 2), (list.Json.GetProperty("total").GetInt32(), list.Json.EnumerateObject().Count()));
        Assert.Equal(["b", null], list.Json.GetProperty("data").EnumerateArray().Select(v => v.GetProperty("value").GetString()));
        Assert.DoesNotContain("s3cret-value", list.Body, StringComparison.Ordinal);
        Assert.Equal(404, (await Api.PatchAsync($"computers/{id}/env/NONE", """{"value":"b"}""")).Status);
        foreach (var body in (string[])["{}", """{"name":"1A","value":"x"}""", """{"name":"A"}""", """{"name":"A","value":1}""", """{"value":"x"}"""])
            Assert.Equal((body, 422), (body, (await Api.PostAsync($"computers/{id}/env", body)).Status));
        for (var i = 0; i < 2; i++)
            Assert.True((await Api.DeleteAsync($"computers/{id}/env/DATABASE_URL")).Expect(200).Json.GetProperty("success").GetBoolean());
        Assert.Equal(1, (await Api.GetAsync($"computers/{id}/env")).Json.GetProperty("total").GetInt32());
    }

    [Fact]
    public async Task A_port_opens_to_whom_it_says_and_follows_the_computer_when_it_says_nothing()
    {
        var id = await Api.NewComputerAsync(""","visibility":"tenant" """);
        var made = (await Api.PostAsync($"computers/{id}/ports", """{"port":3000,"label":"web"}""")).Expect(201);
        Assert.Equal((3000, "tenant", "http", "web"), (made.Json.GetProperty("port").GetInt32(), made.Text("visibility"), made.Text("protocol"), made.Text("label")));
        (await Api.PostAsync($"computers/{id}/ports", """{"port":3000}""")).Expect(200);
        (await Api.PostAsync($"computers/{id}/ports", """{"port":4000,"visibility":"private"}""")).Expect(201);
        (await Api.PostAsync($"computers/{id}/ports", """{"port":5000,"visibility":"public"}""")).Expect(201);
        Assert.Equal([HttpStatusCode.Forbidden, HttpStatusCode.Forbidden], [await OpenAsync(id, 3000), await OpenAsync(id, 4000)]);
        // Nothing listens, which only he is told who may know.
        Assert.NotEqual(HttpStatusCode.Forbidden, await OpenAsync(id, 5000));
        (await Api.PatchAsync($"computers/{id}", """{"visibility":"public"}""")).Expect(200);
        Assert.NotEqual(HttpStatusCode.Forbidden, await OpenAsync(id, 3000));
        Assert.Equal(HttpStatusCode.Forbidden, await OpenAsync(id, 4000));
        Assert.Equal("key", (await Api.PutAsync($"computers/{id}/ports/5000", """{"visibility":"key","port":5000}""")).Expect(200).Text("visibility"));
        Assert.Equal(HttpStatusCode.Forbidden, await OpenAsync(id, 5000));
        var list = (await Api.GetAsync($"computers/{id}/ports")).Expect(200).Json;
        Assert.Equal(["3000 public", "4000 private", "5000 key"], list.GetProperty("data").EnumerateArray().Select(p => $"{p.GetProperty("port").GetInt32()} {p.GetProperty("visibility").GetString()}"));
        Assert.Equal((3, 2), (list.GetProperty("total").GetInt32(), list.EnumerateObject().Count()));
        var urls = (await Api.GetAsync($"computers/{id}/urls")).Expect(200).Json;
        Assert.Equal(3, urls.GetProperty("data").GetArrayLength());
        Assert.Equal(urls.GetProperty("sandbox_url").GetString(), (await Api.GetAsync($"computers/{id}")).Text("sandbox_url"));
        foreach (var body in (string[])["{}", """{"port":0}""", """{"port":65536}""", """{"port":80,"visibility":"all"}""", """{"port":80,"protocol":"tcp"}"""])
            Assert.Equal((body, 422), (body, (await Api.PostAsync($"computers/{id}/ports", body)).Status));
        for (var i = 0; i < 2; i++)
            Assert.True((await Api.DeleteAsync($"computers/{id}/ports/4000")).Expect(200).Json.GetProperty("ok").GetBoolean());
        Assert.Equal(404, (await Api.PatchAsync($"computers/{id}/ports/4000", """{"visibility":"public"}""")).Status);
    }

    [Fact]
    public async Task Metrics_tell_a_window_of_a_running_and_of_a_stopped_computer()
    {
        var id = await Api.NewComputerAsync();
        var told = (await Api.GetAsync($"computers/{id}/metrics?range=15m")).Expect(200).Json;
        Assert.Equal(("15m", id, false), (told.GetProperty("window").GetString(), told.GetProperty("computer_id").GetString(), told.TryGetProperty("data", out _)));
        Assert.True(told.GetProperty("current").GetProperty("memory_used_mb").GetDouble() > 0);
        foreach (var name in (string[])["cpu_percent", "memory_used_mb", "disk_used_mb", "network_rx_bytes", "network_tx_bytes"])
            Assert.Equal(JsonValueKind.Array, told.GetProperty("series").GetProperty(name).ValueKind);
        (await Api.PostAsync($"computers/{id}/stop")).Expect(200);
        var stopped = (await Api.GetAsync($"computers/{id}/metrics")).Expect(200).Json;
        Assert.Equal(("1h", 0), (stopped.GetProperty("window").GetString(), stopped.GetProperty("current").EnumerateObject().Count()));
        foreach (var window in (string[])["5", "h", "0m", "10s", "99999d", "-1h"])
            Assert.Equal((window, 422), (window, (await Api.GetAsync($"computers/{id}/metrics?window={window}")).Status));
    }

    [Fact]
    public async Task Its_events_are_those_of_the_contract_in_their_order()
    {
        using var own = await tenant.Platform.NewApiAsync();
        using var stream = await own.EventsAsync("events/stream?tenant_wide=true");
        var id = await own.NewComputerAsync(""","external_user_id":"usr_9" """);
        (await own.PostAsync($"computers/{id}/restart")).Expect(200);
        await own.UntilStatusAsync(id, "running");
        (await own.PostAsync($"computers/{id}/stop")).Expect(200);
        (await own.PostAsync($"computers/{id}/start")).Expect(200);
        await own.UntilStatusAsync(id, "running");
        (await own.DeleteAsync($"computers/{id}")).Expect(200);
        var events = new List<SseEvent>();
        while (events.Count == 0 || events[^1].Type != "computer.deleted")
            events.Add(await stream.NextAsync() ?? throw new InvalidOperationException("the stream ended"));
        Assert.Equal(
            ["computer.created creating", "computer.started running", "computer.restarted starting", "computer.started running", "computer.stopped stopped", "computer.started running", "computer.deleted destroyed"],
            events.Select(e => $"{e.Type} {e.Json.GetProperty("status").GetString()}"));
        Assert.All(events, e => Assert.Equal((id, "usr_9"), (e.Json.GetProperty("id").GetString(), e.Json.GetProperty("data").GetProperty("external_user_id").GetString())));
    }

    [Fact]
    public async Task Many_calls_at_once_leave_a_computer_that_is_what_it_says()
    {
        var id = await Api.NewComputerAsync();
        string[] verbs = ["start", "stop", "restart"];
        for (var round = 0; round < 3; round++)
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(i => Api.PostAsync($"computers/{id}/{verbs[(i + round) % 3]}")));
            Assert.All(answers, a => Assert.Equal(200, a.Status));
            await Miosa.Platform.Platform.UntilAsync("it has come to rest as it says", async () =>
            {
                var status = await Api.StatusAsync(id);
                return status switch
                {
                    "running" => (await tenant.Platform.MachinesAsync())[id] == "running",
                    "stopped" => (await tenant.Platform.MachinesAsync())[id] == "dead",
                    "error" => throw new InvalidOperationException("it failed"),
                    _ => false,
                };
            });
        }
        (await Api.PostAsync($"computers/{id}/start")).Expect(200);
        await Api.UntilStatusAsync(id, "running");
    }

    [Fact]
    public async Task Webhooks_are_sent_its_events_under_both_names()
    {
        using var own = await tenant.Platform.NewApiAsync();
        await using var receiver = await Receiver.StartAsync();
        await Hooks.CreateAsync(own, receiver.Url, """,{"events":["computer.running","computer.stopped","computer.destroyed"]}""");
        var id = await own.NewComputerAsync();
        (await own.PostAsync($"computers/{id}/stop")).Expect(200);
        (await own.DeleteAsync($"computers/{id}")).Expect(200);
        var told = await receiver.CountAsync(3);
        Assert.Equal(["computer.running", "computer.stopped", "computer.destroyed"], told.Select(r => r.Event));
        Assert.All(told, r => Assert.Equal(id, r.Json.GetProperty("data").GetProperty("id").GetString()));
    }

    [Fact]
    public async Task Workspace_dashboard_and_counts_tell_computers()
    {
        using var own = await tenant.Platform.NewApiAsync();
        var id = await own.NewComputerAsync(""","workspace_slug":"acme","workspace_name":"Acme" """);
        var workspace = (await own.GetAsync($"computers/{id}")).Text("workspace_id");
        Assert.Equal(id, (await own.GetAsync("workspaces/acme/computers")).Expect(200).Json.GetProperty("data")[0].GetProperty("id").GetString());
        Assert.Equal(0, (await own.GetAsync("workspaces/acme/sandboxes")).Json.GetProperty("data").GetArrayLength());
        Assert.Equal([id], await IdsAsync(own, $"?workspace_id={workspace}"));
        (await own.PostAsync($"computers/{id}/stop")).Expect(200);
        var counts = (await own.GetAsync("workspaces/acme/stats")).Expect(200).Json.GetProperty("computers");
        Assert.Equal((1, 1, 0), (counts.GetProperty("total").GetInt32(), counts.GetProperty("stopped").GetInt32(), counts.GetProperty("running").GetInt32()));
        var summary = (await own.GetAsync("dashboard")).Expect(200).Body;
        Assert.Contains("\"computers_by_status\":", summary, StringComparison.Ordinal);
        Assert.Contains("\"stopped\":1", summary, StringComparison.Ordinal);
        Assert.Equal(409, (await own.DeleteAsync($"workspaces/{workspace}")).Status);
        (await own.DeleteAsync($"computers/{id}")).Expect(200);
    }

    private async Task<HttpStatusCode> OpenAsync(string id, int port)
    {
        using var client = new HttpClient();
        using var response = await client.GetAsync($"{tenant.Platform.RootUrl}/p/{id}/{port}/");
        return response.StatusCode;
    }

    private async Task<(int, int, int)> LimitsAsync(string id)
    {
        var info = await tenant.Platform.AskRuntimeAsync(new JsonObject { ["op"] = "inspect", ["machine"] = id });
        return (info.GetProperty("vcpus").GetInt32(), info.GetProperty("memory_mb").GetInt32(), info.GetProperty("disk_mb").GetInt32());
    }

    private static int Number(JsonElement json, string part, string name) => json.GetProperty(part).GetProperty(name).GetInt32();

    private static async Task<List<string?>> IdsAsync(Api api, string query) =>
        [.. (await api.GetAsync("computers" + query)).Expect(200).Json.GetProperty("data").EnumerateArray().Select(c => c.GetProperty("id").GetString())];

    private static async Task<(int, string)> CodeAsync(Task<Answer> call)
    {
        var answer = await call;
        return (answer.Status, answer.Code);
    }
}
