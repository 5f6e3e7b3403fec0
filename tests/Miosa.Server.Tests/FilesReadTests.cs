using System.Net;
using System.Text;

namespace Miosa.Server.Tests;

public sealed class FilesReadTests(ExecMachine machine) : IClassFixture<ExecMachine>
{
    private const string Text = "text/plain; charset=utf-8";
    private const string Binary = "application/octet-stream";

    [Theory]
    [InlineData("/app/package.json", "{}", Text)]
    [InlineData("/app/page.html", "<b>é😀</b>", Text)]
    [InlineData("/app/bin.txt", "a\0b", Binary)]
    [InlineData("/app/latin.txt", "\u00ff raw", Binary)]
    [InlineData("/app/empty.py", "", Text)]
    [InlineData("/app/data.bin", "", Binary)]
    public async Task The_content_type_is_text_or_octets_and_never_more(string path, string content, string type)
    {
        var bytes = path.EndsWith("latin.txt", StringComparison.Ordinal) ? Encoding.Latin1.GetBytes(content) : Encoding.UTF8.GetBytes(content);
        await WriteAsync(path, bytes);

        using var answer = await machine.GetAsync("files" + path);
        Assert.Equal(200, (int)answer.StatusCode);
        Assert.Equal(type, answer.Content.Headers.ContentType?.ToString());
        Assert.Equal("nosniff", Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")));
        Assert.Equal("attachment", answer.Content.Headers.ContentDisposition?.DispositionType);
        Assert.Equal(bytes.Length, answer.Content.Headers.ContentLength);
        Assert.Equal(bytes, await answer.Content.ReadAsByteArrayAsync(ExecMachine.Token));
    }

    [Theory]
    [InlineData(3_000_000, "é", 0, Text)]
    [InlineData(3_000_000, "é", 1, Binary)]
    [InlineData(1024 * 1024, "a", 0, Text)]
    [InlineData(1024 * 1024 + 1, "a", 0, Text)]
    public async Task Text_of_megabytes_is_told_exactly(int size, string character, int lastBytes, string type)
    {
        // The only wrong byte stands at the very end.
        var text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(character, size / Encoding.UTF8.GetByteCount(character))));
        byte[] bytes = lastBytes == 0 ? text : [.. text, 0xC3];
        await WriteAsync("/tmp/large.txt", bytes);

