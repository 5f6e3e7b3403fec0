using CsCheck;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Tests;

/// <summary>The state machine as a pure function: laws that hold for every sequence of wants.</summary>
public sealed class DecideTests
{
    private static readonly Gen<(bool Persistent, Want[] Wants)> Stories =
        Gen.Select(Gen.Bool, Gen.Enum<Want>().Array[0, 30]);

    [Fact]
    public void A_provisioning_ends_in_exactly_one_build_event() => Stories.Sample(story =>
    {
        var (state, events) = Play(story.Persistent, story.Wants);
        var ends = events.Count(e => e is EventNames.BuildCompleted or EventNames.BuildFailed or EventNames.BuildTimedOut);
        Assert.Equal(state == MachineState.Provisioning ? 0 : 1, ends);
    });

    [Fact]
    public void Destroyed_is_final_and_told_once() => Stories.Sample(story =>
    {
        var (state, events) = Play(story.Persistent, [.. story.Wants, Want.Destroy]);
        Assert.Equal(MachineState.Destroyed, state);
        Assert.Equal(1, events.Count(e => e == EventNames.SandboxDestroyed));
        Assert.Equal(EventNames.SandboxDestroyed, events[^1]);
    });

    [Fact]
    public void Asking_for_the_state_it_has_changes_nothing() => Stories.Sample(story =>
    {
        var (state, _) = Play(story.Persistent, story.Wants);
        foreach (var want in (Want[])[Want.Pause, Want.Resume, Want.Stop, Want.Destroy])
        {
            var first = Decide(state, story.Persistent, want);
            if (first.Refusal is not null)
                continue;
            var again = Decide(first.Next, story.Persistent, want);
            // Paused may be frozen or without memory: a stop frees the memory either way, and nobody is told again.
            if (want == Want.Stop && first.Next == MachineState.Paused)
                Assert.Equal((MachineState.Paused, Act.Park, 0), (again.Next, again.Act, again.Events.Count));
            else
                Assert.True(again.ChangesNothing);
        }
    });

    [Fact]
    public void A_refusal_does_and_changes_nothing() => Stories.Sample(story =>
    {
        var (state, _) = Play(story.Persistent, story.Wants);
        foreach (var want in Enum.GetValues<Want>())
        {
            var decision = Decide(state, story.Persistent, want);
            if (decision.Refusal is not null)
                Assert.Equal((state, Act.None, 0), (decision.Next, decision.Act, decision.Events.Count));
        }
    });

    [Fact]
    public void Only_a_running_machine_may_be_used_and_a_persistent_one_wakes_up()
    {
        foreach (var state in Enum.GetValues<MachineState>())
        {
            Assert.Equal(state == MachineState.Running, Decide(state, persistent: false, Want.Use).Refusal is null);
            Assert.Equal(state is MachineState.Running or MachineState.Paused, Decide(state, persistent: true, Want.Use).Refusal is null);
        }
        Assert.Equal(Act.Thaw, Decide(MachineState.Paused, persistent: true, Want.Use).Act);
    }

    private static (MachineState State, List<string> Events) Play(bool persistent, Want[] wants)
    {
        var state = MachineState.Provisioning;
        var events = new List<string>();
        foreach (var want in wants)
        {
            var decision = Decide(state, persistent, want);
            state = decision.Next;
            events.AddRange(decision.Events);
        }
        return (state, events);
    }

    private static Decision Decide(MachineState state, bool persistent, Want want) => Lifecycle.Lifecycle.Decide(state, persistent, want);
}
