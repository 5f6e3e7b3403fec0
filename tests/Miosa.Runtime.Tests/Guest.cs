using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Miosa.Runtime.Tests;

/// <summary>Runs commands in a machine through its guest (docs/guest-protocol.md), as small as the tests need it.</summary>
internal static class Guest
{
    private const byte Open = 1, Data = 2, Window = 3, End = 4, Result = 5, Error = 6;

    internal sealed record Ran(int ExitCode, string Output, string Errors);

    public static async Task<Ran> ShellAsync(string socketPath, string command, byte[]? input = null, string? user = null, TimeSpan? limit = null)
    {
        using var deadline = new CancellationTokenSource(limit ?? TimeSpan.FromSeconds(60));
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), deadline.Token);
        await using var stream = new NetworkStream(socket);
        await ReadAsync(stream, deadline.Token);

        using var open = new MemoryStream();
        using (var json = new Utf8JsonWriter(open))
        {
            json.WriteStartObject();
            json.WriteString("verb", "exec");
            json.WriteString("shell", command);
            json.WriteNumber("timeout_ms", 50_000);
            if (user is not null) json.WriteString("user", user);
            json.WriteBoolean("stdin", input is not null);
            json.WriteEndObject();
        }
        await WriteAsync(stream, Open, 0, open.ToArray(), deadline.Token);
        if (input is not null)
        {
            await WriteAsync(stream, Data, 0, input, deadline.Token);
            await WriteAsync(stream, End, 0, [], deadline.Token);
        }
        var (output, errors) = (new StringBuilder(), new StringBuilder());
        while (true)
        {
            var (type, channel, payload) = await ReadAsync(stream, deadline.Token);
            if (type == Data)
            {
                (channel == 1 ? output : errors).Append(Encoding.UTF8.GetString(payload));
                var more = new byte[4];
                BinaryPrimitives.WriteInt32LittleEndian(more, payload.Length);
                await WriteAsync(stream, Window, 0, more, deadline.Token);
            }
            else if (type is Result or Error)
            {
                using var json = JsonDocument.Parse(payload);
                if (type == Error) throw new InvalidOperationException(json.RootElement.ToString());
                return new Ran(json.RootElement.GetProperty("exit_code").GetInt32(), output.ToString(), errors.ToString());
            }
        }
    }

    /// <summary>Closes the guest's door, so that the memory of its machine can be written.</summary>
    public static async Task SuspendAsync(string socketPath)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), deadline.Token);
        await using var stream = new NetworkStream(socket);
        await ReadAsync(stream, deadline.Token);
        await WriteAsync(stream, Open, 0, """{"verb":"suspend"}"""u8.ToArray(), deadline.Token);
        var (type, _, payload) = await ReadAsync(stream, deadline.Token);
        Assert.True(type == Result, Encoding.UTF8.GetString(payload));
    }

    private static async Task WriteAsync(Stream stream, byte type, ushort channel, byte[] payload, CancellationToken ct)
    {
        var frame = new byte[12 + payload.Length];
        BinaryPrimitives.WriteInt32LittleEndian(frame, payload.Length);
        BinaryPrimitives.WriteInt32LittleEndian(frame.AsSpan(4), 1);
        frame[8] = type;
        frame[9] = (byte)channel;
        payload.CopyTo(frame, 12);
        await stream.WriteAsync(frame, ct);
    }

    private static async Task<(byte Type, byte Channel, byte[] Payload)> ReadAsync(Stream stream, CancellationToken ct)
    {
        var header = new byte[12];
        await stream.ReadExactlyAsync(header, ct);
        var payload = new byte[BinaryPrimitives.ReadInt32LittleEndian(header)];
        await stream.ReadExactlyAsync(payload, ct);
        return (header[8], header[9], payload);
    }
}
