using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Miosa.Server.Tests;

/// <summary>Clients that wait long, read slowly or vanish, and commands that print without end.</summary>
public sealed class ExecLimitsTests(ExecMachine machine) : IClassFixture<ExecMachine>
{
    private const long Mebibyte = 1024 * 1024;

    [Fact]
    public async Task A_gigabyte_of_output_is_cut_and_costs_the_server_little()
    {
        await machine.ExecAsync(new { command = "head -c 20000000 /dev/zero | tr '\\0' x" });
        var before = machine.ServerBytes();
        var peak = before;
        var call = machine.ExecAsync(new { command = "head -c 1073741824 /dev/zero | tr '\\0' y; echo end >&2", timeout_sec = 120 });
        while (await Task.WhenAny(call, Task.Delay(20, ExecMachine.Token)) != call)
            peak = Math.Max(peak, machine.ServerBytes());

        var result = await call;
        Assert.Equal(0, result.Int("exit_code"));
        Assert.True(result.Bool("truncated"));
        Assert.Equal(8 * Mebibyte, result.Text("stdout").Length);
        Assert.Equal("end\n", result.Text("stderr"));
        Assert.True(peak - before < 150 * Mebibyte, $"grew by {(peak - before) / Mebibyte} MiB");
    }

    [Fact]
    public async Task A_client_that_leaves_ends_the_command_and_its_children()
    {
        await LeaveDuringAsync("exec", """{"command":"setsid sleep 5151 & trap '' TERM; sleep 5152"}""");

        await machine.UntilAsync(machine.ProcessesAsync, ps => !ps.Contains("sleep 515", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_reader_that_leaves_a_stream_ends_the_command_and_its_children()
    {
        await LeaveDuringAsync("exec/stream", """{"command":"echo on; setsid sleep 5151 & trap '' TERM; sleep 5152"}""");

        await machine.UntilAsync(machine.ProcessesAsync, ps => !ps.Contains("sleep 515", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_long_command_sends_its_head_early_and_blanks_before_the_result()
    {
        using var client = machine.NewClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, $"sandboxes/{machine.Id}/exec")
        {
            Content = ExecMachine.Json("""{"command":"sleep 22; echo done; exit 4"}"""),
        };
        var clock = Stopwatch.StartNew();
        using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ExecMachine.Token);
        var toHead = clock.Elapsed;
        var body = await answer.Content.ReadAsStringAsync(ExecMachine.Token);

        Assert.Equal(200, (int)answer.StatusCode);
        Assert.Equal("application/json; charset=utf-8", answer.Content.Headers.ContentType?.ToString());
        Assert.InRange(toHead.TotalSeconds, 9, 15);
        Assert.StartsWith("  {", body, StringComparison.Ordinal);
        Assert.Equal(4, JsonDocument.Parse(body).RootElement.Int("exit_code"));
    }

    [Fact]
    public async Task A_reader_that_stops_stops_the_command()
    {
        await machine.ShellAsync("rm -f /tmp/lines");
        var body = """{"command":"i=0; while [ $i -lt 300000 ]; do echo 0123456789012345678901234567890123456789012345678901234567890123456789; i=$((i+1)); echo $i >&3; done 3>/tmp/lines"}""";
        using var socket = await machine.SendByHandAsync("POST", "exec/stream", "application/json", body.Length, Encoding.UTF8.GetBytes(body));
        await machine.UntilAsync(() => machine.ShellAsync("wc -l < /tmp/lines 2>/dev/null || echo 0"), lines => int.Parse(lines) > 1000);

        // Once every buffer on the way is full the count stands still: two looks half a second apart that agree.
        var held = await machine.UntilAsync(
            () => machine.ShellAsync("a=$(wc -l < /tmp/lines); sleep 0.5; b=$(wc -l < /tmp/lines); echo $a $b"),
            pair => pair.Trim().Split(' ') is [var a, var b] && a == b);
        Assert.True(int.Parse(held.Split(' ')[0]) < 300_000, held);
        Assert.Contains("while [ $i", await machine.ProcessesAsync(), StringComparison.Ordinal);
    }

    private async Task LeaveDuringAsync(string path, string body)
    {
        using (var socket = await machine.SendByHandAsync("POST", path, "application/json", body.Length, Encoding.UTF8.GetBytes(body)))
        {
            await machine.UntilAsync(machine.ProcessesAsync, ps => ps.Contains("sleep 5151", StringComparison.Ordinal) && ps.Contains("sleep 5152", StringComparison.Ordinal));
            socket.Shutdown(SocketShutdown.Both);
        }
    }
}
