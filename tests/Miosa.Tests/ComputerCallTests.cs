using System.Reflection;
using System.Text.Json.Nodes;

namespace Miosa.Tests;

/// <summary>Every call of computers and their desktop: what it sends, and that it reads the answer, blocking and awaiting.</summary>
public sealed partial class ComputerCallTests
{
    private const string Ok = """{"success":true,"ok":true,"message":null}""";
    private const string Plain = """{"id":"cmp_1","name":"n","slug":"s","status":"running","state":"running","visibility":"public","template_type":"miosa-desktop","preview_domain":"localhost","metadata":{},"created_at":"2026-05-26T10:14:23.000Z"}""";
    private const string Exec = """{"stdout":"2\n","stderr":"","exit_code":3,"duration_ms":12,"output":"2\n","success":false}""";

    private static readonly string One = Wire.Merged(Plain);

    /// <summary>A call by its public name, what it must send, what is answered, and what must come out.</summary>
    private sealed record Case(
        string Name, string Request, string Body, string Answer, object? Expected, Func<Computer, MiosaClient, object?> Blocking, Func<Computer, MiosaClient, Task<object?>> Awaiting,
        string ContentType = "application/json");

    private static Case[] AllCases => [.. Lifecycle(), .. Access(), .. Screens(), .. FlatScreens()];

    private static readonly Type[] Types =
    [
        typeof(Computers), typeof(Computer), typeof(ComputersEnv), typeof(ComputersPorts), typeof(ComputerEnv), typeof(ComputerPorts), typeof(ComputerFiles), typeof(ComputerTerminals),
        typeof(ComputerSnapshots), typeof(ComputerServices), typeof(ComputerEvents), typeof(ComputerDesktop), typeof(Desktop),
    ];

    public static TheoryData<string, bool> All
    {
        get
        {
            var data = new TheoryData<string, bool>();
            foreach (var one in AllCases)
            {
                data.Add(one.Name, false);
                data.Add(one.Name, true);
            }
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task Call_sends_what_the_contract_says_and_reads_the_answer(string name, bool async)
    {
        var one = AllCases.Single(one => one.Name == name);
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, One).Client();
        var computer = await client.Computers.GetAsync("cmp_1", TestContext.Current.CancellationToken);
        server.Then(one.Answer.Length == 0 ? 204 : 200, one.Answer, one.ContentType);

        var result = await Twins.CallAsync(async, () => one.Blocking(computer, client), () => one.Awaiting(computer, client));

        var request = server.Seen[1];
        Assert.Equal(one.Expected, result);
        Assert.Equal(one.Request, $"{request.Method} {request.Path}");
        if (one.Body.StartsWith('{'))
            Assert.True(JsonNode.DeepEquals(JsonNode.Parse(one.Body), JsonNode.Parse(request.Text)), request.Text);
        else
            Assert.Equal(one.Body, request.Text);
    }

    [Fact]
    public void Every_public_call_is_in_the_table()
    {
        var names = Types.SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
            .Where(method => !method.IsSpecialName && !method.Name.EndsWith("Async", StringComparison.Ordinal))
            .Select(method => $"{type.Name}.{method.Name}"));
        // These move files of this host and have tests of their own below.
        string[] elsewhere = ["ComputerFiles.Upload", "ComputerFiles.Download", "ComputerDesktop.SaveScreenshot"];
        Assert.Empty(names.Distinct().Except(AllCases.Select(one => one.Name.Split(' ')[0])).Except(elsewhere));
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Large_file_goes_as_the_part_of_a_form(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, One).Then(201, """{"path":"/home/user/a","size":300000}""").Client();
        var computer = await client.Computers.GetAsync("cmp_1", TestContext.Current.CancellationToken);
        var data = new byte[300_000];
        Array.Fill(data, (byte)'x');

        var written = await Twins.CallAsync(async, () => computer.Files.Write("/home/user/a", data), () => computer.Files.WriteAsync("/home/user/a", data));

        Assert.Equal(300_000, written.Size);
        var request = server.Seen[1];
        Assert.Equal("POST /computers/cmp_1/files/upload?path=%2Fhome%2Fuser%2Fa", $"{request.Method} {request.Path}");
        Assert.Contains("name=file", request.Text, StringComparison.Ordinal);
        Assert.Contains(new string('x', 300_000), request.Text, StringComparison.Ordinal);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Local_files_go_there_and_come_back(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, One).Then(201, """{"path":"/tmp/a","size":5}""").Then(200, "remote", "application/octet-stream").Client();
        var computer = await client.Computers.GetAsync("cmp_1", TestContext.Current.CancellationToken);
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, "local", TestContext.Current.CancellationToken);
            var written = await Twins.CallAsync(async, () => computer.Files.Upload(file, "/tmp/a"), () => computer.Files.UploadAsync(file, "/tmp/a"));
            var length = await Twins.CallAsync(async, () => computer.Files.Download("/tmp/a", file), () => computer.Files.DownloadAsync("/tmp/a", file));

