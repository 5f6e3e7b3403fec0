using System.Security.Cryptography;
using System.Text.Json;

namespace Miosa.Server.Tests;

public sealed class FilesWriteTests(ExecMachine machine) : IClassFixture<ExecMachine>
{
    [Theory]
    [InlineData("POST", "files", """{"path":"/app/w.txt","content":"aMOpCg=="}""")]
    [InlineData("PUT", "files", """{"path":"/app/w.txt","content":"aMOpCg=="}""")]
    [InlineData("POST", "files/write", """{"path":"/app/w.txt","content":"hé\n","encoding":"utf8"}""")]
    [InlineData("POST", "fs/write", """{"path":"/app/w.txt","content":"hé\n","encoding":"utf-8"}""")]
    [InlineData("POST", "files", """{"path":"/app/w.txt","content":"ignored","content_base64":"aMOpCg=="}""")]
    public async Task Every_spelling_writes_the_same_bytes(string method, string path, string body)
    {
        await machine.ShellAsync("rm -f /app/w.txt");
        var result = await machine.CallAsync(new HttpMethod(method), $"sandboxes/{machine.Id}/{path}", body);

        Assert.Equal("hé\n", await machine.ShellAsync("cat /app/w.txt"));
        Assert.Equal("/app/w.txt", result.Text("path"));
        Assert.Equal(4, result.Int("size"));
        Assert.Equal(4, result.Int("size_bytes"));
        Assert.Equal(4, result.GetProperty("data").Int("size_bytes"));
        Assert.True(result.Bool("ok"));
    }

    [Fact]
    public async Task Parents_are_made_and_a_relative_path_is_below_workspace()
    {
        await WriteAsync(new { path = "deep/er/a.txt", content = "YQ==", mode = "0750" });

        Assert.Equal("a750\n", await machine.ShellAsync("cat /workspace/deep/er/a.txt; stat -c %a /workspace/deep/er/a.txt"));
    }

    [Fact]
    public async Task An_existing_file_is_replaced_and_keeps_its_mode()
    {
        await machine.ShellAsync("echo long old content > /app/keep; chmod 0741 /app/keep");
        await WriteAsync(new { path = "/app/keep", content = "" });

        Assert.Equal("741 0\n", await machine.ShellAsync("stat -c '%a %s' /app/keep"));
    }

    [Theory]
    [InlineData("with space")]
    [InlineData("new\nline")]
    [InlineData("#?%&+=;@")]
    [InlineData("100%25")]
    [InlineData("ünïcödé-😀")]
    [InlineData("'quote\"s\\")]
    [InlineData("-rf")]
    public async Task Odd_names_survive_every_road(string name)
    {
        await machine.ShellAsync("rm -rf /workspace/odd; mkdir -p /workspace/odd");
        using var content = new ByteArrayContent("odd"u8.ToArray());
        using var put = await machine.Http.PutAsync($"sandboxes/{machine.Id}/files/workspace/odd/{Uri.EscapeDataString(name)}", content, ExecMachine.Token);
        Assert.Equal(200, (int)put.StatusCode);

        var list = await machine.CallAsync(HttpMethod.Get, $"sandboxes/{machine.Id}/files?path=/workspace/odd");
        Assert.Equal(name, Assert.Single(list.GetProperty("entries").EnumerateArray()).Text("name"));
        using var byUrl = await machine.GetAsync("files/workspace/odd/" + Uri.EscapeDataString(name));
        Assert.Equal("odd", await byUrl.Content.ReadAsStringAsync(ExecMachine.Token));
        using var byQuery = await machine.GetAsync("files/read?path=" + Uri.EscapeDataString("/workspace/odd/" + name));
        Assert.Equal("odd", await byQuery.Content.ReadAsStringAsync(ExecMachine.Token));
        await machine.CallAsync(HttpMethod.Delete, $"sandboxes/{machine.Id}/files/workspace/odd/{Uri.EscapeDataString(name)}");
        Assert.Equal("", await machine.ShellAsync("ls -A /workspace/odd"));
    }

    [Fact]
    public async Task A_name_of_255_bytes_is_fine_and_256_are_422()
    {
        await WriteAsync(new { path = "/app/" + new string('n', 255), content = "" });

        Assert.Equal("VALIDATION_ERROR", await RefusedAsync(new { path = "/app/" + new string('n', 256), content = "" }, 422));
    }

