using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>Builds that really run, in a machine of busybox.</summary>
public sealed class BuildTests(Tenant tenant) : IClassFixture<Tenant>
{
    private Api Api => tenant.Api;

    [Fact]
    public async Task A_Dockerfile_becomes_an_image_with_its_files_environment_folder_user_and_command()
    {
        const string Dockerfile = """
            # an example
            ARG BASE=miosa-busybox
            FROM ${BASE}
            ARG VERSION=1
            ENV APP_HOME=/srv/app GREETING="hello world"
            ENV BOTH="$GREETING from ${APP_HOME:-nowhere}" \
                # a note in between
                MODE=${UNSET:-production}
            WORKDIR $APP_HOME
            COPY --chown=user --chmod=0640 src/ ./
            COPY tool.sh /usr/local/bin/tool
            COPY <<END note.txt
            written in the recipe
            END
            RUN echo "version $VERSION for $MODE" > version && adduser -D -u 1500 runner 2>/dev/null || echo "runner:x:1500:1500::/srv/app:/bin/sh" >> /etc/passwd
            RUN ["touch", "exec form.txt"]
            RUN <<END
            set -e
            echo one > lines
            echo two >> lines
            END
            ADD src/main.txt /opt/
            USER user
            RUN id -u > /tmp/uid
            EXPOSE 8080/tcp 9090
            LABEL a=b
            ENTRYPOINT ["sh", "-c"]
            CMD ["echo it's $MODE"]
            """;
        var spec = new JsonObject
        {
            ["dockerfile"] = Dockerfile,
            ["args"] = new JsonObject { ["VERSION"] = "7" },
            ["context"] = new JsonObject
            {
                ["src/main.txt"] = "main",
                ["src/deep/er.bin"] = new JsonObject { ["base64"] = Convert.ToBase64String([0, 1, 255]) },
                ["tool.sh"] = "#!/bin/sh\necho tool",
            },
        };

        var build = await Api.BuildAsync("docker", spec);

        Assert.True(build.Text("status") == "ready", build.Body);
        var template = (await Api.GetAsync("sandbox-templates/docker")).Expect(200);
        Assert.Equal(("/srv/app", 8080, "'sh' '-c' 'echo it'\\''s $MODE'"), (template.Text("workdir"), template.Json.GetProperty("preview_port").GetInt32(), template.Text("start_command")));
        Assert.Equal(build.Text("id"), template.Text("current_build_id"));
        Assert.DoesNotContain("main", template.Json.GetProperty("build_spec").GetProperty("context").GetProperty("src/main.txt").ToString(), StringComparison.Ordinal);
        var sandbox = await Api.CreateAsync("""{"image":"docker"}""");
        Assert.Equal("/srv/app\nuser\n", await Api.RunAsync(sandbox, "pwd; whoami"));
        Assert.Equal("hello world|hello world from /srv/app|production|\n", await Api.RunAsync(sandbox, "echo \"$GREETING|$BOTH|$MODE|$VERSION\""));
        Assert.Equal("version 7 for production\none\ntwo\n1000\n", await Api.RunAsync(sandbox, "cat version lines /tmp/uid"));
        Assert.Equal("640 user main.txt\n640 user er.bin\n644 root note.txt\n", await Api.RunAsync(sandbox, "stat -c '%a %U %n' main.txt; cd deep; stat -c '%a %U %n' er.bin; cd ..; stat -c '%a %U %n' note.txt"));
        Assert.Equal("0001ff\nwritten in the recipe\nmain\n", await Api.RunAsync(sandbox, "od -An -tx1 deep/er.bin | tr -d ' '; cat note.txt; cat /opt/main.txt; echo"));
        Assert.Equal("tool\n", await Api.RunAsync(sandbox, "test -e 'exec form.txt' && sh /usr/local/bin/tool"));
    }

    [Fact]
    public async Task Steps_of_a_recipe_run_as_root_and_its_user_and_folder_hold_for_the_sandboxes()
    {
        var spec = new JsonObject
        {
            ["from"] = "miosa-busybox",
            ["env"] = new JsonObject { ["COLOUR"] = "blue $HOME" },
            ["workdir"] = "/data/in here",
            ["user"] = "user",
            ["context"] = new JsonObject { ["a.txt"] = "a", ["b/c.txt"] = "c" },
            ["steps"] = new JsonArray(
                new JsonObject { ["run"] = "id -u > who; echo \"$COLOUR\" > colour" },
                new JsonObject { ["copy"] = new JsonArray("a.txt", "b"), ["to"] = "files", ["owner"] = "user:user", ["mode"] = "0600" },
                new JsonObject { ["run"] = new JsonArray("chown", "user", "/data/in here") }),
        };

        Assert.Equal("ready", (await Api.BuildAsync("steps", spec)).Text("status"));

        var sandbox = await Api.CreateAsync("""{"image":"steps"}""");
        Assert.Equal("/data/in here\nuser\n0\nblue $HOME\nac\n", await Api.RunAsync(sandbox, "pwd; whoami; cat who colour; cat files/a.txt files/c.txt; echo; touch mine"));
    }

