using System.Globalization;
using Miosa.Http;

namespace Miosa;

/// <summary>What happens to one computer and inside it: its status, windows, clipboard, files, processes, whether somebody uses it.</summary>
/// <example>
/// <code>
/// await foreach (var happened in computer.Events.StreamAsync(["window", "file"], paths: ["/home/user/Downloads"]))
///     Console.WriteLine($"{happened.Timestamp:T} {happened.Type} {happened.Payload}");
/// </code>
/// </example>
public sealed class ComputerEvents
{
    private readonly Pipeline pipeline;
    private readonly string id;

    internal ComputerEvents(Pipeline pipeline, string id) => (this.pipeline, this.id) = (pipeline, id);

    /// <summary>
    /// Follows what happens from now on: the changes of its status (<c>status_changed</c>, <c>started</c>, <c>stopped</c>, <c>error</c>, <c>checkpoint_created</c>,
    /// with <c>status</c> and <c>previous_status</c>), and what happens inside while it runs. It does not connect again by itself, because what happened in
    /// between would be missing; it ends when the computer is deleted.
    /// </summary>
    /// <param name="subscribe">Any of <c>window</c>, <c>clipboard</c>, <c>file</c>, <c>process</c>, <c>idle</c>; default: all; empty: the status alone. One that
    /// cannot be told is reported as <see cref="ComputerEventTypes.ProducerUnavailable"/>.</param>
    /// <param name="paths">Folders for <c>file</c>, absolute; default: the home of the desktop's user.</param>
    /// <param name="idleAfter">Time without mouse and keyboard for <c>idle</c>, at least a second, rounded up to seconds; default 30 s.</param>
    /// <param name="started">Called once when the stream is open: every later change of the status is told, and after some milliseconds more what happens inside.</param>
    /// <param name="cancellationToken">Ends the loop.</param>
    /// <returns>The events in the order in which they were seen.</returns>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    /// <exception cref="ConnectionException">The connection dropped.</exception>
    public IAsyncEnumerable<ComputerEvent> StreamAsync(
        IReadOnlyList<string>? subscribe = null, IReadOnlyList<string>? paths = null, TimeSpan? idleAfter = null, Action? started = null,
        CancellationToken cancellationToken = default)
    {
        var call = StreamCall(subscribe, paths, idleAfter);
        return Feed.EnumerateAsync(() => new ComputerEventFeed(pipeline, call, started), cancellationToken);
    }

    /// <inheritdoc cref="StreamAsync"/>
    public IEnumerable<ComputerEvent> Stream(
        IReadOnlyList<string>? subscribe = null, IReadOnlyList<string>? paths = null, TimeSpan? idleAfter = null, Action? started = null)
    {
        var call = StreamCall(subscribe, paths, idleAfter);
        return Feed.Enumerate(() => new ComputerEventFeed(pipeline, call, started));
    }

    private Call StreamCall(IReadOnlyList<string>? subscribe, IReadOnlyList<string>? paths, TimeSpan? idleAfter)
    {
        if (idleAfter is { } limit && (limit < TimeSpan.FromSeconds(1) || limit.TotalSeconds > int.MaxValue))
            throw new ArgumentOutOfRangeException(nameof(idleAfter), $"idle time has at least one second, not '{limit}'");
        var path = Call.Query(
            ComputerCalls.Path(id) + "/events",
            ("subscribe", subscribe is null ? "window,clipboard,file,process,idle" : subscribe.Count > 0 ? string.Join(',', subscribe) : null),
            ("paths", paths is { Count: > 0 } ? string.Join(',', paths) : null),
            ("idle_threshold_sec", idleAfter is { } time ? Math.Ceiling(time.TotalSeconds).ToString(CultureInfo.InvariantCulture) : null));
        return new(HttpMethod.Get, path) { Accept = "text/event-stream", IsKeptAlive = true };
    }
}
