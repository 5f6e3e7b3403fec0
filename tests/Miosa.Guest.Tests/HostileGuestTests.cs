using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Miosa.Server.Guests;

namespace Miosa.Guest.Tests;

/// <summary>A guest that lies: a real socket that sends what no guest may. The client must end the connection and keep nothing.</summary>
public sealed class HostileGuestTests
{
    private const string GoodHello = """{"generation":1,"version":"6.6.6","verbs":["exec","file.read","file.list","file.stat","new.verb"],"future":{"x":1}}""";

    [Theory]
    [InlineData("not json")]
    [InlineData("null")]
    [InlineData("""{"generation":2,"verbs":[]}""")]
    [InlineData("""{"generation":1}""")]
    [InlineData("[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]")]
    public async Task A_hello_that_is_none_is_refused(string hello)
    {
        using var liar = new Liar([ProtocolTests.Frame(FrameType.Hello, 0, Encoding.UTF8.GetBytes(hello))]);
        var e = await Assert.ThrowsAsync<GuestException>(() => GuestConnection.ConnectAsync(liar.Path, CancellationToken.None));
        Assert.Equal(GuestException.Protocol, e.Code);
    }

    [Fact]
    public async Task Silence_at_the_socket_is_a_disconnect()
    {
        using var liar = new Liar([]);
        liar.CloseAfterSending = true;
        var e = await Assert.ThrowsAsync<GuestException>(() => GuestConnection.ConnectAsync(liar.Path, CancellationToken.None));
        Assert.Equal(GuestException.Disconnected, e.Code);
    }

    public static TheoryData<string, byte[]> Lies => new()
    {
        { "garbage", Encoding.ASCII.GetBytes(new string('?', 100)) },
        { "data for nobody", ProtocolTests.Frame(FrameType.Data, 99, [1], 1) },
        { "result for nobody", ProtocolTests.Frame(FrameType.Result, 99, "{}"u8.ToArray()) },
        { "open from the guest", ProtocolTests.Frame(FrameType.Open, 1, "{}"u8.ToArray()) },
        { "a second hello", ProtocolTests.Frame(FrameType.Hello, 0, Encoding.UTF8.GetBytes(GoodHello)) },
        { "more than its credit", [.. Enumerable.Repeat(ProtocolTests.Frame(FrameType.Data, 1, new byte[65_536], 1), 5).SelectMany(f => f)] },
        { "credit without end", [.. Enumerable.Repeat(ProtocolTests.Frame(FrameType.Window, 1, [255, 255, 255, 255]), 3).SelectMany(f => f)] },
        { "a result that is no result", ProtocolTests.Frame(FrameType.Result, 1, "[1,2]"u8.ToArray()) },
        { "a channel that cannot be", ProtocolTests.Frame(FrameType.Data, 1, [1], 255) },
    };

    [Theory]
    [MemberData(nameof(Lies))]
    public async Task A_lie_fails_the_call_and_cuts_the_connection(string what, byte[] lie)
    {
        using var liar = new Liar([ProtocolTests.Frame(FrameType.Hello, 0, Encoding.UTF8.GetBytes(GoodHello))], lie);
        await using var guest = await GuestConnection.ConnectAsync(liar.Path, CancellationToken.None);
        var blocked = what == "more than its credit";
        var e = await Assert.ThrowsAsync<GuestException>(() => guest.ExecAsync(
            new ExecCall { Argv = ["true"] },
            async (_, _, ct) => await (blocked ? guest.Ended.WaitAsync(ct) : Task.CompletedTask),
            null, CancellationToken.None));
        Assert.Equal(GuestException.Protocol, e.Code);
        await guest.Ended.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        Assert.False(guest.IsAlive);
    }