    [Fact]
    public async Task The_log_can_be_followed_from_any_line_and_ends_with_the_outcome()
    {
        var template = (await Api.PostAsync("sandbox-templates", """{"name":"followed","build_spec":{"from":"miosa-busybox","steps":[{"run":"for i in 1 2 3; do echo line $i; echo problem $i >&2; done; printf 'no newline'"}]}}""")).Expect(201).Text("id");
        var build = (await Api.GetAsync($"sandbox-templates/{template}/builds")).Json.GetProperty("data")[0];
        var id = build.GetProperty("id").GetString();
        Assert.EndsWith($"/sandbox-template-builds/{id}/logs/stream", build.GetProperty("log_url").GetString(), StringComparison.Ordinal);

        using var live = await Api.EventsAsync($"sandbox-template-builds/{id}/logs/stream");
        var events = await live.ToEndAsync();

        Assert.Equal("build.completed", events[^1].Type);
        Assert.Equal((id, template, "ready"), (events[^1].Json.GetProperty("build_id").GetString(), events[^1].Json.GetProperty("template_id").GetString(), events[^1].Json.GetProperty("status").GetString()));
        Assert.All(events[..^1], item => Assert.Equal(("log", "log"), (item.Type, item.Json.GetProperty("type").GetString())));
        Assert.Equal(["line 1", "line 2", "line 3", "no newline"], events[..^1].Where(item => item.Json.GetProperty("stream").GetString() == "stdout").Select(item => item.Json.GetProperty("line").GetString()));
        Assert.Equal(["problem 1", "problem 2", "problem 3"], events[..^1].Where(item => item.Json.GetProperty("stream").GetString() == "stderr").Select(item => item.Json.GetProperty("line").GetString()));

        for (var at = 0; at < events.Count; at++)
        {
            using var rest = await Api.EventsAsync($"sandbox-template-builds/{id}/logs/stream", events[at].Id);
            Assert.Equal(events[(at + 1)..].Select(item => (item.Id, item.Data)), (await rest.ToEndAsync()).Select(item => (item.Id, item.Data)));
        }
        using var odd = await Api.EventsAsync($"sandbox-template-builds/{id}/logs/stream", "7");
        Assert.Equal(events.Count, (await odd.ToEndAsync()).Count);
    }

    [Fact]
    public async Task A_step_that_fails_ends_the_build_and_is_named()
    {
        var build = await Api.BuildAsync("failing", new JsonObject { ["dockerfile"] = "FROM miosa-busybox\nRUN echo before\nRUN echo wrong >&2; exit 3\nRUN echo never" });

        Assert.Equal(("failed", "STEP_FAILED"), (build.Text("status"), build.Text("error_code")));
        Assert.Equal("step 2 (RUN echo wrong >&2; exit 3): ended with exit code 3", build.Text("error"));
        var template = (await Api.GetAsync("sandbox-templates/failing")).Expect(200);
        Assert.Equal(("failed", JsonValueKind.Null), (template.Text("status"), template.Json.GetProperty("image_ref").ValueKind));
        Assert.Equal(409, (await Api.PostAsync("sandboxes", """{"image":"failing"}""")).Status);
        using var log = await Api.EventsAsync($"sandbox-template-builds/{build.Text("id")}/logs/stream");
        var events = await log.ToEndAsync();
        Assert.Equal("build.failed", events[^1].Type);
        Assert.DoesNotContain(events, item => item.Data.Contains("\"line\":\"never", StringComparison.Ordinal));
        await NothingIsLeftAsync(build.Text("id"));
    }

