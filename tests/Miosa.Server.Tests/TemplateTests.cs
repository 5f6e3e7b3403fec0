using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Platform;

namespace Miosa.Server.Tests;

public sealed class TemplateTests(Tenant tenant) : IClassFixture<Tenant>
{
    private Api Api => tenant.Api;

    [Fact]
    public async Task A_template_of_an_image_alone_is_ready_at_once_and_gives_its_sandboxes_their_defaults()
    {
        var template = (await Api.PostAsync("sandbox-templates", """
            {"name":"Small One","build_spec":{"from":"miosa-busybox","vcpu":1,"memoryMib":256,"diskMib":700,"startCmd":"sleep 1","previewPort":3000},"description":"d","metadata":{"k":"v"}}
            """)).Expect(201);
        var id = template.Text("id");
        Assert.StartsWith("tpl_", id, StringComparison.Ordinal);
        Assert.Equal(("small-one", "ready", "ready", "miosa-busybox"), (template.Text("slug"), template.Text("status"), template.Text("state"), template.Text("image_id")));
        Assert.Equal(id, template.Json.GetProperty("data").GetProperty("id").GetString());
        Assert.False(template.Json.GetProperty("built_in").GetBoolean());

        foreach (var name in (string[])[id, "small-one", "Small One"])
        {
            Assert.Equal(id, (await Api.GetAsync($"sandbox-templates/{Uri.EscapeDataString(name)}")).Expect(200).Text("id"));
            var sandbox = (await Api.PostAsync("sandboxes", $$"""{"template_id":"{{name}}"}""")).Expect(201);
            Assert.Equal((id, 256, 700), (sandbox.Text("template_id"), sandbox.Json.GetProperty("memory_mb").GetInt32(), sandbox.Json.GetProperty("disk_size_mb").GetInt32()));
            Assert.StartsWith("miosa-busybox@", sandbox.Text("image_id"), StringComparison.Ordinal);
            await Api.DeleteAsync($"sandboxes/{sandbox.Text("id")}");
        }
        var own = (await Api.PostAsync("sandboxes", $$"""{"image":"{{id}}","memory_mb":300}""")).Expect(201);
        Assert.Equal(300, own.Json.GetProperty("memory_mb").GetInt32());
        Assert.Contains(own.Text("id"), (await Api.GetAsync($"sandboxes?template_id={id}")).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_list_has_own_templates_before_official_ones_and_names_the_default()
    {
        var id = (await Api.PostAsync("sandbox-templates", """{"name":"listed","image":"miosa-busybox"}""")).Expect(201).Text("id");

        var list = (await Api.GetAsync("sandbox-templates")).Expect(200).Json;

        var ids = list.GetProperty("data").EnumerateArray().Select(t => t.GetProperty("id").GetString()).ToList();
        Assert.True(ids.IndexOf(id) >= 0 && ids.IndexOf(id) < ids.IndexOf("miosa-busybox"), string.Join(' ', ids));
        Assert.Contains("miosa-sandbox", ids);
        Assert.Equal("miosa-busybox", list.GetProperty("default_template_id").GetString());
        Assert.Equal(1, (await Api.GetAsync("sandbox-templates?per_page=1")).Expect(200).Json.GetProperty("data").GetArrayLength());
        Assert.Equal(422, (await Api.GetAsync("sandbox-templates?page=0")).Status);

        var catalog = (await Api.GetAsync("templates")).Expect(200).Json;
        Assert.Equal(JsonValueKind.Array, catalog.GetProperty("data").ValueKind);
        Assert.Contains(catalog.GetProperty("templates").EnumerateArray(), t => t.GetProperty("id").GetString() == id && t.GetProperty("sizes").GetArrayLength() > 0);
        Assert.Equal(0, (await Api.GetAsync("templates?product=computer")).Expect(200).Json.GetProperty("data").GetArrayLength());
    }

    [Fact]
    public async Task An_official_template_can_be_used_but_neither_deleted_nor_built()
    {
        var official = (await Api.GetAsync("sandbox-templates/miosa-busybox")).Expect(200);
        Assert.Equal(("miosa-busybox", true), (official.Text("slug"), official.Json.GetProperty("is_official").GetBoolean()));
        Assert.Equal((403, "FORBIDDEN"), await RefusalOf(Api.DeleteAsync("sandbox-templates/miosa-busybox")));
        Assert.Equal((403, "FORBIDDEN"), await RefusalOf(Api.PostAsync("sandbox-templates/miosa-busybox/builds")));
        Assert.Equal(0, (await Api.GetAsync("sandbox-templates/miosa-busybox/builds")).Expect(200).Json.GetProperty("data").GetArrayLength());
        Assert.Equal((409, "CONFLICT"), await RefusalOf(Api.PostAsync("sandbox-templates", """{"name":"x","slug":"miosa-busybox","image":"miosa-busybox"}""")));
        Assert.Equal((409, "CONFLICT"), await RefusalOf(Api.PostAsync("sandbox-templates", """{"name":"miosa-busybox","slug":"x","image":"miosa-busybox"}""")));
    }

    [Fact]
    public async Task Another_tenant_finds_nothing_of_a_template_and_cannot_make_a_sandbox_of_its_image()
    {
        var template = await Api.BuiltAsync("""{"name":"mine","build_spec":{"from":"miosa-busybox","steps":[{"run":"echo secret > /secret"}]}}""");
        var (id, image, build) = (template.Text("id"), template.Text("image_ref"), template.Text("current_build_id"));
        using var foreign = await tenant.Platform.NewApiAsync();

        foreach (var name in (string[])[id, "mine", image])
        {
            Assert.Equal(404, (await foreign.GetAsync($"sandbox-templates/{name}")).Status);
            Assert.Equal(404, (await foreign.DeleteAsync($"sandbox-templates/{name}")).Status);
            Assert.Equal(404, (await foreign.GetAsync($"sandbox-templates/{name}/builds")).Status);
            Assert.Equal(404, (await foreign.PostAsync($"sandbox-templates/{name}/builds")).Status);
            Assert.Equal((422, "VALIDATION_ERROR"), await RefusalOf(foreign.PostAsync("sandboxes", $$"""{"template_id":"{{name}}"}""")));
            Assert.Equal((422, "VALIDATION_ERROR"), await RefusalOf(foreign.PostAsync("sandbox-templates", $$"""{"name":"thief","image":"{{name}}"}""")));
            Assert.Equal((422, "VALIDATION_ERROR"), await RefusalOf(foreign.PostAsync("sandbox-templates", $$$"""{"name":"thief","build_spec":{"dockerfile":"FROM {{{name}}}\nRUN true"}}""")));
        }
        Assert.Equal(404, (await foreign.GetAsync($"sandbox-template-builds/{build}")).Status);
        Assert.Equal(404, (await foreign.GetAsync($"sandbox-template-builds/{build}/logs/stream")).Status);
        Assert.DoesNotContain(id, (await foreign.GetAsync("sandbox-templates")).Body, StringComparison.Ordinal);
        Assert.DoesNotContain(image, (await foreign.GetAsync("sandbox-templates")).Body, StringComparison.Ordinal);
        // The owner neither: the image is reached through its template alone.
        Assert.Equal(422, (await Api.PostAsync("sandboxes", $$"""{"image":"{{image}}"}""")).Status);
    }

    [Fact]
    public async Task Names_and_slugs_are_taken_once()
    {
        (await Api.PostAsync("sandbox-templates", """{"name":"Once","image":"miosa-busybox"}""")).Expect(201);
        Assert.Contains("name", (await Api.PostAsync("sandbox-templates", """{"name":"Once","slug":"other","image":"miosa-busybox"}""")).Expect(409).Text("error"), StringComparison.Ordinal);
        Assert.Contains("slug", (await Api.PostAsync("sandbox-templates", """{"name":"Another","slug":"once","image":"miosa-busybox"}""")).Expect(409).Text("error"), StringComparison.Ordinal);
        using var foreign = await tenant.Platform.NewApiAsync();
        (await foreign.PostAsync("sandbox-templates", """{"name":"Once","image":"miosa-busybox"}""")).Expect(201);
    }

    [Fact]
    public async Task The_same_idempotency_key_makes_one_template_and_one_build()
    {
        var key = Guid.NewGuid().ToString("N");
        const string Body = """{"name":"keyed","build_spec":{"from":"miosa-busybox","steps":[{"run":"true"}]}}""";
        var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Api.PostAsync("sandbox-templates", Body, ("Idempotency-Key", key))));
        var id = Assert.Single(answers.Select(answer => answer.Expect(201).Text("id")).Distinct());
        // Started again while it waits or runs: the same build.
        var builds = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Api.PostAsync($"sandbox-templates/{id}/builds", "{}", ("Idempotency-Key", key))));
        Assert.Single(builds.Select(build => build.Expect(202).Text("id")).Distinct());
    }

    [Theory]
    [InlineData("""{"image":"miosa-busybox"}""", "name")]
    [InlineData("""{"name":"a"}""", "image")]
    [InlineData("""{"name":"a","image":"no-such"}""", "image")]
    [InlineData("""{"name":"a","build_spec":{"from":"no-such"}}""", "build_spec.from")]
    [InlineData("""{"name":"a","build_spec":{}}""", "build_spec.from")]
    [InlineData("""{"name":"a","build_spec":"x"}""", "build_spec")]
    [InlineData("""{"name":"a","slug":"A b","image":"miosa-busybox"}""", "slug")]
    [InlineData("""{"name":"a","build_spec":{"from":"miosa-busybox","memoryMib":"much"}}""", "build_spec.memoryMib")]
    [InlineData("""{"name":"a","build_spec":{"from":"miosa-busybox","vcpu":100000}}""", "build_spec.vcpu")]
    [InlineData("""{"name":"a","build_spec":{"from":"miosa-busybox","steps":[{"walk":"x"}]}}""", "build_spec.steps")]
    [InlineData("""{"name":"a","build_spec":{"from":"miosa-busybox","steps":[{"run":"a","env":{}}]}}""", "build_spec.steps")]
    [InlineData("""{"name":"a","build_spec":{"from":"miosa-busybox","steps":[{"copy":"missing","to":"/"}]}}""", "build_spec.steps")]
    [InlineData("""{"name":"a","build_spec":{"from":"miosa-busybox","context":{"../up":"x"}}}""", "build_spec.context")]
    [InlineData("""{"name":"a","build_spec":{"from":"miosa-busybox","context":{"/etc/passwd":"x"}}}""", "build_spec.context")]
    [InlineData("""{"name":"a","build_spec":{"from":"miosa-busybox","context":{"a":{"base64":"%%"}}}}""", "build_spec.context")]
    [InlineData("""{"name":"a","build_spec":{"from":"miosa-busybox","packages":["jq; rm -rf /"]}}""", "build_spec.packages")]
    [InlineData("""{"name":"a","build_spec":{"from":"miosa-busybox","user":"a b"}}""", "build_spec.user")]
    [InlineData("""{"name":"a","build_spec":{"dockerfile":"FROM miosa-busybox\nRUN true\nHEALTHCHECK CMD true\n"}}""", "build_spec.dockerfile")]
    public async Task A_faulty_field_is_named_and_nothing_is_made(string body, string field)
    {
        var answer = await Api.PostAsync("sandbox-templates", body);
        Assert.Equal(422, answer.Status);
        Assert.True(answer.Json.GetProperty("details").TryGetProperty(field, out _), answer.Body);
        Assert.Equal(404, (await Api.GetAsync("sandbox-templates/a")).Status);
    }

    [Fact]
    public async Task A_recipe_can_be_checked_and_every_fault_is_told_as_text_and_as_object()
    {
        var good = (await Api.PostAsync("sandbox-templates/validate", """{"build_spec":{"image":"miosa-busybox","memory_mib":256,"context":{"a.txt":"hello"}}}""")).Expect(200).Json;
        Assert.True(good.GetProperty("valid").GetBoolean());
        Assert.Equal((256, 5), (good.GetProperty("build_spec").GetProperty("memoryMib").GetInt32(), good.GetProperty("build_spec").GetProperty("context").GetProperty("a.txt").GetProperty("size_bytes").GetInt32()));

        var bad = (await Api.PostAsync("sandbox-templates/validate", """{"build_spec":{"steps":[{"run":1}],"vcpu":0}}""")).Expect(200).Json;
        Assert.False(bad.GetProperty("valid").GetBoolean());
        Assert.All(bad.GetProperty("errors").EnumerateArray(), error => Assert.Equal(JsonValueKind.String, error.ValueKind));
        Assert.Contains("from: is required: the template or image to begin with", bad.GetProperty("errors").EnumerateArray().Select(error => error.GetString()));
        var issues = bad.GetProperty("data").GetProperty("errors").EnumerateArray().ToList();
        Assert.Equal(["from", "steps", "vcpu"], issues.Select(issue => issue.GetProperty("field").GetString()).Order());
        Assert.Equal("REQUIRED", issues.Single(issue => issue.GetProperty("field").GetString() == "from").GetProperty("code").GetString());

        Assert.False((await Api.PostAsync("sandbox-templates/validate", """{"build_spec":{"from":"no-such"}}""")).Expect(200).Json.GetProperty("valid").GetBoolean());
        Assert.Equal(422, (await Api.PostAsync("sandbox-templates/validate", "{}")).Status);
        var schema = (await Api.GetAsync("sandbox-templates/build-spec")).Expect(200).Json;
        Assert.Equal("object", schema.GetProperty("type").GetString());
        Assert.False(schema.TryGetProperty("data", out _));
    }

    [Theory]
    [InlineData("FROM miosa-busybox\nRUN true\n\n# note\nVOLUME /data", "line 5: VOLUME")]
    [InlineData("FROM miosa-busybox\nRUN a \\\n  b \\\n  c\nONBUILD RUN x", "line 5: ONBUILD")]
    [InlineData("RUN true", "line 1: RUN")]
    [InlineData("FROM miosa-busybox\nFROM miosa-busybox", "line 2: FROM")]
    [InlineData("FROM miosa-busybox\nCOPY --from=other /a /b", "line 2: COPY does not take --from")]
    [InlineData("FROM miosa-busybox\nCOPY nothing /b", "line 2: COPY names \"nothing\"")]
    [InlineData("FROM miosa-busybox\nADD https://example.com/x /x", "line 2: ADD")]
    [InlineData("FROM miosa-busybox\nRUN --mount=type=cache,target=/x true", "line 2: RUN does not take --mount")]
    [InlineData("FROM miosa-busybox\nENV A=\"open", "line 2: ENV")]
    [InlineData("FROM miosa-busybox\nRUN <<EOT\necho", "line 2: the text after <<EOT has no end")]
    [InlineData("FROM miosa-busybox\nfoo bar", "line 2: FOO is not supported")]
    [InlineData("FROM scratch", "line 1: FROM")]
    [InlineData("", "must not be empty")]
    [InlineData("# only a note", "has no FROM")]
    public async Task What_a_Dockerfile_asks_for_and_is_not_there_is_named_with_its_line_before_anything_runs(string dockerfile, string says)
    {
        var body = new JsonObject { ["name"] = "docker", ["build_spec"] = new JsonObject { ["dockerfile"] = dockerfile } };
        var answer = await Api.PostAsync("sandbox-templates", body.ToJsonString());
        Assert.Equal(422, answer.Status);
        Assert.Contains(says, answer.Json.GetProperty("details").GetProperty("build_spec.dockerfile").GetString(), StringComparison.Ordinal);
        Assert.Equal(404, (await Api.GetAsync("sandbox-templates/docker")).Status);
    }

    [Fact]
    public async Task Deleting_a_template_leaves_its_sandboxes_running_and_removes_its_image()
    {
        var template = await Api.BuiltAsync("""{"name":"short-lived","build_spec":{"from":"miosa-busybox","steps":[{"run":"echo here > /made"}]}}""");
        var (id, image) = (template.Text("id"), template.Text("image_ref"));
        var sandbox = await Api.CreateAsync($$"""{"template_id":"{{id}}"}""");

        (await Api.DeleteAsync($"sandbox-templates/{id}")).Expect(200);

        Assert.Equal(404, (await Api.GetAsync($"sandbox-templates/{id}")).Status);
        Assert.Equal(404, (await Api.DeleteAsync($"sandbox-templates/{id}")).Status);
        Assert.Equal(404, (await Api.GetAsync($"sandbox-template-builds/{template.Text("current_build_id")}")).Status);
        Assert.Equal("here\n", await Api.RunAsync(sandbox, "cat /made"));
        var copy = (await Api.PostAsync($"sandboxes/{sandbox}/fork")).Expect(201).Text("id");
        Assert.Equal("here\n", await Api.RunAsync(copy, "cat /made"));
        Assert.Equal(422, (await Api.PostAsync("sandboxes", $$"""{"template_id":"{{id}}"}""")).Status);
        Assert.DoesNotContain(image, await tenant.Platform.ImagesAsync());
    }

    [Fact]
    public async Task The_program_of_a_template_is_installed_and_started_once_however_often_it_is_asked_for()
    {
        var id = (await Api.PostAsync("sandbox-templates", """
            {"name":"served","build_spec":{"from":"miosa-busybox","installCmd":"echo installed >> /workspace/log","startCmd":"exec httpd -f -p 3000 -h /workspace","previewPort":3000}}
            """)).Expect(201).Text("id");
        var sandbox = await Api.CreateAsync($$"""{"template_id":"{{id}}"}""");

        var started = (await Api.PostAsync($"sandboxes/{sandbox}/template/start")).Expect(200);
        var again = (await Api.PostAsync($"sandboxes/{sandbox}/template/start")).Expect(200);

        Assert.Equal(("running", 3000), (started.Text("state"), started.Json.GetProperty("port").GetInt32()));
        Assert.Equal(started.Text("pid"), again.Text("pid"));
        Assert.Equal("installed\n", await Api.RunAsync(sandbox, "wget -q -O - http://127.0.0.1:3000/log"));
    }

    [Fact]
    public async Task A_program_that_cannot_start_is_told_with_what_it_said()
    {
        var sandbox = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        Assert.Contains("no space here", (await Api.PostAsync($"sandboxes/{sandbox}/template/start", """{"start_command":"true","install_command":"echo no space here; exit 3"}""")).Expect(409).Text("error"), StringComparison.Ordinal);
        Assert.Contains("no such port", (await Api.PostAsync($"sandboxes/{sandbox}/template/start", """{"start_command":"echo no such port; exit 1","port":3000}""")).Expect(409).Text("error"), StringComparison.Ordinal);
        Assert.True((await Api.PostAsync($"sandboxes/{sandbox}/template/start")).Expect(422).Json.GetProperty("details").TryGetProperty("start_command", out _));
        Assert.Equal(404, (await Api.PostAsync("sandboxes/sbx_none/template/start", """{"start_command":"true"}""")).Status);
    }

    private static async Task<(int Status, string Code)> RefusalOf(Task<Answer> call)
    {
        var answer = await call;
        return (answer.Status, answer.Code);
    }
}