    [Fact]
    public async Task Empty_frames_cost_nothing()
    {
        var empty = ProtocolTests.Frame(FrameType.Data, 1, [], 1);
        byte[] lie = [.. Enumerable.Repeat(empty, 500_000).SelectMany(f => f), .. ProtocolTests.Frame(FrameType.Result, 1, """{"exit_code":0}"""u8.ToArray())];
        using var liar = new Liar([ProtocolTests.Frame(FrameType.Hello, 0, Encoding.UTF8.GetBytes(GoodHello))], lie);
        await using var guest = await GuestConnection.ConnectAsync(liar.Path, CancellationToken.None);
        var before = GC.GetTotalMemory(true);
        var reply = await guest.ExecAsync(new ExecCall { Argv = ["true"] }, (_, _, _) => ValueTask.CompletedTask, null, CancellationToken.None);
        Assert.Equal(0, reply.ExitCode);
        // Other tests run meanwhile and hold memory for a moment; what half a million frames had left would stay.
        var clock = Stopwatch.StartNew();
        while (GC.GetTotalMemory(true) - before >= 2_000_000)
        {
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20));
            await Task.Delay(50);
        }
    }

    [Theory]
    [InlineData("""{"code":"zork","message":"m"}""", GuestErrorCode.Failed)]
    [InlineData("""{"code":"no_space"}""", GuestErrorCode.NoSpace)]
    [InlineData("nonsense", GuestErrorCode.Failed)]
    public async Task An_error_can_only_have_a_known_code(string payload, string code)
    {
        using var liar = new Liar(
            [ProtocolTests.Frame(FrameType.Hello, 0, Encoding.UTF8.GetBytes(GoodHello))], ProtocolTests.Frame(FrameType.Error, 1, Encoding.UTF8.GetBytes(payload)));
        await using var guest = await GuestConnection.ConnectAsync(liar.Path, CancellationToken.None);
        Assert.Equal(code, (await Assert.ThrowsAsync<GuestException>(() => guest.StatAsync("/x", default))).Code);
        Assert.True(guest.IsAlive);
    }

    [Theory]
    [InlineData("""{"name":"x"}""")]
    [InlineData("""{"path":"/x","name":"x","type":"file","mode":"0644","size":-1}""")]
    public async Task An_entry_with_a_part_missing_is_a_lie(string entry)
    {
        using var liar = new Liar(
            [ProtocolTests.Frame(FrameType.Hello, 0, Encoding.UTF8.GetBytes(GoodHello))], ProtocolTests.Frame(FrameType.Result, 1, Encoding.UTF8.GetBytes(entry)));
        await using var guest = await GuestConnection.ConnectAsync(liar.Path, CancellationToken.None);
        Assert.Equal(GuestException.Protocol, (await Assert.ThrowsAsync<GuestException>(() => guest.StatAsync("/x", default))).Code);
    }

    [Fact]
    public async Task A_verb_an_older_guest_lacks_is_unsupported_and_nothing_else_is_hurt()
    {
        using var liar = new Liar([ProtocolTests.Frame(FrameType.Hello, 0, Encoding.UTF8.GetBytes(GoodHello))]);
        await using var guest = await GuestConnection.ConnectAsync(liar.Path, CancellationToken.None);
        Assert.Equal(GuestErrorCode.Unsupported, (await Assert.ThrowsAsync<GuestException>(() => guest.MkdirAsync("/tmp/x", true, null, default))).Code);
        Assert.True(guest.IsAlive);
    }

    [Fact]
    public async Task A_line_without_end_is_cut_off()
    {
        var piece = ProtocolTests.Frame(FrameType.Data, 1, Encoding.ASCII.GetBytes(new string('x', 40_000)));
        using var liar = new Liar([ProtocolTests.Frame(FrameType.Hello, 0, Encoding.UTF8.GetBytes(GoodHello))], [.. piece, .. piece, .. piece]);
        await using var guest = await GuestConnection.ConnectAsync(liar.Path, CancellationToken.None);
        var list = guest.ListAsync(new ListFilesCall { Path = "/" }, false, default).GetAsyncEnumerator();
        Assert.Equal(GuestException.Protocol, (await Assert.ThrowsAsync<GuestException>(async () => await list.MoveNextAsync())).Code);
    }

    /// <summary>Accepts one connection, sends some frames, waits for the first byte of the client, sends the rest.</summary>
    private sealed class Liar : IDisposable
    {
        private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        private Socket? _socket;

        public Liar(byte[][] greeting, byte[]? answer = null)
        {
            Path = System.IO.Path.Combine(System.IO.Path.GetTempPath(), "miosa-liar-" + Guid.NewGuid().ToString("n"));
            _listener.Bind(new UnixDomainSocketEndPoint(Path));
            _listener.Listen(1);
            Done = PlayAsync(greeting, answer);
        }

        public string Path { get; }
        public Task Done { get; }
        public bool CloseAfterSending { get; set; }

        public void Dispose()
        {
            _listener.Dispose();
            _socket?.Dispose();
        }

        private async Task PlayAsync(byte[][] greeting, byte[]? answer)
        {
            try
            {
                _socket = await _listener.AcceptAsync();
                foreach (var frame in greeting)
                    await _socket.SendAsync(frame);
                if (CloseAfterSending)
                    _socket.Dispose();
                if (answer is null)
                    return;
                await _socket.ReceiveAsync(new byte[65_536]);
                for (ReadOnlyMemory<byte> rest = answer; !rest.IsEmpty;)
                    rest = rest[await _socket.SendAsync(rest)..];
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // The client has hung up, as it should.
            }
        }
    }
}
