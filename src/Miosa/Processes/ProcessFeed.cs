using Miosa.Http;

namespace Miosa;

/// <summary>What a process prints, to its end.</summary>
internal sealed class ProcessFeed(Pipeline pipeline, Call call) : ReattachingFeed<ProcessStreamEvent>(pipeline, WireJson.Default.ProcessStreamEvent, lastEventId: null)
{
    protected override Call Call => call with { LastEventId = LastEventId };

    protected override string EndedEarly => "the server ended the stream before the process did";

    protected override bool IsLast(ProcessStreamEvent item) => item.Type is ProcessStreamTypes.Exit or ProcessStreamTypes.Error;
}
