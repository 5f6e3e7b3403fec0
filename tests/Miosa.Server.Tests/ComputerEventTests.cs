using System.Net;
using System.Net.WebSockets;
using System.Text.Json;
using Miosa.Platform;
using Wire = Miosa.Server.Tests.TerminalTests.Wire;

namespace Miosa.Server.Tests;

/// <summary>What happens inside computers and to them, live; and their logs.</summary>
public sealed class ComputerEventTests(OneComputer computer) : IClassFixture<OneComputer>
{
    private Api Api => computer.Api;

    [Fact]
    public async Task Files_are_told_over_a_socket_as_they_change()
    {
        await computer.RunAsync("mkdir -p /workspace/w/deep /workspace/other");
        using var events = await Socket.ConnectAsync(Api, $"computers/{computer.Id}/events?subscribe=file&paths=/workspace/w,/workspace/other", "miosa-events-v1");
        Assert.Equal("miosa-events-v1", events.Answered);
        await events.ReadyAsync(() => computer.RunAsync("mktemp /workspace/other/ready.XXXXXX"), "file.created", In("/workspace/other/"));
        // What the first folder told late says nothing of the second one's watch.
        await events.ReadyAsync(() => computer.RunAsync("mktemp /workspace/w/ready.XXXXXX"), "file.created", In("/workspace/w/"));
        await computer.RunAsync("echo a > /workspace/w/deep/f; mv /workspace/w/deep/f /workspace/other/g; rm /workspace/other/g");
        // Each folder has a watch of its own: what happens in two of them may be told in any order.
        await events.UntilAllAsync("file.created /workspace/w/deep/f", "file.deleted /workspace/w/deep/f", "file.deleted /workspace/other/g");

        static Func<JsonElement, bool> In(string folder) => payload => payload.GetProperty("path").GetString()?.StartsWith(folder, StringComparison.Ordinal) == true;
    }

    [Fact]
    public async Task Processes_are_told_with_the_types_that_Go_insists_on()
    {
        using var events = await Socket.ConnectAsync(Api, $"computers/{computer.Id}/events?subscribe=process");
        Assert.True(string.IsNullOrEmpty(events.Answered));
        // From when on it looks is its own affair: until something is seen, something goes on happening.
        await events.ReadyAsync(() => computer.RunAsync("sleep 1.2"), "process.started");
        var service = (await computer.PostAsync("services", new { name = "p-" + Guid.NewGuid().ToString("N")[..8], command = "exec sleep 8282" })).Expect(201);
        JsonElement started;
        do
        {
            started = await events.UntilAsync("process.started");
        }
        while (started.GetProperty("cmd").GetString() != "sleep 8282");
        Assert.Equal((JsonValueKind.Number, JsonValueKind.String), (started.GetProperty("pid").ValueKind, started.GetProperty("ppid").ValueKind));
        (await computer.PostAsync($"services/{service.Text("id")}/stop")).Expect(200);
        JsonElement stopped;
        do
        {
            stopped = await events.UntilAsync("process.stopped");
        }
        while (stopped.GetProperty("cmd").GetString() != "sleep 8282");
        Assert.Equal(started.GetProperty("pid").GetInt32(), stopped.GetProperty("pid").GetInt32());
        (await Api.DeleteAsync($"computers/{computer.Id}/services/{service.Text("id")}")).Expect(200);
    }

    [Fact]
    public async Task What_an_image_without_a_desktop_cannot_tell_is_said_and_the_rest_goes_on()
    {
        using var events = await Socket.ConnectAsync(Api, $"computers/{computer.Id}/events?subscribe=window,clipboard,idle,file&idle_threshold_sec=5&paths=/nowhere,/workspace");
        var missing = new HashSet<string>();
        while (missing.Count < 4)
        {
            var told = await events.UntilAsync("producer.unavailable");
            Assert.NotEmpty(told.GetProperty("reason").GetString() ?? "");
            missing.Add(told.GetProperty("producer").GetString() ?? "");
        }
        Assert.Equal(["clipboard", "file", "idle", "window"], missing.Order(StringComparer.Ordinal));
        await events.ReadyAsync(() => computer.RunAsync("mktemp /workspace/still.XXXXXX"), "file.created");
    }

