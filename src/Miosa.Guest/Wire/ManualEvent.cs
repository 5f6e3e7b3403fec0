namespace Miosa.Guest.Wire;

/// <summary>Set until reset; a waiter resets first, then looks at the facts, then waits.</summary>
internal sealed class ManualEvent
{
    private readonly object _gate = new();
    private bool _set;

    public void Reset()
    {
        lock (_gate)
            _set = false;
    }

    public void Set()
    {
        lock (_gate)
        {
            _set = true;
            Monitor.PulseAll(_gate);
        }
    }

    public void Wait()
    {
        lock (_gate)
        {
            while (!_set)
                Monitor.Wait(_gate);
        }
    }
}
