using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Miosa.Runtime.Linux;

namespace Miosa.Runtime.Dns;

/// <summary>
/// Asks the name servers of this host, one after the other. Each question has a socket of its own, so the kernel picks its port at
/// random, and a random id: who wants to slip us an answer has to guess both. An answer counts only from the server that was asked,
/// and only for the question that was asked.
/// </summary>
internal sealed class Upstream(IReadOnlyList<IPEndPoint>? servers)
{
    private const string HostFile = "/etc/resolv.conf";

    /// <summary>Answers to something else that are read past before the server is given up.</summary>
    private const int StrayLimit = 32;

    private static readonly TimeSpan AnswerTime = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LongAnswerTime = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan ReadAgainAfter = TimeSpan.FromSeconds(5);
    private static readonly IPEndPoint[] PublicServers = [new(IPAddress.Parse("1.1.1.1"), 53), new(IPAddress.Parse("8.8.8.8"), 53)];

    private readonly Lock turn = new();
    private IReadOnlyList<IPEndPoint> ofHost = [];
    private long readAt = long.MinValue;

    /// <summary>The message, under the id of the machine's question, and what it says; null when no server answers.</summary>
    public async Task<(byte[] Message, DnsAnswer Answer)?> AskAsync(DnsQuestion question, CancellationToken ct)
    {
        foreach (var server in servers ?? OfHost())
        {
            try
            {
                var id = NewId();
                var found = await AskAsync(server, question, id, ct);
                if (found is { Answer.IsCut: true }) found = await AskOverTcpAsync(server, question, id, ct);
                if (found is not { Answer.IsCut: false } whole) continue;
                BinaryPrimitives.WriteUInt16BigEndian(whole.Message, question.Id);
                return whole;
            }
            catch (Exception e) when (e is SocketException or IOException || (e is OperationCanceledException && !ct.IsCancellationRequested))
            {
                // This one is away or too slow: the next is asked.
            }
        }
        return null;
    }

    private static async Task<(byte[] Message, DnsAnswer Answer)?> AskAsync(IPEndPoint server, DnsQuestion question, ushort id, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(AnswerTime);
        using var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        // Connected: the kernel drops what comes from elsewhere.
        await socket.ConnectAsync(server, limit.Token);
        await socket.SendAsync(question.ToUpstream(id), limit.Token);
        var buffer = new byte[4096];
        for (var strays = 0; strays < StrayLimit; strays++)
        {
            var length = await socket.ReceiveAsync(buffer, limit.Token);
            if (DnsAnswer.Read(buffer.AsSpan(0, length), id, question) is { } answer) return (buffer[..length], answer);
        }
        return null;
    }

    private static async Task<(byte[] Message, DnsAnswer Answer)?> AskOverTcpAsync(IPEndPoint server, DnsQuestion question, ushort id, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(LongAnswerTime);
        using var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(server, limit.Token);
        await using var stream = new NetworkStream(socket);
        await DnsStream.WriteAsync(stream, question.ToUpstream(id), limit.Token);
        var message = await DnsStream.ReadAsync(stream, ushort.MaxValue, limit.Token);
        return message is not null && DnsAnswer.Read(message, id, question) is { } answer ? (message, answer) : null;
    }

    private static ushort NewId()
    {
        Span<byte> bytes = stackalloc byte[2];
        RandomBytes.Fill(bytes);
        return MemoryMarshal.Read<ushort>(bytes);
    }

    // The file changes when the host moves to another network.
    private IReadOnlyList<IPEndPoint> OfHost()
    {
        lock (turn)
        {
            if (readAt != long.MinValue && TimeProvider.System.GetElapsedTime(readAt) < ReadAgainAfter) return ofHost;
            readAt = TimeProvider.System.GetTimestamp();
            return ofHost = ReadHostFile();
        }
    }

    private static IReadOnlyList<IPEndPoint> ReadHostFile()
    {
        try
        {
            List<IPEndPoint> found = [.. File.ReadLines(HostFile).Select(line => line.Split(' ', '\t'))
                .Where(words => words.Length > 1 && words[0] == "nameserver").Select(words => IPAddress.TryParse(words[1], out var address) ? address : null)
                .OfType<IPAddress>().Take(3).Select(address => new IPEndPoint(address, 53))];
            return found.Count > 0 ? found : PublicServers;
        }
        catch (IOException)
        {
            return PublicServers;
        }
    }
}

/// <summary>Messages on a stream: each behind its length in two bytes.</summary>
internal static class DnsStream
{
    public static async Task WriteAsync(Stream stream, byte[] message, CancellationToken ct)
    {
        var framed = new byte[message.Length + 2];
        BinaryPrimitives.WriteUInt16BigEndian(framed, checked((ushort)message.Length));
        message.CopyTo(framed, 2);
        await stream.WriteAsync(framed, ct);
    }

    /// <returns>Null at the end of the stream, or when the message is longer than <paramref name="most"/>.</returns>
    public static async Task<byte[]?> ReadAsync(Stream stream, int most, CancellationToken ct)
    {
        var head = new byte[2];
        if (await stream.ReadAtLeastAsync(head, 2, throwOnEndOfStream: false, ct) < 2) return null;
        var message = new byte[BinaryPrimitives.ReadUInt16BigEndian(head)];
        if (message.Length > most) return null;
        return await stream.ReadAtLeastAsync(message, message.Length, throwOnEndOfStream: false, ct) < message.Length ? null : message;
    }
}
