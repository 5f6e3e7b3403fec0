using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using CsCheck;

namespace Miosa.Guest.Tests;

/// <summary>The frames themselves, and a guest whose host does not keep to them.</summary>
public sealed class ProtocolTests(SharedMachine shared) : IClassFixture<SharedMachine>
{
    [Fact]
    public void Frame_headers_survive_a_round_trip() =>
        Gen.Select(Gen.Int[0, FrameLimits.MaxPayload], Gen.UInt, Gen.Enum<FrameType>(), Gen.Byte).Sample((length, stream, type, channel) =>
        {
            var header = new FrameHeader(length, stream, type, channel);
            Span<byte> bytes = stackalloc byte[FrameLimits.HeaderBytes];
            header.Write(bytes);
            var fits = type switch
            {
                FrameType.Window => length == 4,
                FrameType.End or FrameType.Cancel => length == 0,
                FrameType.Ping or FrameType.Pong => length <= 8,
                _ => true,
            };
            return FrameHeader.TryRead(bytes, out var read) == fits && (!fits || read == header);
        });

    [Fact]
    public void No_twelve_bytes_are_read_as_a_frame_that_breaks_the_limits() =>
        Gen.Byte.Array[12].Sample(bytes =>
            !FrameHeader.TryRead(bytes, out var header) || header is { Length: >= 0 and <= FrameLimits.MaxPayload, Type: <= FrameType.Pong });

    public static TheoryData<string, byte[]> BadFrames => new()
    {
        { "garbage", "GET / HTTP/1.1\r\n\r\n"u8.ToArray() },
        { "too large", Frame(FrameType.Open, 1, length: FrameLimits.MaxPayload + 1) },
        { "unknown type", Frame((FrameType)10, 1) },
        { "even stream", Frame(FrameType.Open, 2, "{}"u8.ToArray()) },
        { "stream 0", Frame(FrameType.Data, 0, [1]) },
        { "data before open", Frame(FrameType.Data, 1, [1]) },
        { "hello from the host", Frame(FrameType.Hello, 0, "{}"u8.ToArray()) },
        { "short window", Frame(FrameType.Window, 1, [1]) },
        { "same stream twice", [.. Frame(FrameType.Open, 1, """{"verb":"info"}"""u8.ToArray()), .. Frame(FrameType.Open, 1, """{"verb":"info"}"""u8.ToArray())] },
        { "stdout from the host", [.. Frame(FrameType.Open, 1, """{"verb":"exec","argv":["sleep","9"]}"""u8.ToArray()), .. Frame(FrameType.Data, 1, [1], channel: 1)] },
        {
            "more than the window",
            [.. Frame(FrameType.Open, 1, """{"verb":"exec","argv":["sleep","9"],"stdin":true}"""u8.ToArray()),
                .. Enumerable.Repeat(Frame(FrameType.Data, 1, new byte[65_536]), 7).SelectMany(f => f)]
        },
        {
            "credit without end",
            [.. Frame(FrameType.Open, 1, """{"verb":"exec","argv":["sleep","9"]}"""u8.ToArray()),
                .. Enumerable.Repeat(Frame(FrameType.Window, 1, [255, 255, 255, 255]), 2).SelectMany(f => f)]
        },
    };

    [Theory]
    [MemberData(nameof(BadFrames))]
    public async Task A_bad_frame_ends_that_connection_and_no_other(string what, byte[] frames)
    {
        using var socket = await RawAsync();
        try
        {
            for (ReadOnlyMemory<byte> rest = frames; !rest.IsEmpty;)
                rest = rest[await socket.SendAsync(rest, TestContext.Current.CancellationToken)..];
        }
        catch (SocketException)
        {
            // Already cut: what was to be shown.
        }
        Assert.True(await EndsAsync(socket), what);
        Assert.Equal("alive\n", (await shared.Machine.RunAsync("echo alive")).Stdout);
        Assert.True(await shared.Machine.IsGoneAsync("sleep 9"));
    }

    [Fact]
    public async Task An_open_that_is_not_json_fails_that_stream_only()
    {
        using var socket = await RawAsync();
        foreach (var (id, open) in new[] { (1u, "nonsense"), (3u, "{}"), (5u, "[]"), (7u, """{"verb":"zork"}"""), (9u, """{"verb":"exec","argv":7}"""), (11u, """{"verb":"info"}""") })
            await socket.SendAsync(Frame(FrameType.Open, id, Encoding.UTF8.GetBytes(open)), TestContext.Current.CancellationToken);
        var answers = new Dictionary<uint, (FrameType Type, string Text)>();
        while (answers.Count < 6)
        {
            var (header, payload) = await ReceiveAsync(socket);
            answers[header.Stream] = (header.Type, Encoding.UTF8.GetString(payload));
        }
        foreach (var id in (uint[])[1, 3, 5, 9])
            Assert.True(answers[id].Type == FrameType.Error && answers[id].Text.Contains("bad_request", StringComparison.Ordinal), answers[id].Text);
        Assert.Contains("unsupported", answers[7].Text, StringComparison.Ordinal);
        Assert.Equal(FrameType.Result, answers[11].Type);
    }

