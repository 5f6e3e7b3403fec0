using Miosa.Http;

namespace Miosa;

/// <summary>Walks all pages of a list. Sandboxes made meanwhile push others to a later page, so ids already given are left out.</summary>
internal sealed class SandboxPages(Sandboxes sandboxes, Pipeline pipeline, SandboxFilter? filter) : Feed<Sandbox>
{
    private const int PerPage = 100;

    private readonly HashSet<string> given = [];
    private readonly Queue<Sandbox> waiting = [];
    private int page;
    private bool isLast;

    public override async ValueTask<Sandbox?> NextAsync(bool async, CancellationToken ct)
    {
        while (true)
        {
            while (waiting.TryDequeue(out var sandbox))
            {
                if (given.Add(sandbox.Id))
                    return sandbox;
            }
            if (isLast)
                return null;
            var call = SandboxCalls.List(filter, ++page, PerPage).To(sandboxes.Handles);
            var next = await pipeline.SendAsync(call, async, ct).ConfigureAwait(false);
            isLast = next.Data.Count == 0 || !next.HasNext;
            foreach (var sandbox in next.Data)
                waiting.Enqueue(sandbox);
        }
    }

    // Between two pages nothing is open.
    public override void Dispose()
    {
    }
}
