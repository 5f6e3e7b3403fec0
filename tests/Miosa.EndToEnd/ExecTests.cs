namespace Miosa.EndToEnd;

public sealed class ExecTests(LivePlatform platform)
{
    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Command_gives_output_errors_and_exit_code(bool async)
    {
        using var client = platform.Client();
        await using var sandbox = await LivePlatform.CreateAsync(client);

        var result = await Twins.CallAsync(async, () => sandbox.Run("echo out; echo err >&2; exit 3"), () => sandbox.RunAsync("echo out; echo err >&2; exit 3"));

        Assert.Equal(("out\n", "err\n", 3, false), (result.Stdout, result.Stderr, result.ExitCode, result.Success));
        Assert.True(result.DurationMs >= 1);
    }

    [Fact]
    public async Task A_spawned_command_gets_input_and_gives_both_outputs_as_they_come()
    {
        using var client = platform.Client();
        await using var sandbox = await LivePlatform.CreateAsync(client);
        using var patience = new CancellationTokenSource(Twins.Deadline);

        await using var command = await sandbox.SpawnAsync("cat; echo \"$WHO $PWD\" >&2; exit 3", cwd: "/tmp", env: new Dictionary<string, string> { ["WHO"] = "a, b" }, cancellationToken: patience.Token);
        await command.WriteAsync("grüße\n", patience.Token);
        await command.CloseInputAsync(patience.Token);
        var (stdout, stderr) = ("", "");
        await foreach (var output in command.ReadAllAsync(patience.Token))
        {
            stdout += output.IsStderr ? "" : output.Text;
            stderr += output.IsStderr ? output.Text : "";
        }
        Assert.Equal(("grüße\n", "a, b /tmp\n", 3), (stdout, stderr, command.ExitCode));

        await using var slow = await sandbox.SpawnAsync("sleep 4711", timeout: TimeSpan.FromMilliseconds(300), cancellationToken: patience.Token);
        Assert.Equal(124, await slow.WaitForExitAsync(patience.Token));
        await sandbox.DestroyAsync();
        await Assert.ThrowsAsync<ConflictException>(() => sandbox.SpawnAsync("true", cancellationToken: patience.Token));
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Words_run_without_a_shell(bool async)
    {
        using var client = platform.Client();
        await using var sandbox = await LivePlatform.CreateAsync(client);
        string[] argv = ["printf", "%s|", "$HOME", "a b", "*", "ü\n"];

        var result = await Twins.CallAsync(async, () => sandbox.Exec(argv), () => sandbox.ExecAsync(argv));

        Assert.Equal("$HOME|a b|*|ü\n|", result.Stdout);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Folder_environment_and_input_reach_the_command(bool async)
    {
        using var client = platform.Client();
        await using var sandbox = await LivePlatform.CreateAsync(client);
        var env = new Dictionary<string, string> { ["GREETING"] = "hällo 'x' $y" };
        const string command = "pwd; printf '%s\\n' \"$GREETING\"; cat";

        var result = await Twins.CallAsync(
            async, () => sandbox.Run(command, "/tmp", env, stdin: "typed"), () => sandbox.RunAsync(command, "/tmp", env, stdin: "typed"));

        Assert.Equal("/tmp\nhällo 'x' $y\ntyped", result.Stdout);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Time_limit_ends_the_command_with_124(bool async)
    {
        using var client = platform.Client();
        await using var sandbox = await LivePlatform.CreateAsync(client);

        var result = await Twins.CallAsync(
            async,
            () => sandbox.Run("echo before; sleep 600", timeout: TimeSpan.FromSeconds(1)),
            () => sandbox.RunAsync("echo before; sleep 600", timeout: TimeSpan.FromSeconds(1)));

        Assert.Equal((124, "before\n", true), (result.ExitCode, result.Stdout, result.TimedOut));
    }

    [Fact]
    public async Task Program_that_does_not_exist_is_127()
    {
        using var client = platform.Client();
        await using var sandbox = await LivePlatform.CreateAsync(client);

        Assert.Equal(127, (await sandbox.ExecAsync(["/no/such/program"])).ExitCode);
        Assert.Equal(127, (await sandbox.RunAsync("no-such-program")).ExitCode);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Command_longer_than_the_clients_timeout_is_not_cut(bool async)
    {
        using var client = platform.Client(new MiosaOptions { Timeout = TimeSpan.FromSeconds(1) });
        await using var sandbox = await LivePlatform.CreateAsync(client);

        var result = await Twins.CallAsync(async, () => sandbox.Run("sleep 3; echo done"), () => sandbox.RunAsync("sleep 3; echo done"));

        Assert.Equal("done\n", result.Stdout);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Stream_gives_lines_while_the_command_runs(bool async)
    {
        using var client = platform.Client();
        await using var sandbox = await LivePlatform.CreateAsync(client);
        // The command goes on only when the file appears, which the test writes after the first line.
        const string command = "echo first; until [ -e /tmp/go ]; do sleep 0.05; done; echo last >&2; exit 5";
        var items = new List<ExecStreamEvent>();

        await Twins.CallAsync(
            async,
            () =>
            {
                foreach (var item in sandbox.ExecStream(command))
                {
                    items.Add(item);
                    if (item.Line == "first")
                        sandbox.Files.Write("/tmp/go", "");
                }
            },
            async () =>
            {
                await foreach (var item in sandbox.ExecStreamAsync(command))
                {
                    items.Add(item);
                    if (item.Line == "first")
                        await sandbox.Files.WriteAsync("/tmp/go", "");
                }
            });

        Assert.Equal(["stdout first", "stderr last", "exit 5"], items.Select(item => $"{item.Type} {item.Line}{item.ExitCode}"));
    }

    [Theory]
    [InlineData("cancel")]
    [InlineData("leave")]
    [InlineData("leave blocking")]
    public async Task Command_dies_when_its_caller_goes_away(string how)
    {
        using var client = platform.Client();
        await using var sandbox = await LivePlatform.CreateAsync(client);
        const string command = "echo $$ > /tmp/pid; echo started; sleep 987654 & wait";

        switch (how)
        {
            case "cancel":
                using (var cancel = new CancellationTokenSource())
                {
                    var call = sandbox.RunAsync(command, cancellationToken: cancel.Token);
                    await Eventually.IsAsync(async () => (await sandbox.RunAsync("cat /tmp/pid")).Success);
                    await cancel.CancelAsync();
                    await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
                }
                break;
            case "leave":
                Assert.Equal("started", (await sandbox.ExecStreamAsync(command).FirstAsync()).Line);
                break;
            default:
                Assert.Equal("started", sandbox.ExecStream(command).First().Line);
                break;
        }

        await Eventually.IsAsync(async () => !(await sandbox.RunAsync("grep -l 98765[4] /proc/[0-9]*/cmdline")).Success);
    }

    [Fact]
    public async Task Ten_megabytes_stream_complete_and_in_order()
    {
        using var client = platform.Client();
        await using var sandbox = await LivePlatform.CreateAsync(client);
        long expected = 1;

        await foreach (var item in sandbox.ExecStreamAsync("seq 1 1000000"))
        {
            if (item.Type == "stdout")
                Assert.Equal(expected++, long.Parse(item.Line!));
            else
                Assert.Equal(0, item.ExitCode);
        }

        Assert.Equal(1_000_001, expected);
    }
}
