using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Miosa.Platform;

namespace Miosa.Server.Tests;

public sealed class FilesWatchTests(ExecMachine machine, ServerPlatform server) : IClassFixture<ExecMachine>
{
    [Fact]
    public async Task Changes_come_in_the_framing_and_with_the_fields_of_the_contract()
    {
        await machine.ShellAsync("mkdir -p /workspace/w");
        using var watch = await WatchAsync("path=/workspace/w");
        Assert.Equal("text/event-stream", watch.Response.Content.Headers.ContentType?.ToString());
        // In two steps: a size is that of the moment in which it was told.
        await machine.ShellAsync("cd /workspace/w; printf 12345 > a");
        var events = await UntilAsync(watch, "modified");
        await machine.ShellAsync("cd /workspace/w; mv a b; mkdir d; rm b");
        events.AddRange(await UntilAsync(watch, "deleted"));

        Assert.Equal(["created", "modified", "renamed", "created", "deleted"], events.Select(e => e.Json.Text("event")));
        Assert.All(events, e =>
        {
            Assert.Equal("change", e.Type);
            Assert.Equal(e.Json.Text("event"), e.Json.Text("type"));
            Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", e.Json.Text("ts"));
            Assert.Equal(e.Json.Text("event") == "renamed", e.Json.GetProperty("old_path").ValueKind == JsonValueKind.String);
            Assert.False(e.Json.TryGetProperty("message", out _));
        });
        Assert.Equal(["1", "2", "3", "4", "5"], events.Select(e => e.Id));
        Assert.Equal(("/workspace/w/a", 5L, false), (events[1].Json.Text("path"), events[1].Json.Int("size_bytes"), events[1].Json.Bool("is_dir")));
        Assert.Equal(("/workspace/w/b", "/workspace/w/a"), (events[2].Json.Text("path"), events[2].Json.Text("old_path")));
        Assert.Equal(("/workspace/w/d", true, JsonValueKind.Null), (events[3].Json.Text("path"), events[3].Json.Bool("is_dir"), events[3].Json.GetProperty("size_bytes").ValueKind));
    }

    [Fact]
    public async Task Without_parameters_it_is_the_workspace_and_all_below()
    {
        await machine.ShellAsync("mkdir -p /workspace/some/where");
        using var watch = await WatchAsync("");
        using var flat = await WatchAsync("recursive=false&path=/workspace");
        await machine.ShellAsync("touch /workspace/some/where/below /workspace/above");

        Assert.Equal("/workspace/some/where/below", (await watch.NextAsync())?.Json.Text("path"));
        Assert.Equal("/workspace/above", (await flat.NextAsync())?.Json.Text("path"));
    }

    [Fact]
    public async Task A_file_written_over_the_api_is_one_event()
    {
        await machine.ShellAsync("mkdir -p /workspace/api");
        using var watch = await WatchAsync("path=/workspace/api");
        foreach (var content in (string[])["one", "two"])
            await machine.CallAsync(HttpMethod.Post, $"sandboxes/{machine.Id}/files", $$"""{"path":"/workspace/api/f","content":"{{content}}","encoding":"utf8"}""");
        await machine.CallAsync(HttpMethod.Delete, $"sandboxes/{machine.Id}/files?path=/workspace/api/f");

        Assert.Equal(["created", "modified", "deleted"], (await UntilAsync(watch, "deleted")).Select(e => e.Json.Text("event")));
    }

    [Fact]
    public async Task Ten_thousand_files_are_all_told()
    {
        await machine.ShellAsync("mkdir -p /workspace/ten");
        using var watch = await WatchAsync("path=/workspace/ten");
        var writing = machine.ShellAsync("cd /workspace/ten; i=0; while [ $i -lt 10000 ]; do echo x > f$i; i=$((i+1)); done; touch end");
        var seen = new HashSet<string>();
        while (seen.Count < 10_001)
        {
            var told = await watch.NextAsync();
            Assert.NotNull(told);
            Assert.Equal("change", told.Type);
            if (told.Json.Text("event") == "created")
                Assert.True(seen.Add(told.Json.Text("path")), told.Data);
        }
        await writing;
        Assert.Equal(Enumerable.Range(0, 10_000).Select(i => $"/workspace/ten/f{i}").Append("/workspace/ten/end").ToHashSet(), seen);
    }

