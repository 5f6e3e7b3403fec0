using System.Text.Json;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>Services of computers on real machines: registered once, run for as long as their computer does.</summary>
public sealed class ComputerServiceTests(OneComputer computer) : IClassFixture<OneComputer>
{
    private Api Api => computer.Api;

    private static string New() => "s-" + Guid.NewGuid().ToString("N")[..12];

    private async Task<Answer> UntilAsync(string id, Func<JsonElement, bool> holds, string? of = null)
    {
        Answer? told = null;
        await Miosa.Platform.Platform.UntilAsync($"service {id} is as it should be", async () => holds((told = (await Api.GetAsync($"computers/{of ?? computer.Id}/services/{id}")).Expect(200)).Json));
        return told ?? throw new InvalidOperationException("never");
    }

    private static bool Is(JsonElement service, string status) => service.GetProperty("status").GetString() == status;

    [Fact]
    public async Task A_service_is_started_when_it_is_registered_and_told_in_the_shape_all_clients_read()
    {
        var name = New();
        var made = (await computer.PostAsync("services", new { name, command = "echo up $FROM_BOX $OWN; pwd; exec python3 -m http.server 8123", working_dir = "/tmp", env = new { OWN = "own" }, restart = "always" })).Expect(201);
        var id = made.Text("id");
        foreach (var one in (JsonElement[])[made.Json, made.Json.GetProperty("data")])
        {
            Assert.Equal((id, computer.Id, name, "running", "always", "always", true, "/tmp", "***"), (
                one.GetProperty("id").GetString(), one.GetProperty("computer_id").GetString(), one.GetProperty("name").GetString(), one.GetProperty("status").GetString(),
                one.GetProperty("restart_policy").GetString(), one.GetProperty("restart").GetString(), one.GetProperty("auto_restart").GetBoolean(), one.GetProperty("working_dir").GetString(),
                one.GetProperty("env").GetProperty("OWN").GetString()));
            Assert.True(one.GetProperty("pid").GetInt32() > 1);
        }
        // The name stands where the id does, and the port that it really listens on is told.
        await UntilAsync(name, service => service.GetProperty("port").ValueKind == JsonValueKind.Number && service.GetProperty("port").GetInt32() == 8123);
        var list = (await computer.GetAsync("services")).Expect(200);
        Assert.Equal(["data", "total"], list.Json.EnumerateObject().Select(p => p.Name).Order(StringComparer.Ordinal));
        Assert.Contains(list.Json.GetProperty("data").EnumerateArray(), service => service.GetProperty("id").GetString() == id);
        Assert.Equal(409, (await computer.PostAsync("services", new { name, command = "true" })).Status);
        Assert.Equal("running", (await computer.PostAsync($"services/{id}/start")).Expect(200).Text("status"));
        Assert.Equal(made.Json.GetProperty("pid").GetInt32(), (await computer.GetAsync($"services/{id}")).Json.GetProperty("pid").GetInt32());
        (await Api.DeleteAsync($"computers/{computer.Id}/services/{id}")).Expect(200);
        (await computer.GetAsync($"services/{id}")).Expect(404);
        Assert.Equal("0\n", await computer.RunAsync("pgrep -fc 'http.server 812[3]' || true"));
        await computer.AuditedAsync("computer.service.create");
    }

    [Fact]
    public async Task Stop_start_and_restart_do_it_and_can_be_repeated()
    {
        var id = (await computer.PostAsync("services", new { name = New(), command = "sleep 7373", auto_restart = true })).Expect(201).Text("id");
        for (var i = 0; i < 2; i++)
        {
            var stopped = (await computer.PostAsync($"services/{id}/stop")).Expect(200);
            Assert.Equal(("stopped", JsonValueKind.Null), (stopped.Text("status"), stopped.Json.GetProperty("pid").ValueKind));
        }
        Assert.Equal("0\n", await computer.RunAsync("pgrep -fc 'sleep 737[3]' || true"));
        var first = (await computer.PostAsync($"services/{id}/start")).Expect(200).Json.GetProperty("pid").GetInt32();
        var second = (await computer.PostAsync($"services/{id}/restart")).Expect(200);
        Assert.Equal("running", second.Text("status"));
        Assert.NotEqual(first, second.Json.GetProperty("pid").GetInt32());
        Assert.Equal("1\n", await computer.RunAsync("pgrep -fc 'sleep 737[3]' || true"));
        (await computer.PostAsync("services/svc_none/start")).Expect(404);
        (await Api.DeleteAsync($"computers/{computer.Id}/services/{id}")).Expect(200);
    }

