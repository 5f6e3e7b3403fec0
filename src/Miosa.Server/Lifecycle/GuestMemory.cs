using System.Net.Sockets;
using Miosa.Guest;
using Miosa.Runtime.Wire;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Nodes;
using Miosa.Server.Sandboxes;

namespace Miosa.Server.Lifecycle;

/// <summary>The step before a machine's memory is written: its guest must have nothing of ours open (docs/guest-protocol.md, Suspend).</summary>
internal static class GuestMemory
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>Null when the runtime must be asked now: its order opens the door again. Without a token of the caller: he may go, the door may not stay closed.</summary>
    public static async Task<Refusal?> SuspendAsync(Resident resident, RuntimeClient runtime)
    {
        var row = resident.Row;
        if (IsolationFields.MemoryFault(row.Isolation) is { } fault)
            return fault;
        if (row.State == MachineState.Paused)
            return await IsOnDiskAsync(runtime, row.Id) ? null : Refusal.Conflict("the sandbox is paused, and its memory cannot be written while it is: resume it first");
        if (row.State != MachineState.Running || resident.Road is not { } road)
            return Refusal.Conflict($"the sandbox is {row.State.Wire()}: there is no memory to take along");
        try
        {
            using var patience = new CancellationTokenSource(Patience);
            var guest = await road.ConnectAsync(patience.Token);
            var call = await guest.OpenAsync(GuestVerb.Suspend, new SuspendCall(), GuestJson.Wire.SuspendCall, takesData: false, patience.Token);
            await call.ReplyAsync(GuestJson.Wire.Done, patience.Token);
            return null;
        }
        catch (GuestException e) when (e.Code == GuestErrorCode.Busy)
        {
            return Refusal.Conflict($"the memory cannot be written now: {e.Message}; wait for their end, or leave memory out");
        }
        catch (Exception e) when (e is GuestException or SocketException or IOException or OperationCanceledException)
        {
            return Refusal.AgentUnavailable($"the sandbox does not answer: {e.Message}");
        }
    }

    private static async Task<bool> IsOnDiskAsync(RuntimeClient runtime, string machine)
    {
        try
        {
            return await runtime.InspectAsync(machine, CancellationToken.None) is { State: MachineStates.Dead, Memory: true };
        }
        catch (Exception e) when (e is RuntimeDownException or RuntimeRefusedException)
        {
            return false;
        }
    }
}
