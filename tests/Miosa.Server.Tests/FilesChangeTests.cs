using System.Text.Json;

namespace Miosa.Server.Tests;

public sealed class FilesChangeTests(ExecMachine machine) : IClassFixture<ExecMachine>
{
    [Theory]
    [InlineData("DELETE", "files?path=/app/gone", null)]
    [InlineData("DELETE", "files", """{"path":"/app/gone"}""")]
    [InlineData("DELETE", "files/app/gone", null)]
    [InlineData("POST", "files/delete", """{"path":"/app/gone","recursive":true}""")]
    public async Task Every_spelling_deletes_a_folder_with_what_is_in_it(string method, string path, string? body)
    {
        await machine.ShellAsync("mkdir -p /app/gone/deep /app/kept; touch /app/gone/deep/f /app/kept/f; ln -sfn /app/kept /app/gone/link");
        var ok = await machine.CallAsync(new HttpMethod(method), $"sandboxes/{machine.Id}/{path}", body);

        Assert.True(ok.Bool("ok") && ok.Bool("success"));
        Assert.Equal("f\n", await machine.ShellAsync("ls /app/kept; test ! -e /app/gone"));
    }

    [Fact]
    public async Task A_folder_with_content_stays_when_recursive_is_false()
    {
        await machine.ShellAsync("mkdir -p /app/full; touch /app/full/f");

        Assert.Equal("VALIDATION_ERROR", await machine.RefusedAsync(HttpMethod.Delete, "files?path=/app/full&recursive=false", null, 422));
        Assert.Equal("f\n", await machine.ShellAsync("ls /app/full"));
    }

    [Fact]
    public async Task Delete_refuses_what_is_missing_outside_or_a_root()
    {
        Assert.Equal("NOT_FOUND", await machine.RefusedAsync(HttpMethod.Delete, "files?path=/app/never", null, 404));
        Assert.Equal("VALIDATION_ERROR", await machine.RefusedAsync(HttpMethod.Delete, "files", null, 422));
        Assert.Equal("FORBIDDEN_PATH", await machine.RefusedAsync(HttpMethod.Delete, "files?path=/etc/passwd", null, 403));
        Assert.Equal("FORBIDDEN_PATH", await machine.RefusedAsync(HttpMethod.Delete, "files?path=/workspace", null, 403));
        Assert.Equal("FORBIDDEN_PATH", await machine.RefusedAsync(HttpMethod.Delete, "files?path=/", null, 403));
    }

    [Theory]
    [InlineData("files/mkdir", """{"path":"/app/made/er"}""")]
    [InlineData("files/mkdir", """{"path":"/app/made/er","parents":true,"mode":"0755"}""")]
    [InlineData("fs/mkdir", """{"path":"/app/made/er"}""")]
    public async Task Mkdir_makes_parents_and_an_existing_folder_is_fine(string path, string body)
    {
        await machine.ShellAsync("rm -rf /app/made");
        await machine.CallAsync(HttpMethod.Post, $"sandboxes/{machine.Id}/{path}", body);
        await machine.CallAsync(HttpMethod.Post, $"sandboxes/{machine.Id}/{path}", body);

        Assert.Equal("755\n", await machine.ShellAsync("stat -c %a /app/made/er"));
    }

    [Fact]
    public async Task Mkdir_without_parents_needs_the_parent_and_a_file_is_in_the_way()
    {
        await machine.ShellAsync("rm -rf /app/none; touch /app/a-file; mkdir -p /app/there");

        Assert.Equal("NOT_FOUND", await machine.RefusedAsync(HttpMethod.Post, "files/mkdir", """{"path":"/app/none/x","recursive":false}""", 404));
        Assert.Equal("CONFLICT", await machine.RefusedAsync(HttpMethod.Post, "files/mkdir", """{"path":"/app/a-file"}""", 409));
        await machine.CallAsync(HttpMethod.Post, $"sandboxes/{machine.Id}/files/mkdir", """{"path":"/app/there","recursive":false}""");
    }

