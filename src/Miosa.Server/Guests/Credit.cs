using Miosa.Guest;

namespace Miosa.Server.Guests;

/// <summary>How many bytes may still be sent on a call; one sender waits, the read loop grants.</summary>
internal sealed class Credit
{
    private readonly Lock _lock = new();
    private long _bytes = FrameLimits.Window;
    private TaskCompletionSource? _waiting;

    /// <summary>False when the guest grants beyond all reason.</summary>
    public bool Grant(uint bytes)
    {
        TaskCompletionSource? waiting;
        lock (_lock)
        {
            _bytes += bytes;
            if (_bytes > FrameLimits.MaxCredit)
                return false;
            (waiting, _waiting) = (_waiting, null);
        }
        waiting?.SetResult();
        return true;
    }

    /// <summary>Waits until <paramref name="bytes"/> may be sent, and takes them.</summary>
    public async ValueTask TakeAsync(int bytes, CancellationToken ct)
    {
        while (true)
        {
            Task granted;
            lock (_lock)
            {
                if (_bytes >= bytes)
                {
                    _bytes -= bytes;
                    return;
                }
                _waiting ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                granted = _waiting.Task;
            }
            await granted.WaitAsync(ct);
        }
    }
}
