namespace Miosa.Guest.Wire;

/// <summary>
/// Threads that run verbs: one per stream in progress, and a few that stay for the next one (a thread costs more than an echo does).
/// The runtime's own pool is not used: it keeps more threads and grows them on a timer of its own.
/// </summary>
internal static class Workers
{
    private const int KeptIdle = 2;
    private const int StackBytes = 256 * 1024;

    private static readonly object s_gate = new();
    private static readonly Queue<(GuestStream Stream, byte[] Open)> s_waiting = new();
    private static int s_idle;

    /// <summary>False when no thread can be made.</summary>
    public static bool TryRun(GuestStream stream, byte[] open)
    {
        lock (s_gate)
        {
            if (s_idle > s_waiting.Count)
            {
                s_waiting.Enqueue((stream, open));
                Monitor.Pulse(s_gate);
                return true;
            }
        }
        return Threads.TryStart(() => Work(stream, open), StackBytes);
    }

    private static void Work(GuestStream stream, byte[] open)
    {
        while (true)
        {
            StreamRun.Run(stream, open);
            lock (s_gate)
            {
                if (s_idle >= KeptIdle)
                    return;
                s_idle++;
                while (s_waiting.Count == 0)
                    Monitor.Wait(s_gate);
                s_idle--;
                (stream, open) = s_waiting.Dequeue();
            }
        }
    }
}
