using System.Threading.Channels;
using Miosa.Server.Events;

namespace Miosa.Server.ComputerEvents;

/// <summary>A computer's events of the tenant's feed, in the words that one client reads: started, stopped, error, checkpoint_created, and status_changed for all else.</summary>
internal sealed class StateReader(string computerId, string status, Action cut) : IFeedReader
{
    private const int QueueLength = 256;

    private readonly Channel<ComputerStatusEvent> queue = Channel.CreateBounded<ComputerStatusEvent>(new BoundedChannelOptions(QueueLength) { SingleReader = true });
    private TaskCompletionSource nextStart = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile string status = status;

    /// <summary>Completes when the computer runs next.</summary>
    public Task NextStart => Volatile.Read(ref nextStart).Task;

    public IAsyncEnumerable<ComputerStatusEvent> ReadAllAsync(CancellationToken ct) => queue.Reader.ReadAllAsync(ct);

    public void Complete() => queue.Writer.TryComplete();

    public void Tell(EventFrame frame)
    {
        var row = frame.Row;
        if (row.SubjectId != computerId)
            return;
        var before = status;
        status = row.Status ?? before;
        var type = row.Type switch
        {
            EventNames.ComputerStarted => "started",
            EventNames.ComputerStopped => "stopped",
            EventNames.ComputerError => "error",
            _ when status != before || row.Type is EventNames.ComputerRestarted or EventNames.ComputerDeleted => "status_changed",
            _ => null,
        };
        if (type is not null)
            Write(new ComputerStatusEvent { Type = type, ComputerId = computerId, Status = status, PreviousStatus = before, Timestamp = row.At });
        if (row.Type == EventNames.ComputerStarted)
            Interlocked.Exchange(ref nextStart, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
        if (row.Type == EventNames.ComputerDeleted)
            queue.Writer.TryComplete();
    }

    public void TellTaken(DateTimeOffset at) => Write(new ComputerStatusEvent { Type = "checkpoint_created", ComputerId = computerId, Status = status, PreviousStatus = status, Timestamp = at });

    public void Beat()
    {
        // The stream has heartbeats of its own.
    }

    /// <summary>A reader that does not keep up is cut, and reads the state when it comes back.</summary>
    private void Write(ComputerStatusEvent told)
    {
        if (!queue.Writer.TryWrite(told) && !queue.Reader.Completion.IsCompleted)
            cut();
    }
}
