using System.Net;
using System.Text.Json;

namespace Miosa.Server.Tests;

public sealed class ExecTests(ExecMachine machine) : IClassFixture<ExecMachine>
{
    [Fact]
    public async Task Exec_returns_the_exit_code_and_both_outputs()
    {
        var result = await machine.ExecAsync(new { command = "echo out; echo err >&2; exit 3" });

        Assert.Equal("out\n", result.Text("stdout"));
        Assert.Equal("err\n", result.Text("stderr"));
        Assert.Equal("out\nerr\n", result.Text("output"));
        Assert.Equal(3, result.Int("exit_code"));
        Assert.Equal(3, result.Int("exitCode"));
        Assert.False(result.Bool("success"));
        Assert.False(result.Bool("truncated"));
        Assert.True(result.Int("duration_ms") >= 1);
    }

    [Fact]
    public async Task Exec_tells_the_result_again_under_data()
    {
        var result = await machine.ExecAsync(new { command = "printf 'é\\377\"\\n'" });

        var data = result.GetProperty("data");
        Assert.Equal("é\uFFFD\"\n", result.Text("stdout"));
        foreach (var property in data.EnumerateObject())
            Assert.Equal(property.Value.GetRawText(), result.GetProperty(property.Name).GetRawText());
        Assert.Equal(result.EnumerateObject().Count() - 1, data.EnumerateObject().Count());
    }

    [Theory]
    [InlineData("""{"command":["printf","%s|","a b","$HOME"]}""")]
    [InlineData("""{"cmd":["printf","%s|","a b","$HOME"]}""")]
    [InlineData("""{"cmd":"printf","args":["%s|","a b","$HOME"]}""")]
    [InlineData("""{"command":"printf '%s|' 'a b' '$HOME'"}""")]
    [InlineData("""{"cmd":"printf '%s|' 'a b' '$HOME'","wait":true,"wait_timeout_ms":9000}""")]
    public async Task Every_spelling_of_a_command_runs(string body)
    {
        Assert.Equal("a b|$HOME|", (await machine.ExecAsync(body)).Text("stdout"));
    }

    [Theory]
    [InlineData("""{"command":"pwd"}""", "/workspace\n")]
    [InlineData("""{"command":"pwd","cwd":"/tmp"}""", "/tmp\n")]
    [InlineData("""{"command":"pwd","working_dir":"/tmp"}""", "/tmp\n")]
    [InlineData("""{"command":"pwd","workdir":"/tmp"}""", "/tmp\n")]
    public async Task The_working_folder_has_three_names(string body, string stdout)
    {
        Assert.Equal(stdout, (await machine.ExecAsync(body)).Text("stdout"));
    }

    [Fact]
    public async Task Environment_and_input_reach_the_command()
    {
        var result = await machine.ExecAsync(new { command = "cat; echo $GREETING", stdin = "é 1\n2\n", env = new { GREETING = "a=b c" } });

        Assert.Equal("é 1\n2\na=b c\n", result.Text("stdout"));
    }

    [Fact]
    public async Task Without_stdin_a_command_that_reads_ends_at_once()
    {
        Assert.Equal(0, (await machine.ExecAsync(new { command = "cat", timeout_sec = 20 })).Int("exit_code"));
    }

    [Theory]
    [InlineData("""{"command":"echo early; sleep 60","timeout":0.3}""")]
    [InlineData("""{"command":"echo early; sleep 60","timeout_sec":0.3}""")]
    [InlineData("""{"command":"echo early; sleep 60","timeout_seconds":0.3}""")]
    [InlineData("""{"command":"echo early; sleep 60","timeout_ms":300}""")]
    [InlineData("""{"command":"trap '' TERM; echo early; sleep 60","timeout":1000}""")]
    public async Task The_time_limit_ends_a_command_with_124_and_its_output_so_far(string body)
    {
        var result = await machine.ExecAsync(body);

        Assert.Equal(124, result.Int("exit_code"));
        Assert.True(result.Bool("timed_out"));
        Assert.Equal("early\n", result.Text("stdout"));
        Assert.InRange(result.Int("duration_ms"), 200, 20_000);
    }