    [Fact]
    public async Task The_policy_decides_what_follows_an_end()
    {
        var (never, failed, always) = (New(), New(), New());
        (await computer.PostAsync("services", new { name = never, command = "exit 3" })).Expect(201);
        (await computer.PostAsync("services", new { name = failed, command = "test -e /tmp/second && exec sleep 7474; touch /tmp/second; exit 3", restart_policy = "on-failure" })).Expect(201);
        (await computer.PostAsync("services", new { name = always, command = "test -e /tmp/third && exec sleep 7575; touch /tmp/third; exit 0", restart_policy = "always" })).Expect(201);
        var ended = await UntilAsync(never, service => Is(service, "failed"));
        Assert.Equal((3, JsonValueKind.Null), (ended.Json.GetProperty("exit_code").GetInt32(), ended.Json.GetProperty("pid").ValueKind));
        await UntilAsync(failed, service => Is(service, "running") && service.GetProperty("pid").GetInt32() > 0);
        await UntilAsync(always, service => Is(service, "running"));
        await Miosa.Platform.Platform.UntilAsync("both run in their second life", async () => await computer.RunAsync("pgrep -fc 'sleep 7[45]7[45]' || true") == "2\n");
        var once = New();
        (await computer.PostAsync("services", new { name = once, command = "true", restart_policy = "on-failure" })).Expect(201);
        await UntilAsync(once, service => Is(service, "stopped"));
        foreach (var name in (string[])[never, failed, always, once])
            (await Api.DeleteAsync($"computers/{computer.Id}/services/{name}")).Expect(200);
    }

    [Fact]
    public async Task Services_come_back_with_their_computer_and_over_a_killed_server()
    {
        var id = await Api.NewComputerAsync(image: "miosa-sandbox");
        var wanted = (await Api.PostAsync($"computers/{id}/services", """{"name":"wanted","command":"echo life >> /root/lives; exec sleep 7676"}""")).Expect(201);
        (await Api.PostAsync($"computers/{id}/services", """{"name":"unwanted","command":"sleep 7777"}""")).Expect(201);
        (await Api.PostAsync($"computers/{id}/services/unwanted/stop")).Expect(200);
        // It is told running when its shell is spawned: the shell may not have written yet.
        await LivesAsync("life\n");
        (await Api.PostAsync($"computers/{id}/stop")).Expect(200);
        var stopped = (await Api.GetAsync($"computers/{id}/services")).Expect(200).Json.GetProperty("data");
        Assert.Equal(["stopped", "stopped"], stopped.EnumerateArray().Select(service => service.GetProperty("status").GetString() ?? ""));
        Assert.Contains("start it first", (await Api.PostAsync($"computers/{id}/services/wanted/start")).Expect(409).Text("message"), StringComparison.Ordinal);
        (await Api.PostAsync($"computers/{id}/start")).Expect(200);
        await Api.UntilStatusAsync(id, "running");
        await UntilAsync("wanted", service => Is(service, "running"), id);
        Assert.Equal("stopped", (await Api.GetAsync($"computers/{id}/services/unwanted")).Expect(200).Text("status"));
        await LivesAsync("life\nlife\n");

        // They are the machine's own: the server's death is nothing to them.
        (await Api.PostAsync($"computers/{id}/services", """{"name":"kept","command":"exec sleep 7878","restart":"always"}""")).Expect(201);
        var before = (await Api.GetAsync($"computers/{id}/services/kept")).Expect(200).Json.GetProperty("pid").GetInt32();
        await computer.Platform.KillServerAsync();
        await computer.Platform.StartServerAsync();
        var after = (await Api.GetAsync($"computers/{id}/services/kept")).Expect(200);
        Assert.Equal(("running", before), (after.Text("status"), after.Json.GetProperty("pid").GetInt32()));
        await OneComputer.RunAsync(Api, id, $"kill -9 {before}");
        await UntilAsync("kept", service => Is(service, "running") && service.GetProperty("pid").GetInt32() != before, id);
        Assert.Equal(wanted.Text("id"), (await Api.GetAsync($"computers/{id}/services/wanted")).Expect(200).Text("id"));

        Task LivesAsync(string lives) => Miosa.Platform.Platform.UntilAsync($"it has lived: {lives}", async () => await OneComputer.RunAsync(Api, id, "cat /root/lives || true") == lives);
    }

