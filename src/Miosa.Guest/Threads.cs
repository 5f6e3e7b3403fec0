namespace Miosa.Guest;

/// <summary>Threads with a small stack; a machine at its process limit is an answer ("busy"), not a crash.</summary>
internal static class Threads
{
    public static bool TryStart(Action body, int stackBytes)
    {
        try
        {
            new Thread(() => body(), stackBytes) { IsBackground = true }.Start();
            return true;
        }
        catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
        {
            return false;
        }
    }
}
