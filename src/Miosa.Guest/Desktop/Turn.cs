namespace Miosa.Guest.Desktop;

/// <summary>One at a time, in the order in which they asked: one that comes back at once for its next piece goes behind those who wait.</summary>
internal sealed class Turn
{
    private readonly object _gate = new();
    private readonly LinkedList<object> _waiting = new();
    private bool _isTaken;
    private object? _next;

    /// <summary>False when it did not come in time.</summary>
    public bool TryTake(int timeoutMs)
    {
        lock (_gate)
        {
            if (!_isTaken)
                return _isTaken = true;
            var until = Environment.TickCount64 + timeoutMs;
            var place = _waiting.AddLast(new object());
            while (_next != place.Value)
            {
                var left = until - Environment.TickCount64;
                if (left <= 0)
                {
                    _waiting.Remove(place);
                    return false;
                }
                Monitor.Wait(_gate, (int)left);
            }
            _next = null;
            return true;
        }
    }

    public void Give()
    {
        lock (_gate)
        {
            if (_waiting.First is not { } first)
            {
                _isTaken = false;
                return;
            }
            _waiting.RemoveFirst();
            _next = first.Value;
            Monitor.PulseAll(_gate);
        }
    }
}
