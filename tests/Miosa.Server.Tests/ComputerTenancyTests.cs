using System.Text.Json;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>What a computer takes of tenants, users, workspaces, quotas, defaults and meters: the same as a sandbox.</summary>
public sealed class ComputerTenancyTests(Tenant tenant) : IClassFixture<Tenant>
{
    private const string Small = "\"template_type\":\"miosa-busybox\",\"vcpus\":1,\"memory_mb\":256";

    private Api Api => tenant.Api;

    [Fact]
    public async Task A_key_of_one_user_sees_and_makes_only_that_users_computers()
    {
        var bobs = await Api.NewComputerAsync(""","external_user_id":"bob" """);
        // Of this test alone: others have computers of an alice.
        const string user = "alice-of-keys";
        using var alice = tenant.Platform.Api((await Api.PostAsync("api-keys/scoped", $$"""{"external_user_id":"{{user}}","scopes":["computers:write"]}""")).Expect(201).Text("token"));
        var own = (await alice.PostAsync("computers", $$"""{{{Small}}}""")).Expect(201);
        Assert.Equal(user, own.Text("external_user_id"));
        Assert.Equal([own.Text("id")], (await alice.GetAsync("computers")).Expect(200).Json.GetProperty("data").EnumerateArray().Select(c => c.GetProperty("id").GetString()));
        Assert.Equal(422, (await alice.PostAsync("computers", $$"""{{{Small}},"external_user_id":"bob"}""")).Status);
        await alice.UntilStatusAsync(own.Text("id"), "running");
        Assert.Equal(422, (await alice.PatchAsync($"computers/{own.Text("id")}", """{"external_user_id":"bob"}""")).Status);
        Assert.Equal(user, (await alice.PostAsync($"computers/{own.Text("id")}/clone")).Expect(201).Text("external_user_id"));
        foreach (var path in (string[])["", "/env", "/ports", "/urls"])
            Assert.Equal((path, 404), (path, (await alice.GetAsync($"computers/{bobs}{path}")).Status));
        foreach (var call in (string[])["start", "stop", "clone", "restart"])
            Assert.Equal((call, 404), (call, (await alice.PostAsync($"computers/{bobs}/{call}")).Status));
        Assert.Equal(404, (await alice.DeleteAsync($"computers/{bobs}")).Status);
        Assert.Equal(403, (await alice.GetAsync("sandboxes")).Status);
    }

    [Fact]
    public async Task A_token_makes_computers_in_its_workspace()
    {
        var workspace = (await Api.PostAsync("workspaces", """{"name":"of tokens"}""")).Expect(201).Text("id");
        var minted = (await Api.PostAsync("tokens/scoped", $$"""{"user_id":"alice","workspace_id":"{{workspace}}","scopes":["computers:write"]}""")).Expect(201);
        using var api = tenant.Platform.Api(minted.Text("token"));
        var made = (await api.PostAsync("computers", $$"""{{{Small}}}""")).Expect(201);
        Assert.Equal(("alice", workspace), (made.Text("external_user_id"), made.Text("workspace_id")));
        Assert.Equal(422, (await api.PostAsync("computers", $$"""{{{Small}},"workspace_id":"another"}""")).Status);
        var other = await Api.NewComputerAsync(""","external_user_id":"alice" """);
        Assert.Equal(404, (await api.GetAsync($"computers/{other}")).Status);
        Assert.Single((await api.GetAsync("computers")).Json.GetProperty("data").EnumerateArray());
    }

    [Fact]
    public async Task Caps_count_computers_and_a_start_beyond_them_is_refused()
    {
        using var own = await tenant.Platform.NewApiAsync();
        var stopped = await own.NewComputerAsync(""","external_user_id":"u" """);
        (await own.PostAsync($"computers/{stopped}/stop")).Expect(200);
        (await own.PutAsync("quotas/external/u", """{"max_concurrent":1,"max_sandboxes":2}""")).Expect(200);
        var running = await own.NewComputerAsync(""","external_user_id":"u" """);
        foreach (var call in (Func<Task<Answer>>[])
            [
                () => own.PostAsync($"computers/{stopped}/start"), () => own.PostAsync($"computers/{stopped}/restart"),
                () => own.PostAsync("computers", $$"""{{{Small}},"external_user_id":"u"}"""), () => own.PostAsync($"computers/{running}/clone"), () => own.PostAsync("sandboxes", """{"external_user_id":"u","memory_mb":256}"""),
            ])
        {
            var answer = await call();
            Assert.Equal((403, "QUOTA_EXCEEDED"), (answer.Status, answer.Code));
        }
        Assert.Equal("stopped", await own.StatusAsync(stopped));
        // What runs may end and start again within its own place.
        (await own.PostAsync($"computers/{running}/restart")).Expect(200);
        await own.UntilStatusAsync(running, "running");
        (await own.PostAsync($"computers/{running}/stop")).Expect(200);
        (await own.PostAsync($"computers/{stopped}/start")).Expect(200);
        foreach (var id in (string[])[stopped, running])
            (await own.DeleteAsync($"computers/{id}")).Expect(200);
    }

    [Fact]
    public async Task The_tenants_defaults_hold_where_the_body_names_nothing()
    {
        using var own = await tenant.Platform.NewApiAsync();
        (await own.PutAsync("settings", """{"default_computer_size":"xs","auto_stop_default":900}""")).Expect(200);
        var made = (await own.PostAsync("computers", """{"template_type":"miosa-busybox"}""")).Expect(201);
        Assert.Equal(("xs", 900), (made.Text("size"), made.Json.GetProperty("auto_stop_seconds").GetInt32()));
        var other = (await own.PostAsync("computers", $$"""{{{Small}},"auto_stop_seconds":0}""")).Expect(201);
        Assert.Equal((JsonValueKind.Null, 0), (other.Json.GetProperty("size").ValueKind, other.Json.GetProperty("auto_stop_seconds").GetInt32()));
        foreach (var id in (string[])[made.Text("id"), other.Text("id")])
            (await own.DeleteAsync($"computers/{id}")).Expect(200);
    }