    [Fact]
    public async Task Bytes_that_are_not_utf8_come_back_as_they_were()
    {
        var bytes = Enumerable.Range(0, 256).Select(i => (byte)i).ToArray();
        await WriteAsync(new { path = "/app/all", content = Convert.ToBase64String(bytes) });

        Assert.Equal(bytes, await (await machine.GetAsync("files/app/all")).Content.ReadAsByteArrayAsync(ExecMachine.Token));
    }

    [Theory]
    [InlineData("""{"content":""}""", "path")]
    [InlineData("""{"path":"","content":""}""", "path")]
    [InlineData("""{"path":"/app/a\u0000b","content":""}""", "path")]
    [InlineData("""{"path":"/app/a"}""", "content")]
    [InlineData("""{"path":"/app/a","content":"not base64!"}""", "content")]
    [InlineData("""{"path":"/app/a","content_base64":"YQ"}""", "content_base64")]
    [InlineData("""{"path":"/app/a","content":"x","encoding":"latin1"}""", "encoding")]
    [InlineData("""{"path":"/app/a","content":"","mode":"9"}""", "mode")]
    [InlineData("""{"path":"/app/a","content":7}""", "content")]
    [InlineData("""{"path":"/app","content":""}""", "path")]
    public async Task A_faulty_write_is_422_and_names_the_field(string body, string field)
    {
        using var answer = await machine.PostAsync("files", body);

        var error = await ExecMachine.JsonAsync(answer);
        Assert.Equal(422, (int)answer.StatusCode);
        Assert.True(error.GetProperty("details").TryGetProperty(field, out _), error.GetRawText());
    }

    [Theory]
    [InlineData("/etc/passwd")]
    [InlineData("/app/../etc/passwd")]
    [InlineData("/app/link-to-etc/passwd")]
    [InlineData("/proc/sys/kernel/hostname")]
    [InlineData("/usr/bin/evil")]
    public async Task A_path_outside_what_may_be_written_is_403(string path)
    {
        await machine.ShellAsync("ln -sfn /etc /app/link-to-etc");
        var before = await machine.ShellAsync("cat /etc/passwd");

        Assert.Equal("FORBIDDEN_PATH", await RefusedAsync(new { path, content = "" }, 403));
        Assert.Equal(before, await machine.ShellAsync("cat /etc/passwd"));
    }

