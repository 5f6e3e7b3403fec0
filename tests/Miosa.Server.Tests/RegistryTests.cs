using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Miosa.Platform;

namespace Miosa.Server.Tests;

public sealed class RegistryTests(Tenant tenant, ServerPlatform shared) : IClassFixture<Tenant>
{
    private Api Api => tenant.Api;

    [Fact]
    public async Task An_image_of_a_registry_becomes_a_template_with_what_it_says_of_itself()
    {
        await using var registry = await Registry.StartAsync(shared.RegistryPort);
        var digest = await registry.PushAsync("team/app", "1.0", "from the registry", new JsonObject
        {
            ["Env"] = new JsonArray("PATH=/bin", "COLOUR=green"),
            ["WorkingDir"] = "/workspace",
            ["Entrypoint"] = new JsonArray("cat"),
            ["Cmd"] = new JsonArray("/hello.txt"),
            ["ExposedPorts"] = new JsonObject { ["8080/tcp"] = new JsonObject() },
        });

        var template = await Api.BuiltAsync($$"""{"name":"fetched","image":"{{registry.Host}}/team/app:1.0"}""");

        Assert.Equal(("'cat' '/hello.txt'", 8080, "/workspace"), (template.Text("start_command"), template.Json.GetProperty("preview_port").GetInt32(), template.Text("workdir")));
        var sandbox = await Api.CreateAsync("""{"image":"fetched"}""");
        Assert.Equal("from the registry green\n", await Api.RunAsync(sandbox, "echo $(cat /hello.txt) $COLOUR"));

        var built = await Api.BuildAsync("upon", new JsonObject { ["dockerfile"] = $"FROM {registry.Host}/team/app@{digest}\nCOPY more.txt /\nRUN echo built > /built", ["context"] = new JsonObject { ["more.txt"] = "more" } });
        Assert.True(built.Text("status") == "ready", built.Body);
        Assert.Equal("from the registry more built\n", await Api.RunAsync(await Api.CreateAsync("""{"image":"upon"}"""), "echo $(cat /hello.txt) $(cat /more.txt) $(cat /built)"));
        await Until("nothing that was fetched is left", async () => !(await tenant.Platform.ImagesAsync()).Any(image => image?.StartsWith("oci-", StringComparison.Ordinal) == true));
        Assert.Empty(Directory.GetDirectories(Path.Combine(tenant.Platform.ServerData, "pulls")));

        var missing = await Api.BuildAsync("missing", new JsonObject { ["from"] = $"{registry.Host}/team/app:2.0" });
        Assert.Equal(("failed", "IMAGE_UNAVAILABLE"), (missing.Text("status"), missing.Text("error_code")));
        Assert.Contains("has no team/app:2.0", missing.Text("error"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_closed_registry_is_asked_with_the_password_of_the_recipe_which_is_kept_nowhere()
    {
        await using var registry = await Registry.StartAsync(shared.RegistryPort, isClosed: true);
        await registry.PushAsync("secret/app", "latest", "closed");
        var from = $"{registry.Host}/secret/app";

        var open = await Api.BuildAsync("nobody", new JsonObject { ["from"] = from });
        Assert.Contains("from_auth", open.Text("error"), StringComparison.Ordinal);
        var wrong = await Api.BuildAsync("wrong", new JsonObject { ["from"] = from, ["from_auth"] = new JsonObject { ["username"] = "user", ["password"] = "guess" } });
        Assert.Equal("IMAGE_UNAVAILABLE", wrong.Text("error_code"));
        var right = await Api.BuildAsync("right", new JsonObject { ["from"] = from, ["from_auth"] = new JsonObject { ["username"] = "user", ["password"] = "s3cret" } });
        Assert.True(right.Text("status") == "ready", right.Body);

        Assert.Equal("closed", await Api.RunAsync(await Api.CreateAsync("""{"image":"right"}"""), "cat /hello.txt"));
        using var log = await Api.EventsAsync($"sandbox-template-builds/{right.Text("id")}/logs/stream");
        Assert.All(await log.ToEndAsync(), item => Assert.DoesNotContain("s3cret", item.Data, StringComparison.Ordinal));
        Assert.DoesNotContain("s3cret", right.Body + (await Api.GetAsync("sandbox-templates/right")).Body, StringComparison.Ordinal);
        foreach (var file in Directory.GetFiles(tenant.Platform.ServerData, "miosa.db*"))
            Assert.DoesNotContain("s3cret", Encoding.Latin1.GetString(await ReadSharedAsync(file)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_token_is_fetched_and_neither_it_nor_the_password_goes_where_the_registry_points_to()
    {
        var layer = EscapingLayer("within.txt");
        var config = "{}"u8.ToArray();
        string? atToken = null, scope = null, atManifest = null, elsewhere = "not asked";
        using var store = new HostileRegistry(shared.RegistryPort, context =>
        {
            elsewhere = context.Request.Headers["Authorization"];
            context.Response.OutputStream.Write(context.Request.Url?.AbsolutePath.EndsWith("layer", StringComparison.Ordinal) == true ? layer : config);
        });
        using var registry = new HostileRegistry(shared.HostilePort, context =>
        {
            var (path, sent, response) = (context.Request.Url?.AbsolutePath ?? "", context.Request.Headers["Authorization"], context.Response);
            if (path == "/token")
            {
                (atToken, scope) = (sent, context.Request.QueryString["scope"]);
                response.OutputStream.Write("""{"token":"t0ken"}"""u8);
            }
            else if (sent != "Bearer t0ken")
            {
                response.StatusCode = 401;
                response.AddHeader("WWW-Authenticate", $"Bearer realm=\"http://127.0.0.1:{shared.HostilePort}/token\",service=\"here\",scope=\"ignored\"");
            }
            else if (path.Contains("/manifests/", StringComparison.Ordinal))
            {
                atManifest = sent;
                response.OutputStream.Write(Manifest(layer, config));
            }
            else
            {
                response.StatusCode = 307;
                response.AddHeader("Location", $"http://127.0.0.1:{shared.RegistryPort}/{(path.EndsWith(Registry.DigestOf(layer), StringComparison.Ordinal) ? "layer" : "config")}");
            }
        });

        var build = await Api.BuildAsync("by-token", new JsonObject
        {
            ["from"] = $"127.0.0.1:{shared.HostilePort}/some/app:1",
            ["from_auth"] = new JsonObject { ["username"] = "user", ["password"] = "s3cret" },
        });

        Assert.True(build.Text("status") == "ready", build.Body);
        Assert.Equal(("Basic dXNlcjpzM2NyZXQ=", "repository:some/app:pull", "Bearer t0ken"), (atToken, scope, atManifest));
        Assert.Null(elsewhere);
    }

    [Fact]
    public async Task An_image_with_an_endless_environment_ends_its_build_and_nothing_else()
    {
        await using var registry = await Registry.StartAsync(shared.RegistryPort);
        var variables = new JsonArray([.. Enumerable.Range(0, 400).Select(i => (JsonNode)$"V{i}={new string('x', 1000)}")]);
        await registry.PushAsync("big/env", "1", "x", new JsonObject { ["Env"] = variables });
        var sandbox = await Api.CreateAsync("""{"image":"miosa-busybox"}""");

        var build = await Api.BuildAsync("big-env", new JsonObject { ["from"] = $"{registry.Host}/big/env:1" });

        Assert.Equal("failed", build.Text("status"));
        Assert.Contains("bytes of names and values", build.Text("error"), StringComparison.Ordinal);
        Assert.Equal("still here\n", await Api.RunAsync(sandbox, "echo still here"));
        (await Api.PostAsync($"sandboxes/{sandbox}/pause")).Expect(200);
    }

    [Theory]
    [InlineData("127.0.0.1:1/a/b")]
    [InlineData("10.0.0.1/a/b")]
    [InlineData("169.254.169.254/latest/meta-data")]
    [InlineData("[::1]:5000/a")]
    [InlineData("[::ffff:127.0.0.1]:5000/a")]
    public async Task A_registry_written_as_a_private_address_is_refused_at_once(string from)
    {
        var answer = (await Api.PostAsync("sandbox-templates", new JsonObject { ["name"] = "inside", ["image"] = from }.ToJsonString())).Expect(422);
        Assert.Contains("--registry-allow", answer.Json.GetProperty("details").GetProperty("image").GetString(), StringComparison.Ordinal);
        Assert.Equal(404, (await Api.GetAsync("sandbox-templates/inside")).Status);
    }

    [Fact]
    public async Task A_name_that_leads_to_a_private_address_is_not_connected_to()
    {
        var wasAsked = false;
        using var inside = new HostileRegistry(shared.HostilePort, _ => wasAsked = true);
        // The address is allowed, the name is not: what counts is what the operator wrote.
        var build = await Api.BuildAsync("by-name", new JsonObject { ["from"] = $"localhost:{shared.HostilePort}/a/b:1" });
        Assert.Equal("IMAGE_UNAVAILABLE", build.Text("error_code"));
        Assert.Contains("private address", build.Text("error"), StringComparison.Ordinal);
        Assert.False(wasAsked);
    }

    public static TheoryData<string, string> Hostile => new()
    {
        { "redirect to the metadata address", "is not asked" },
        { "redirect to a private address by https", "private address" },
        { "token server at a private address", "private address" },
        { "redirects without end", "answered 302" },
        { "a manifest without end", "without an end" },
        { "another layer than it says", "sent something else" },
        { "a layer that is too long", "sent something else" },
        { "a layer that is too large", "is larger than" },
        { "no manifest at all", "is no image" },
        { "a layer with a path for a digest", "without a sha256 digest" },
        { "a layer that leaves the image", "" },
    };

    [Theory]
    [MemberData(nameof(Hostile))]
    public async Task A_hostile_registry_gets_nowhere(string what, string says)
    {
        using var registry = new HostileRegistry(shared.HostilePort, context => Answer(what, context));
        var marker = "/tmp/miosa-registry-escape";

        var build = await Api.BuildAsync("hostile-" + Guid.NewGuid().ToString("N"), new JsonObject { ["from"] = $"127.0.0.1:{shared.HostilePort}/evil/app:1", ["timeoutSec"] = 60 });

        Assert.Equal(("failed", "IMAGE_UNAVAILABLE"), (build.Text("status"), build.Text("error_code")));
        Assert.Contains(says, build.Text("error"), StringComparison.Ordinal);
        Assert.False(File.Exists(marker));
        Assert.Empty(Directory.GetDirectories(Path.Combine(tenant.Platform.ServerData, "pulls")));
        Assert.DoesNotContain(build.Text("id"), await tenant.Platform.ImagesAsync());
    }

    private void Answer(string what, HttpListenerContext context)
    {
        var response = context.Response;
        var path = context.Request.Url?.AbsolutePath ?? "";
        var layer = what == "a layer that leaves the image" ? EscapingLayer() : "layer"u8.ToArray();
        var config = "{}"u8.ToArray();
        switch (what)
        {
            case "redirect to the metadata address":
                Redirect("http://169.254.169.254/latest/meta-data/");
                return;
            case "redirect to a private address by https":
                Redirect("https://127.0.0.1:9/v2/");
                return;
            case "redirects without end":
                Redirect(path + "?again");
                return;
            case "token server at a private address":
                response.StatusCode = 401;
                response.AddHeader("WWW-Authenticate", "Bearer realm=\"https://10.1.2.3/token\",service=\"x\"");
                return;
            case "a manifest without end":
                var zeros = new byte[1 << 20];
                for (var i = 0; i < 64; i++)
                    response.OutputStream.Write(zeros);
                return;
            case "no manifest at all":
                Send("<html>"u8.ToArray());
                return;
        }
        if (path.Contains("/manifests/", StringComparison.Ordinal))
        {
            var part = Registry.Part("application/vnd.oci.image.layer.v1.tar", layer);
            if (what == "a layer with a path for a digest")
                part["digest"] = "sha256:../../../../../tmp/miosa-registry-escape";
            if (what == "a layer that is too large")
                part["size"] = long.MaxValue;
            Send(Manifest(part, config));
        }
        else if (path.EndsWith(Registry.DigestOf(config), StringComparison.Ordinal))
        {
            Send(config);
        }
        else
        {
            Send(what switch { "another layer than it says" => "LAYER"u8.ToArray(), "a layer that is too long" => [.. layer, 1], _ => layer });
        }

        void Redirect(string target)
        {
            response.StatusCode = 302;
            response.AddHeader("Location", target);
        }

        void Send(byte[] bytes) => response.OutputStream.Write(bytes);
    }

    private static byte[] Manifest(byte[] layer, byte[] config) => Manifest(Registry.Part("application/vnd.oci.image.layer.v1.tar", layer), config);

    private static byte[] Manifest(JsonObject layer, byte[] config) => Encoding.UTF8.GetBytes(new JsonObject
    {
        ["schemaVersion"] = 2,
        ["config"] = Registry.Part("application/vnd.oci.image.config.v1+json", config),
        ["layers"] = new JsonArray(layer),
    }.ToJsonString());

    private static byte[] EscapingLayer(string path = "../../../../../../../tmp/miosa-registry-escape")
    {
        using var stream = new MemoryStream();
        using (var tar = new System.Formats.Tar.TarWriter(stream, System.Formats.Tar.TarEntryFormat.Pax, leaveOpen: true))
        {
            tar.WriteEntry(new System.Formats.Tar.PaxTarEntry(System.Formats.Tar.TarEntryType.RegularFile, path) { DataStream = new MemoryStream("x"u8.ToArray()) });
        }
        return stream.ToArray();
    }

    private static async Task<byte[]> ReadSharedAsync(string path)
    {
        await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var bytes = new MemoryStream();
        await file.CopyToAsync(bytes);
        return bytes.ToArray();
    }

    private static Task Until(string fact, Func<Task<bool>> isTrue) => Miosa.Platform.Platform.UntilAsync(fact, isTrue, TimeSpan.FromSeconds(60));
}
