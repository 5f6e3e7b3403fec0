using System.Collections.Concurrent;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Snapshots;

/// <summary>
/// Computers on their way back to a checkpoint, one each at a time. A way goes on when who began it has left, and who asks for the same while it goes on joins it.
/// A server that ends meanwhile leaves a computer whose row says what its disk is to become with the next start.
/// </summary>
internal sealed partial class Restores(Machines machines, MachineDirectory directory, SnapshotSet snapshots, TimeProvider time, ILogger<Restores> log)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(200);

    /// <summary>The desktop has a limit of its own, after which the computer is in error.</summary>
    private static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(3);

    private readonly ConcurrentDictionary<string, Way> ways = [];

    /// <summary>A checkpoint of a computer was taken.</summary>
    public event Action<SnapshotRow>? Taken;

    public void Tell(SnapshotRow taken) => Taken?.Invoke(taken);

    /// <summary>The way that the computer goes now: this one, or null when it is on another.</summary>
    public Way? Begin(Machine computer, SnapshotRow row)
    {
        while (true)
        {
            var way = new Way(row.Id);
            var present = ways.GetOrAdd(computer.Id, way);
            if (present == way)
            {
                way.Task = GoAsync(computer, row, way);
                return way;
            }
            if (!present.IsOver)
                return present.SnapshotId == row.Id ? present : null;
            ways.TryRemove(KeyValuePair.Create(computer.Id, present));
        }
    }

    /// <summary>
    /// Whether a computer is on its way to this checkpoint, or is to go there with its next start, whose server ended or whose start failed meanwhile: its old
    /// disk may be thrown away by then, and the checkpoint the only copy.
    /// </summary>
    public bool IsNeeded(string snapshot) =>
        ways.Values.Any(way => way.SnapshotId == snapshot && !way.IsOver) || directory.All.Any(resident => resident.Row.RestoreFrom == snapshot);

    private async Task GoAsync(Machine computer, SnapshotRow row, Way way)
    {
        // Not on the caller's stack: it answers while this goes on.
        await Task.Yield();
        try
        {
            way.Tell("restoring", "disk", 10);
            var (machine, refusal) = await machines.RestoreAsync(computer, row.Id);
            if (machine is null)
            {
                way.Tell(ComputerSnapshotStatus.Failed, "disk", null, refusal?.Message ?? "the server failed");
                return;
            }
            await snapshots.UsedAsync(row.Id);
            way.Tell("restoring", "start", 60);
            var caller = new Caller(computer.TenantId, "restore", new HashSet<string>());
            for (var left = StartLimit; left > TimeSpan.Zero; left -= LookEvery)
            {
                var now = await machines.FindComputerAsync(caller, computer.Id);
                if (now is not { State: MachineState.Starting })
                {
                    if (now is { State: MachineState.Running })
                        way.Tell(ComputerSnapshotStatus.Ready, "done", 100);
                    else
                        way.Tell(ComputerSnapshotStatus.Failed, "start", null, now is null ? "the computer was deleted" : now.Error ?? $"the computer is {now.State.Wire(now.Kind)}");
                    return;
                }
                await Task.Delay(LookEvery, time);
            }
            way.Tell(ComputerSnapshotStatus.Failed, "start", null, "the computer does not come up");
        }
#pragma warning disable CA1031 // The edge of a work of its own: who waits is told, and the next start of the computer begins it again.
        catch (Exception e)
#pragma warning restore CA1031
        {
            RestoreFailed(log, computer.Id, row.Id, e);
            way.Tell(ComputerSnapshotStatus.Failed, null, null, "the server failed; start the computer to try again");
        }
        finally
        {
            // After its last word: who reads it holds the way itself, and who comes from here on begins another.
            ways.TryRemove(KeyValuePair.Create(computer.Id, way));
        }
    }

    /// <summary>What was told of one way; it can be read from its beginning by any number of readers.</summary>
    internal sealed class Way(string snapshotId)
    {
        private readonly Lock gate = new();
        private readonly List<ComputerSnapshotProgress> told = [];
        private TaskCompletionSource more = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string SnapshotId => snapshotId;

        public Task Task { get; set; } = Task.CompletedTask;

        public bool IsOver
        {
            get
            {
                lock (gate)
                    return told.Count > 0 && told[^1].Status is ComputerSnapshotStatus.Ready or ComputerSnapshotStatus.Failed;
            }
        }

        public void Tell(string status, string? step, int? percent, string? error = null)
        {
            lock (gate)
            {
                told.Add(new ComputerSnapshotProgress { SnapshotId = snapshotId, Status = status, Step = step, Progress = percent, Error = error });
                more.SetResult();
                more = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }

        /// <summary>The one at this place; waits for it.</summary>
        public async Task<ComputerSnapshotProgress> AtAsync(int index, CancellationToken ct)
        {
            while (true)
            {
                Task wait;
                lock (gate)
                {
                    if (index < told.Count)
                        return told[index];
                    wait = more.Task;
                }
                await wait.WaitAsync(ct);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "restoring computer {Machine} to {Snapshot} failed")]
    private static partial void RestoreFailed(ILogger log, string machine, string snapshot, Exception exception);
}
