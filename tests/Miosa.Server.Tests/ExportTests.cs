using System.Formats.Tar;
using System.IO.Compression;
using System.Net;
using System.Text;
using Miosa.Platform;

namespace Miosa.Server.Tests;

public sealed class ExportTests(Tenant tenant) : IClassFixture<Tenant>
{
    private Api Api => tenant.Api;

    [Fact]
    public async Task A_link_hands_out_its_file_without_a_key_and_nothing_that_a_browser_would_run()
    {
        var id = await SandboxAsync("mkdir -p /workspace/d; printf '<script>alert(1)</script>' > '/workspace/d/page.html'");
        var link = (await Api.PostAsync($"sandboxes/{id}/files/export", """{"path":"/workspace/d/page.html"}""")).Expect(200);
        Assert.Equal(link.Text("url"), link.Json.GetProperty("data").GetProperty("url").GetString());
        Assert.InRange(link.Json.GetProperty("expires_at").GetDateTimeOffset(), DateTimeOffset.UtcNow.AddMinutes(55), DateTimeOffset.UtcNow.AddMinutes(61));

        using var stranger = new HttpClient();
        using var answer = await stranger.GetAsync(link.Text("url"));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("<script>alert(1)</script>", await answer.Content.ReadAsStringAsync());
        Assert.Equal("text/plain", answer.Content.Headers.ContentType?.MediaType);
        Assert.Equal("attachment", answer.Content.Headers.ContentDisposition?.DispositionType);
        Assert.Equal("page.html", answer.Content.Headers.ContentDisposition?.FileName);
    }

