using Miosa.Http;

namespace Miosa;

/// <summary>Asks for a template until its build is over, quickly at first: most builds take seconds, some take minutes.</summary>
internal sealed class BuildWait(Pipeline pipeline, string templateId)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);

    public async ValueTask<SandboxTemplate> RunAsync(TimeSpan timeout, bool async, CancellationToken ct)
    {
        if (timeout <= TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(timeout), $"the wait must be positive, not '{timeout}'");
        using var deadline = new CancellationTokenSource(timeout, pipeline.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, deadline.Token);
        try
        {
            for (var pause = FirstPause; ; pause = pause * 2 > LongestPause ? LongestPause : pause * 2)
            {
                var template = await pipeline.SendAsync(TemplateCalls.Get(templateId), async, either.Token).ConfigureAwait(false);
                if (template.Status == TemplateStatus.Ready)
                    return template;
                if (template.Status == TemplateStatus.Failed)
                {
                    var builds = await pipeline.SendAsync(TemplateCalls.Builds(templateId), async, either.Token).ConfigureAwait(false);
                    var last = builds.Count > 0 ? builds[0] : null;
                    throw new MiosaException($"template '{templateId}' could not be built: {last?.ErrorMessage ?? "no reason was told"}") { Code = last?.ErrorCode };
                }
                await pipeline.PauseAsync(pause, async, either.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            throw new TimeoutException($"template '{templateId}' is not built after {timeout.TotalSeconds:0.###} s");
        }
    }
}