    [Fact]
    public async Task A_clone_has_the_services_of_its_source()
    {
        var id = await Api.NewComputerAsync(image: "miosa-sandbox");
        var first = (await Api.PostAsync($"computers/{id}/services", """{"name":"web","command":"sleep 7979","env":{"A":"1"}}""")).Expect(201).Text("id");
        var clone = (await Api.PostAsync($"computers/{id}/clone")).Expect(201).Text("id");
        await Api.UntilStatusAsync(clone, "running");
        var web = await UntilAsync("web", service => Is(service, "running"), clone);
        Assert.NotEqual(first, web.Text("id"));
        Assert.Equal(clone, web.Text("computer_id"));
    }

    [Fact]
    public async Task Its_log_is_told_without_event_lines_as_far_as_is_asked_for()
    {
        var id = (await computer.PostAsync("services", new { name = New(), command = "echo one; echo bad >&2; echo three; while read -r line < /tmp/pipe; do echo $line; done" })).Expect(201).Text("id");
        await computer.RunAsync("mkfifo /tmp/pipe 2>/dev/null || true");
        await Miosa.Platform.Platform.UntilAsync("three lines are there", async () => (await LinesAsync(id, "")).Count >= 3);
        var all = await LinesAsync(id, "");
        Assert.Equal(["stderr bad", "stdout one", "stdout three"], all.Where(line => line.GetProperty("line").GetString() is "one" or "bad" or "three")
            .Select(line => $"{line.GetProperty("stream").GetString()} {line.GetProperty("message").GetString()}").Order(StringComparer.Ordinal));
        Assert.All(all, line => Assert.Equal(id, line.GetProperty("service_id").GetString()));
        Assert.All(all, line => Assert.InRange(line.GetProperty("timestamp").GetDateTimeOffset(), DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddSeconds(5)));
        Assert.Single(await LinesAsync(id, "?tail=1&follow=false"));
        Assert.Empty(await LinesAsync(id, "?tail=0"));
        (await computer.GetAsync($"services/{id}/logs?tail=-1")).Expect(422);

        using var follow = await Api.Http.GetAsync($"computers/{computer.Id}/services/{id}/logs?follow=true&tail=0", HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(await follow.Content.ReadAsStreamAsync());
        (await computer.PostAsync($"services/{id}/restart")).Expect(200);
        // Over the end of one process into the next, until the service is gone. Its two streams are read each for itself: "bad" may come first.
        string told;
        do
        {
            told = await NextAsync(reader) ?? throw new InvalidOperationException("the log ended before its second life");
        }
        while (!told.Contains("\"line\":\"one\"", StringComparison.Ordinal));
        (await Api.DeleteAsync($"computers/{computer.Id}/services/{id}")).Expect(200);
        while (await NextAsync(reader) is not null)
        {
        }
    }

    [Theory]
    [InlineData("{}", "name")]
    [InlineData("""{"name":"a"}""", "command")]
    [InlineData("""{"name":"a b","command":"true"}""", "name")]
    [InlineData("""{"name":"a","command":"true","restart_policy":"sometimes"}""", "restart_policy")]
    [InlineData("""{"name":"a","command":"true","port":0}""", "port")]
    [InlineData("""{"name":"a","command":"true","env":{"A":1}}""", "env")]
    [InlineData("""{"name":"no-folder","command":"true","working_dir":"/nowhere"}""", "working_dir")]
    public async Task Bad_input_names_the_field_and_registers_nothing(string body, string field)
    {
        var refused = (await Api.PostAsync($"computers/{computer.Id}/services", body)).Expect(422);
        Assert.True(refused.Json.GetProperty("details").TryGetProperty(field, out _), refused.Body);
        (await computer.GetAsync("services/no-folder")).Expect(404);
    }

    private async Task<List<JsonElement>> LinesAsync(string id, string query)
    {
        using var answer = await Api.Http.GetAsync($"computers/{computer.Id}/services/{id}/logs{query}");
        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType?.MediaType);
        var lines = (await answer.Content.ReadAsStringAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.All(lines, line => Assert.StartsWith("data: {", line, StringComparison.Ordinal));
        return [.. lines.Select(line => JsonDocument.Parse(line["data: ".Length..]).RootElement)];
    }

    private static async Task<string?> NextAsync(StreamReader reader)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (await reader.ReadLineAsync(limit.Token) is { } line)
        {
            if (line.StartsWith("data: ", StringComparison.Ordinal))
                return line;
        }
        return null;
    }
}
