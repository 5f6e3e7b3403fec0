using System.IO.Enumeration;
using Miosa.Http;

namespace Miosa;

/// <summary>The events of one sandbox, to its destruction.</summary>
internal sealed class SandboxEventFeed : ReattachingFeed<SandboxEvent>
{
    private readonly Pipeline pipeline;
    private readonly string id;
    private readonly string? types;
    private readonly bool isEndWanted;

    public SandboxEventFeed(Pipeline pipeline, string id, IReadOnlyList<string>? types, string? lastEventId)
        : base(pipeline, WireJson.Default.SandboxEvent, lastEventId)
    {
        (this.pipeline, this.id) = (pipeline, id);
        isEndWanted = types is not { Count: > 0 } || types.Any(type => FileSystemName.MatchesSimpleExpression(type, EventNames.SandboxDestroyed, ignoreCase: false));
        // The end is always asked for: without it, the end of the sandbox and a dropped connection look the same.
        this.types = types is not { Count: > 0 } ? null : string.Join(',', isEndWanted ? types : [.. types, EventNames.SandboxDestroyed]);
    }

    protected override Call Call => SandboxCalls.Events(id, types, LastEventId);

    protected override string EndedEarly => "the server ended the event stream";

    protected override bool IsLast(SandboxEvent item) => item.Type == EventNames.SandboxDestroyed;

    protected override SandboxEvent? Shown(SandboxEvent item)
    {
        if (IsLast(item) && !isEndWanted)
            return null;
        return item.EventId is null && LastEventId is not null ? item with { EventId = LastEventId } : item;
    }

    // A stream that resumes after the last event of a destroyed sandbox ends without a word.
    protected override async ValueTask<bool> IsOverAsync(bool async, CancellationToken ct)
    {
        try
        {
            return (await pipeline.SendAsync(SandboxCalls.Get(id), async, ct).ConfigureAwait(false)).State == SandboxState.Destroyed;
        }
        catch (NotFoundException)
        {
            return true;
        }
    }
}
