using System.Collections.Concurrent;
using System.Threading.Channels;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Machines;

/// <summary>Tells every watcher when a machine changes its state.</summary>
internal sealed class MachineChanges
{
    private readonly ConcurrentDictionary<Channel<MachineChange>, bool> watchers = [];

    public void Tell(MachineInfo info)
    {
        foreach (var watcher in watchers.Keys) watcher.Writer.TryWrite(Of(info));
    }

    /// <summary>Changes from now on; the watcher is forgotten when <see cref="Close"/> is called.</summary>
    public Channel<MachineChange> Open()
    {
        // A watcher that stops reading holds what it missed, about 100 bytes a change, until its connection ends.
        var watcher = Channel.CreateUnbounded<MachineChange>(new UnboundedChannelOptions { SingleReader = true });
        watchers[watcher] = true;
        return watcher;
    }

    public void Close(Channel<MachineChange> watcher) => watchers.TryRemove(watcher, out _);

    public static MachineChange Of(MachineInfo info) => new() { Machine = info.Machine, State = info.State, Reason = info.Reason };
}
