using Miosa.Http;

namespace Miosa;

/// <summary>Whatever happens in the tenant.</summary>
/// <example>
/// <code>
/// await foreach (var happened in client.Events.StreamAsync(types: ["sandbox.*"]))
///     Console.WriteLine($"{happened.Ts:O} {happened.Type} {happened.Id}");
/// </code>
/// </example>
public sealed class TenantEvents
{
    private readonly Pipeline pipeline;

    internal TenantEvents(Pipeline pipeline) => this.pipeline = pipeline;

    /// <summary>
    /// Follows the events of the tenant, from now or from where you left. When the connection drops, or this reader is cut because it does not keep up, it is
    /// made again and goes on after the last event received, so that none is lost or given twice, also over a restart of the server. The sequence
    /// has no end of its own.
    /// </summary>
    /// <param name="tenantWide">True: all events of the tenant; needs a key with the scope <see cref="Scopes.Admin"/>. False: those of <paramref name="scope"/>.</param>
    /// <param name="types">Only these types; a star stands for anything, as in <c>sandbox.*</c>. Default: all.</param>
    /// <param name="scope">Only events of one workspace, <c>workspace:ID</c>, or of one user of yours, <c>external_user:ID</c>; <see cref="Scopes.EventsRead"/> is enough for that.</param>
    /// <param name="lastEventId">Go on after this event, if the server still keeps what followed it (30 days by default). Default: from now.</param>
    /// <param name="cancellationToken">Ends the loop.</param>
    /// <returns>The events, oldest first.</returns>
    /// <exception cref="ArgumentException">Neither the whole tenant nor a scope was asked for.</exception>
    /// <exception cref="PermissionException">The key lacks the scope.</exception>
    /// <exception cref="ConnectionException">The connection dropped and could not be made again in <see cref="MiosaOptions.MaxRetries"/> tries.</exception>
    public IAsyncEnumerable<TenantEvent> StreamAsync(
        bool tenantWide = true, IReadOnlyList<string>? types = null, string? scope = null, string? lastEventId = null, CancellationToken cancellationToken = default)
    {
        var path = Path(tenantWide, types, scope);
        return Feed.EnumerateAsync(() => new TenantEventFeed(pipeline, path, lastEventId), cancellationToken);
    }

    /// <inheritdoc cref="StreamAsync"/>
    public IEnumerable<TenantEvent> Stream(bool tenantWide = true, IReadOnlyList<string>? types = null, string? scope = null, string? lastEventId = null)
    {
        var path = Path(tenantWide, types, scope);
        return Feed.Enumerate(() => new TenantEventFeed(pipeline, path, lastEventId));
    }

    /// <summary>A ticket with which a browser may open one event stream, as <c>?ticket=</c>, to which it cannot send the key. It works once, for a minute.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The ticket; it may do no more than the key of this client.</returns>
    /// <exception cref="RateLimitException">The tenant has too many tickets that nobody used.</exception>
    public Task<SseTicket> CreateTicketAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(Ticket(), cancellationToken);

    /// <inheritdoc cref="CreateTicketAsync"/>
    public SseTicket CreateTicket() => pipeline.Send(Ticket());

    private static string Path(bool tenantWide, IReadOnlyList<string>? types, string? scope)
    {
        if (!tenantWide && scope is null)
            throw new ArgumentException("name a scope, or ask for the whole tenant", nameof(scope));
        return Call.Query(
            "/events/stream", ("tenant_wide", tenantWide && scope is null ? "true" : "false"), ("types", types is { Count: > 0 } ? string.Join(',', types) : null), ("scope", scope));
    }

    private static Call<SseTicket> Ticket() => new(HttpMethod.Post, "/auth/sse-ticket", static answer => answer.Object(WireJson.Default.SseTicket));

    /// <summary>The events of a tenant, without an end.</summary>
    private sealed class TenantEventFeed(Pipeline pipeline, string path, string? lastEventId) : ReattachingFeed<TenantEvent>(pipeline, WireJson.Default.TenantEvent, lastEventId)
    {
        protected override Call Call => new(HttpMethod.Get, path)
        {
            LastEventId = LastEventId,
            IsKeptAlive = true,
            Accept = "text/event-stream",
        };

        protected override string EndedEarly => "the server ended the event stream";

        protected override bool IsLast(TenantEvent item) => false;
    }
}