            Assert.Equal((5, 6, "remote"), (written.Size, length, await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken)));
            Assert.Equal("/computers/cmp_1/files/upload?path=%2Ftmp%2Fa", server.Seen[1].Path);
            Assert.Contains("\r\nlocal\r\n", server.Seen[1].Text, StringComparison.Ordinal);
            Assert.Equal("/computers/cmp_1/files/download?path=%2Ftmp%2Fa", server.Seen[2].Path);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Input_that_may_have_happened_is_not_sent_again(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, One).Then(502, """{"error":"lost"}""").Client();
        var computer = await client.Computers.GetAsync("cmp_1", TestContext.Current.CancellationToken);

        await Assert.ThrowsAsync<ServerException>(() => Twins.CallAsync(async, () => computer.Desktop.Click(1, 2), () => computer.Desktop.ClickAsync(1, 2)));

        Assert.Equal(2, server.Seen.Count);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Screenshot_is_saved_in_the_format_of_its_extension(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, One).Then(200, "picture", "image/jpeg").Then(200, "part", "image/png").Client();
        var computer = await client.Computers.GetAsync("cmp_1", TestContext.Current.CancellationToken);
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            var (first, second) = (Path.Combine(folder.FullName, "a.JPG"), Path.Combine(folder.FullName, "b.png"));
            await Twins.CallAsync(async, () => computer.Desktop.SaveScreenshot(first, quality: 50), () => computer.Desktop.SaveScreenshotAsync(first, quality: 50));
            var region = new DesktopRegion { X = 1, Y = 2, Width = 3, Height = 4 };
            await Twins.CallAsync(async, () => computer.Desktop.SaveScreenshot(second, region), () => computer.Desktop.SaveScreenshotAsync(second, region));

            Assert.Equal(("picture", "part"), (await File.ReadAllTextAsync(first, TestContext.Current.CancellationToken), await File.ReadAllTextAsync(second, TestContext.Current.CancellationToken)));
            Assert.Equal("/computers/cmp_1/desktop/screenshot?format=jpeg&quality=50", server.Seen[1].Path);
            Assert.Equal("/computers/cmp_1/desktop/screenshot/region", server.Seen[2].Path);
            await Assert.ThrowsAsync<ArgumentException>(() => Twins.CallAsync(async, () => computer.Desktop.SaveScreenshot("a.bmp"), () => computer.Desktop.SaveScreenshotAsync("a.bmp")));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Wait_ends_with_the_status_and_tells_what_failed(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Status("creating")).Then(200, Status("starting")).Then(200, Status("running")).Then(200, Status("error")).Client();
        var computer = await client.Computers.GetAsync("cmp_1", TestContext.Current.CancellationToken);

        Assert.Equal("running", (await Twins.CallAsync(async, () => computer.WaitUntilRunning(), () => computer.WaitUntilRunningAsync())).Status);
        var failure = await Assert.ThrowsAsync<MiosaException>(() => Twins.CallAsync(async, () => computer.WaitUntilStopped(), () => computer.WaitUntilStoppedAsync()));
        Assert.Equal("error", failure.Code);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Time_that_a_call_takes_by_design_is_no_silence(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        var clock = new TestClock();
        using var client = server.Then(200, One).Then(200, Ok).Then(200, Ok).Client(clock, timeout: TimeSpan.FromSeconds(60));
        var computer = await client.Computers.GetAsync("cmp_1", TestContext.Current.CancellationToken);
        var before = clock.Limits.Count;

        await Twins.CallAsync(async, () => computer.Desktop.Wait(TimeSpan.FromSeconds(60)), () => computer.Desktop.WaitAsync(TimeSpan.FromSeconds(60)));
        Assert.All(clock.Limits.Skip(before), limit => Assert.Equal(TimeSpan.FromSeconds(120), limit));
        before = clock.Limits.Count;
        await Twins.CallAsync(
            async, () => computer.Desktop.Type("abcd", TimeSpan.FromSeconds(1)), () => computer.Desktop.TypeAsync("abcd", TimeSpan.FromSeconds(1)));
        Assert.All(clock.Limits.Skip(before), limit => Assert.Equal(TimeSpan.FromSeconds(64.002), limit));
    }

    [Fact]
    public void What_cannot_be_right_is_refused_before_it_is_sent()
    {
        using var client = new MiosaClient("msk_live_1", "http://127.0.0.1:1/api/v1");
        var desktop = client.Desktop;
        Assert.Throws<ArgumentException>(() => desktop.Scroll("cmp_1", x: 5));
        Assert.Throws<ArgumentException>(() => desktop.Hotkey("cmp_1", []));
        Assert.Throws<ArgumentException>(() => desktop.Key("cmp_1", ""));
        Assert.Throws<ArgumentException>(() => desktop.Click("..", 1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => desktop.Screenshot("cmp_1", quality: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => desktop.Screenshot("cmp_1", scale: 1.5));
        Assert.Throws<ArgumentOutOfRangeException>(() => desktop.Screenshot("cmp_1", scale: double.NaN));
        Assert.Throws<ArgumentOutOfRangeException>(() => desktop.Drag("cmp_1", 0, 0, 1, 1, duration: TimeSpan.FromSeconds(6)));
        Assert.Throws<ArgumentOutOfRangeException>(() => desktop.AccessibilityTree("cmp_1", 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => client.Computers.StreamToken("cmp_1", TimeSpan.FromDays(2)));
        Assert.Throws<ArgumentOutOfRangeException>(() => client.Computers.UpdateAutoStop("cmp_1", -1));
    }

    [Fact]
    public void Elements_are_found_by_role_and_name()
    {
        var send = Node("push button", "Send", new() { X = 10, Y = 20, Width = 100, Height = 30 });
        var hidden = Node("push button", "Send", null);
        var sendAll = Node("push button", "Send to all", new() { X = 0, Y = 0, Width = 1, Height = 1 });
        var root = Node("desktop frame", "main", null, Node("frame", "Mail", new() { X = 0, Y = 0, Width = 9, Height = 9 }, hidden, sendAll, send));

        Assert.Same(send, root.Find("Push Button", "send"));
        Assert.Same(sendAll, root.Find(name: "to ALL"));
        Assert.Equal([sendAll, send], root.FindAll("push button"));
        Assert.Equal([hidden, sendAll, send], root.FindAll("push button", shownOnly: false));
        Assert.Null(root.Find("entry"));
        Assert.Equal(new DesktopPoint { X = 60, Y = 35 }, send.Center());
        Assert.Null(hidden.Center());
    }

    private static DesktopAccessibilityNode Node(string role, string name, DesktopRegion? bounds, params DesktopAccessibilityNode[] children)
        => new() { Role = role, Name = name, Bounds = bounds, Children = children };

    private static string Status(string status) => Wire.Merged(Plain.Replace("\"status\":\"running\"", $"\"status\":\"{status}\"", StringComparison.Ordinal));

    private static object? Null(Action act)
    {
        act();
        return null;
    }

    private static async Task<object?> Null(Task task)
    {
        await task;
        return null;
    }
}