    [Theory]
    [InlineData("files/rename", "from", "to")]
    [InlineData("files/move", "source", "destination")]
    [InlineData("files/move", "src", "dst")]
    [InlineData("files/move", "old_path", "new_path")]
    [InlineData("files/move", "path", "dest")]
    public async Task Every_spelling_moves_and_makes_the_targets_parents(string path, string from, string to)
    {
        await machine.ShellAsync("rm -rf /app/new; echo moved > /app/old");
        await machine.CallAsync(HttpMethod.Post, $"sandboxes/{machine.Id}/{path}",
            JsonSerializer.Serialize(new Dictionary<string, string> { [from] = "/app/old", [to] = "/app/new/deep/name" }));

        Assert.Equal("moved\n", await machine.ShellAsync("cat /app/new/deep/name; test ! -e /app/old"));
    }

    [Fact]
    public async Task Move_replaces_unless_told_not_to()
    {
        await machine.ShellAsync("echo a > /app/ma; echo b > /app/mb");

        Assert.Equal("CONFLICT", await machine.RefusedAsync(HttpMethod.Post, "files/move", """{"from":"/app/ma","to":"/app/mb","overwrite":false}""", 409));
        await machine.CallAsync(HttpMethod.Post, $"sandboxes/{machine.Id}/files/move", """{"from":"/app/ma","to":"/app/mb"}""");
        Assert.Equal("a\n", await machine.ShellAsync("cat /app/mb"));
        Assert.Equal("NOT_FOUND", await machine.RefusedAsync(HttpMethod.Post, "files/move", """{"from":"/app/ma","to":"/app/mc"}""", 404));
        Assert.Equal("FORBIDDEN_PATH", await machine.RefusedAsync(HttpMethod.Post, "files/move", """{"from":"/app/mb","to":"/etc/mb"}""", 403));
        Assert.Equal("VALIDATION_ERROR", await machine.RefusedAsync(HttpMethod.Post, "files/move", """{"from":"/app/mb"}""", 422));
    }

    [Fact]
    public async Task Copy_leaves_the_source_and_needs_recursive_for_a_folder()
    {
        await machine.ShellAsync("rm -rf /app/tree /app/tree2; mkdir -p /app/tree/sub; echo c > /app/tree/sub/f");

        await machine.CallAsync(HttpMethod.Post, $"sandboxes/{machine.Id}/files/copy", """{"from":"/app/tree/sub/f","to":"/app/tree3/f"}""");
        Assert.Equal("VALIDATION_ERROR", await machine.RefusedAsync(HttpMethod.Post, "files/copy", """{"from":"/app/tree","to":"/app/tree2"}""", 422));
        await machine.CallAsync(HttpMethod.Post, $"sandboxes/{machine.Id}/files/copy", """{"source":"/app/tree","destination":"/app/tree2","recursive":true}""");
        Assert.Equal("c\nc\nc\n", await machine.ShellAsync("cat /app/tree/sub/f /app/tree2/sub/f /app/tree3/f"));
    }

    [Theory]
    [InlineData("\"0751\"", "751")]
    [InlineData("\"644\"", "644")]
    [InlineData("\"0o600\"", "600")]
    [InlineData("755", "755")]
    public async Task Chmod_is_seen_by_commands(string mode, string seen)
    {
        await machine.ShellAsync("touch /app/ch; chmod 0444 /app/ch");
        await machine.CallAsync(HttpMethod.Post, $"sandboxes/{machine.Id}/files/chmod", "{\"path\":\"/app/ch\",\"mode\":" + mode + "}");

        Assert.Equal(seen + "\n", await machine.ShellAsync("stat -c %a /app/ch"));
    }

    [Theory]
    [InlineData("\"rwx\"")]
    [InlineData("\"0888\"")]
    [InlineData("493.5")]
    [InlineData("null")]
    public async Task Chmod_refuses_what_is_not_octal(string mode)
    {
        Assert.Equal("VALIDATION_ERROR", await machine.RefusedAsync(HttpMethod.Post, "files/chmod", "{\"path\":\"/app/ch\",\"mode\":" + mode + "}", 422));
    }
}
