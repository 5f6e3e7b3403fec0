using CsCheck;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Tests;

/// <summary>The state machine of computers as a pure function: laws that hold for every sequence of wants.</summary>
public sealed class ComputerDecideTests
{
    private static readonly Gen<Want[]> Stories = Gen.Enum<Want>().Array[0, 30];

    [Fact]
    public void A_refusal_does_and_changes_nothing_and_says_what_to_do() => Stories.Sample(story =>
    {
        var (state, _) = Play(story);
        foreach (var want in Enum.GetValues<Want>())
        {
            var decision = ComputerLifecycle.Decide(state, want);
            if (decision.Refusal is not { } refusal)
                continue;
            Assert.Equal((state, Act.None, 0), (decision.Next, decision.Act, decision.Events.Count));
            Assert.True(refusal.Status == 404 || refusal.Message.Contains("/computers/{id}", StringComparison.Ordinal), refusal.Message);
        }
    });

    [Fact]
    public void Deleted_is_final_and_told_once() => Stories.Sample(story =>
    {
        var (state, events) = Play([.. story, Want.Destroy]);
        Assert.Equal((MachineState.Destroyed, 1), (state, events.Count(e => e == EventNames.ComputerDeleted)));
        Assert.Equal(EventNames.ComputerDeleted, events[^1]);
    });

    [Fact]
    public void Only_a_running_computer_may_be_used_and_use_starts_nothing() => Stories.Sample(story =>
    {
        var (state, _) = Play(story);
        var decision = ComputerLifecycle.Decide(state, Want.Use);
        Assert.Equal(state == MachineState.Running, decision.Refusal is null);
        Assert.Equal(Act.None, decision.Act);
    });

    [Fact]
    public void Nothing_but_delete_and_an_unmade_machine_takes_the_disk() => Stories.Sample(story =>
    {
        var state = MachineState.Provisioning;
        foreach (var want in story)
        {
            var decision = ComputerLifecycle.Decide(state, want);
            if (decision.Act == Act.Kill)
                Assert.True(want == Want.Destroy || state == MachineState.Provisioning, $"{want} of {state}");
            state = decision.Next;
            if (state == MachineState.Provisioning && want == Want.Booted)
                state = MachineState.Starting;
        }
    });

    [Fact]
    public void A_stopped_computer_starts_for_its_owner_alone()
    {
        foreach (var want in Enum.GetValues<Want>())
            Assert.Equal(want is Want.Start or Want.Restart, ComputerLifecycle.Decide(MachineState.Paused, want).Next == MachineState.Starting);
    }

    [Fact]
    public void Asking_for_the_state_it_has_changes_nothing() => Stories.Sample(story =>
    {
        var (state, _) = Play(story);
        foreach (var want in (Want[])[Want.Start, Want.Stop, Want.Destroy])
        {
            var first = ComputerLifecycle.Decide(state, want);
            if (first.Refusal is null)
                Assert.True(ComputerLifecycle.Decide(first.Next, want).ChangesNothing, $"{want} after {want} of {state}");
        }
    });

    [Theory]
    [InlineData("Running", "Stop", "Paused", "computer.stopped")]
    [InlineData("Running", "Deadline", "Paused", "computer.stopped")]
    [InlineData("Starting", "Deadline", "Starting", "")]
    [InlineData("Running", "Restart", "Starting", "computer.restarted")]
    [InlineData("Starting", "Booted", "Running", "computer.started")]
    [InlineData("Starting", "BootFailed", "Error", "computer.error")]
    [InlineData("Error", "Start", "Starting", "")]
    [InlineData("Running", "Fell", "Starting", "computer.restarted")]
    [InlineData("Paused", "Fell", "Paused", "")]
    [InlineData("Running", "Died", "Error", "computer.error")]
    [InlineData("Provisioning", "BootFailed", "Destroyed", "computer.error computer.deleted")]
    [InlineData("Provisioning", "Start", "Provisioning", "")]
    public void Each_step_is_told_as_the_contract_names_it(string state, string want, string next, string events)
    {
        var decision = ComputerLifecycle.Decide(Enum.Parse<MachineState>(state), Enum.Parse<Want>(want));
        Assert.Equal((Enum.Parse<MachineState>(next), events), (decision.Next, string.Join(' ', decision.Events)));
    }

    /// <summary>The grain itself says when a machine was launched.</summary>
    private static (MachineState State, List<string> Events) Play(IEnumerable<Want> story)
    {
        var (state, events) = (MachineState.Starting, new List<string>());
        foreach (var want in story)
        {
            var decision = ComputerLifecycle.Decide(state, want);
            state = decision.Next;
            events.AddRange(decision.Events);
        }
        return (state, events);
    }
}
