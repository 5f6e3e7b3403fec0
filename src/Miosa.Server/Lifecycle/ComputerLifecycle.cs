using Miosa.Server.Host;

namespace Miosa.Server.Lifecycle;

/// <summary>
/// The state machine of a computer, as a pure function. It is not the one of a sandbox (<see cref="Lifecycle"/>): nothing but its owner starts it, and
/// whatever ends leaves its disk.
/// <code>
///   creating ──launched──► starting ──desktop seen──► running
///                            ▲   ▲ │                   │ │
///                    start ──┤   │ └── desktop failed ─┼─┼──► error (start tries again)
///                            │   └──── restart, fell ──┘ │
///                          stopped ◄──── stop, idle ─────┘          delete: from anywhere
/// </code>
/// The act comes before the state is written, as with sandboxes. A crash between the two leaves: a stopped one that runs (parked again), one that starts or
/// runs and is dead (started again, as after a restart of the host), and one that was being created (gone: nobody was told its name).
/// </summary>
internal static class ComputerLifecycle
{
    public static Decision Decide(MachineState state, Want want) => want switch
    {
        Want.Use => state == MachineState.Running ? Stay(state) : Refuse(state),
        Want.Start => state switch
        {
            MachineState.Running or MachineState.Starting or MachineState.Provisioning => Stay(state),
            MachineState.Paused or MachineState.Error => Go(MachineState.Starting, Act.Boot),
            _ => Refuse(state),
        },
        Want.Restart => state switch
        {
            MachineState.Running or MachineState.Starting => Go(MachineState.Starting, Act.Reboot, EventNames.ComputerRestarted),
            MachineState.Paused or MachineState.Error => Go(MachineState.Starting, Act.Boot),
            MachineState.Provisioning => Stay(state),
            _ => Refuse(state),
        },
        Want.Stop or Want.Deadline => state switch
        {
            MachineState.Running => Go(MachineState.Paused, Act.Park, EventNames.ComputerStopped),
            MachineState.Starting when want == Want.Stop => Go(MachineState.Paused, Act.Park, EventNames.ComputerStopped),
            // It does not run, and its disk may be what failed.
            MachineState.Error when want == Want.Stop => Go(MachineState.Paused, Act.None, EventNames.ComputerStopped),
            MachineState.Provisioning when want == Want.Stop => Refuse(state),
            _ => Stay(state),
        },
        Want.Destroy => state switch
        {
            MachineState.Destroyed => Stay(state),
            _ => Go(MachineState.Destroyed, Act.Kill, EventNames.ComputerDeleted),
        },
        Want.Booted => state == MachineState.Starting ? Go(MachineState.Running, Act.None, EventNames.ComputerStarted) : Stay(state),
        // Nothing was made, and who asked for it is told so: there is nothing to keep.
        Want.BootFailed or Want.BootTimedOut when state == MachineState.Provisioning =>
            Go(MachineState.Destroyed, Act.Kill, EventNames.ComputerError, EventNames.ComputerDeleted),
        // What cannot be used must not go on taking memory.
        Want.BootFailed or Want.BootTimedOut => state == MachineState.Starting ? Go(MachineState.Error, Act.Park, EventNames.ComputerError) : Stay(state),
        // Its files are there: it was running, and so it runs again.
        Want.Fell => state switch
        {
            MachineState.Running => Go(MachineState.Starting, Act.Boot, EventNames.ComputerRestarted),
            MachineState.Starting => Go(MachineState.Starting, Act.Boot),
            MachineState.Provisioning => Decide(state, Want.BootFailed),
            _ => Stay(state),
        },
        Want.Died => state switch
        {
            MachineState.Running or MachineState.Starting or MachineState.Paused => Go(MachineState.Error, Act.None, EventNames.ComputerError),
            MachineState.Provisioning => Decide(state, Want.BootFailed),
            _ => Stay(state),
        },
        Want.Match => state switch
        {
            MachineState.Running or MachineState.Starting => new Decision(state, Act.Thaw, []),
            MachineState.Paused or MachineState.Error => new Decision(state, Act.Park, []),
            _ => Stay(state),
        },
        Want.Pause or Want.Hibernate or Want.Resume =>
            new Decision(state, Act.None, [], Refusal.Conflict("a computer is not paused and resumed: stop it (POST /computers/{id}/stop) and start it (POST /computers/{id}/start)")),
        _ => throw new ArgumentOutOfRangeException(nameof(want), want, null),
    };

    private static Decision Stay(MachineState state) => new(state, Act.None, []);

    private static Decision Go(MachineState next, Act act, params string[] events) => new(next, act, events);

    private static Decision Refuse(MachineState state) => new(state, Act.None, [], state switch
    {
        MachineState.Paused => No("the computer is stopped: start it first (POST /computers/{id}/start)"),
        MachineState.Provisioning => No("the computer is still being made: wait until its status is running (GET /computers/{id})"),
        MachineState.Starting => No("the computer is starting: wait until its status is running (GET /computers/{id})"),
        MachineState.Error => No("the computer is in status error, its field error says why: start it again (POST /computers/{id}/start) or delete it"),
        _ => Refusal.NotFound(MachineKind.Computer),
    });

    private static Refusal No(string message) => new(ErrorCodes.ComputerNotRunning, message);
}
