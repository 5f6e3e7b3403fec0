namespace Miosa.Examples.Agent;

/// <summary>What a model may decide; as JSON it is what you would ask a language model for.</summary>
internal abstract record AgentAction
{
    private AgentAction()
    {
    }

    public sealed record Click(int X, int Y) : AgentAction;

    public sealed record Type(string Text) : AgentAction;

    public sealed record Press(string Key) : AgentAction;

    public sealed record Scroll(int Notches) : AgentAction;

    public sealed record Wait(TimeSpan Time) : AgentAction;

    public sealed record Done(string Answer) : AgentAction;
}
