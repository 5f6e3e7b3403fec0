using System.Text;
using System.Text.Json;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>Files of computers, in the shapes that their clients read.</summary>
public sealed class ComputerFileTests(OneComputer computer) : IClassFixture<OneComputer>
{
    private Api Api => computer.Api;

    private static string New() => "/workspace/" + Guid.NewGuid().ToString("N");

    [Fact]
    public async Task A_file_is_written_from_text_or_base64_and_read_back_byte_by_byte()
    {
        var path = New() + "/deep/hello.txt";
        var written = (await computer.PostAsync("files/write", new { path, content = "héllo\n" })).Expect(200);
        foreach (var one in (JsonElement[])[written.Json, written.Json.GetProperty("data")])
        {
            Assert.Equal(("hello.txt", path, "file", false, false, 7L, "0644", "0644"), (
                one.GetProperty("name").GetString(), one.GetProperty("path").GetString(), one.GetProperty("type").GetString(), one.GetProperty("is_dir").GetBoolean(),
                one.GetProperty("is_symlink").GetBoolean(), one.GetProperty("size").GetInt64(), one.GetProperty("permissions").GetString(), one.GetProperty("mode").GetString()));
            Assert.NotNull(one.GetProperty("modified_at").GetString());
        }
        Assert.True(written.Json.GetProperty("success").GetBoolean());
        using (var read = await Api.Http.GetAsync($"computers/{computer.Id}/files/download?path={path}"))
        {
            Assert.Equal("héllo\n", Encoding.UTF8.GetString(await read.Content.ReadAsByteArrayAsync()));
        }
        byte[] bytes = [0, 255, 1, 10, 13];
        (await computer.PostAsync("files/write", new { path, content_base64 = Convert.ToBase64String(bytes) })).Expect(200);
        using (var read = await Api.Http.GetAsync($"computers/{computer.Id}/files/download?path={path}"))
        {
            Assert.Equal("application/octet-stream", read.Content.Headers.ContentType?.MediaType);
            Assert.Equal(bytes, await read.Content.ReadAsByteArrayAsync());
        }
        await computer.AuditedAsync("computer.file.write");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_form_is_taken_in_any_order(bool isPathFirst)
    {
        var path = New() + "/up.bin";
        var content = Encoding.UTF8.GetBytes(new string('x', 300_000));
        using var form = new MultipartFormDataContent();
        if (isPathFirst)
            form.Add(new StringContent(path), "path");
        form.Add(new ByteArrayContent(content), "file", "other.bin");
        if (!isPathFirst)
            form.Add(new StringContent(path), "path");
        using var answer = await Api.Http.PostAsync($"computers/{computer.Id}/files/upload", form);
        var written = (await Answer.ReadAsync(answer)).Expect(201);
        Assert.Equal((path, "up.bin", content.Length, true), (written.Text("path"), written.Json.GetProperty("data").GetProperty("name").GetString(), written.Json.GetProperty("size").GetInt32(), written.Json.GetProperty("success").GetBoolean()));
        Assert.Equal("300000\n", await computer.RunAsync($"stat -c %s {path}"));
    }

    [Fact]
    public async Task List_has_its_array_under_data_and_readdir_an_object()
    {
        var folder = New();
        await computer.RunAsync($"mkdir -p {folder}/sub && echo hi > {folder}/.hidden && ln -s /nowhere {folder}/link");
        foreach (var address in (string[])["files", "files/list"])
        {
            var list = (await computer.GetAsync($"{address}?path={folder}")).Expect(200);
            Assert.Equal((folder, 3), (list.Text("path"), list.Json.GetProperty("total").GetInt32()));
            foreach (var entries in (JsonElement[])[list.Json.GetProperty("entries"), list.Json.GetProperty("data")])
            {
                Assert.Equal([".hidden file False False", "link symlink False True", "sub directory True False"], entries.EnumerateArray().Select(e =>
                    $"{e.GetProperty("name").GetString()} {e.GetProperty("type").GetString()} {e.GetProperty("is_dir").GetBoolean()} {e.GetProperty("is_symlink").GetBoolean()}").Order(StringComparer.Ordinal));
            }
        }
        var rich = (await computer.GetAsync($"files/readdir?path={folder}")).Expect(200);
        Assert.Equal((folder, 3, 3), (rich.Json.GetProperty("data").GetProperty("path").GetString(), rich.Json.GetProperty("data").GetProperty("entries").GetArrayLength(), rich.Json.GetProperty("entries").GetArrayLength()));
        (await computer.GetAsync("files/readdir")).Expect(422);
        (await computer.GetAsync("files?path=/nowhere")).Expect(404);
        (await computer.GetAsync($"files?path={folder}/.hidden")).Expect(422);
    }

    [Fact]
    public async Task Without_a_folder_named_the_home_of_the_desktops_user_is_listed_and_what_is_written_there_is_his()
    {
        var id = await Api.NewComputerAsync(image: "miosa-sandbox");
        await OneComputer.RunAsync(Api, id, "mkdir -p /home/user && chown 1000:1000 /home/user");
        Assert.Equal("/home/user", (await Api.GetAsync($"computers/{id}/files")).Expect(200).Text("path"));
        (await Api.PostAsync($"computers/{id}/files/write", """{"path":"/home/user/a/b.txt","content":"x"}""")).Expect(200);
        (await Api.PostAsync($"computers/{id}/files/mkdir", """{"path":"/home/user/c/d"}""")).Expect(200);
        Assert.Equal("1000:1000 /home/user/a\n1000:1000 /home/user/a/b.txt\n1000:1000 /home/user/c\n1000:1000 /home/user/c/d\n",
            await OneComputer.RunAsync(Api, id, "stat -c '%u:%g %n' /home/user/a /home/user/a/b.txt /home/user/c /home/user/c/d"));
        // Where everybody may write, whose the folder is says nothing.
        await OneComputer.RunAsync(Api, id, "mkdir /tmp/shared && chown 1000:1000 /tmp/shared && chmod 1777 /tmp/shared");
        (await Api.PostAsync($"computers/{id}/files/write", """{"path":"/tmp/shared/x","content":"x"}""")).Expect(200);
        Assert.Equal("0\n", await OneComputer.RunAsync(Api, id, "stat -c %u /tmp/shared/x"));
    }

    [Fact]
    public async Task Stat_tells_a_link_itself_bare_and_under_data()
    {
        var path = New();
        await computer.RunAsync($"echo hi > {path} && chmod 750 {path} && ln -s {path} {path}.link");
        foreach (var stat in (Answer[])[(await computer.PostAsync("files/stat", new { path })).Expect(200), (await computer.GetAsync("files/stat?path=" + path)).Expect(200)])
        {
            foreach (var one in (JsonElement[])[stat.Json, stat.Json.GetProperty("data")])
                Assert.Equal((path, 3L, "0750", false, false), (one.GetProperty("path").GetString(), one.GetProperty("size").GetInt64(), one.GetProperty("mode").GetString(), one.GetProperty("is_dir").GetBoolean(), one.GetProperty("is_symlink").GetBoolean()));
        }
        var link = (await computer.PostAsync("files/stat", new { path = path + ".link" })).Expect(200);
        Assert.Equal((true, path, "symlink"), (link.Json.GetProperty("is_symlink").GetBoolean(), link.Text("symlink_target"), link.Text("type")));
    }

    [Fact]
    public async Task Folders_and_files_are_made_moved_copied_changed_and_deleted()
    {
        var folder = New();
        (await computer.PostAsync("files/mkdir", new { path = folder + "/a/b", mode = "0700" })).Expect(200);
        Assert.True((await computer.PostAsync("files/mkdir", new { path = folder + "/a/b" })).Expect(200).Json.GetProperty("success").GetBoolean());
        await computer.RunAsync($"echo hi > {folder}/a/b/f");
        (await computer.PostAsync("files/copy", new { from = folder + "/a", to = folder + "/c" })).Expect(422);
        (await computer.PostAsync("files/copy", new { from = folder + "/a", to = folder + "/c", recursive = true })).Expect(200);
        (await computer.PostAsync("files/rename", new { from = folder + "/c/b/f", to = folder + "/new/parents/g" })).Expect(200);
        (await computer.PostAsync("files/move", new { old_path = folder + "/new/parents/g", new_path = folder + "/h" })).Expect(200);
        (await computer.PostAsync("files/chmod", new { path = folder + "/h", mode = "0755" })).Expect(200);
        Assert.Equal("755 700\n", await computer.RunAsync($"stat -c %a {folder}/h {folder}/a/b | paste -sd' '"));
        // In the body, as three clients send it, and in the query of the fourth, which says what it means by it.
        (await Api.SendAsync(HttpMethod.Delete, $"computers/{computer.Id}/files", $$"""{"path":"{{folder}}/c"}""")).Expect(200);
        (await Api.DeleteAsync($"computers/{computer.Id}/files?path={folder}/a&recursive=false")).Expect(409);
        var deleted = (await Api.DeleteAsync($"computers/{computer.Id}/files?path={folder}/a&recursive=true")).Expect(200);
        Assert.Equal((true, true), (deleted.Json.GetProperty("success").GetBoolean(), deleted.Json.GetProperty("ok").GetBoolean()));
        Assert.Equal("h\nnew\n", await computer.RunAsync($"ls {folder}"));
    }

    [Fact]
    public async Task A_link_of_a_file_needs_no_key_and_opens_nothing_else()
    {
        var path = New();
        (await computer.PostAsync("files/write", new { path, content = "for you" })).Expect(200);
        var export = (await computer.PostAsync("files/export", new { path })).Expect(200);
        Assert.False(export.Json.TryGetProperty("data", out _));
        Assert.True(export.Json.GetProperty("success").GetBoolean());
        Assert.True(export.Json.GetProperty("expires_at").GetDateTimeOffset() > DateTimeOffset.UtcNow.AddMinutes(15));
        using var anybody = new HttpClient();
        Assert.Equal("for you", await anybody.GetStringAsync(export.Text("url")));
        using var altered = await anybody.GetAsync(export.Text("url")[..^3] + "abc");
        Assert.Equal(403, (int)altered.StatusCode);
        var sandbox = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        using var elsewhere = await anybody.GetAsync(export.Text("url").Replace($"computers/{computer.Id}", $"sandboxes/{sandbox}", StringComparison.Ordinal));
        Assert.Equal(403, (int)elsewhere.StatusCode);
        await Api.DeleteAsync("sandboxes/" + sandbox);
    }

    [Theory]
    [InlineData("write", "{}", 422)]
    [InlineData("write", """{"path":"/workspace/x"}""", 422)]
    [InlineData("write", """{"path":"/workspace/x","content_base64":"?"}""", 422)]
    [InlineData("write", """{"path":"/etc/passwd","content":"x"}""", 403)]
    [InlineData("write", """{"path":"/workspace/../etc/passwd","content":"x"}""", 403)]
    [InlineData("mkdir", """{"path":"/usr/x"}""", 403)]
    [InlineData("mkdir", """{"path":"/workspace/x","mode":"rwx"}""", 422)]
    [InlineData("rename", """{"from":"/workspace/none","to":"/workspace/y"}""", 404)]
    [InlineData("rename", """{"from":"/workspace/none"}""", 422)]
    [InlineData("chmod", """{"path":"/workspace/none","mode":"0644"}""", 404)]
    [InlineData("chmod", """{"path":"/workspace"}""", 422)]
    [InlineData("stat", """{"path":"/workspace/none"}""", 404)]
    [InlineData("export", """{"path":"/workspace/none"}""", 404)]
    [InlineData("upload", "{}", 422)]
    public async Task Bad_input_is_refused(string verb, string body, int status) =>
        (await Api.PostAsync($"computers/{computer.Id}/files/{verb}", body)).Expect(status);

    [Fact]
    public async Task A_folder_is_not_downloaded_and_a_missing_file_is_404()
    {
        (await computer.GetAsync("files/download?path=/workspace")).Expect(422);
        (await computer.GetAsync("files/download?path=/workspace/none")).Expect(404);
        (await computer.GetAsync("files/download")).Expect(422);
    }
}
