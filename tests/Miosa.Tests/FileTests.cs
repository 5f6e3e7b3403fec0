using Microsoft.AspNetCore.Http;

namespace Miosa.Tests;

public sealed class FileTests
{
    private const string Written = """{"path":"/a","size":3,"size_bytes":3}""";

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Stream_is_sent_while_it_is_read(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        server.ReadsBodies = false;
        long received = 0;
        using var client = server.Then(200, Wire.Sandbox).Then(async context =>
        {
            var buffer = new byte[64 * 1024];
            while (await context.Request.Body.ReadAsync(buffer) is > 0 and var count)
                received += count;
            await context.Response.WriteAsync(Written);
        }).Client();
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);
        const long size = 50_000_000;
        var progress = new Reports();
        var before = GC.GetTotalAllocatedBytes();

        await Twins.CallAsync(
            async,
            () => sandbox.Files.Write("/a", new Zeros(size), progress: progress),
            () => sandbox.Files.WriteAsync("/a", new Zeros(size), progress: progress));

        Assert.Equal(size, received);
        Assert.Equal(size, progress.Last);
        Assert.True(progress.Count > 100);
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, size / 2);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Refused_stream_that_was_not_taken_is_sent_again(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        server.ReadsBodies = false;
        using var client = server.Then(200, Wire.Sandbox).Then(503).Then(Echo).Client();
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);

        var result = await Twins.CallAsync(async, () => sandbox.Files.Write("/a", new Zeros(100_000)), () => sandbox.Files.WriteAsync("/a", new Zeros(100_000)));

        Assert.Equal(100_000, result.Size);
        Assert.Equal(3, server.Seen.Count);
        Assert.Equal("100-continue", server.Seen[1].Headers["Expect"]);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task Refused_stream_that_was_taken_is_sent_again_only_when_it_can_be_rewound(bool canSeek, bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.Sandbox).Then(503).Then(200, Written).Client();
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);
        Stream content = canSeek ? new MemoryStream([0, 1, 2, 3, 4]) { Position = 2 } : new Zeros(3);

        Task<FileWriteResult> WriteAsync() => Twins.CallAsync(async, () => sandbox.Files.Write("/a", content), () => sandbox.Files.WriteAsync("/a", content));

        if (!canSeek)
        {
            await Assert.ThrowsAsync<ServerException>(WriteAsync);
            Assert.Equal(2, server.Seen.Count);
            return;
        }
        await WriteAsync();
        Assert.Equal([2, 3, 4], server.Seen[1].Body);
        Assert.Equal([2, 3, 4], server.Seen[2].Body);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Failing_source_is_the_callers_own_error(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.Sandbox).Client();
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);

        var failure = await Assert.ThrowsAsync<IOException>(
            () => Twins.CallAsync(async, () => sandbox.Files.Write("/a", new Zeros(-1)), () => sandbox.Files.WriteAsync("/a", new Zeros(-1))));

        Assert.Equal("broken disk", failure.Message);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Large_bytes_go_raw_and_may_be_sent_again(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.Sandbox).Then(500).Then(200, Written).Client();
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);
        var content = new byte[1_000_000];
        Random.Shared.NextBytes(content);

        await Twins.CallAsync(async, () => sandbox.Files.Write("/big", content), () => sandbox.Files.WriteAsync("/big", content));

        Assert.Equal("PUT", server.Seen[2].Method);
        Assert.Equal(content, server.Seen[1].Body);
        Assert.Equal(content, server.Seen[2].Body);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Broken_download_leaves_the_older_file_and_nothing_else(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        var progress = new Reports();
        using var client = server.Then(200, Wire.Sandbox).Then(async context =>
        {
            context.Response.ContentLength = 1000;
            await context.Response.WriteAsync("part");
            await context.Response.Body.FlushAsync();
            // A reset also throws away what the client has not read yet.
            await progress.First.WaitAsync(Deadline.Generous);
            context.Abort();
        }).Client();
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);
        var folder = Directory.CreateTempSubdirectory();
        var target = Path.Combine(folder.FullName, "target");
        await File.WriteAllTextAsync(target, "older", TestContext.Current.CancellationToken);

        await Assert.ThrowsAsync<ConnectionException>(
            () => Twins.CallAsync(async, () => sandbox.Files.Download("/x", target, progress), () => sandbox.Files.DownloadAsync("/x", target, progress)));

        Assert.Equal("older", await File.ReadAllTextAsync(target, TestContext.Current.CancellationToken));
        Assert.Single(folder.GetFiles());
        folder.Delete(recursive: true);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Text_or_bytes_is_the_content_types_decision(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.Sandbox)
            .Then("{\"a\":1}"u8.ToArray(), contentType: "text/plain; charset=utf-8")
            .Then([0, 255], contentType: "application/octet-stream")
            .Then([], contentType: "text/plain; charset=utf-8")
            .Client();
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);
        Task<FileContent> ReadAsync() => Twins.CallAsync(async, () => sandbox.Files.Read("/x"), () => sandbox.Files.ReadAsync("/x"));

        var json = await ReadAsync();
        var binary = await ReadAsync();
        var empty = await ReadAsync();

        Assert.Equal("{\"a\":1}", json.Text);
        Assert.Equal(7, json.Bytes.Length);
        Assert.False(binary.IsText);
        Assert.Equal([0, 255], binary.Bytes.ToArray());
        Assert.Equal("", empty.Text);
    }

    [Fact]
    public async Task Misuse_is_an_ArgumentException_and_sends_nothing()
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.Sandbox).Client();
        var sandbox = client.Sandboxes.Get("x");

        Assert.Throws<ArgumentException>(() => sandbox.Files.Read(""));
        Assert.ThrowsAny<ArgumentException>(() => sandbox.Files.List(depth: 11));
        Assert.ThrowsAny<ArgumentException>(() => sandbox.Run(""));
        Assert.ThrowsAny<ArgumentException>(() => sandbox.Exec([]));
        Assert.ThrowsAny<ArgumentException>(() => sandbox.Run("x", timeout: TimeSpan.Zero));
        Assert.ThrowsAny<ArgumentException>(() => client.Sandboxes.Get(".."));
        Assert.ThrowsAny<ArgumentException>(() => client.Sandboxes.List(perPage: 101));
        Assert.ThrowsAny<ArgumentException>(() => client.Sandboxes.Create(idempotencyKey: new string('a', 256)));
        Assert.Single(server.Seen);
    }

    private static async Task Echo(HttpContext context)
    {
        var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        await context.Response.WriteAsync($$"""{"path":"/a","size":{{body.Length}}}""");
    }

    private sealed class Reports : IProgress<long>
    {
        private readonly TaskCompletionSource first = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Count { get; private set; }

        public long Last { get; private set; }

        public Task First => first.Task;

        public void Report(long value)
        {
            (Count, Last) = (Count + 1, value);
            first.TrySetResult();
        }
    }

    /// <summary>So many zeros that cannot be rewound; a negative number fails.</summary>
    private sealed class Zeros(long left) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count)
        {
            if (left < 0)
                throw new IOException("broken disk");
            var read = (int)Math.Min(left, count);
            Array.Clear(buffer, offset, read);
            left -= read;
            return read;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
