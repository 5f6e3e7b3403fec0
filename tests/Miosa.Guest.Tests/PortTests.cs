using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Miosa.Server.Guests;

namespace Miosa.Guest.Tests;

/// <summary>The verbs <c>port.connect</c> and <c>ports</c>. The machine of these tests shares the host's network, so the servers stand here.</summary>
public sealed class PortTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("127.0.0.9")]
    [InlineData("0.0.0.0")]
    [InlineData("::1")]
    public async Task A_server_is_reached_whatever_address_it_is_bound_to(string address)
    {
        await using var machine = await Machine.StartAsync();
        using var server = Listen(address, out var port);
        await using var stream = await machine.Guest.ConnectPortAsync(port, Token);
        using var accepted = await server.AcceptSocketAsync(Token);
        await accepted.SendAsync("hello"u8.ToArray(), Token);
        accepted.Shutdown(SocketShutdown.Send);
        using var reader = new StreamReader(stream);
        Assert.Equal("hello", await reader.ReadToEndAsync(Token).WaitAsync(Patience, Token));
    }

    [Fact]
    public async Task Megabytes_go_both_ways_unchanged_and_at_the_same_time()
    {
        await using var machine = await Machine.StartAsync();
        using var server = Listen("127.0.0.1", out var port);
        await using var stream = await machine.Guest.ConnectPortAsync(port, Token);
        using var accepted = await server.AcceptSocketAsync(Token);
        await using var far = new NetworkStream(accepted);
        var (there, back) = (RandomNumberGenerator.GetBytes(5_000_000), RandomNumberGenerator.GetBytes(7_000_000));
        var received = ReadAsync(far, there.Length);
        var returned = ReadAsync(stream, back.Length);
        await Task.WhenAll(stream.WriteAsync(there, Token).AsTask(), far.WriteAsync(back, Token).AsTask(), received, returned).WaitAsync(Patience, Token);
        Assert.Equal(there, await received);
        Assert.Equal(back, await returned);
    }

    [Fact]
    public async Task A_port_that_nobody_listens_on_is_not_found()
    {
        await using var machine = await Machine.StartAsync();
        using (Listen("127.0.0.1", out var port))
            Assert.Contains(port, await machine.Guest.ListeningPortsAsync(Token));
        Listen("127.0.0.1", out var closed).Dispose();
        var failure = await Assert.ThrowsAsync<GuestException>(() => machine.Guest.ConnectPortAsync(closed, Token));
        Assert.Equal(GuestErrorCode.NotFound, failure.Code);
        Assert.DoesNotContain(closed, await machine.Guest.ListeningPortsAsync(Token));
    }

    [Fact]
    public async Task A_server_that_breaks_off_is_not_the_end_of_an_answer()
    {
        await using var machine = await Machine.StartAsync();
        using var server = Listen("127.0.0.1", out var port);
        await using var stream = await machine.Guest.ConnectPortAsync(port, Token);
        using (var accepted = await server.AcceptSocketAsync(Token))
            accepted.LingerState = new LingerOption(enable: true, seconds: 0);
        await Assert.ThrowsAsync<IOException>(() => stream.ReadExactlyAsync(new byte[1], Token).AsTask().WaitAsync(Patience, Token));
    }

    [Fact]
    public async Task Letting_go_of_the_stream_closes_the_connection_inside()
    {
        await using var machine = await Machine.StartAsync();
        using var server = Listen("127.0.0.1", out var port);
        var stream = await machine.Guest.ConnectPortAsync(port, Token);
        using var accepted = await server.AcceptSocketAsync(Token);
        await stream.WriteAsync("bye"u8.ToArray(), Token);
        await stream.DisposeAsync();
        await using var far = new NetworkStream(accepted);
        using var reader = new StreamReader(far);
        Assert.Equal("bye", await reader.ReadToEndAsync(Token).WaitAsync(Patience, Token));
    }

    [Fact]
    public async Task A_reader_that_stops_stops_the_server_and_nobody_else()
    {
        await using var machine = await Machine.StartAsync();
        using var server = Listen("127.0.0.1", out var port);
        await using var stuck = await machine.Guest.ConnectPortAsync(port, Token);
        using var flooding = await server.AcceptSocketAsync(Token);
        flooding.SendTimeout = 1000;
        // More than a window and both socket buffers: a send that cannot go on shows that nothing buffers it.
        Assert.Throws<SocketException>(() =>
        {
            for (var sent = 0; sent < 64 * 1024 * 1024; sent += 65_536)
                flooding.Send(new byte[65_536]);
        });
        await using var other = await machine.Guest.ConnectPortAsync(port, Token);
        using var quick = await server.AcceptSocketAsync(Token);
        await quick.SendAsync("x"u8.ToArray(), Token);
        await other.ReadExactlyAsync(new byte[1], Token).AsTask().WaitAsync(Patience, Token);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(65_536)]
    public async Task A_number_that_is_no_port_is_refused(int port)
    {
        await using var machine = await Machine.StartAsync();
        var failure = await Assert.ThrowsAsync<GuestException>(() => machine.Guest.ConnectPortAsync(port, Token));
        Assert.Equal(GuestErrorCode.BadRequest, failure.Code);
    }

    private static TcpListener Listen(string address, out int port)
    {
        var server = new TcpListener(IPAddress.Parse(address), 0);
        server.Start();
        port = ((IPEndPoint)server.LocalEndpoint).Port;
        return server;
    }

    private static async Task<byte[]> ReadAsync(Stream source, int count)
    {
        var bytes = new byte[count];
        await source.ReadExactlyAsync(bytes, Token);
        return bytes;
    }
}