    [Fact]
    public async Task A_failed_build_keeps_the_image_of_the_one_before_and_a_good_one_replaces_it()
    {
        var template = await Api.BuiltAsync("""{"name":"rebuilt","build_spec":{"from":"miosa-busybox","steps":[{"run":"echo 1 > /version"}]}}""");
        var (id, first) = (template.Text("id"), template.Text("image_ref"));

        var bad = (await Api.PostAsync($"sandbox-templates/{id}/builds", """{"build_spec":{"from":"miosa-busybox","steps":[{"run":"false"}]}}""")).Expect(202).Text("id");
        Assert.Equal("failed", (await Api.UntilOverAsync(bad)).Text("status"));
        Assert.Equal(("ready", first), ((await Api.GetAsync($"sandbox-templates/{id}")).Text("status"), (await Api.GetAsync($"sandbox-templates/{id}")).Text("image_ref")));
        var old = await Api.CreateAsync($$"""{"image":"{{id}}"}""");
        var good = (await Api.PostAsync($"sandbox-templates/{id}/builds", """{"metadata":{"v":2},"build_spec":{"from":"rebuilt","steps":[{"run":"echo 2 >> /version"}]}}""")).Expect(202).Text("id");
        Assert.Equal("ready", (await Api.UntilOverAsync(good)).Text("status"));

        Assert.Equal("1\n2\n", await Api.RunAsync(await Api.CreateAsync($$"""{"image":"{{id}}"}"""), "cat /version"));
        Assert.Equal("1\n", await Api.RunAsync(old, "cat /version"));
        Assert.DoesNotContain(first, await tenant.Platform.ImagesAsync());
        Assert.Equal([good, bad], (await Api.GetAsync($"sandbox-templates/{id}/builds")).Json.GetProperty("data").EnumerateArray().Take(2).Select(build => build.GetProperty("id").GetString()));
        Assert.Equal(2, (await Api.GetAsync($"sandbox-templates/{id}")).Json.GetProperty("metadata").GetProperty("v").GetInt32());
    }

    [Fact]
    public async Task A_build_that_never_ends_is_timed_out_and_leaves_no_machine()
    {
        var build = await Api.BuildAsync("endless", new JsonObject { ["from"] = "miosa-busybox", ["timeoutSec"] = 2, ["steps"] = new JsonArray(new JsonObject { ["run"] = "while true; do echo on; sleep 0.2; done" }) });

        Assert.Equal(("failed", "BUILD_TIMED_OUT"), (build.Text("status"), build.Text("error_code")));
        using var log = await Api.EventsAsync($"sandbox-template-builds/{build.Text("id")}/logs/stream");
        Assert.Equal("build.timed_out", (await log.ToEndAsync())[^1].Type);
        await NothingIsLeftAsync(build.Text("id"));
    }

    [Fact]
    public async Task A_build_that_prints_without_end_fills_no_disk()
    {
        var build = await Api.BuildAsync("chatty", new JsonObject { ["from"] = "miosa-busybox", ["timeoutSec"] = 60, ["steps"] = new JsonArray(new JsonObject { ["run"] = "yes 'a line that says nothing' | head -c 20000000; head -c 300000 /dev/zero | tr '\\0' x; echo; echo last" }) });

        Assert.True(build.Text("status") == "ready", build.Body);
        using var log = await Api.EventsAsync($"sandbox-template-builds/{build.Text("id")}/logs/stream");
        var (size, last, dropped) = (0L, "", false);
        while (await log.NextAsync() is { } item)
        {
            size += item.Data.Length;
            last = item.Type;
            dropped |= item.Data.Contains("is dropped", StringComparison.Ordinal);
            Assert.True(item.Data.Length < 32 * 1024);
        }
        Assert.True(size < 4 * 1024 * 1024 && dropped && last == "build.completed", $"{size} {dropped} {last}");
    }

    [Fact]
    public async Task Deleting_a_template_ends_its_build()
    {
        var template = (await Api.PostAsync("sandbox-templates", """{"name":"unwanted","build_spec":{"from":"miosa-busybox","steps":[{"run":"echo begun; sleep 600"}]}}""")).Expect(201).Text("id");
        var build = (await Api.GetAsync($"sandbox-templates/{template}/builds")).Json.GetProperty("data")[0].GetProperty("id").GetString() ?? "";
        using var log = await Api.EventsAsync($"sandbox-template-builds/{build}/logs/stream");
        while (await log.NextAsync() is { } item && !item.Data.Contains("\"line\":\"begun\"", StringComparison.Ordinal))
            Assert.Equal("log", item.Type);
        Assert.Equal(409, (await Api.PostAsync("sandboxes", """{"image":"unwanted"}""")).Status);

        (await Api.DeleteAsync($"sandbox-templates/{template}")).Expect(200);

        Assert.Equal("build.failed", (await log.ToEndAsync())[^1].Type);
        await NothingIsLeftAsync(build);
    }

