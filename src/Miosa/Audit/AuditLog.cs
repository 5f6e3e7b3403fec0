using System.Globalization;
using Miosa.Http;

namespace Miosa;

/// <summary>Which entries to read; a field that is null does not filter, several fields must all match.</summary>
public sealed record AuditLogFilter
{
    /// <summary>Only this action, in the words of <see cref="AuditLogEntry.Action"/> or <see cref="AuditLogEntry.Type"/>; a star stands for anything: <c>sandbox.*</c>.</summary>
    public string? Action { get; init; }

    /// <summary>Only by this key.</summary>
    public string? ActorId { get; init; }

    /// <summary>Only on objects of this kind, such as <c>sandbox</c>.</summary>
    public string? ResourceType { get; init; }

    /// <summary>Only on this object.</summary>
    public string? ResourceId { get; init; }

    /// <summary>Only on objects of this user of yours.</summary>
    public string? ExternalUserId { get; init; }

    /// <summary>Only on objects of this workspace.</summary>
    public string? WorkspaceId { get; init; }

    /// <summary>Only at or after this time.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Only at or before this time.</summary>
    public DateTimeOffset? Until { get; init; }
}

/// <summary>
/// Every call that changed something or tried to: who, what, on which object, when, with which result. Entries are there before the answer to the call
/// is; those of calls that only reach into a sandbox (commands, files, processes, terminals) follow within a tenth of a second.
/// </summary>
/// <example>
/// <code>
/// await foreach (var entry in client.AuditLog.ListAllAsync(new() { Action = "sandbox.*", Since = DateTimeOffset.UtcNow.AddDays(-1) }))
///     Console.WriteLine($"{entry.CreatedAt:u} {entry.ActorId} {entry.Action} {entry.ResourceId} {entry.Result}");
/// </code>
/// </example>
public sealed class AuditLog
{
    private readonly Pipeline pipeline;
    private readonly string path;

    internal AuditLog(Pipeline pipeline, string path) => (this.pipeline, this.path) = (pipeline, path);

    /// <summary>One page of entries, newest first.</summary>
    /// <param name="filter">Which ones; default: all.</param>
    /// <param name="page">Page number from 1; a page beyond the end is empty.</param>
    /// <param name="perPage">Page length, 1 to 100; default 50.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The page; <see cref="Page{T}.HasNext"/> tells whether there is another.</returns>
    public Task<Page<AuditLogEntry>> ListAsync(AuditLogFilter? filter = null, int page = 1, int perPage = 50, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(PageCall(filter, page, perPage), cancellationToken);

    /// <inheritdoc cref="ListAsync"/>
    public Page<AuditLogEntry> List(AuditLogFilter? filter = null, int page = 1, int perPage = 50) => pipeline.Send(PageCall(filter, page, perPage));

    /// <summary>All entries over all pages, each once; pages are fetched while the caller enumerates, and entries made meanwhile are not among them.</summary>
    /// <param name="filter">Which ones; default: all.</param>
    /// <param name="cancellationToken">Ends the enumeration.</param>
    /// <returns>The entries, newest first.</returns>
    public IAsyncEnumerable<AuditLogEntry> ListAllAsync(AuditLogFilter? filter = null, CancellationToken cancellationToken = default)
        => Feed.EnumerateAsync(() => Pages(filter), cancellationToken);

    /// <inheritdoc cref="ListAllAsync"/>
    public IEnumerable<AuditLogEntry> ListAll(AuditLogFilter? filter = null) => Feed.Enumerate(() => Pages(filter));

    /// <summary>Writes all entries into a stream, one JSON object a line, newest first, as they come; the log is never whole in memory.</summary>
    /// <param name="destination">Gets UTF-8; it is not closed.</param>
    /// <param name="filter">Which ones; default: all.</param>
    /// <param name="cancellationToken">Ends the export; what was written by then stays written.</param>
    /// <returns>Completes when all is written.</returns>
    public Task ExportAsync(Stream destination, AuditLogFilter? filter = null, CancellationToken cancellationToken = default)
        => ExportAsync(destination, filter, async: true, cancellationToken).AsTask();

    /// <inheritdoc cref="ExportAsync(Stream, AuditLogFilter?, CancellationToken)"/>
    public void Export(Stream destination, AuditLogFilter? filter = null) => Pipeline.Finished(ExportAsync(destination, filter, async: false, CancellationToken.None));

    private async ValueTask ExportAsync(Stream destination, AuditLogFilter? filter, bool async, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(destination);
        var call = new Call(HttpMethod.Get, Filtered(filter, ("format", "jsonl"))) { Accept = "application/x-ndjson", Repeat = Repeat.UnlessBegun };
        using var source = await pipeline.OpenAsync(call, async, ct, lifetime: ct).ConfigureAwait(false);
        if (async)
            await source.CopyToAsync(destination, ct).ConfigureAwait(false);
        else
            source.CopyTo(destination);
    }

    private PageFeed<AuditLogEntry> Pages(AuditLogFilter? filter) => new(
        pipeline,
        (_, cursor) => ListCall(Filtered(filter, ("limit", PageFeed<AuditLogEntry>.PerPage.ToString(CultureInfo.InvariantCulture)), ("after", cursor))),
        static entry => entry.Id);

    private Call<Page<AuditLogEntry>> PageCall(AuditLogFilter? filter, int page, int perPage)
        => ListCall(Call.Paged(Filtered(filter), page, perPage));

    private static Call<Page<AuditLogEntry>> ListCall(string path) => new(HttpMethod.Get, path, static answer => answer.Whole(WireJson.Default.PageAuditLogEntry));

    private string Filtered(AuditLogFilter? filter, params ReadOnlySpan<(string Name, string? Value)> more) => Call.Query(
        path,
        [
            ("action", filter?.Action),
            ("actor_id", filter?.ActorId),
            ("resource_type", filter?.ResourceType),
            ("resource_id", filter?.ResourceId),
            ("external_user_id", filter?.ExternalUserId),
            ("workspace_id", filter?.WorkspaceId),
            ("since", Call.Time(filter?.Since)),
            ("until", Call.Time(filter?.Until)),
            .. more,
        ]);
}
