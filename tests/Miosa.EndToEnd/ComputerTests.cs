using System.Text.Json.Nodes;

namespace Miosa.EndToEnd;

/// <summary>A real computer through the SDK: its life, its commands and files, and what stays of it.</summary>
public sealed class ComputerTests(LiveComputer live) : IClassFixture<LiveComputer>
{
    private readonly Computer computer = live.Computer;

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Computer_is_found_listed_and_changed(bool async)
    {
        var client = live.Client;
        Assert.StartsWith("cmp_", computer.Id, StringComparison.Ordinal);
        Assert.Equal((2, 4096, "small", "miosa-desktop"), (computer.Info.Vcpus, computer.Info.MemoryMb, computer.Info.Size, computer.Info.TemplateType));
        Assert.Equal(computer.Id, (await Twins.CallAsync(async, () => client.Computers.Get(computer.Id), () => client.Computers.GetAsync(computer.Id))).Id);
        Assert.Contains((await Twins.CallAsync(async, () => client.Computers.List(new() { Status = "running" }), () => client.Computers.ListAsync(new() { Status = "running" }))).Data, one => one.Id == computer.Id);
        Assert.Contains(await Twins.AllAsync(async, () => client.Computers.ListAll(), () => client.Computers.ListAllAsync()), one => one.Id == computer.Id);

        var changes = new UpdateComputerRequest { Metadata = new JsonObject { ["team"] = $"qa-{async}" }, AgentSessionId = "session-1" };
        await Twins.CallAsync(async, () => computer.Update(changes), () => computer.UpdateAsync(changes));
        Assert.Equal(("session-1", $"qa-{async}"), (computer.Info.AgentSessionId, (string?)computer.Info.Metadata["team"]));
        await Assert.ThrowsAsync<NotFoundException>(() => client.Sandboxes.GetAsync(computer.Id));
        await Assert.ThrowsAsync<NotFoundException>(() => client.Computers.GetAsync("nonexistent-id"));
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Commands_files_and_variables_work(bool async)
    {
        var file = $"/home/user/files-{async}/a.txt";
        Assert.Equal("3\n", (await Twins.CallAsync(async, () => computer.Run("echo $((1 + 2))"), () => computer.RunAsync("echo $((1 + 2))"))).Stdout);
        Assert.Equal("[4]\n", (await Twins.CallAsync(async, () => computer.RunPython("print([2 + 2])"), () => computer.RunPythonAsync("print([2 + 2])"))).Stdout);
        await Twins.CallAsync(async, () => computer.Files.Write(file, "first"), () => computer.Files.WriteAsync(file, "first"));
        Assert.Equal("first", await Twins.CallAsync(async, () => computer.Files.ReadText(file), () => computer.Files.ReadTextAsync(file)));
        var large = new byte[3_000_000];
        Random.Shared.NextBytes(large);
        await Twins.CallAsync(async, () => computer.Files.Write(file, large), () => computer.Files.WriteAsync(file, large));
        Assert.Equal(large, await Twins.CallAsync(async, () => computer.Files.ReadBytes(file), () => computer.Files.ReadBytesAsync(file)));
        Assert.Equal("a.txt", (await Twins.CallAsync(async, () => computer.Files.List(Path.GetDirectoryName(file)!), () => computer.Files.ListAsync(Path.GetDirectoryName(file)!))).Single().Name);
        await Twins.CallAsync(async, () => computer.Files.Delete(file), () => computer.Files.DeleteAsync(file));
        await Assert.ThrowsAsync<NotFoundException>(() => computer.Files.StatAsync(file));

        await Twins.CallAsync(async, () => computer.Env.Create("E2E_NAME", $"v{async}"), () => computer.Env.CreateAsync("E2E_NAME", $"v{async}"));
        Assert.Equal($"v{async}\n", (await computer.RunAsync("echo $E2E_NAME")).Stdout);
        await Twins.CallAsync(async, () => computer.Env.Delete("E2E_NAME"), () => computer.Env.DeleteAsync("E2E_NAME"));
        Assert.DoesNotContain(await computer.Env.ListAsync(), one => one.Name == "E2E_NAME");
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Service_runs_and_its_port_has_an_address(bool async)
    {
        var port = async ? 8101 : 8102;
        var request = new CreateComputerServiceRequest { Name = $"web-{async}", Command = $"echo ready; exec python3 -u -m http.server {port}", WorkingDir = "/usr/share/doc" };
        var service = await Twins.CallAsync(async, () => computer.Services.Create(request), () => computer.Services.CreateAsync(request));
        await Eventually.IsAsync(async () => (await computer.RunAsync($"curl -sf http://127.0.0.1:{port}/ >/dev/null")).Success);
        var line = async
            ? await computer.Services.StreamLogsAsync(service.Id, follow: true).FirstAsync()
            : await Twins.CallAsync(false, () => computer.Services.StreamLogs(service.Id).First(), () => throw new InvalidOperationException());
        Assert.Equal("ready", line.Line);

        var exposed = await Twins.CallAsync(async, () => computer.Ports.Create(port, "public"), () => computer.Ports.CreateAsync(port, "public"));
        // Browsers find *.localhost by themselves; this program says where it is.
        using var http = new HttpClient();
        using var visit = new HttpRequestMessage(HttpMethod.Get, new UriBuilder(exposed.Url ?? "") { Host = "localhost" }.Uri);
        visit.Headers.Host = new Uri(exposed.Url ?? "").Authority;
        using var page = await http.SendAsync(visit);
        Assert.Contains("Directory listing", await page.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        await Twins.CallAsync(async, () => computer.Ports.Delete(port), () => computer.Ports.DeleteAsync(port));
        await Twins.CallAsync(async, () => computer.Services.Delete(service.Id), () => computer.Services.DeleteAsync(service.Id));
        Assert.DoesNotContain(await computer.Services.ListAsync(), one => one.Id == service.Id);
    }

    [Fact]
    public async Task Events_tell_of_a_window_that_opens()
    {
        // Longer than its steps may take: an editor alone has a minute and a half to come up.
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        var listening = new TaskCompletionSource();
        var told = Task.Run(async () =>
        {
            await foreach (var happened in computer.Events.StreamAsync(["window"], started: listening.SetResult, cancellationToken: patience.Token))
            {
                if (happened.Type == ComputerEventTypes.WindowOpened && happened.Payload["title"]?.ToString().Contains("told", StringComparison.Ordinal) == true)
                    return true;
            }
            return false;
        });
        await listening.Task.WaitAsync(patience.Token);

        // The desktop is listened to some milliseconds after the stream is open: the first window may come too early.
        for (var i = 0; i < 5 && !told.IsCompleted; i++)
        {
            var window = await live.OpenEditorAsync($"/home/user/told{i}.txt");
            await computer.Desktop.CloseWindowAsync(window.Id);
        }

        Assert.True(await told);
    }

    [Fact]
    public async Task Live_view_has_an_address_and_the_metrics_have_figures()
    {
        var token = await computer.CreateStreamTokenAsync(TimeSpan.FromMinutes(5), readOnly: true);
        Assert.True(token.ReadOnly);
        using var http = new HttpClient();
        Assert.Contains("<html", await http.GetStringAsync(token.Url), StringComparison.OrdinalIgnoreCase);
        Assert.NotEmpty((await computer.GetVncCredentialsAsync()).Password);
        Assert.NotEmpty((await computer.GetEmbedAsync()).EmbedUrl);
        Assert.NotEmpty((await computer.RotateViewerPasswordAsync()).Password);
        Assert.True((await computer.GetViewerPasswordAsync()).PasswordSet);
        Assert.Contains((await computer.GetUrlsAsync()).Data, url => url.Name == "desktop");
        await Eventually.IsAsync(async () => (await computer.GetMetricsAsync("5m")).Current.ContainsKey("memory_used_mb"));
        Assert.Equal((true, 3600), (await computer.SetAutoStopAsync(TimeSpan.FromHours(1)) is { } set ? (set.Enabled, set.Seconds) : default));
        Assert.False((await computer.SetAutoStopAsync(null)).Enabled);
    }

    [Fact]
    public async Task A_command_is_talked_to_while_it_runs_and_ends_with_its_connection()
    {
        using var patience = new CancellationTokenSource(Twins.Deadline);
        await using (var shell = await computer.SpawnAsync("stty size; read x; stty size; id -un; exit 4", pty: true, cols: 100, rows: 30, cancellationToken: patience.Token))
        {
            var told = "";
            await foreach (var output in shell.ReadAllAsync(patience.Token))
            {
                told += output.Text;
                if (told == "30 100\r\n")
                {
                    await shell.ResizeAsync(120, 40, patience.Token);
                    await shell.WriteAsync("x\n", patience.Token);
                }
            }
            Assert.Contains("40 120\r\nuser\r\n", told, StringComparison.Ordinal);
            Assert.Equal(4, shell.ExitCode);
        }
        await using (await computer.SpawnAsync("exec sleep 47114711", cancellationToken: patience.Token))
            await Eventually.IsAsync(async () => (await computer.RunAsync("pgrep -fx 'sleep 47114711'")).Success);
        await Eventually.IsAsync(async () => !(await computer.RunAsync("pgrep -fx 'sleep 47114711'")).Success);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => computer.SpawnAsync("true", pty: true, cols: 0));
        await Assert.ThrowsAsync<ValidationException>(() => computer.SpawnAsync("true", timeout: TimeSpan.FromDays(100)));
    }

    [Fact]
    public async Task Terminal_is_a_stream_of_what_is_typed_and_printed()
    {
        var session = await computer.Terminals.CreateAsync(new() { Cols = 100, Rows = 30 });
        await using var terminal = await computer.Terminals.AttachAsync(session.SessionId);
        await terminal.WriteAsync("echo $((40 + 2)); exit 3\n"u8.ToArray());
        using var reader = new StreamReader(terminal);
        Assert.Contains("42", await reader.ReadToEndAsync().WaitAsync(Twins.Deadline), StringComparison.Ordinal);
        Assert.Equal(3, terminal.ExitCode);
    }
}