    [Fact]
    public async Task The_time_limit_leaves_no_process_behind()
    {
        await machine.ExecAsync(new { command = "(setsid sh -c 'trap \"\" TERM HUP; sleep 7171' &) ; sleep 7171", timeout_ms = 300 });

        Assert.DoesNotContain("sleep 7171", await machine.ProcessesAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_program_is_127_and_one_that_cannot_run_is_126()
    {
        Assert.Equal(127, (await machine.ExecAsync(new { command = new[] { "no-such-program" } })).Int("exit_code"));
        Assert.Equal(127, (await machine.ExecAsync(new { command = "no-such-program" })).Int("exit_code"));
        Assert.Equal(126, (await machine.ExecAsync(new { command = new[] { "/etc" } })).Int("exit_code"));
    }

    [Fact]
    public async Task A_signal_is_128_and_its_number()
    {
        Assert.Equal(137, (await machine.ExecAsync(new { command = "kill -9 $$" })).Int("exit_code"));
    }

    [Fact]
    public async Task A_child_in_the_background_does_not_hold_the_answer_and_lives_on()
    {
        var result = await machine.ExecAsync(new { command = "sleep 6161 & echo started", timeout_sec = 30 });

        Assert.Equal("started\n", result.Text("stdout"));
        Assert.False(result.Bool("timed_out"));
        Assert.Contains("sleep 6161", await machine.ProcessesAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_command_that_closes_its_output_still_tells_its_exit_code()
    {
        Assert.Equal(5, (await machine.ExecAsync(new { command = "exec >&- 2>&-; sleep 0.2; exit 5" })).Int("exit_code"));
    }

    [Fact]
    public async Task Many_commands_at_once_get_each_their_own_output()
    {
        var results = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => machine.ExecAsync(new { command = $"sleep 0.1; echo {i}" })));

        Assert.Equal(Enumerable.Range(0, 40).Select(i => $"{i}\n"), results.Select(r => r.Text("stdout")));
    }

    [Theory]
    [InlineData("""{}""", "command")]
    [InlineData("null", "command")]
    [InlineData("", "command")]
    [InlineData("""{"command":""}""", "command")]
    [InlineData("""{"command":[]}""", "command")]
    [InlineData("""{"command":[1]}""", "command")]
    [InlineData("""{"command":7}""", "command")]
    [InlineData("""{"command":"a\u0000b"}""", "command")]
    [InlineData("""{"command":"true","timeout":-1}""", "timeout")]
    [InlineData("""{"command":"true","timeout_sec":99999999}""", "timeout_sec")]
    [InlineData("""{"command":"true","timeout":1e300}""", "timeout")]
    [InlineData("""{"command":"true","timeout_ms":"5"}""", "timeout_ms")]
    [InlineData("""{"command":"true","env":{"A=B":"x"}}""", "env")]
    [InlineData("""{"command":"true","env":{"A":1}}""", "env")]
    [InlineData("""{"command":"true","cwd":"/no/such/folder"}""", "cwd")]
    [InlineData("""{"command":"true","cwd":"/etc/passwd"}""", "cwd")]
    [InlineData("""{"command":"true","stdin":5}""", "stdin")]
    [InlineData("""{"command":"true","detached":"yes"}""", "detached")]
    [InlineData("""{"command":"true","background":1}""", "detached")]
    [InlineData("""{"command":"true","wait":"no"}""", "wait")]
    public async Task A_faulty_field_is_422_and_named(string body, string field)
    {
        using var answer = await machine.PostAsync("exec", body);

        var error = await ExecMachine.JsonAsync(answer);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, answer.StatusCode);
        Assert.Equal("VALIDATION_ERROR", error.Text("code"));
        Assert.True(error.GetProperty("details").TryGetProperty(field, out _), error.GetRawText());
    }

    [Fact]
    public async Task A_body_that_is_not_json_is_400()
    {
        using var answer = await machine.PostAsync("exec", "{\"command\":");

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal("BAD_REQUEST", (await ExecMachine.JsonAsync(answer)).Text("code"));
    }

    [Fact]
    public async Task A_script_that_is_too_long_is_refused_with_the_way_out()
    {
        using var answer = await machine.PostAsync("exec", JsonSerializer.Serialize(new { command = "echo " + new string('x', 70_000) }));

        Assert.Equal(HttpStatusCode.UnprocessableEntity, answer.StatusCode);
        Assert.Contains("stdin", (await ExecMachine.JsonAsync(answer)).Text("message"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sbx_01hzq5pnmpgt6vdwp0r8d23c5n")]
    [InlineData("nonexistent-id")]
    [InlineData("%F0%9F%98%80")]
    public async Task An_unknown_sandbox_is_404(string id)
    {
        using var answer = await machine.Http.PostAsync($"sandboxes/{id}/exec", ExecMachine.Json("""{"command":"true"}"""), ExecMachine.Token);

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Equal("NOT_FOUND", (await ExecMachine.JsonAsync(answer)).Text("code"));
    }

    [Fact]
    public async Task A_fork_bomb_ends_at_its_time_limit_and_the_machine_goes_on()
    {
        await machine.ExecAsync(new { command = "f() { f | f & }; f; sleep 30", timeout_ms = 1500 });

        var after = await machine.UntilAsync(() => machine.ExecAsync(new { command = "echo alive", timeout_sec = 10 }), r => r.Text("stdout") == "alive\n");
        Assert.Equal(0, after.Int("exit_code"));
    }
}