    [Theory]
    [InlineData("")]
    [InlineData("?subscribe=")]
    [InlineData("?subscribe=keyboard")]
    [InlineData("?subscribe=idle&idle_threshold_sec=0")]
    [InlineData("?subscribe=file&paths=/1,/2,/3,/4,/5,/6,/7,/8,/9,/10,/11,/12,/13,/14,/15,/16,/17")]
    public async Task Bad_input_is_422_before_the_upgrade(string query) =>
        Assert.Equal(HttpStatusCode.UnprocessableEntity, await Wire.RefusalAsync(Api, $"computers/{computer.Id}/events{query}"));

    [Fact]
    public async Task A_socket_ends_with_its_computer_and_a_stopped_one_has_none()
    {
        var id = await Api.NewComputerAsync();
        using var events = await Socket.ConnectAsync(Api, $"computers/{id}/events?subscribe=process,file&paths=/root");
        (await Api.PostAsync($"computers/{id}/stop")).Expect(200);
        Assert.Equal(1001, await events.CloseCodeAsync());
        Assert.Equal(HttpStatusCode.Conflict, await Wire.RefusalAsync(Api, $"computers/{id}/events?subscribe=file"));
        using var other = await computer.Platform.NewApiAsync();
        Assert.Equal(HttpStatusCode.NotFound, await Wire.RefusalAsync(other, $"computers/{id}/events?subscribe=file"));
    }

    [Fact]
    public async Task A_stream_tells_of_states_in_the_words_of_Elixir_and_of_what_happens_inside_whenever_it_runs()
    {
        var id = await Api.NewComputerAsync(image: "miosa-sandbox");
        using var events = await Api.EventsAsync($"computers/{id}/events?subscribe=file&paths=/root");
        Assert.Equal("text/event-stream", events.Response.Content.Headers.ContentType?.MediaType);
        (await Api.PostAsync($"computers/{id}/stop")).Expect(200);
        var stopped = await UntilAsync(events, "stopped");
        Assert.Equal((id, "stopped", "running", "stopped"), (stopped.GetProperty("computer_id").GetString(), stopped.GetProperty("status").GetString(), stopped.GetProperty("previous_status").GetString(), stopped.GetProperty("type").GetString()));
        Assert.True(stopped.GetProperty("timestamp").TryGetDateTimeOffset(out _));
        (await Api.PostAsync($"computers/{id}/start")).Expect(200);
        Assert.Equal("running", (await UntilAsync(events, "started")).GetProperty("status").GetString());
        using var stop = new CancellationTokenSource();
        var touching = TouchAsync(id, stop.Token);
        var created = await UntilAsync(events, "file.created");
        Assert.StartsWith("/root/t", created.GetProperty("payload").GetProperty("path").GetString(), StringComparison.Ordinal);
        await stop.CancelAsync();
        await touching;
        (await Api.PostAsync($"computers/{id}/snapshots")).Expect(201);
        Assert.Equal("running", (await UntilAsync(events, "checkpoint_created")).GetProperty("status").GetString());
        (await Api.DeleteAsync($"computers/{id}")).Expect(200);
        while (await events.NextAsync() is not null)
        {
        }
        (await Api.GetAsync($"computers/{id}/events")).Expect(404);
    }

    [Fact]
    public async Task Logs_are_the_lines_of_what_runs_in_the_background_in_the_order_of_their_times()
    {
        var id = await Api.NewComputerAsync(image: "miosa-sandbox");
        var empty = (await Api.GetAsync($"computers/{id}/logs")).Expect(200);
        Assert.Equal((id, 0, ""), (empty.Text("computer_id"), empty.Json.GetProperty("count").GetInt32(), empty.Text("logs")));
        using var stream = await Api.EventsAsync($"computers/{id}/logs/stream");
        var a = (await Api.PostAsync($"computers/{id}/services", """{"name":"a","command":"echo first; exec sleep 9000"}""")).Expect(201).Text("id");
        await Lines(1);
        (await Api.PostAsync($"computers/{id}/services", """{"name":"b","command":"sleep 1.1; echo second; echo third >&2; exec sleep 9000"}""")).Expect(201);
        var logs = await Lines(3);
        Assert.False(logs.Json.TryGetProperty("data", out _));
        Assert.Equal("first", logs.Json.GetProperty("lines")[0].GetProperty("line").GetString());
        Assert.Equal((a, "stdout", "first"), (logs.Json.GetProperty("lines")[0].GetProperty("service_id").GetString(), logs.Json.GetProperty("lines")[0].GetProperty("stream").GetString(), logs.Json.GetProperty("lines")[0].GetProperty("message").GetString()));
        Assert.Equal(1, (await Api.GetAsync($"computers/{id}/logs?lines=1")).Expect(200).Json.GetProperty("count").GetInt32());
        Assert.Equal(0, (await Api.GetAsync($"computers/{id}/logs?since=2999-01-01T00:00:00Z")).Expect(200).Json.GetProperty("count").GetInt32());
        foreach (var query in (string[])["lines=0", "lines=x", "tail=10001", "since=yesterday"])
            (await Api.GetAsync($"computers/{id}/logs?{query}")).Expect(422);
        var told = new List<string>();
        while (told.Count < 3)
        {
            var line = await stream.NextAsync() ?? throw new InvalidOperationException("the stream ended");
            Assert.Equal("log", line.Type);
            told.Add(line.Json.GetProperty("stream").GetString() + " " + line.Json.GetProperty("line").GetString());
        }
        Assert.Equal(["stderr third", "stdout first", "stdout second"], told.Order(StringComparer.Ordinal));
        (await Api.PostAsync($"computers/{id}/stop")).Expect(200);
        while (await stream.NextAsync() is not null)
        {
        }

        async Task<Answer> Lines(int count)
        {
            Answer? answer = null;
            await Miosa.Platform.Platform.UntilAsync($"{count} lines are there", async () => (answer = (await Api.GetAsync($"computers/{id}/logs")).Expect(200)).Json.GetProperty("count").GetInt32() >= count);
            return answer ?? throw new InvalidOperationException("never");
        }
    }

