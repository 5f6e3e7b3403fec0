using System.Threading.Channels;

namespace Miosa.Server.Templates;

/// <summary>Builds that wait. Tenants take turns, and each one's builds keep their order: whoever asks for a hundred delays no other by more than one.</summary>
internal sealed class BuildQueue
{
    private readonly List<BuildJob> waiting = [];
    private readonly Dictionary<string, long> lastTurns = [];

    /// <summary>One for each that waits.</summary>
    private readonly Channel<byte> count = Channel.CreateUnbounded<byte>();

    private long turn;

    public void Add(BuildJob job)
    {
        lock (waiting)
            waiting.Add(job);
        count.Writer.TryWrite(0);
    }

    public async Task<BuildJob> TakeAsync(CancellationToken ct)
    {
        await count.Reader.ReadAsync(ct);
        lock (waiting)
        {
            // The first of those whose tenant has waited longest for a turn; MinBy keeps the order among equals.
            var next = waiting.MinBy(job => lastTurns.GetValueOrDefault(job.Row.TenantId)) ?? throw new InvalidOperationException("nothing waits");
            waiting.Remove(next);
            lastTurns[next.Row.TenantId] = ++turn;
            return next;
        }
    }
}
