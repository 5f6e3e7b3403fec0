using System.Net;
using System.Text.Json;

namespace Miosa.Server.Tests;

public sealed class ExecStreamTests(ExecMachine machine) : IClassFixture<ExecMachine>
{
    [Fact]
    public async Task A_stream_tells_lines_then_the_exit_and_ends()
    {
        var (head, events) = await StreamAsync("""{"command":"echo one; echo two; echo oops >&2; printf 'no newline'; exit 2"}""");

        Assert.Equal("text/event-stream", head);
        Assert.Equal(["one", "two", "no newline"], Lines(events, "stdout"));
        Assert.Equal(["oops"], Lines(events, "stderr"));
        Assert.Equal("one\ntwo\nno newline", string.Concat(events.Where(e => e.Type == "stdout").Select(e => e.Data.Text("data"))));
        Assert.Equal("exit", events[^1].Type);
        Assert.Equal(2, events[^1].Data.Int("exit_code"));
        Assert.Equal(2, events[^1].Data.Int("exitCode"));
        Assert.All(events, e => Assert.Equal(e.Type, e.Data.Text("type")));
        Assert.Equal(events.Count, events.Select(e => e.Id).Distinct().Count());
    }

    [Fact]
    public async Task The_first_line_comes_before_the_command_has_ended()
    {
        using var client = machine.NewClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, $"sandboxes/{machine.Id}/exec/stream")
        {
            Content = ExecMachine.Json("""{"command":"echo now; while [ ! -e /tmp/go-on ]; do sleep 0.05; done; rm /tmp/go-on; echo later"}"""),
        };
        using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ExecMachine.Token);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(ExecMachine.Token));
        var head = "";
        while (!head.Contains("\"line\":\"now\"", StringComparison.Ordinal))
            head += await reader.ReadLineAsync(ExecMachine.Token);
        await machine.ShellAsync("touch /tmp/go-on");

        var rest = await reader.ReadToEndAsync(ExecMachine.Token);
        Assert.DoesNotContain("later", head, StringComparison.Ordinal);
        Assert.Contains("\"line\":\"later\"", rest, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("head -c 100000 /dev/zero | tr '\\0' a")]
    [InlineData("head -c 100000 /dev/zero | tr '\\0' '\\001'")]
    [InlineData("head -c 100000 /dev/zero | tr '\\0' '\\\"'")]
    [InlineData("head -c 100000 /dev/zero | tr '\\0' '\\377'")]
    [InlineData("i=0; while [ $i -lt 9000 ]; do printf '😀é'; i=$((i+1)); done")]
    public async Task A_long_line_is_cut_so_that_every_event_stays_under_32_KiB(string command)
    {
        var (_, events) = await StreamAsync(JsonSerializer.Serialize(new { command = command + "; echo" }));
        var whole = (await machine.ExecAsync(new { command = command + "; echo" })).Text("stdout");

        Assert.All(events, e => Assert.True(e.Bytes < 32 * 1024, $"{e.Bytes} bytes"));
        Assert.True(events.Count > 3);
        Assert.Equal(whole, string.Concat(events.Where(e => e.Type == "stdout").Select(e => e.Data.Text("data"))));
        Assert.Equal("exit", events[^1].Type);
    }

    [Fact]
    public async Task A_get_with_a_query_streams_as_well()
    {
        using var answer = await machine.GetAsync("exec/stream?command=pwd%3B%20sleep%209&cwd=/tmp&timeout_ms=300");
        var events = Parse(await answer.Content.ReadAsStringAsync(ExecMachine.Token));

        Assert.Equal(["/tmp"], Lines(events, "stdout"));
        Assert.Equal(124, events[^1].Data.Int("exit_code"));
        Assert.True(events[^1].Data.Bool("timed_out"));
    }

    [Fact]
    public async Task A_command_that_cannot_start_ends_the_stream_with_an_error()
    {
        var (_, events) = await StreamAsync("""{"command":"true","cwd":"/no/such/folder"}""");

        Assert.Equal("error", Assert.Single(events).Type);
        Assert.Contains("/no/such/folder", events[0].Data.Text("message"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_faulty_request_is_refused_before_the_stream_begins()
    {
        Assert.Equal("VALIDATION_ERROR", await machine.RefusedAsync(HttpMethod.Post, "exec/stream", "{}", 422));
        Assert.Equal("VALIDATION_ERROR", await machine.RefusedAsync(HttpMethod.Get, "exec/stream", null, 422));
        using var unknown = await machine.Http.GetAsync("sandboxes/nobody/exec/stream?command=true", ExecMachine.Token);
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
    }

    private async Task<(string? Head, List<StreamEvent> Events)> StreamAsync(string body)
    {
        using var answer = await machine.PostAsync("exec/stream", body);
        var text = await answer.Content.ReadAsStringAsync(ExecMachine.Token);
        Assert.True(answer.IsSuccessStatusCode, text);
        return (answer.Content.Headers.ContentType?.MediaType, Parse(text));
    }

    // By the framing of common.md, section 11: id, event, one data line, a blank line, LF only.
    private static List<StreamEvent> Parse(string text)
    {
        Assert.DoesNotContain('\r', text);
        Assert.EndsWith("\n\n", text, StringComparison.Ordinal);
        var events = new List<StreamEvent>();
        foreach (var block in text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries))
        {
            if (block[0] == ':')
                continue;
            var lines = block.Split('\n');
            Assert.Equal(3, lines.Length);
            Assert.StartsWith("id: ", lines[0], StringComparison.Ordinal);
            Assert.StartsWith("event: ", lines[1], StringComparison.Ordinal);
            Assert.StartsWith("data: ", lines[2], StringComparison.Ordinal);
            events.Add(new StreamEvent(lines[0][4..], lines[1][7..], JsonDocument.Parse(lines[2][6..]).RootElement, System.Text.Encoding.UTF8.GetByteCount(lines[2])));
        }
        return events;
    }

    private static IEnumerable<string> Lines(IEnumerable<StreamEvent> events, string type) =>
        events.Where(e => e.Type == type).Select(e => e.Data.Text("line"));

    private sealed record StreamEvent(string Id, string Type, JsonElement Data, int Bytes);
}
