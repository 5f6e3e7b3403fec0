namespace Miosa.Runtime.Dns;

/// <summary>How much of the name server one machine may hold at a time; the rules of the table bound how often it asks.</summary>
internal sealed class MachinePace
{
    private const int QuestionLimit = 64;
    private const int ConnectionLimit = 8;

    private int questions;
    private int connections;

    public bool TryBeginQuestion() => TryBegin(ref questions, QuestionLimit);

    public void EndQuestion() => Interlocked.Decrement(ref questions);

    public bool TryBeginConnection() => TryBegin(ref connections, ConnectionLimit);

    public void EndConnection() => Interlocked.Decrement(ref connections);

    private static bool TryBegin(ref int count, int limit)
    {
        if (Interlocked.Increment(ref count) <= limit) return true;
        Interlocked.Decrement(ref count);
        return false;
    }
}
