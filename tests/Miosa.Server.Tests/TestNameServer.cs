using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Miosa.Server.Tests;

/// <summary>A name server on this host that runtime or server ask: names with their addresses or their alias; what is not there does not exist.</summary>
internal sealed class TestNameServer : IDisposable
{
    private readonly Socket datagrams = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
    private readonly Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    public TestNameServer(IPAddress? address = null, int port = 0)
    {
        datagrams.Bind(new IPEndPoint(address ?? IPAddress.Loopback, port));
        Port = ((IPEndPoint)(datagrams.LocalEndPoint ?? throw new InvalidOperationException("not bound"))).Port;
        listener.Bind(new IPEndPoint(address ?? IPAddress.Loopback, Port));
        listener.Listen();
        _ = Task.Run(ServeDatagramsAsync);
        _ = Task.Run(ServeStreamsAsync);
    }

    public int Port { get; }

    /// <summary>Addresses, or <c>alias:</c> and a name.</summary>
    public ConcurrentDictionary<string, string[]> Names { get; } = [];

    /// <summary>Every name that was asked for, with the transport.</summary>
    public ConcurrentQueue<(string Name, string Transport)> Asked { get; } = [];

    public void Dispose()
    {
        datagrams.Dispose();
        listener.Dispose();
    }

    private async Task ServeDatagramsAsync()
    {
        var buffer = new byte[2048];
        while (true)
        {
            var got = await datagrams.ReceiveFromAsync(buffer, SocketFlags.None, new IPEndPoint(IPAddress.Loopback, 0));
            var answer = Answer(buffer.AsSpan(0, got.ReceivedBytes), "udp");
            if (answer.Length > 512)
            {
                // Cut off in the middle of a record, as real servers may.
                answer[2] |= 2;
                answer = answer[..500];
            }
            await datagrams.SendToAsync(answer, SocketFlags.None, got.RemoteEndPoint);
        }
    }

    private async Task ServeStreamsAsync()
    {
        while (true)
        {
            using var stream = new NetworkStream(await listener.AcceptAsync(), ownsSocket: true);
            var head = new byte[2];
            await stream.ReadExactlyAsync(head);
            var question = new byte[BinaryPrimitives.ReadUInt16BigEndian(head)];
            await stream.ReadExactlyAsync(question);
            var answer = Answer(question, "tcp");
            BinaryPrimitives.WriteUInt16BigEndian(head, (ushort)answer.Length);
            await stream.WriteAsync((byte[])[.. head, .. answer]);
        }
    }

    private byte[] Answer(ReadOnlySpan<byte> query, string transport)
    {
        var (name, at) = (new StringBuilder(), 12);
        for (; query[at] != 0; at += query[at] + 1)
            name.Append(name.Length == 0 ? "" : ".").Append(Encoding.ASCII.GetString(query.Slice(at + 1, query[at])));
        var asked = name.ToString().ToLowerInvariant();
        Asked.Enqueue((asked, transport));
        var records = new List<byte[]>();
        if (query[at + 2] == 1)
            Collect(asked, records);
        byte status = Names.ContainsKey(asked) ? (byte)0x80 : (byte)0x83;
        byte[] header = [query[0], query[1], 0x81, status, 0, 1, (byte)(records.Count >> 8), (byte)records.Count, 0, 0, 0, 0];
        return [.. header, .. query[12..(at + 5)], .. records.SelectMany(r => r)];
    }

    private void Collect(string name, List<byte[]> records)
    {
        foreach (var value in Names.GetValueOrDefault(name, []))
        {
            if (value.StartsWith("alias:", StringComparison.Ordinal))
            {
                records.Add(Record(name, 5, Wire(value[6..])));
                Collect(value[6..], records);
            }
            else
            {
                records.Add(Record(name, 1, IPAddress.Parse(value).GetAddressBytes()));
            }
        }
    }

    private static byte[] Record(string name, byte type, byte[] data) => [.. Wire(name), 0, type, 0, 1, 0, 0, 0, 5, (byte)(data.Length >> 8), (byte)data.Length, .. data];

    private static byte[] Wire(string name) => [.. name.Split('.').SelectMany(label => (byte[])[(byte)label.Length, .. Encoding.ASCII.GetBytes(label)]), 0];
}
