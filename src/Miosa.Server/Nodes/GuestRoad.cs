using System.Net.Sockets;
using Miosa.Server.Guests;

namespace Miosa.Server.Nodes;

/// <summary>The one connection to a machine's guest, made at first use and again after it broke. Shared by all requests.</summary>
internal sealed class GuestRoad(string socketPath) : IAsyncDisposable
{
    private readonly SemaphoreSlim turn = new(1);
    private GuestConnection? connection;
    private bool isClosed;

    public string SocketPath { get; } = socketPath;

    /// <exception cref="SocketException">The guest does not listen.</exception>
    /// <exception cref="IOException">It does not speak the protocol.</exception>
    public ValueTask<GuestConnection> ConnectAsync(CancellationToken ct) =>
        Volatile.Read(ref connection) is { IsAlive: true } open ? ValueTask.FromResult(open) : ReconnectAsync(ct);

    public async ValueTask DisposeAsync()
    {
        await turn.WaitAsync();
        try
        {
            isClosed = true;
            if (connection is not null)
                await connection.DisposeAsync();
        }
        finally
        {
            turn.Release();
        }
    }

    private async ValueTask<GuestConnection> ReconnectAsync(CancellationToken ct)
    {
        await turn.WaitAsync(ct);
        try
        {
            if (isClosed)
                throw new IOException($"the machine behind \"{SocketPath}\" is gone");
            if (connection is { IsAlive: true } open)
                return open;
            if (connection is not null)
                await connection.DisposeAsync();
            var made = await GuestConnection.ConnectAsync(SocketPath, ct);
            Volatile.Write(ref connection, made);
            return made;
        }
        finally
        {
            turn.Release();
        }
    }
}
