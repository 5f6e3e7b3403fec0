namespace Miosa.Tests;

public sealed class ClientTests
{
    [Theory]
    [InlineData("sk_live_x", "starts with 'msk_'")]
    [InlineData("MSK_x", "starts with 'msk_'")]
    [InlineData("msk_a b", "blank")]
    [InlineData("msk_a\n", "line break")]
    public void Bad_key_is_refused_without_repeating_it(string key, string says)
    {
        var failure = Assert.Throws<ArgumentException>(() => new MiosaClient(key));

        Assert.Contains(says, failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(key, failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("localhost:8080")]
    [InlineData("ftp://x/")]
    [InlineData("/api/v1")]
    [InlineData("http://x/?a=b")]
    public void Bad_address_is_refused(string address) => Assert.Throws<ArgumentException>(() => new MiosaClient("msk_x", address));

    [Fact]
    public void Bad_settings_are_refused()
    {
        Assert.ThrowsAny<ArgumentException>(() => new MiosaClient(new MiosaOptions { ApiKey = "msk_x", MaxRetries = -1 }));
        Assert.ThrowsAny<ArgumentException>(() => new MiosaClient(new MiosaOptions { ApiKey = "msk_x", Timeout = TimeSpan.Zero }));
        Assert.ThrowsAny<ArgumentException>(() => new MiosaClient(new MiosaOptions { ApiKey = "msk_x", DefaultHeaders = new Dictionary<string, string> { ["authorization"] = "x" } }));
    }

    [Fact]
    public async Task Key_and_address_come_from_the_environment()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.Then(200, Wire.Sandbox);
        var before = (Environment.GetEnvironmentVariable("MIOSA_API_KEY"), Environment.GetEnvironmentVariable("MIOSA_BASE_URL"));
        try
        {
            Environment.SetEnvironmentVariable("MIOSA_API_KEY", null);
            Assert.Contains("MIOSA_API_KEY", Assert.Throws<ArgumentException>(() => new MiosaClient()).Message, StringComparison.Ordinal);
            Environment.SetEnvironmentVariable("MIOSA_API_KEY", "msk_live_env");
            Environment.SetEnvironmentVariable("MIOSA_BASE_URL", server.BaseUrl + "/");
            using var client = new MiosaClient();
            await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);
        }
        finally
        {
            Environment.SetEnvironmentVariable("MIOSA_API_KEY", before.Item1);
            Environment.SetEnvironmentVariable("MIOSA_BASE_URL", before.Item2);
        }

        Assert.Equal("/sandboxes/x", server.Seen.Single().Path);
        Assert.Equal("Bearer msk_live_env", server.Seen.Single().Headers["Authorization"]);
    }

    [Fact]
    public async Task Every_request_carries_the_headers()
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.Sandbox).Client(headers: new Dictionary<string, string> { ["X-Tenant-ID"] = "acme", ["User-Agent"] = "mine/1" });
        using var plain = server.Client();

        await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);
        await plain.Sandboxes.CreateAsync(cancellationToken: TestContext.Current.CancellationToken);

        var (first, second) = (server.Seen[0].Headers, server.Seen[1].Headers);
        Assert.Equal("Bearer msk_live_test", first["Authorization"]);
        Assert.Equal("application/json", first["Accept"]);
        Assert.Equal("acme", first["X-Tenant-ID"]);
        Assert.Equal("mine/1", first["User-Agent"]);
        Assert.StartsWith("miosa-dotnet/", second["User-Agent"], StringComparison.Ordinal);
        Assert.Equal("application/json", second["Content-Type"]);
    }

    [Fact]
    public async Task Callers_HttpClient_is_used_and_left_open()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.Then(200, Wire.Sandbox);
        using var http = new HttpClient();
        http.DefaultRequestHeaders.Add("X-Own", "1");
        using (var client = new MiosaClient(new MiosaOptions { ApiKey = "msk_x", BaseUrl = server.BaseUrl, HttpClient = http }))
            await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);

        Assert.Equal("1", server.Seen.Single().Headers["X-Own"]);
        Assert.Equal(System.Net.HttpStatusCode.OK, (await http.GetAsync(server.BaseUrl, TestContext.Current.CancellationToken)).StatusCode);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task ListAll_walks_all_pages_and_gives_each_sandbox_once(bool async)
    {
        static string Page(string[] ids, bool hasNext) => "{\"data\":["
            + string.Join(',', ids.Select(id => Wire.Plain.Replace("sbx_1", id, StringComparison.Ordinal)))
            + "],\"meta\":{\"total\":3,\"page\":1,\"per_page\":100,\"total_pages\":2,\"has_next\":" + (hasNext ? "true" : "false") + "}}";

        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Page(["a", "b"], true)).Then(200, Page(["b", "c"], false)).Client();

        var all = await Twins.AllAsync(async, () => client.Sandboxes.ListAll(new() { State = "running" }), () => client.Sandboxes.ListAllAsync(new() { State = "running" }));

        Assert.Equal(["a", "b", "c"], all.Select(one => one.Id));
        Assert.Equal(["/sandboxes?state=running&page=1&per_page=100", "/sandboxes?state=running&page=2&per_page=100"], server.Seen.Select(request => request.Path));
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task GetOrCreate_creates_what_is_missing(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(404).Then(201, Wire.Sandbox).Client();

        await Twins.CallAsync(async, () => client.Sandboxes.GetOrCreate("n", new() { Size = "xs" }), () => client.Sandboxes.GetOrCreateAsync("n", new() { Size = "xs" }));

        Assert.Equal("""{"name":"n","size":"xs"}""", server.Seen[1].Text);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task GetOrCreate_takes_what_somebody_else_just_made_and_resumes_it(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(404).Then(409).Then(200, Wire.State("paused")).Then(200, Wire.Sandbox).Client();

        var sandbox = await Twins.CallAsync(async, () => client.Sandboxes.GetOrCreate("n"), () => client.Sandboxes.GetOrCreateAsync("n"));

        Assert.Equal("running", sandbox.State);
        Assert.Equal("/sandboxes/sbx_1/resume", server.Seen[3].Path);
    }
}
