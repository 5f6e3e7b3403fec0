using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>What a sandbox tells of the paths its template names.</summary>
public sealed class ArtifactTests(Tenant tenant) : IClassFixture<Tenant>
{
    private Api Api => tenant.Api;

    [Fact]
    public async Task The_paths_of_the_template_are_told_with_what_is_at_them_now()
    {
        var body = new JsonObject
        {
            ["name"] = "producer",
            ["build_spec"] = new JsonObject
            {
                ["from"] = "miosa-busybox",
                ["workdir"] = "/srv",
                ["steps"] = new JsonArray(new JsonObject { ["run"] = "mkdir -p /srv/dist && echo hello > /srv/dist/index.html" }),
                ["previewPort"] = 3000,
                ["artifactPaths"] = new JsonArray("/srv/dist", "dist/index.html", "later.txt", "dist/index.html/below"),
            },
        };
        await Api.BuiltAsync(body.ToJsonString());
        var id = await Api.CreateAsync("""{"template_id":"producer"}""");

        var before = (await Api.GetAsync($"sandboxes/{id}/artifacts")).Expect(200).Json;
        Assert.Equal(["/srv/dist", "dist/index.html", "later.txt", "dist/index.html/below"], before.GetProperty("artifacts").EnumerateObject().Select(a => a.Name));
        Assert.Equal("directory", Fact(before, "/srv/dist", "type").GetString());
        Assert.Equal("file", Fact(before, "dist/index.html", "type").GetString());
        Assert.Equal(6, Fact(before, "dist/index.html", "size").GetInt64());
        Assert.Equal("missing", Fact(before, "later.txt", "type").GetString());
        Assert.Equal("missing", Fact(before, "dist/index.html/below", "type").GetString());
        Assert.Equal(3000, before.GetProperty("preview").GetProperty("port").GetInt32());
        Assert.Equal(before.GetProperty("artifacts").ToString(), before.GetProperty("data").GetProperty("artifacts").ToString());

        await Api.RunAsync(id, "echo more > /srv/later.txt");
        var after = (await Api.GetAsync($"sandboxes/{id}/artifacts")).Expect(200).Json;
        Assert.Equal("file", Fact(after, "later.txt", "type").GetString());
        using var other = tenant.Platform.Api(await tenant.Platform.NewKeyAsync(await tenant.Platform.NewTenantAsync("other-" + Guid.NewGuid().ToString("N")[..8])));
        (await other.GetAsync($"sandboxes/{id}/artifacts")).Expect(404);
    }

    [Fact]
    public async Task A_sandbox_of_an_official_template_has_none_and_is_not_woken_to_say_so()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox","persistent":true}""");
        (await Api.PostAsync($"sandboxes/{id}/pause", "{}")).Expect(200);
        Assert.Empty((await Api.GetAsync($"sandboxes/{id}/artifacts")).Expect(200).Json.GetProperty("artifacts").EnumerateObject());
        Assert.Equal("paused", (await Api.GetAsync($"sandboxes/{id}")).Text("state"));
    }

    private static JsonElement Fact(JsonElement answer, string path, string name) => answer.GetProperty("artifacts").GetProperty(path).GetProperty(name);
}