    private async Task TouchAsync(string id, CancellationToken stop)
    {
        for (var i = 0; !stop.IsCancellationRequested; i++)
            await OneComputer.RunAsync(Api, id, $"touch /root/t{i}");
    }

    private static async Task<JsonElement> UntilAsync(EventReader events, string type)
    {
        while (await events.NextAsync() is { } next)
        {
            if (next.Type == type)
                return next.Json;
        }
        throw new InvalidOperationException($"the stream ended before {type}");
    }

    private sealed class Socket(ClientWebSocket socket) : IDisposable
    {
        public string? Answered => socket.SubProtocol;

        public static async Task<Socket> ConnectAsync(Api api, string path, string? protocol = null)
        {
            var socket = new ClientWebSocket();
            if (protocol is not null)
                socket.Options.AddSubProtocol(protocol);
            await socket.ConnectAsync(new Uri("ws" + api.Root["http".Length..] + "/api/v1/" + path), api.Http, CancellationToken.None);
            return new Socket(socket);
        }

        /// <summary>Repeats an act until the first event tells of it: one of a type, and with a payload that fits.</summary>
        public async Task ReadyAsync(Func<Task> act, string type, Func<JsonElement, bool>? fits = null)
        {
            var seen = UntilAsync(type, fits);
            while (!seen.IsCompleted)
                await act();
            await seen;
        }

        /// <summary>The payload of the next event of a type, or of the next one that fits.</summary>
        public async Task<JsonElement> UntilAsync(string type, Func<JsonElement, bool>? fits = null)
        {
            while (await NextAsync() is { } told)
            {
                Assert.True(told.GetProperty("timestamp").TryGetDateTimeOffset(out _));
                Assert.Equal(JsonValueKind.Object, told.GetProperty("payload").ValueKind);
                if (told.GetProperty("type").GetString() == type && fits?.Invoke(told.GetProperty("payload")) != false)
                    return told.GetProperty("payload");
            }
            throw new InvalidOperationException($"the socket ended before {type}");
        }

        /// <summary>Until each was told: a type and the path that it is about.</summary>
        public async Task UntilAllAsync(params string[] wanted)
        {
            var left = wanted.ToHashSet();
            while (left.Count > 0)
            {
                var told = await NextAsync() ?? throw new InvalidOperationException($"the socket ended before {string.Join(", ", left)}");
                left.Remove($"{told.GetProperty("type").GetString()} {told.GetProperty("payload").GetProperty("path").GetString()}");
            }
        }

        public async Task<int> CloseCodeAsync()
        {
            while (await NextAsync() is not null)
            {
            }
            return (int)(socket.CloseStatus ?? 0);
        }

        public void Dispose() => socket.Dispose();

        private async Task<JsonElement?> NextAsync()
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            var message = new List<byte>();
            var buffer = new byte[64 * 1024];
            WebSocketReceiveResult part;
            do
            {
                part = await socket.ReceiveAsync(buffer, limit.Token);
                message.AddRange(buffer.AsSpan(0, part.Count));
            }
            while (!part.EndOfMessage);
            return part.MessageType == WebSocketMessageType.Close ? null : JsonDocument.Parse(message.ToArray()).RootElement;
        }
    }
}
