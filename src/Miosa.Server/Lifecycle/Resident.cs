using Miosa.Server.Nodes;
using Miosa.Server.Previews;

namespace Miosa.Server.Lifecycle;

/// <summary>
/// A machine as this node has it in memory: the row as last written, the road to its guest, and when it was last used. Requests read
/// it; only the grain replaces the row.
/// </summary>
internal sealed class Resident(Machine row, GuestRoad? road)
{
    /// <summary>How late a limit may be carried out after its last user has gone.</summary>
    private static readonly TimeSpan LookAgainAfter = TimeSpan.FromSeconds(1);

    private volatile Machine row = row;
    private volatile OpenedEnv? opened;
    private int users;
    private long lastUsedMs = (row.LastActivityAt ?? row.CreatedAt).ToUnixTimeMilliseconds();

    public Machine Row
    {
        get => row;
        set => row = value;
    }

    /// <summary>Null until the machine was launched.</summary>
    public GuestRoad? Road { get; set; } = road;

    /// <summary>Its published ports, and who may open them.</summary>
    public MachinePreviews Previews { get; } = new();

    /// <summary>Number of the boot whose desktop is awaited; written by the grain alone.</summary>
    public long Boot { get; set; }

    /// <summary>When it began, as a timestamp; null for one that a former process began.</summary>
    public long? BootBegan { get; set; }

    public DateTimeOffset LastUsed => DateTimeOffset.FromUnixTimeMilliseconds(Volatile.Read(ref lastUsedMs));

    public bool IsBusy => Volatile.Read(ref users) > 0;

    public void Touch(DateTimeOffset now) => Volatile.Write(ref lastUsedMs, now.ToUnixTimeMilliseconds());

    /// <summary>The environment of the row as it is now; decrypted once for each row that changes it.</summary>
    public MachineEnv Env(EnvSeal seal)
    {
        var @sealed = row.SealedEnv;
        if (opened is { } last && ReferenceEquals(last.Sealed, @sealed))
            return last.Env;
        var env = seal.Open(@sealed);
        opened = new OpenedEnv(@sealed, env);
        return env;
    }

    /// <summary>Busy until the returned lease is disposed; the idle limit counts from then.</summary>
    public IDisposable Enter(TimeProvider time)
    {
        Interlocked.Increment(ref users);
        Touch(time.GetUtcNow());
        return new Lease(this, time);
    }

    /// <summary>
    /// The next moment at which a limit may be reached; null when none applies in this state. Whoever uses a persistent machine may go on
    /// over its life limit: it would be frozen in the middle of a command, and the command's caller would wait for nothing.
    /// </summary>
    public DateTimeOffset? NextDue(DateTimeOffset now)
    {
        var current = row;
        if (current.IsComputer)
            return current is { State: MachineState.Running, IdleTimeoutSec: > 0 } ? (IsBusy ? now : LastUsed).AddSeconds(current.IdleTimeoutSec) : null;
        if (current.AlwaysOn || current.State is MachineState.Destroyed or MachineState.Provisioning || (current.State == MachineState.Paused && current.Persistent))
            return null;
        var due = current.DueAt;
        if (current is { State: MachineState.Running, IdleTimeoutSec: > 0 })
        {
            var idleFrom = IsBusy ? now : LastUsed;
            var idleDue = idleFrom.AddSeconds(current.IdleTimeoutSec);
            due = due is null || idleDue < due ? idleDue : due;
        }
        if (due <= now && IsBusy && current is { State: MachineState.Running, Persistent: true })
            due = now + LookAgainAfter;
        return due;
    }

    // One object: an old environment can never stand beside a new row.
    private sealed record OpenedEnv(byte[]? Sealed, MachineEnv Env);

    private sealed class Lease(Resident resident, TimeProvider time) : IDisposable
    {
        private int isOver;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref isOver, 1) != 0)
                return;
            resident.Touch(time.GetUtcNow());
            Interlocked.Decrement(ref resident.users);
        }
    }
}