    [Fact]
    public async Task Ping_is_answered_with_the_same_bytes()
    {
        using var socket = await RawAsync();
        await socket.SendAsync(Frame(FrameType.Ping, 0, "12345678"u8.ToArray()), TestContext.Current.CancellationToken);
        var (header, payload) = await ReceiveAsync(socket);
        Assert.Equal((FrameType.Pong, "12345678"), (header.Type, Encoding.ASCII.GetString(payload)));
    }

    [Fact]
    public async Task A_host_that_reads_nothing_does_not_stop_a_time_limit()
    {
        using var socket = await RawAsync();
        for (uint id = 1; id < 20; id += 2)
            await socket.SendAsync(
                Frame(FrameType.Open, id, """{"verb":"exec","shell":"sleep 7200 & cat /dev/zero","timeout_ms":1000}"""u8.ToArray()), TestContext.Current.CancellationToken);
        Assert.True(await AppearsAsync("sleep 7200"));
        Assert.True(await shared.Machine.IsGoneAsync("sleep 7200"));
        Assert.Equal("alive\n", (await shared.Machine.RunAsync("echo alive")).Stdout);
    }

    [Fact]
    public async Task The_launch_stub_matches_its_source()
    {
        var source = Path.Combine(Machine.RepositoryRoot(), "src", "Miosa.Guest", "Commands");
        var directory = Directory.CreateTempSubdirectory();
        await RunAsync("as", "--64", "-o", directory + "/launch.o", source + "/launch.S");
        await RunAsync("objcopy", "-O", "binary", "-j", ".text", directory + "/launch.o", directory + "/launch.bin");
        var embedded = File.ReadAllText(source + "/LaunchStub.cs");
        embedded = embedded[embedded.IndexOf("=>\n    [", StringComparison.Ordinal)..embedded.IndexOf("];", StringComparison.Ordinal)];
        var bytes = System.Text.RegularExpressions.Regex.Matches(embedded, "0x([0-9a-f]{2})").Select(m => Convert.ToByte(m.Groups[1].Value, 16)).ToArray();
        Assert.Equal(await File.ReadAllBytesAsync(directory + "/launch.bin", TestContext.Current.CancellationToken), bytes);
        directory.Delete(recursive: true);
    }

    internal static byte[] Frame(FrameType type, uint stream, byte[]? payload = null, byte channel = 0, int? length = null)
    {
        var frame = new byte[FrameLimits.HeaderBytes + (payload?.Length ?? 0)];
        new FrameHeader(length ?? payload?.Length ?? 0, stream, type, channel).Write(frame);
        payload?.CopyTo(frame, FrameLimits.HeaderBytes);
        return frame;
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
    }

    private async Task<bool> AppearsAsync(string mark)
    {
        for (var look = Stopwatch.StartNew(); look.Elapsed < TimeSpan.FromSeconds(5);)
        {
            if (await shared.Machine.CountAsync(mark) > 0)
                return true;
        }
        return false;
    }

    private async Task<Socket> RawAsync()
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(shared.Machine.SocketPath));
        var (hello, _) = await ReceiveAsync(socket);
        Assert.Equal(FrameType.Hello, hello.Type);
        return socket;
    }

    private static async Task<(FrameHeader Header, byte[] Payload)> ReceiveAsync(Socket socket)
    {
        var head = await ExactlyAsync(socket, FrameLimits.HeaderBytes);
        Assert.True(FrameHeader.TryRead(head, out var header));
        return (header, await ExactlyAsync(socket, header.Length));
    }

    private static async Task<byte[]> ExactlyAsync(Socket socket, int count)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        var bytes = new byte[count];
        for (var at = 0; at < count;)
        {
            var read = await socket.ReceiveAsync(bytes.AsMemory(at), deadline.Token);
            Assert.NotEqual(0, read);
            at += read;
        }
        return bytes;
    }

    private static async Task<bool> EndsAsync(Socket socket)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        var bytes = new byte[65_536];
        try
        {
            while (await socket.ReceiveAsync(bytes, deadline.Token) > 0)
            {
            }
            return true;
        }
        catch (SocketException)
        {
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
