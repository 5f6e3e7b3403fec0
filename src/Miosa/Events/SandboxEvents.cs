using Miosa.Http;

namespace Miosa;

/// <summary>What happens to one sandbox.</summary>
/// <example>
/// <code>
/// await foreach (var happened in sandbox.Events.StreamAsync(types: ["build.*"]))
/// {
///     Console.WriteLine($"{happened.Type} {happened.Data}");
///     if (happened.Type is EventNames.BuildCompleted or EventNames.BuildFailed or EventNames.BuildTimedOut)
///         break;
/// }
/// </code>
/// </example>
public sealed class SandboxEvents
{
    private readonly Pipeline pipeline;
    private readonly string id;

    internal SandboxEvents(Pipeline pipeline, string id) => (this.pipeline, this.id) = (pipeline, id);

    /// <summary>
    /// Follows the events of the sandbox: first those that are kept, then new ones as they happen. When the connection drops it is made again and goes on
    /// after the last event received, so that none is lost or given twice. The sequence ends after <see cref="EventNames.SandboxDestroyed"/>.
    /// </summary>
    /// <param name="types">Only these types; a star stands for anything, as in <c>build.*</c>. Default: all.</param>
    /// <param name="lastEventId">Go on after this event instead of giving the kept ones.</param>
    /// <param name="cancellationToken">Ends the loop.</param>
    /// <returns>The events, oldest first.</returns>
    /// <exception cref="NotFoundException">The tenant has no such sandbox.</exception>
    /// <exception cref="ConnectionException">The connection dropped and could not be made again in <see cref="MiosaOptions.MaxRetries"/> tries.</exception>
    public IAsyncEnumerable<SandboxEvent> StreamAsync(
        IReadOnlyList<string>? types = null, string? lastEventId = null, CancellationToken cancellationToken = default)
        => Feed.EnumerateAsync(() => new SandboxEventFeed(pipeline, id, types, lastEventId), cancellationToken);

    /// <inheritdoc cref="StreamAsync"/>
    public IEnumerable<SandboxEvent> Stream(IReadOnlyList<string>? types = null, string? lastEventId = null)
        => Feed.Enumerate(() => new SandboxEventFeed(pipeline, id, types, lastEventId));
}
