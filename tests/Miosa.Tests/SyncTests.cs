using System.Net;
using System.Text;

namespace Miosa.Tests;

/// <summary>The synchronous methods never wait on a task, and the asynchronous ones never need the caller's context.</summary>
public sealed class SyncTests
{
    [Fact]
    public void Sync_calls_never_touch_an_asynchronous_member()
    {
        using var handler = new BlockingOnly();
        using var client = new MiosaClient(new MiosaOptions { ApiKey = "msk_x", BaseUrl = "http://test", Handler = handler, TimeProvider = new TestClock(), Timeout = TimeSpan.FromSeconds(100) });

        handler.Answers.Enqueue((503, "application/json", "{}"));
        handler.Answers.Enqueue((200, "application/json", Wire.Sandbox));
        var sandbox = client.Sandboxes.Create("miosa-sandbox");
        handler.Answers.Enqueue((200, "application/json", """{"exit_code":7}"""));
        Assert.Equal(7, sandbox.Run("true").ExitCode);
        handler.Answers.Enqueue((200, "text/event-stream", "event: exit\ndata: {\"type\":\"exit\",\"exit_code\":1}\n\n"));
        Assert.Equal(1, sandbox.ExecStream("true").Single().ExitCode);
        handler.Answers.Enqueue((200, "application/json", """{"path":"/a","size":3}"""));
        Assert.Equal(3, sandbox.Files.Write("/a", new BlockingStream(new MemoryStream([1, 2, 3]))).Size);
        Assert.Equal([1, 2, 3], handler.LastBody);
        handler.Answers.Enqueue((200, "text/event-stream", Wire.Event("sandbox.destroyed", "evt_1")));
        Assert.Single(sandbox.Events.Stream());
        handler.Answers.Enqueue((200, "text/plain", "text"));
        var target = Path.GetTempFileName();
        Assert.Equal(4, sandbox.Files.Download("/a", target));
        File.Delete(target);
        handler.Answers.Enqueue((200, "application/json", """{"ready":true,"status":"ready"}"""));
        handler.Answers.Enqueue((200, "application/json", Wire.Sandbox));
        sandbox.WaitUntilReady(TimeSpan.FromMinutes(1));
        handler.Answers.Enqueue((404, "application/json", """{"error":"gone"}"""));
        Assert.Throws<NotFoundException>(() => sandbox.Refresh());
    }

    [Fact]
    public async Task Calls_finish_under_a_context_that_never_pumps()
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(503).Then(200, Wire.Sandbox).Client();
        var results = new TaskCompletionSource<(string Blocking, Task<Sandbox> Awaiting)>();
        var window = new Thread(() =>
        {
            SynchronizationContext.SetSynchronizationContext(new Stuck());
            results.SetResult((client.Sandboxes.Get("x").Id, client.Sandboxes.GetAsync("x")));
        });
        window.IsBackground = true;
        window.Start();

        var (blocking, awaiting) = await results.Task.WaitAsync(Deadline.Generous, TestContext.Current.CancellationToken);

        Assert.Equal("sbx_1", blocking);
        Assert.Equal("sbx_1", (await awaiting.WaitAsync(Deadline.Generous, TestContext.Current.CancellationToken)).Id);
    }

    /// <summary>Takes continuations and never runs them, like a window whose thread waits.</summary>
    private sealed class Stuck : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state)
        {
        }
    }

    private sealed class BlockingOnly : HttpMessageHandler
    {
        public Queue<(int Status, string Type, string Body)> Answers { get; } = new();

        public byte[] LastBody { get; private set; } = [];

        protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var body = new MemoryStream();
            request.Content?.CopyTo(body, null, cancellationToken);
            LastBody = body.ToArray();
            var (status, type, text) = Answers.Dequeue();
            var content = new StreamContent(new BlockingStream(new MemoryStream(Encoding.UTF8.GetBytes(text))));
            content.Headers.Add("Content-Type", type);
            return new HttpResponseMessage((HttpStatusCode)status) { Content = content };
        }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
            => throw new InvalidOperationException("a synchronous call sent asynchronously");
    }

    private sealed class BlockingStream(MemoryStream inner) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count) => inner.Read(buffer, offset, count);

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
            => throw new InvalidOperationException("a synchronous call read asynchronously");

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
            => throw new InvalidOperationException("a synchronous call read asynchronously");

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
