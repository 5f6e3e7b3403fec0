using System.Buffers;
using Miosa.Guest;

namespace Miosa.Server.Guests;

/// <summary>The TCP servers inside a machine.</summary>
internal static class GuestPorts
{
    /// <summary>The longest greeting of a connection that stands: one small JSON object.</summary>
    private const int MaxGreeting = 1024;

    /// <summary>A connection to a port inside the machine.</summary>
    /// <exception cref="GuestException">Nothing listens there (<c>not_found</c>), or the guest is gone.</exception>
    public static async Task<GuestPortStream> ConnectPortAsync(this GuestConnection guest, int port, CancellationToken ct)
    {
        var call = await guest.OpenAsync(GuestVerb.PortConnect, new PortConnectCall { Port = port }, GuestJson.Wire.PortConnectCall, takesData: true, ct);
        return await JoinedAsync(call, ct);
    }

    /// <summary>The connection that a call joins the server to, once the guest has said that it stands.</summary>
    public static async Task<GuestPortStream> JoinedAsync(GuestCall call, CancellationToken ct)
    {
        try
        {
            var first = await call.NextAsync(ct);
            if (first.IsEnd)
            {
                // ERROR says why; a guest that ends the body before it has greeted, or with RESULT, does not speak the protocol.
                if (call.Reply.IsCompleted)
                    await call.Reply;
                throw call.Broken("the guest connected a port without saying so");
            }
            if (first.Channel != FrameChannel.Entry || first.Bytes.Length > MaxGreeting)
                throw call.Broken("the guest connected a port without saying so");
            call.Parse(first.Bytes.ToArray(), GuestJson.Wire.PortConnected);
            return new GuestPortStream(call);
        }
        catch
        {
            call.Abandon();
            throw;
        }
    }

    /// <summary>The ports that something listens on.</summary>
    public static async Task<IReadOnlySet<int>> ListeningPortsAsync(this GuestConnection guest, CancellationToken ct)
    {
        var call = await guest.OpenAsync(GuestVerb.Ports, new PortsCall(), GuestJson.Wire.PortsCall, takesData: false, ct);
        try
        {
            var reply = call.Parse(await call.Reply.WaitAsync(ct), GuestJson.Wire.PortsReply);
            return (reply.Ports ?? []).Where(p => p is not null).Select(p => p!.Port).ToHashSet(); // the filter before took the nulls out
        }
        catch (OperationCanceledException)
        {
            // Not awaited: a frozen machine ends it when it goes on.
            call.Abandon();
            throw;
        }
    }
}