        using var answer = await machine.GetAsync("files/tmp/large.txt");
        Assert.Equal(type, answer.Content.Headers.ContentType?.ToString());
        Assert.Equal(bytes, await answer.Content.ReadAsByteArrayAsync(ExecMachine.Token));
    }

    [Theory]
    [InlineData("files/read?path=/app/q.txt")]
    [InlineData("files/download?path=/app/q.txt")]
    [InlineData("fs/read?path=/app/q.txt")]
    [InlineData("files/app/q.txt")]
    [InlineData("files/%2Fapp%2Fq.txt")]
    [InlineData("files//app/q.txt")]
    [InlineData("files/app/x/%2e%2e/q.txt")]
    public async Task Every_spelling_of_the_path_reads_the_file(string path)
    {
        await WriteAsync("/app/q.txt", "q"u8.ToArray());

        Assert.Equal("q", await (await machine.GetAsync(path)).Content.ReadAsStringAsync(ExecMachine.Token));
    }

    [Fact]
    public async Task A_named_download_carries_a_safe_name()
    {
        await WriteAsync("/app/q.txt", "q"u8.ToArray());

        using var answer = await machine.GetAsync("files/download?path=/app/q.txt&filename=" + Uri.EscapeDataString("../../é\r\n\"x.txt"));
        var header = Assert.Single(answer.Content.Headers.GetValues("Content-Disposition"));
        Assert.DoesNotContain("/", header, StringComparison.Ordinal);
        Assert.DoesNotContain("%0A", header, StringComparison.Ordinal);
        Assert.Contains("filename*=UTF-8''.._.._%C3%A9", header, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("bytes=0-3", HttpStatusCode.PartialContent, "0123", "bytes 0-3/10")]
    [InlineData("bytes=7-", HttpStatusCode.PartialContent, "789", "bytes 7-9/10")]
    [InlineData("bytes=-2", HttpStatusCode.PartialContent, "89", "bytes 8-9/10")]
    [InlineData("bytes=5-99", HttpStatusCode.PartialContent, "56789", "bytes 5-9/10")]
    [InlineData("bytes=0-1,4-5", HttpStatusCode.OK, "0123456789", null)]
    [InlineData("bytes=4-2", HttpStatusCode.OK, "0123456789", null)]
    [InlineData("lines=1-2", HttpStatusCode.OK, "0123456789", null)]
    public async Task A_range_gives_the_part(string range, HttpStatusCode status, string body, string? contentRange)
    {
        await WriteAsync("/app/digits", "0123456789"u8.ToArray());

        using var answer = await RangeAsync("files/app/digits", range);
        Assert.Equal(status, answer.StatusCode);
        Assert.Equal(body, await answer.Content.ReadAsStringAsync(ExecMachine.Token));
        Assert.Equal(contentRange, answer.Content.Headers.ContentRange?.ToString());
    }

    [Fact]
    public async Task A_range_after_the_end_is_416_with_the_size()
    {
        await WriteAsync("/app/digits", "0123456789"u8.ToArray());

        using var answer = await RangeAsync("files/app/digits", "bytes=10-");
        Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, answer.StatusCode);
        Assert.Equal("bytes */10", answer.Content.Headers.ContentRange?.ToString());
    }

    [Fact]
    public async Task A_file_without_a_stated_size_is_read_to_its_end()
    {
        using var answer = await machine.GetAsync("files/proc/self/status");

        Assert.Contains("Name:", await answer.Content.ReadAsStringAsync(ExecMachine.Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_no_file_is_refused()
    {
        await machine.ShellAsync("mkdir -p /app/folder; mkfifo /app/pipe 2>/dev/null || true; ln -sf /app/loop /app/loop");

        Assert.Equal("NOT_FOUND", await machine.RefusedAsync(HttpMethod.Get, "files/app/missing", null, 404));
        Assert.Equal("VALIDATION_ERROR", await machine.RefusedAsync(HttpMethod.Get, "files/app/folder", null, 422));
        Assert.Equal("VALIDATION_ERROR", await machine.RefusedAsync(HttpMethod.Get, "files/dev/null", null, 422));
        Assert.Equal("VALIDATION_ERROR", await machine.RefusedAsync(HttpMethod.Get, "files/app/loop", null, 422));
        Assert.Equal("VALIDATION_ERROR", await machine.RefusedAsync(HttpMethod.Get, "files/read", null, 422));
        Assert.Equal("VALIDATION_ERROR", await machine.RefusedAsync(HttpMethod.Get, "files/app/" + new string('n', 256), null, 422));
    }

    [Fact]
    public async Task Links_and_dots_never_leave_the_machine()
    {
        await machine.ShellAsync("ln -sf ../../../../../../../../../../../../etc/hostname /app/out; ln -sfn / /app/root");
        var inside = await machine.ShellAsync("cat /etc/hostname");

        foreach (var path in (string[])["files/app/out", "files/read?path=/../../../../../../etc/hostname", "files/app/root/etc/hostname", "files/read?path=../../../etc/hostname"])
            Assert.Equal(inside, await (await machine.GetAsync(path)).Content.ReadAsStringAsync(ExecMachine.Token));
    }

    private async Task WriteAsync(string path, byte[] bytes)
    {
        using var content = new ByteArrayContent(bytes);
        using var answer = await machine.Http.PutAsync($"sandboxes/{machine.Id}/files{path}", content, ExecMachine.Token);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(ExecMachine.Token));
    }

    private async Task<HttpResponseMessage> RangeAsync(string path, string range)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"sandboxes/{machine.Id}/{path}");
        request.Headers.TryAddWithoutValidation("Range", range);
        return await machine.Http.SendAsync(request, ExecMachine.Token);
    }
}
