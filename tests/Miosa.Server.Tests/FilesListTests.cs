using System.Text.Json;

namespace Miosa.Server.Tests;

public sealed class FilesListTests(ExecMachine machine) : IClassFixture<ExecMachine>
{
    [Theory]
    [InlineData("files?path=/workspace/l")]
    [InlineData("files/list?path=l")]
    [InlineData("files/readdir?path=/workspace/l/")]
    [InlineData("fs?path=/workspace/./l")]
    public async Task Every_spelling_lists_sorted_entries(string path)
    {
        await FillAsync();
        var list = await ListAsync(path);

        Assert.Equal("/workspace/l", list.Text("path"));
        Assert.Equal([".hidden", "a", "b.txt", "link"], Names(list));
        var (folder, file, link) = (Entry(list, "a"), Entry(list, "b.txt"), Entry(list, "link"));
        Assert.Equal(("directory", true), (folder.Text("type"), folder.Bool("is_dir")));
        Assert.Equal(("file", 3L, 3L, "0640", "/workspace/l/b.txt"), (file.Text("type"), file.Int("size"), file.Int("size_bytes"), file.Text("mode"), file.Text("path")));
        Assert.Equal(("symlink", true, false), (link.Text("type"), link.Bool("is_symlink"), link.Bool("is_dir")));
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", file.Text("modified_at"));
        Assert.Equal(list.GetProperty("entries").GetRawText(), list.GetProperty("files").GetRawText());
        Assert.Equal(list.GetProperty("entries").GetRawText(), list.GetProperty("data").GetProperty("entries").GetRawText());
    }

    [Fact]
    public async Task Depth_flattens_with_parents_first_and_hidden_files_can_be_left_out()
    {
        await FillAsync();

        Assert.Equal(["a", "a/deep", "b.txt", "link"], (await ListAsync("files?path=/workspace/l&depth=2&include_hidden=false"))
            .GetProperty("entries").EnumerateArray().Select(e => e.Text("path")["/workspace/l/".Length..]));
        Assert.Equal([".hidden", "a", "deep", "file", "b.txt", "link"], Names(await ListAsync("files?path=/workspace/l&recursive=true")));
    }

    [Fact]
    public async Task Without_a_path_it_is_the_workspace()
    {
        Assert.Equal("/workspace", (await ListAsync("files")).Text("path"));
        Assert.Equal("/workspace", (await ListAsync("files?path=")).Text("path"));
    }

    [Fact]
    public async Task What_cannot_be_listed_is_refused()
    {
        Assert.Equal("NOT_FOUND", await machine.RefusedAsync(HttpMethod.Get, "files?path=/app/missing", null, 404));
        Assert.Equal("VALIDATION_ERROR", await machine.RefusedAsync(HttpMethod.Get, "files?path=/etc/passwd", null, 422));
        Assert.Equal("VALIDATION_ERROR", await machine.RefusedAsync(HttpMethod.Get, "files?path=/app&depth=11", null, 422));
        Assert.Equal("VALIDATION_ERROR", await machine.RefusedAsync(HttpMethod.Get, "files?path=/app&depth=x", null, 422));
        Assert.Equal("NOT_FOUND", await machine.RefusedAsync(HttpMethod.Get, "files/tree?path=/app/missing", null, 404));
        Assert.Equal("VALIDATION_ERROR", await machine.RefusedAsync(HttpMethod.Get, "files/tree?path=/etc/passwd", null, 422));
    }

    [Fact]
    public async Task A_tree_is_bare_and_ends_at_its_depth()
    {
        await FillAsync();
        var tree = await ListAsync("files/tree?path=/workspace/l&depth=2");

        Assert.False(tree.TryGetProperty("data", out _));
        Assert.Equal(("l", "dir", "/workspace/l"), (tree.Text("name"), tree.Text("type"), tree.Text("path")));
        var children = tree.GetProperty("children").EnumerateArray().ToList();
        Assert.Equal(["a", "b.txt", "link"], children.Select(c => c.Text("name")));
        Assert.Equal(["dir", "file", "file"], children.Select(c => c.Text("type")));
        Assert.Equal(3, children[1].Int("size"));
        var deep = Assert.Single(children[0].GetProperty("children").EnumerateArray());
        Assert.Equal("deep", deep.Text("name"));
        Assert.False(deep.TryGetProperty("children", out _));
        Assert.Equal("file", Assert.Single((await ListAsync("files/tree?path=/workspace/l&recursive=true&include_hidden=true"))
            .GetProperty("children")[1].GetProperty("children")[0].GetProperty("children").EnumerateArray()).Text("name"));
    }

    [Theory]
    [InlineData("GET", "files/stat?path=/workspace/l/link", null)]
    [InlineData("POST", "files/stat", """{"path":"/workspace/l/link"}""")]
    public async Task Stat_tells_a_link_as_a_link(string method, string path, string? body)
    {
        await FillAsync();
        var stat = await machine.CallAsync(new HttpMethod(method), $"sandboxes/{machine.Id}/{path}", body);

        Assert.Equal("/workspace/l/link", stat.Text("path"));
        Assert.Equal("link", stat.Text("name"));
        Assert.Equal("b.txt", stat.Text("symlink_target"));
        Assert.True(stat.Bool("is_symlink"));
        Assert.False(stat.Bool("is_dir"));
        Assert.Equal(stat.Text("modified_at"), stat.Text("mtime"));
        Assert.Equal("link", stat.GetProperty("data").Text("name"));
    }

    [Fact]
    public async Task Stat_of_nothing_is_404_and_without_path_422()
    {
        Assert.Equal("NOT_FOUND", await machine.RefusedAsync(HttpMethod.Post, "files/stat", """{"path":"/app/missing"}""", 404));
        Assert.Equal("NOT_FOUND", await machine.RefusedAsync(HttpMethod.Get, "files/stat?path=/app/missing", null, 404));
        Assert.Equal("VALIDATION_ERROR", await machine.RefusedAsync(HttpMethod.Post, "files/stat", "{}", 422));
    }

    private Task<string> FillAsync() => machine.ShellAsync(
        "rm -rf /workspace/l; mkdir -p /workspace/l/a/deep; cd /workspace/l; touch a/deep/file .hidden; printf abc > b.txt; chmod 0640 b.txt; ln -s b.txt link");

    private Task<JsonElement> ListAsync(string path) => machine.CallAsync(HttpMethod.Get, $"sandboxes/{machine.Id}/{path}");

    private static IEnumerable<string> Names(JsonElement list) => list.GetProperty("entries").EnumerateArray().Select(e => e.Text("name"));

    private static JsonElement Entry(JsonElement list, string name) => list.GetProperty("entries").EnumerateArray().Single(e => e.Text("name") == name);
}