    [Fact]
    public async Task A_server_killed_in_the_middle_leaves_a_failed_build_and_neither_machine_nor_image()
    {
        var template = (await Api.PostAsync("sandbox-templates", """{"name":"interrupted","build_spec":{"from":"miosa-busybox","steps":[{"run":"echo begun; sleep 600"}]}}""")).Expect(201).Text("id");
        var waiting = (await Api.PostAsync("sandbox-templates", """{"name":"waiting","build_spec":{"from":"miosa-busybox","steps":[{"run":"true"}]}}""")).Expect(201).Text("id");
        var build = (await Api.GetAsync($"sandbox-templates/{template}/builds")).Json.GetProperty("data")[0].GetProperty("id").GetString() ?? "";
        await Until("the build runs", async () => (await tenant.Platform.MachinesAsync()).ContainsKey(build));
        await tenant.Platform.KillServerAsync();
        await tenant.Platform.StartServerAsync();

        Assert.Equal("SERVER_STOPPED", (await Api.UntilOverAsync(build)).Text("error_code"));
        await Until("both templates have failed", async () => (await Api.GetAsync($"sandbox-templates/{template}")).Text("status") == "failed" && (await Api.GetAsync($"sandbox-templates/{waiting}")).Text("status") == "failed");
        await NothingIsLeftAsync(build);
        var again = (await Api.PostAsync($"sandbox-templates/{waiting}/builds")).Expect(202).Text("id");
        Assert.Equal("ready", (await Api.UntilOverAsync(again)).Text("status"));
        Assert.Equal("ready", (await Api.GetAsync($"sandbox-templates/{waiting}")).Text("status"));
    }

    [Theory]
    [InlineData("A", "ENV A=$A$A")]
    [InlineData("B", "ARG B=$B$B")]
    public async Task Variables_that_double_with_every_line_end_the_build_where_they_become_too_much(string name, string line)
    {
        var dockerfile = $"FROM miosa-busybox\nENV A=0123456789\nARG B=0123456789\n{string.Join('\n', Enumerable.Repeat(line, 150))}\nRUN true";
        var build = await Api.BuildAsync("doubling-" + name, new JsonObject { ["dockerfile"] = dockerfile });
        Assert.Equal(("failed", "STEP_FAILED"), (build.Text("status"), build.Text("error_code")));
        Assert.Matches("becomes longer than|environment is too large", build.Text("error"));
    }

    [Fact]
    public async Task A_list_of_Debian_packages_becomes_a_system_of_them()
    {
        var build = await Api.BuildAsync("debian", new JsonObject { ["from"] = "debian:bookworm", ["packages"] = new JsonArray("jq"), ["steps"] = new JsonArray(new JsonObject { ["run"] = "jq -n 1+1 > /two" }) });

        Assert.True(build.Text("status") == "ready", build.Body);
        var sandbox = await Api.CreateAsync("""{"image":"debian"}""");
        Assert.Equal("12 2\n", await Api.RunAsync(sandbox, ". /etc/os-release; echo $VERSION_ID $(cat /two)"));
        var unknown = await Api.BuildAsync("no-package", new JsonObject { ["from"] = "debian:bookworm", ["packages"] = new JsonArray("no-such-package-anywhere") });
        Assert.Equal("failed", unknown.Text("status"));
        Assert.Contains("no-such-package-anywhere", unknown.Text("error"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_image_that_no_template_wants_is_swept()
    {
        await tenant.Platform.AskRuntimeAsync(new JsonObject { ["op"] = "tag", ["image"] = "miosa-busybox", ["name"] = "bld_stray" });
        await tenant.Platform.AskRuntimeAsync(new JsonObject { ["op"] = "tag", ["image"] = "miosa-busybox", ["name"] = "oci-stray" });
        await Until("the strays are gone", async () => !(await tenant.Platform.ImagesAsync()).Any(image => image is "bld_stray" or "oci-stray"));
        Assert.Contains("miosa-busybox", await tenant.Platform.ImagesAsync());
    }

    [Fact]
    public async Task What_a_build_runs_cannot_reach_the_host()
    {
        var marker = $"/tmp/miosa-build-escape-{Guid.NewGuid():N}";
        var build = await Api.BuildAsync("escape", new JsonObject
        {
            ["dockerfile"] = $"FROM miosa-busybox\nRUN ln -s / /srv/host; ln -sfn /tmp /opt/out\nCOPY f /opt/out/../..{marker}\nCOPY f ../../../../../../..{marker}-2\nRUN echo x > /proc/1/root{marker}-3; mkdir -p /m; mount -t proc proc /m 2>&1 || echo refused",
            ["context"] = new JsonObject { ["f"] = "escaped" },
        });

        Assert.True(build.Text("status") == "ready", build.Body);
        foreach (var suffix in (string[])["", "-2", "-3"])
            Assert.False(File.Exists(marker + suffix), marker + suffix);
        var sandbox = await Api.CreateAsync("""{"image":"escape"}""");
        Assert.Equal("escaped", await Api.RunAsync(sandbox, $"cat {marker}-2"));
    }

    private async Task NothingIsLeftAsync(string build)
    {
        await Until("the machine of the build is gone", async () => !(await tenant.Platform.MachinesAsync()).ContainsKey(build));
        await Until("so is its image", async () => !(await tenant.Platform.ImagesAsync()).Contains(build));
    }

    private static Task Until(string fact, Func<Task<bool>> isTrue) => Miosa.Platform.Platform.UntilAsync(fact, isTrue, TimeSpan.FromSeconds(60));
}