    [Fact]
    public async Task The_end_of_the_folder_ends_the_stream_and_says_so()
    {
        await machine.ShellAsync("mkdir -p /workspace/gone");
        using var watch = await WatchAsync("path=/workspace/gone");
        await machine.ShellAsync("rm -r /workspace/gone");
        var last = await watch.NextAsync();

        Assert.Equal(("ended", "ended", "ended"), (last?.Type, last?.Json.Text("type"), last?.Json.Text("event")));
        Assert.Equal(("/workspace/gone", "the watched folder was deleted"), (last?.Json.Text("path"), last?.Json.Text("message")));
        Assert.Null(await watch.NextAsync());
    }

    [Fact]
    public async Task The_end_of_the_sandbox_ends_the_stream_and_says_so()
    {
        var id = (await machine.CallAsync(HttpMethod.Post, "sandboxes", """{"image":"miosa-busybox"}""")).Text("id");
        using var watch = await OpenAsync(id, "path=/tmp");
        await machine.CallAsync(HttpMethod.Delete, "sandboxes/" + id);

        var last = await watch.NextAsync();
        Assert.Equal(("error", "error"), (last?.Type, last?.Json.Text("event")));
        Assert.Null(await watch.NextAsync());
    }

    [Fact]
    public async Task A_client_that_leaves_frees_its_watch()
    {
        await machine.UntilAsync(KernelWatchesAsync, count => count == 0);
        var watch = await WatchAsync("path=/tmp");
        Assert.NotEqual(0, await KernelWatchesAsync());
        var since = Stopwatch.StartNew();
        watch.Dispose();
        await machine.UntilAsync(KernelWatchesAsync, count => count == 0);
        Assert.InRange(since.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(5));
    }

    [Theory]
    [InlineData("path=/workspace/none", 404, "NOT_FOUND")]
    [InlineData("path=/etc/passwd", 422, "VALIDATION_ERROR")]
    [InlineData("recursive=perhaps", 422, "VALIDATION_ERROR")]
    public async Task What_cannot_be_watched_is_refused(string query, int status, string code) =>
        Assert.Equal(code, await machine.RefusedAsync(HttpMethod.Get, "files/watch?" + query, null, status));

    [Fact]
    public async Task A_sandbox_of_another_tenant_cannot_be_watched()
    {
        using var stranger = server.Platform.Api(await server.Platform.NewKeyAsync(await server.Platform.NewTenantAsync($"stranger {Guid.NewGuid():N}")));
        var answer = await stranger.GetAsync($"sandboxes/{machine.Id}/files/watch");
        Assert.Equal((404, "NOT_FOUND"), (answer.Status, answer.Code));
    }

    [Fact]
    public async Task A_watch_does_not_keep_a_sandbox_from_its_idle_limit()
    {
        var id = (await machine.CallAsync(HttpMethod.Post, "sandboxes", """{"image":"miosa-busybox","persistent":true,"idle_timeout_sec":1}""")).Text("id");
        using var watch = await OpenAsync(id, "path=/tmp");
        await machine.UntilAsync(async () => (await machine.CallAsync(HttpMethod.Get, "sandboxes/" + id)).Text("state"), state => state == "paused");
        // Paused, not gone: what happens after it was woken is told on the same stream.
        await machine.CallAsync(HttpMethod.Post, $"sandboxes/{id}/exec", """{"command":"touch /tmp/awake"}""");
        Assert.Equal("/tmp/awake", (await watch.NextAsync())?.Json.Text("path"));
        await machine.CallAsync(HttpMethod.Delete, "sandboxes/" + id);
    }

    private Task<EventReader> WatchAsync(string query) => OpenAsync(machine.Id, query);

    private async Task<EventReader> OpenAsync(string id, string query)
    {
        var answer = await machine.Http.GetAsync($"sandboxes/{id}/files/watch?{query}", HttpCompletionOption.ResponseHeadersRead, ExecMachine.Token);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return new EventReader(answer, new StreamReader(await answer.Content.ReadAsStreamAsync(ExecMachine.Token)));
    }

    private static async Task<List<SseEvent>> UntilAsync(EventReader watch, string last)
    {
        var events = new List<SseEvent>();
        do
            events.Add(await watch.NextAsync() ?? throw new InvalidOperationException("the stream ended"));
        while (events[^1].Json.Text("event") != last);
        return events;
    }

    private async Task<int> KernelWatchesAsync() =>
        int.Parse(await machine.ShellAsync("cat /proc/1/fdinfo/* 2>/dev/null | grep -c ^inotify || true"), System.Globalization.CultureInfo.InvariantCulture);
}
