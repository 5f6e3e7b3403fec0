using Miosa.Server.Host;

namespace Miosa.Server.Lifecycle;

/// <summary>What somebody or something wants of a machine.</summary>
internal enum Want
{
    Use,
    Pause,

    /// <summary>Pause with the memory on disk.</summary>
    Hibernate,
    Resume,
    Stop,
    Destroy,

    /// <summary>Of a computer: that it runs.</summary>
    Start,

    /// <summary>Of a computer: that it ends and runs again.</summary>
    Restart,

    /// <summary>A limit is reached.</summary>
    Deadline,

    /// <summary>The guest answered for the first time.</summary>
    Booted,
    BootFailed,
    BootTimedOut,

    /// <summary>The runtime says it is dead or gone.</summary>
    Died,

    /// <summary>A persistent one is dead and its files are there.</summary>
    Fell,

    /// <summary>Running and frozen as the row says: a crash may lie between an act and the write of its state.</summary>
    Match,
}

/// <summary>What the runtime is asked to do before the new state is written.</summary>
internal enum Act
{
    None,
    Freeze,

    /// <summary>Or start again, when what ran has ended.</summary>
    Thaw,

    /// <summary>End what runs and keep the files.</summary>
    Park,

    /// <summary>The same and keep what ran.</summary>
    ParkWithMemory,
    Kill,

    /// <summary>Start on the files of a former life.</summary>
    Boot,

    /// <summary>The same after what runs has been ended.</summary>
    Reboot,
}

/// <summary>The answer of <see cref="Lifecycle.Decide"/>: a refusal, or what to do, the state afterwards and its events.</summary>
internal sealed record Decision(MachineState Next, Act Act, IReadOnlyList<string> Events, Refusal? Refusal = null)
{
    public bool ChangesNothing => Refusal is null && Act == Act.None && Events.Count == 0;
}

/// <summary>
/// The state machine of a machine, as a pure function.
/// <code>
///   provisioning ──booted──► running ◄──resume── paused
///        │                    │  └─────pause──────►│
///   boot failed/timed out     ├──died──► error     ├── destroy, stop, deadline (not persistent)
///        ▼                    ▼            ▼       ▼
///    destroyed ◄──────── destroy, stop, deadline ──┘          a persistent machine pauses at stop, deadline and death
/// </code>
/// The act comes before the state is written: when it fails, nothing changed and the caller may repeat. What a crash leaves between
/// the two is put right by <see cref="Reconciliation"/>.
/// </summary>
internal static class Lifecycle
{
    public static Decision Decide(MachineState state, bool persistent, Want want) => want switch
    {
        Want.Use => state switch
        {
            MachineState.Running => Stay(state),
            MachineState.Paused when persistent => Go(MachineState.Running, Act.Thaw, EventNames.SandboxResumed),
            _ => Refuse(state),
        },
        Want.Pause => state switch
        {
            MachineState.Running => Go(MachineState.Paused, Act.Freeze, EventNames.SandboxPaused),
            MachineState.Paused => Stay(state),
            _ => Refuse(state),
        },
        // Only where a start of the machine on its files is the way back anyway.
        Want.Hibernate => state switch
        {
            MachineState.Running when persistent => Go(MachineState.Paused, Act.ParkWithMemory, EventNames.SandboxPaused),
            MachineState.Running => new Decision(state, Act.None, [], Refusal.Conflict("only a persistent sandbox can be paused with its memory on disk: update it with persistent true first")),
            MachineState.Paused => Stay(state),
            _ => Refuse(state),
        },
        Want.Resume => state switch
        {
            MachineState.Paused => Go(MachineState.Running, Act.Thaw, EventNames.SandboxResumed),
            MachineState.Running => Stay(state),
            _ => Refuse(state),
        },
        Want.Stop => state switch
        {
            MachineState.Running when persistent => Go(MachineState.Paused, Act.Park, EventNames.SandboxPaused),
            MachineState.Paused when persistent => new Decision(state, Act.Park, []),
            _ => Destroy(state),
        },
        Want.Deadline => state switch
        {
            MachineState.Running when persistent => Go(MachineState.Paused, Act.Freeze, EventNames.SandboxPaused),
            MachineState.Paused when persistent => Stay(state),
            MachineState.Provisioning => Stay(state),
            _ => Destroy(state),
        },
        Want.Destroy => Destroy(state),
        Want.Booted => state switch
        {
            MachineState.Provisioning => Go(MachineState.Running, Act.None, EventNames.BuildCompleted),
            _ => Stay(state),
        },
        Want.BootFailed => state == MachineState.Provisioning
            ? Go(MachineState.Destroyed, Act.Kill, EventNames.BuildFailed, EventNames.SandboxDestroyed)
            : Stay(state),
        Want.BootTimedOut => state == MachineState.Provisioning
            ? Go(MachineState.Destroyed, Act.Kill, EventNames.BuildTimedOut, EventNames.SandboxDestroyed)
            : Stay(state),
        Want.Died => state switch
        {
            MachineState.Running or MachineState.Paused => Go(MachineState.Error, Act.Kill, EventNames.SandboxError),
            MachineState.Provisioning => Decide(state, persistent, Want.BootFailed),
            _ => Stay(state),
        },
        // Paused without memory: the next use starts it again where its files are.
        Want.Fell => state switch
        {
            MachineState.Running when persistent => Go(MachineState.Paused, Act.None, EventNames.SandboxPaused),
            MachineState.Paused when persistent => Stay(state),
            _ => Decide(state, persistent, Want.Died),
        },
        Want.Match => state switch
        {
            MachineState.Running => new Decision(state, Act.Thaw, []),
            MachineState.Paused => new Decision(state, Act.Freeze, []),
            _ => Stay(state),
        },
        Want.Start or Want.Restart => new Decision(state, Act.None, [], Refusal.Conflict("a sandbox is not started: resume it (POST /sandboxes/{id}/resume)")),
        _ => throw new ArgumentOutOfRangeException(nameof(want), want, null),
    };

    private static Decision Stay(MachineState state) => new(state, Act.None, []);

    private static Decision Go(MachineState next, Act act, params string[] events) => new(next, act, events);

    // A provisioning that is destroyed has not been built: its readers wait for exactly one build.* end.
    private static Decision Destroy(MachineState state) => state switch
    {
        MachineState.Destroyed => Stay(state),
        MachineState.Provisioning => Go(MachineState.Destroyed, Act.Kill, EventNames.BuildFailed, EventNames.SandboxDestroyed),
        _ => Go(MachineState.Destroyed, Act.Kill, EventNames.SandboxDestroyed),
    };

    private static Decision Refuse(MachineState state) => new(state, Act.None, [], Refusal.Conflict(state switch
    {
        MachineState.Provisioning => "the sandbox is still being made",
        MachineState.Paused => "the sandbox is paused; resume it first",
        MachineState.Error => "the sandbox is in state error; see its field error and destroy it",
        MachineState.Destroyed => "the sandbox is destroyed",
        _ => $"the sandbox is {state.Wire()}",
    }));
}