    [Fact]
    public async Task A_folder_and_several_paths_come_as_an_archive_with_every_byte()
    {
        var id = await SandboxAsync("mkdir -p /workspace/dist/sub; head -c 3000000 /dev/urandom > /workspace/dist/sub/big; echo hi > /workspace/dist/a; ln -s a /workspace/dist/l; chmod 700 /workspace/dist/a; echo two > /workspace/two");
        var sum = (await Api.RunAsync(id, "sha256sum /workspace/dist/sub/big")).Split(' ')[0];
        var export = (await Api.PostAsync($"sandboxes/{id}/exports", """{"paths":["/workspace/dist","/workspace/two"],"label":"work"}""")).Expect(201);
        Assert.Equal(2, export.Json.GetProperty("files").GetArrayLength());
        Assert.Equal("dist.tar.gz", export.Json.GetProperty("files")[0].GetProperty("filename").GetString());

        var entries = await UnpackAsync(export.Text("archive_download_url"));

        Assert.Equal(["dist", "dist/a", "dist/l", "dist/sub", "dist/sub/big", "two"], entries.Keys.Order(StringComparer.Ordinal).Select(name => name.TrimEnd('/')));
        Assert.Equal(sum, Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(entries["dist/sub/big"].Content)));
        Assert.Equal("two\n", Encoding.UTF8.GetString(entries["two"].Content));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, entries["dist/a"].Mode);
        Assert.Equal("a", entries["dist/l"].Link);

        var folder = await UnpackAsync(export.Json.GetProperty("files")[0].GetProperty("download_url").GetString()!);
        Assert.DoesNotContain("two", folder.Keys);
        Assert.Equal(3_000_000, folder["dist/sub/big"].Content.Length);
    }

    [Fact]
    public async Task An_altered_link_and_one_of_another_sandbox_are_refused_and_tell_nothing()
    {
        var id = await SandboxAsync("echo secret > /workspace/s");
        var other = await SandboxAsync("echo other > /workspace/s");
        var url = (await Api.PostAsync($"sandboxes/{id}/files/export", """{"path":"/workspace/s"}""")).Expect(200).Text("url");
        var token = url[(url.IndexOf("t=", StringComparison.Ordinal) + 2)..];
        var middle = token.Length / 2;
        var altered = token[..middle] + (token[middle] == 'A' ? 'B' : 'A') + token[(middle + 1)..];
        using var stranger = new Api(Api.Root, key: null);

        foreach (var path in (string[])[
            $"sandboxes/{id}/exports/download?t={altered}", $"sandboxes/{other}/exports/download?t={token}", $"sandboxes/{id}/exports/download?t=x",
            $"sandboxes/sbx_01hzq5pnmpgt6vdwp0r8d23c5n/exports/download?t={token}"])
        {
            var answer = await stranger.GetAsync(path);
            Assert.Equal((403, "the link is not valid"), (answer.Status, answer.Text("error")));
        }
    }

    [Fact]
    public async Task A_download_without_a_link_needs_a_key_of_the_tenant()
    {
        var id = await SandboxAsync("echo mine > /workspace/s");
        using var nobody = new Api(Api.Root, key: null);
        Assert.Equal(401, (await nobody.GetAsync($"sandboxes/{id}/exports/download?path=/workspace/s")).Status);
        using var foreign = await OtherTenantAsync();
        Assert.Equal(404, (await foreign.GetAsync($"sandboxes/{id}/exports/download?path=/workspace/s")).Status);
        Assert.Equal(404, (await foreign.PostAsync($"sandboxes/{id}/files/export", """{"path":"/workspace/s"}""")).Status);
        Assert.Equal(404, (await foreign.PostAsync($"sandboxes/{id}/exports", """{"path":"/workspace/s"}""")).Status);
        Assert.Equal("mine\n", (await Api.GetAsync($"sandboxes/{id}/exports/download?path=/workspace/s&filename=x.txt")).Expect(200).Body);
    }

    [Theory]
    [InlineData("""{}""", 422, "path")]
    [InlineData("""{"paths":[]}""", 422, "paths")]
    [InlineData("""{"paths":["/workspace/s",7]}""", 422, "paths")]
    [InlineData("""{"path":"/workspace/none"}""", 404, null)]
    public async Task A_faulty_export_names_the_field(string body, int status, string? field)
    {
        var id = await SandboxAsync("echo x > /workspace/s");
        var answer = await Api.PostAsync($"sandboxes/{id}/exports", body);
        Assert.Equal(status, answer.Status);
        if (field is not null)
            Assert.True(answer.Json.GetProperty("details").TryGetProperty(field, out _), answer.Body);
    }

    [Fact]
    public async Task Paths_that_no_link_could_carry_are_refused()
    {
        var id = await SandboxAsync("true");
        var answer = await Api.PostAsync($"sandboxes/{id}/files/export", $$"""{"path":"/{{new string('a', 3100)}}"}""");
        Assert.Equal(422, answer.Status);
    }

    private async Task<string> SandboxAsync(string shell)
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        await Api.RunAsync(id, shell);
        return id;
    }

    private async Task<Api> OtherTenantAsync()
    {
        var other = await tenant.Platform.NewTenantAsync("t-" + Guid.NewGuid().ToString("N")[..12]);
        return tenant.Platform.Api(await tenant.Platform.NewKeyAsync(other));
    }

    private static async Task<Dictionary<string, Unpacked>> UnpackAsync(string url)
    {
        using var stranger = new HttpClient();
        using var answer = await stranger.GetAsync(url);
        Assert.Equal("application/gzip", answer.Content.Headers.ContentType?.MediaType);
        await using var gzip = new GZipStream(await answer.Content.ReadAsStreamAsync(), CompressionMode.Decompress);
        await using var tar = new TarReader(gzip);
        var entries = new Dictionary<string, Unpacked>();
        while (await tar.GetNextEntryAsync() is { } entry)
        {
            using var content = new MemoryStream();
            if (entry.DataStream is { } data)
                await data.CopyToAsync(content);
            entries.Add(entry.Name, new Unpacked(content.ToArray(), entry.Mode, entry.LinkName));
        }
        return entries;
    }

    private sealed record Unpacked(byte[] Content, UnixFileMode Mode, string Link);
}
