using System.Buffers.Binary;
using System.Net.WebSockets;

namespace Miosa.Server.Tests;

/// <summary>A viewer of our own: RFB 3.8 through the server's WebSocket, raw pixels of 32 bits.</summary>
internal sealed class RfbClient : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly ClientWebSocket socket = new();
    private readonly byte[] buffer = new byte[64 * 1024];
    private int start;
    private int end;

    public int Width { get; private set; }

    public int Height { get; private set; }

    public WebSocket Socket => socket;

    /// <summary>Connects and greets.</summary>
    public static async Task<RfbClient> ConnectAsync(string wsUrl)
    {
        var client = await OpenAsync(wsUrl);
        await client.GreetAsync();
        return client;
    }

    /// <summary>The socket alone.</summary>
    public static async Task<RfbClient> OpenAsync(string wsUrl, string? key = null, params string[] protocols)
    {
        var client = new RfbClient();
        if (key is not null)
            client.socket.Options.SetRequestHeader("Authorization", "Bearer " + key);
        foreach (var protocol in protocols)
            client.socket.Options.AddSubProtocol(protocol);
        using var limit = new CancellationTokenSource(Patience);
        await client.socket.ConnectAsync(new Uri(wsUrl), limit.Token);
        return client;
    }

    public async Task GreetAsync()
    {
        var version = await TakeAsync(12);
        Assert.StartsWith("RFB 003.008", System.Text.Encoding.ASCII.GetString(version), StringComparison.Ordinal);
        await SendAsync("RFB 003.008\n"u8.ToArray());
        var types = await TakeAsync((await TakeAsync(1))[0]);
        Assert.Contains((byte)1, types);
        await SendAsync([1]);
        Assert.Equal([0, 0, 0, 0], await TakeAsync(4));
        await SendAsync([0]);
        var init = await TakeAsync(24);
        (Width, Height) = (BinaryPrimitives.ReadUInt16BigEndian(init), BinaryPrimitives.ReadUInt16BigEndian(init.AsSpan(2)));
        await TakeAsync(BinaryPrimitives.ReadInt32BigEndian(init.AsSpan(20)));
        // 32 bits, 24 of them colours, little endian: blue, green, red, nothing.
        await SendAsync([0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0]);
        await SendAsync([2, 0, 0, 1, 0, 0, 0, 0]);
    }

    /// <summary>The whole screen once: how many pixels came.</summary>
    public async Task<int> PictureAsync()
    {
        await AskAsync(isIncremental: false);
        var pixels = 0;
        while (pixels < Width * Height)
        {
            if ((await TakeAsync(1))[0] is not 0 and var type)
            {
                await SkipAsync(type);
                continue;
            }
            var head = await TakeAsync(3);
            for (var rectangles = BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(1)); rectangles > 0; rectangles--)
            {
                var rectangle = await TakeAsync(12);
                var area = BinaryPrimitives.ReadUInt16BigEndian(rectangle.AsSpan(4)) * BinaryPrimitives.ReadUInt16BigEndian(rectangle.AsSpan(6));
                Assert.Equal(0, BinaryPrimitives.ReadInt32BigEndian(rectangle.AsSpan(8)));
                await DropAsync(area * 4);
                pixels += area;
            }
        }
        return pixels;
    }

    public Task AskAsync(bool isIncremental) => SendAsync([3, isIncremental ? (byte)1 : (byte)0, 0, 0, 0, 0, (byte)(Width >> 8), (byte)Width, (byte)(Height >> 8), (byte)Height]);

    public async Task KeyAsync(uint keysym)
    {
        foreach (var isDown in (byte[])[1, 0])
            await SendAsync([4, isDown, 0, 0, (byte)(keysym >> 24), (byte)(keysym >> 16), (byte)(keysym >> 8), (byte)keysym]);
    }

    public Task PointerAsync(int x, int y, byte buttons) => SendAsync([5, buttons, (byte)(x >> 8), (byte)x, (byte)(y >> 8), (byte)y]);

    public async Task SendAsync(byte[] bytes)
    {
        using var limit = new CancellationTokenSource(Patience);
        await socket.SendAsync(bytes, WebSocketMessageType.Binary, endOfMessage: true, limit.Token);
    }

    /// <summary>Reads until it ends: the code of the close, or null when it was cut.</summary>
    public async Task<int?> EndAsync(TimeSpan? within = null)
    {
        using var limit = new CancellationTokenSource(within ?? Patience);
        try
        {
            while (true)
            {
                if ((await socket.ReceiveAsync(buffer, limit.Token)).MessageType == WebSocketMessageType.Close)
                    return (int?)socket.CloseStatus;
            }
        }
        catch (WebSocketException)
        {
            return null;
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException("the socket did not end");
        }
    }

    public void Dispose() => socket.Dispose();

    private async Task SkipAsync(int type)
    {
        switch (type)
        {
            case 2: // bell
                break;
            case 3: // clipboard
                await DropAsync(Math.Abs(BinaryPrimitives.ReadInt32BigEndian((await TakeAsync(7)).AsSpan(3))));
                break;
            default:
                throw new InvalidOperationException($"message {type} of the server was not asked for");
        }
    }

    private async Task<byte[]> TakeAsync(int count)
    {
        var bytes = new byte[count];
        for (var have = 0; have < count;)
        {
            if (start == end)
                await FillAsync();
            var part = Math.Min(count - have, end - start);
            buffer.AsSpan(start, part).CopyTo(bytes.AsSpan(have));
            (start, have) = (start + part, have + part);
        }
        return bytes;
    }

    private async Task DropAsync(int count)
    {
        while (count > 0)
        {
            if (start == end)
                await FillAsync();
            var part = Math.Min(count, end - start);
            (start, count) = (start + part, count - part);
        }
    }

    private async Task FillAsync()
    {
        using var limit = new CancellationTokenSource(Patience);
        var part = await socket.ReceiveAsync(buffer, limit.Token);
        if (part.MessageType == WebSocketMessageType.Close)
            throw new IOException($"closed with {socket.CloseStatus} {socket.CloseStatusDescription}");
        (start, end) = (0, part.Count);
    }
}