    [Fact]
    public async Task A_json_body_that_is_too_large_is_413_and_names_the_streaming_route()
    {
        using var answer = await machine.PostAsync("files", "{\"path\":\"/tmp/x\",\"content\":\"" + new string('A', 49 * 1024 * 1024) + "\"}");

        Assert.Equal(413, (int)answer.StatusCode);
        var error = await ExecMachine.JsonAsync(answer);
        Assert.Equal("FILE_TOO_LARGE", error.Text("code"));
        Assert.Contains("PUT", error.Text("message"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_large_raw_upload_and_its_download_keep_every_byte_and_the_servers_memory_flat()
    {
        const int size = 200 * 1024 * 1024;
        await machine.ShellAsync("true");
        var before = machine.ServerBytes();
        using (var put = await machine.Http.PutAsync($"sandboxes/{machine.Id}/files/workspace/large", new StreamContent(new Pattern(size)), ExecMachine.Token))
            Assert.Equal(200, (int)put.StatusCode);
        var afterUpload = machine.ServerBytes();
        using var get = await machine.Http.GetAsync($"sandboxes/{machine.Id}/files/workspace/large", HttpCompletionOption.ResponseHeadersRead, ExecMachine.Token);
        Assert.Equal(size, get.Content.Headers.ContentLength);
        var hash = await SHA256.HashDataAsync(await get.Content.ReadAsStreamAsync(ExecMachine.Token), ExecMachine.Token);

        Assert.Equal(await SHA256.HashDataAsync(new Pattern(size), ExecMachine.Token), hash);
        Assert.StartsWith(Convert.ToHexStringLower(hash), await machine.ShellAsync("sha256sum /workspace/large; rm /workspace/large"), StringComparison.Ordinal);
        Assert.True(Math.Max(afterUpload, machine.ServerBytes()) - before < 80 * 1024 * 1024, $"{before} {afterUpload} {machine.ServerBytes()}");
    }

    [Fact]
    public async Task A_client_that_leaves_in_the_middle_of_an_upload_leaves_the_old_file_and_nothing_else()
    {
        await machine.ShellAsync("mkdir -p /workspace/half; echo old > /workspace/half/file");
        using (var socket = await machine.SendByHandAsync("PUT", "files/workspace/half/file", "application/octet-stream", 50_000_000, new byte[3_000_000]))
        {
            await machine.UntilAsync(() => machine.ShellAsync("ls -A /workspace/half /proc/1/fd 2>/dev/null | wc -l"), _ => true);
            socket.LingerState = new(true, 0);
        }

        await machine.UntilAsync(() => machine.ShellAsync("ls -A /workspace/half; cat /workspace/half/file"), text => text == "file\nold\n");
    }

    [Fact]
    public async Task Write_many_tells_the_outcome_of_each_file()
    {
        await machine.ShellAsync("mkdir -p /app/folder");
        var result = await ManyAsync("files/write-many", new
        {
            files = new object[]
            {
                new { path = "/app/m1", content = "plain é" },
                new { path = "/app/m2", content_base64 = "Yg==", mode = "0700" },
                new { path = "/etc/shadow", content = "x" },
                new { path = "/app/folder", content = "x" },
                new { path = "/app/m3", content = "###", encoding = "base64" },
                new { path = "m4", data = "alias" },
            },
        });

        Assert.Equal(["/app/m1", "/app/m2", "/workspace/m4"], result.GetProperty("written").EnumerateArray().Select(w => w.Text("path")));
        Assert.Equal([8L, 1L, 5L], result.GetProperty("written").EnumerateArray().Select(w => w.Int("size_bytes")));
        Assert.Equal(["/etc/shadow", "/app/folder", "/app/m3"], result.GetProperty("failed").EnumerateArray().Select(f => f.Text("path")));
        Assert.All(result.GetProperty("failed").EnumerateArray(), f => Assert.NotEqual("", f.Text("error")));
        Assert.Equal(result.GetProperty("written").GetRawText(), result.GetProperty("data").GetProperty("written").GetRawText());
        Assert.Equal("plain éb700\nalias", await machine.ShellAsync("cat /app/m1 /app/m2; stat -c %a /app/m2; cat /workspace/m4"));
    }

    [Fact]
    public async Task Batch_takes_content_as_base64_where_write_many_takes_text()
    {
        await ManyAsync("files/batch", new { files = new[] { new { path = "/app/b1", content = "YWJj" } } });
        await ManyAsync("files/write-many", new { files = new[] { new { path = "/app/b2", content = "YWJj" } } });

        Assert.Equal("abc YWJj", await machine.ShellAsync("echo -n \"$(cat /app/b1) $(cat /app/b2)\""));
    }

    [Fact]
    public async Task A_batch_may_be_empty_and_has_a_limit()
    {
        var empty = await ManyAsync("files/batch", new { files = Array.Empty<object>() });
        Assert.Equal(0, empty.GetProperty("written").GetArrayLength());

        var many = JsonSerializer.Serialize(new { files = Enumerable.Range(0, 1001).Select(i => new { path = $"/tmp/{i}", content = "" }) });
        Assert.Equal("VALIDATION_ERROR", await machine.RefusedAsync(HttpMethod.Post, "files/batch", many, 422));
        Assert.Equal("VALIDATION_ERROR", await machine.RefusedAsync(HttpMethod.Post, "files/batch", "{}", 422));
        Assert.Equal("VALIDATION_ERROR", await machine.RefusedAsync(HttpMethod.Post, "files/batch", """{"files":[{"content":""}]}""", 422));
    }

    private Task<JsonElement> WriteAsync(object body) => machine.CallAsync(HttpMethod.Post, $"sandboxes/{machine.Id}/files", JsonSerializer.Serialize(body));

    private Task<JsonElement> ManyAsync(string path, object body) => machine.CallAsync(HttpMethod.Post, $"sandboxes/{machine.Id}/{path}", JsonSerializer.Serialize(body));

    private Task<string> RefusedAsync(object body, int status) => machine.RefusedAsync(HttpMethod.Post, "files", JsonSerializer.Serialize(body), status);

    /// <summary>Bytes that are different everywhere, made while they are read.</summary>
    private sealed class Pattern(long length) : Stream
    {
        private long at;

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => length;
        public override long Position { get => at; set => throw new NotSupportedException(); }

        public override int Read(Span<byte> buffer)
        {
            var count = (int)Math.Min(buffer.Length, length - at);
            for (var i = 0; i < count; i++, at++)
                buffer[i] = (byte)(at * 31 >> 3 ^ at >> 11);
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(Read(buffer.Span));
        public override void Flush() { }
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