    [Fact]
    public async Task Its_time_is_metered_as_a_computers_and_a_stopped_one_holds_its_disk_alone()
    {
        using var own = await tenant.Platform.NewApiAsync();
        var id = await own.NewComputerAsync();
        await Miosa.Platform.Platform.UntilAsync("a second has passed", async () => await SecondsAsync() >= 1);
        Assert.Equal(0, (await own.GetAsync("usage/compute")).Expect(200).Json.GetProperty("sandbox_seconds").GetInt64());
        var report = (await own.GetAsync("analytics/computers")).Expect(200).Json.GetProperty("totals");
        Assert.Equal((1, 1, 0), (report.GetProperty("created").GetDouble(), report.GetProperty("running").GetDouble(), report.GetProperty("stopped").GetDouble()));
        (await own.PostAsync($"computers/{id}/stop")).Expect(200);
        var atStop = await SecondsAsync();
        var session = (await own.GetAsync("usage/sessions")).Expect(200).Json.GetProperty("data")[0];
        Assert.Equal((id, JsonValueKind.Null), (session.GetProperty("computer_id").GetString(), session.GetProperty("sandbox_id").ValueKind));
        Assert.Equal(atStop, await SecondsAsync());
        (await own.DeleteAsync($"computers/{id}")).Expect(200);

        async Task<long> SecondsAsync() => (await own.GetAsync("usage/compute")).Expect(200).Json.GetProperty("computer_seconds").GetInt64();
    }

    [Fact]
    public async Task What_changes_a_computer_stands_in_the_audit_log()
    {
        var id = await Api.NewComputerAsync(""","external_user_id":"audited" """);
        (await Api.PostAsync($"computers/{id}/stop")).Expect(200);
        (await Api.PostAsync($"computers/{id}/ports", """{"port":80}""")).Expect(201);
        (await Api.DeleteAsync($"computers/{id}")).Expect(200);
        var entries = (await Api.GetAsync("audit-log?external_user_id=audited")).Expect(200).Json.GetProperty("data").EnumerateArray().ToList();
        Assert.Equal(["computer.delete", "computer.port.expose", "computer.stop", "computer.create"], entries.Select(e => e.GetProperty("action").GetString()).Where(a => a?.StartsWith("computer.", StringComparison.Ordinal) == true));
        Assert.All(entries, e => Assert.Equal((id, "computer"), (e.GetProperty("resource_id").GetString(), e.GetProperty("resource").GetString())));
    }

    [Fact]
    public async Task Applications_that_are_there_are_installed_and_the_others_say_why_not()
    {
        var id = await Api.NewComputerAsync(""","selected_apps":["git","python"]""", "miosa-sandbox");
        await Miosa.Platform.Platform.UntilAsync("git was looked at", async () => (await AppsAsync(id))["git"] != "installing");
        Assert.Equal("installed", (await AppsAsync(id))["git"]);
        // This image has no apt-get at all.
        var bare = await Api.NewComputerAsync(""","apps":["gimp"]""");
        await Miosa.Platform.Platform.UntilAsync("gimp was tried", async () => (await AppsAsync(bare))["gimp"] == "failed");
        Assert.Equal("running", await Api.StatusAsync(bare));
        Assert.Equal("""["gimp"]""", (await Api.GetAsync($"computers/{bare}")).Json.GetProperty("selected_apps").GetRawText());
        (await Api.PatchAsync($"computers/{bare}", """{"selected_apps":[]}""")).Expect(200);
        Assert.Empty(await AppsAsync(bare));
    }

    [Fact]
    public async Task An_application_that_is_selected_while_another_is_installed_is_not_lost()
    {
        var id = await Api.NewComputerAsync(image: "miosa-sandbox");
        // An installation that takes as long as is needed here, and one that fails at once.
        await OneComputer.RunAsync(Api, id, """
            printf '#!/bin/sh\ntouch /tmp/looked; while [ ! -e /tmp/go ]; do sleep 0.1; done; exec /usr/bin/dpkg-query "$@"\n' > /usr/local/bin/dpkg-query
            printf '#!/bin/sh\nexit 7\n' > /usr/local/bin/apt-get
            chmod 755 /usr/local/bin/dpkg-query /usr/local/bin/apt-get
            """);
        (await Api.PatchAsync($"computers/{id}", """{"selected_apps":["git"]}""")).Expect(200);
        await Miosa.Platform.Platform.UntilAsync("git is looked at", async () => await OneComputer.RunAsync(Api, id, "test -e /tmp/looked && echo yes || echo no") == "yes\n");
        (await Api.PatchAsync($"computers/{id}", """{"selected_apps":["gimp","git"]}""")).Expect(200);
        await OneComputer.RunAsync(Api, id, "touch /tmp/go");
        await Miosa.Platform.Platform.UntilAsync("both were tried", async () => !(await AppsAsync(id)).ContainsValue("installing"));
        var apps = await AppsAsync(id);
        Assert.Equal(("failed", "installed"), (apps["gimp"], apps["git"]));
        (await Api.DeleteAsync($"computers/{id}")).Expect(200);
    }

    private async Task<Dictionary<string, string>> AppsAsync(string id) =>
        (await Api.GetAsync($"computers/{id}/apps")).Expect(200).Json.GetProperty("data").EnumerateArray().ToDictionary(a => a.GetProperty("id").GetString() ?? "", a => a.GetProperty("status").GetString() ?? "");
}
