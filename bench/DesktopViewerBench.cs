using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Net.WebSockets;

namespace Miosa.Bench;

/// <summary>
/// The live view over loopback: an RFB client asks for the next update as soon as it has the last one, while a terminal prints without end. Raw pixels, so that what
/// is measured is the road and not a decoder.
/// </summary>
internal static class DesktopViewerBench
{
    private static readonly TimeSpan Span = TimeSpan.FromSeconds(10);

    public static async Task RunAsync(Report report)
    {
        await using var bed = await Bed.WithAsync(DesktopCreateBench.Image, "--pool-size", "0");
        var computer = await bed.Client.Computers.CreateAsync(size: "small");
        try
        {
            await computer.WaitUntilRunningAsync();
            var token = await computer.CreateStreamTokenAsync();
            await using var idle = await RfbClient.ConnectAsync(token.WsUrl ?? throw new InvalidOperationException("no address of the live view"));
            await idle.RequestAsync(isIncremental: false);
            await idle.UpdateAsync();

            await computer.Desktop.LaunchAsync("xterm", ["-geometry", "90x30+100+100", "-e", "while :; do date +%N; done"]);
            await DesktopBench.UntilAsync("the terminal is there", async () => (await computer.Desktop.ListWindowsAsync()).Count > 0);
            var gap = new Times("live view: from one update to the next");
            var (frames, bytes) = (0, 0L);
            var clock = Stopwatch.StartNew();
            while (clock.Elapsed < Span)
            {
                var since = Stopwatch.GetTimestamp();
                await idle.RequestAsync(isIncremental: true);
                bytes += await idle.UpdateAsync();
                gap.Add(Stopwatch.GetElapsedTime(since).TotalMilliseconds);
                frames++;
            }
            report.Add(gap);
            report.Line(string.Create(CultureInfo.InvariantCulture, $"  {frames / clock.Elapsed.TotalSeconds:F0} updates per second, {bytes / clock.Elapsed.TotalSeconds / 1e6:F1} MB per second of raw pixels"));
        }
        finally
        {
            await computer.DeleteAsync();
        }
    }

    /// <summary>RFB 3.8 (RFC 6143) over a WebSocket, as much as it takes to look on.</summary>
    private sealed class RfbClient : IAsyncDisposable
    {
        private readonly ClientWebSocket socket = new();
        private readonly byte[] piece = new byte[256 * 1024];
        private ReadOnlyMemory<byte> unread;
        private ushort width;
        private ushort height;

        public static async Task<RfbClient> ConnectAsync(string address)
        {
            var client = new RfbClient();
            client.socket.Options.AddSubProtocol("binary");
            await client.socket.ConnectAsync(new Uri(address), CancellationToken.None);
            await client.ReadAsync(12); // ProtocolVersion
            await client.SendAsync("RFB 003.008\n"u8.ToArray());
            var kinds = (await client.ReadAsync(1))[0];
            if (kinds == 0 || !(await client.ReadAsync(kinds)).Contains((byte)1))
                throw new InvalidOperationException("the live view wants a password");
            await client.SendAsync([1]);
            if (BinaryPrimitives.ReadUInt32BigEndian(await client.ReadAsync(4)) != 0)
                throw new InvalidOperationException("the live view refused");
            await client.SendAsync([1]); // shared
            var hello = await client.ReadAsync(24);
            (client.width, client.height) = (BinaryPrimitives.ReadUInt16BigEndian(hello), BinaryPrimitives.ReadUInt16BigEndian(hello.AsSpan(2)));
            await client.ReadAsync((int)BinaryPrimitives.ReadUInt32BigEndian(hello.AsSpan(20)));
            await client.SendAsync([2, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0]); // SetEncodings: CopyRect, Raw
            return client;
        }

        public Task RequestAsync(bool isIncremental)
        {
            var request = new byte[10];
            request[0] = 3;
            request[1] = isIncremental ? (byte)1 : (byte)0;
            BinaryPrimitives.WriteUInt16BigEndian(request.AsSpan(6), width);
            BinaryPrimitives.WriteUInt16BigEndian(request.AsSpan(8), height);
            return SendAsync(request);
        }

        /// <summary>Reads up to the end of the next update and gives its length.</summary>
        public async Task<long> UpdateAsync()
        {
            while (true)
            {
                switch ((await ReadAsync(1))[0])
                {
                    case 0:
                        return await RectanglesAsync();
                    case 1: // SetColourMapEntries
                        var map = await ReadAsync(5);
                        await ReadAsync(6 * BinaryPrimitives.ReadUInt16BigEndian(map.AsSpan(3)));
                        break;
                    case 2: // Bell
                        break;
                    case 3: // ServerCutText
                        await ReadAsync((int)BinaryPrimitives.ReadUInt32BigEndian((await ReadAsync(7)).AsSpan(3)));
                        break;
                    case var other:
                        throw new InvalidOperationException($"message {other} of the live view is not known");
                }
            }
        }

        public async ValueTask DisposeAsync()
        {
            await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
            socket.Dispose();
        }

        private async Task<long> RectanglesAsync()
        {
            long length = 0;
            for (var left = BinaryPrimitives.ReadUInt16BigEndian((await ReadAsync(3)).AsSpan(1)); left > 0; left--)
            {
                var head = await ReadAsync(12);
                var pixels = BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(4)) * BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(6));
                var size = BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(8)) switch
                {
                    0 => pixels * 4,
                    1 => 4,
                    var other => throw new InvalidOperationException($"encoding {other} was not asked for"),
                };
                await ReadAsync(size);
                length += 12 + size;
            }
            return length;
        }

        private Task SendAsync(byte[] bytes) => socket.SendAsync(bytes, WebSocketMessageType.Binary, endOfMessage: true, CancellationToken.None);

        private async Task<byte[]> ReadAsync(int count)
        {
            var all = GC.AllocateUninitializedArray<byte>(count);
            for (var have = 0; have < count;)
            {
                if (unread.IsEmpty)
                {
                    var part = await socket.ReceiveAsync(piece.AsMemory(), CancellationToken.None);
                    if (part.MessageType == WebSocketMessageType.Close)
                        throw new InvalidOperationException($"the live view ended: {socket.CloseStatusDescription}");
                    unread = piece.AsMemory(0, part.Count);
                }
                var take = Math.Min(unread.Length, count - have);
                unread[..take].CopyTo(all.AsMemory(have));
                unread = unread[take..];
                have += take;
            }
            return all;
        }
    }
}
