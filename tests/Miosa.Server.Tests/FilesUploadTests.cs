using System.Security.Cryptography;
using System.Text;

namespace Miosa.Server.Tests;

public sealed class FilesUploadTests(ExecMachine machine) : IClassFixture<ExecMachine>
{
    [Fact]
    public async Task A_form_stores_the_file_under_its_path()
    {
        var bytes = RandomNumberGenerator.GetBytes(20_000_000);
        using var form = new MultipartFormDataContent { { new StringContent("/workspace/up/data.bin"), "path" }, { new ByteArrayContent(bytes), "file", "other.name" } };
        using var answer = await SendAsync("files/upload", form);

        Assert.Equal(201, (int)answer.StatusCode);
        var result = await ExecMachine.JsonAsync(answer);
        Assert.True(result.Bool("success"));
        Assert.Equal("/workspace/up/data.bin", result.GetProperty("file").Text("path"));
        Assert.Equal("data.bin", result.GetProperty("file").Text("filename"));
        Assert.Equal(bytes.Length, result.GetProperty("file").Int("size_bytes"));
        Assert.StartsWith(Convert.ToHexStringLower(SHA256.HashData(bytes)), await machine.ShellAsync("sha256sum /workspace/up/data.bin"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/workspace/dir/", "/workspace/dir/näme.txt")]
    [InlineData("/workspace/dir/x.txt", "/workspace/dir/x.txt")]
    [InlineData(null, "/workspace/näme.txt")]
    public async Task A_path_with_a_trailing_slash_takes_the_files_name_in_any_order_of_parts(string? path, string stored)
    {
        foreach (var pathFirst in (bool[])[true, false])
        {
            await machine.ShellAsync("rm -rf /workspace/* /workspace/.[!.]*");
            using var form = new MultipartFormDataContent();
            if (path is not null && pathFirst)
                form.Add(new StringContent(path), "path");
            form.Add(new StringContent("hello"), "file", "C:\\somewhere\\näme.txt");
            if (path is not null && !pathFirst)
                form.Add(new StringContent(path), "path");
            using var answer = await SendAsync("files/upload", form);

            var result = await ExecMachine.JsonAsync(answer);
            Assert.True((int)answer.StatusCode == 201, result.GetRawText());
            Assert.Equal(stored, result.GetProperty("file").Text("path"));
            Assert.Equal(stored + "\n", await machine.ShellAsync("find /workspace -type f"));
            Assert.Equal("hello", await machine.ShellAsync($"cat '{stored}'"));
        }
    }

    [Fact]
    public async Task A_form_to_files_is_an_upload_as_well()
    {
        using var form = new MultipartFormDataContent { { new StringContent("/app/form.txt"), "path" }, { new StringContent("f"), "file", "x" } };
        using var answer = await SendAsync("files", form);

        Assert.Equal(201, (int)answer.StatusCode);
        Assert.Equal("f", await machine.ShellAsync("cat /app/form.txt"));
    }

    [Fact]
    public async Task A_refused_form_leaves_nothing_behind()
    {
        await machine.ShellAsync("rm -rf /workspace/* /workspace/.[!.]*");

        Assert.Equal((403, "FORBIDDEN_PATH"), await RefusedAsync(("path", "/etc/evil", null), ("file", "x", "x")));
        Assert.Equal((403, "FORBIDDEN_PATH"), await RefusedAsync(("file", "x", "x"), ("path", "/etc/evil", null)));
        Assert.Equal((422, "VALIDATION_ERROR"), await RefusedAsync(("path", "/app/x", null)));
        Assert.Equal((422, "VALIDATION_ERROR"), await RefusedAsync(("path", "/workspace/", null), ("file", "x", "..")));
        Assert.Equal((422, "VALIDATION_ERROR"), await RefusedAsync(("create_dirs", "false", null), ("path", "/workspace/no/x", null), ("file", "x", "x")));
        Assert.Equal((422, "VALIDATION_ERROR"), await RefusedAsync(("file", "x", "x"), ("path", "/workspace/no/x", null), ("create_dirs", "false", null)));
        Assert.Equal("", await machine.ShellAsync("find /workspace -mindepth 1"));
    }

    [Fact]
    public async Task A_form_that_breaks_off_is_400_and_leaves_nothing_behind()
    {
        await machine.ShellAsync("rm -rf /workspace/* /workspace/.[!.]*");
        var body = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\nhalf"u8.ToArray();
        using var content = new ByteArrayContent(body);
        content.Headers.TryAddWithoutValidation("Content-Type", "multipart/form-data; boundary=b");
        using var answer = await machine.Http.PostAsync($"sandboxes/{machine.Id}/files/upload", content, ExecMachine.Token);

        Assert.Equal(400, (int)answer.StatusCode);
        Assert.Equal("", await machine.ShellAsync("find /workspace -mindepth 1"));
    }

    [Fact]
    public async Task A_client_that_leaves_in_the_middle_of_a_form_leaves_nothing_behind()
    {
        await machine.ShellAsync("rm -rf /workspace/* /workspace/.[!.]*");
        var head = Encoding.ASCII.GetBytes("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n");
        using (var socket = await machine.SendByHandAsync("POST", "files/upload", "multipart/form-data; boundary=b", 9_000_000, [.. head, .. new byte[2_000_000]]))
            socket.LingerState = new(true, 0);

        await machine.UntilAsync(() => machine.ShellAsync("find /workspace -mindepth 1"), text => text == "");
    }

    [Fact]
    public async Task A_request_that_is_no_form_is_422()
    {
        Assert.Equal("VALIDATION_ERROR", await machine.RefusedAsync(HttpMethod.Post, "files/upload", "{}", 422));
    }

    private async Task<(int Status, string Code)> RefusedAsync(params (string Name, string Value, string? FileName)[] parts)
    {
        using var form = new MultipartFormDataContent();
        foreach (var (name, value, fileName) in parts)
        {
            if (fileName is null)
                form.Add(new StringContent(value), name);
            else
                form.Add(new StringContent(value), name, fileName);
        }
        using var answer = await SendAsync("files/upload", form);
        return ((int)answer.StatusCode, (await ExecMachine.JsonAsync(answer)).Text("code"));
    }

    private Task<HttpResponseMessage> SendAsync(string path, HttpContent form) => machine.Http.PostAsync($"sandboxes/{machine.Id}/{path}", form, ExecMachine.Token);
}
