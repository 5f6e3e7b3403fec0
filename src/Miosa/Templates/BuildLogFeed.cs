using Miosa.Http;

namespace Miosa;

/// <summary>The log of one build, to its end.</summary>
internal sealed class BuildLogFeed(Pipeline pipeline, string id) : ReattachingFeed<TemplateBuildEvent>(pipeline, WireJson.Default.TemplateBuildEvent, lastEventId: null)
{
    protected override Call Call => TemplateCalls.Logs(id, LastEventId);

    protected override string EndedEarly => "the server ended the log before the build was over";

    protected override bool IsLast(TemplateBuildEvent item) => item.Type is EventNames.BuildCompleted or EventNames.BuildFailed or EventNames.BuildTimedOut;
}
