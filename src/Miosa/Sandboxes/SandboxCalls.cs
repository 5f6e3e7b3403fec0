using System.Globalization;
using Miosa.Http;

namespace Miosa;

/// <summary>The calls of the groups Sandboxes, Sandbox exec and Sandbox observation, as values.</summary>
internal static class SandboxCalls
{
    public static string Path(string id) => Call.Item("/sandboxes", id);

    public static Call<SandboxInfo> Create(CreateSandboxRequest request, string? idempotencyKey)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (idempotencyKey is "" or { Length: > 255 })
            throw new ArgumentException("an idempotency key has 1 to 255 characters", nameof(idempotencyKey));
        return new(HttpMethod.Post, "/sandboxes", Info)
        {
            Json = Call.Body(request, RequestJson.Default.CreateSandboxRequest),
            // The same over all tries, so that a create whose answer was lost is not done twice.
            IdempotencyKey = idempotencyKey ?? Guid.NewGuid().ToString(),
        };
    }

    public static Call<SandboxInfo> Fork(string id, ForkSandboxRequest? request) => new(HttpMethod.Post, Path(id) + "/fork", Info)
    {
        Json = Call.Body(request ?? new(), RequestJson.Default.ForkSandboxRequest),
        IdempotencyKey = Guid.NewGuid().ToString(),
    };

    public static Call<SandboxInfo> Get(string id) => new(HttpMethod.Get, Path(id), Info);

    public static Call<SandboxInfo> GetByName(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return new(HttpMethod.Get, "/sandboxes/by-name/" + Uri.EscapeDataString(name), Info);
    }

    public static Call<Page<SandboxInfo>> List(SandboxFilter? filter, int page, int perPage)
    {
        var path = Call.Query(
            "/sandboxes",
            ("state", filter?.State),
            ("name", filter?.Name),
            ("slug", filter?.Slug),
            ("tags", filter?.Tags is { Count: > 0 } tags ? string.Join(',', tags) : null),
            ("external_user_id", filter?.ExternalUserId),
            ("external_project_id", filter?.ExternalProjectId),
            ("external_workspace_id", filter?.ExternalWorkspaceId),
            ("workspace_id", filter?.WorkspaceId),
            ("project_id", filter?.ProjectId),
            ("template_id", filter?.TemplateId));
        return new(HttpMethod.Get, Call.Paged(path, page, perPage), static answer => answer.Whole(WireJson.Default.PageSandboxInfo));
    }

    public static Call<SandboxInfo> Update(string id, UpdateSandboxRequest changes)
    {
        ArgumentNullException.ThrowIfNull(changes);
        return new(HttpMethod.Patch, Path(id), Info) { Json = Call.Body(changes, RequestJson.Default.UpdateSandboxRequest) };
    }

    /// <summary>The answer is the sandbox in its last state, or nothing.</summary>
    public static Call<SandboxInfo?> Destroy(string id)
        => new(HttpMethod.Delete, Path(id), static answer => answer.Body.Length == 0 ? null : Info(answer));

    public static Call<SandboxInfo> Pause(string id, bool memory) => new(HttpMethod.Post, Path(id) + "/pause", Info)
    {
        Json = memory ? Call.Body(new PauseSandboxRequest { Memory = true }, RequestJson.Default.PauseSandboxRequest) : null,
    };

    public static Call<SandboxInfo> Resume(string id) => new(HttpMethod.Post, Path(id) + "/resume", Info);

    public static Call<SandboxInfo> Stop(string id) => new(HttpMethod.Post, Path(id) + "/stop", Info);

    public static Call<SandboxInfo> Extend(string id, TimeSpan? timeout) => new(HttpMethod.Post, Path(id) + "/extend", Info)
    {
        Json = Call.Body(new ExtendSandboxRequest { TimeoutSec = WholeSeconds(timeout) }, RequestJson.Default.ExtendSandboxRequest),
    };

    public static Call<SandboxInfo> SetTags(string id, IReadOnlyList<string> tags)
    {
        ArgumentNullException.ThrowIfNull(tags);
        return new(HttpMethod.Patch, Path(id) + "/tags", Info)
        {
            Json = Call.Body(new SandboxTagsRequest { Tags = tags }, RequestJson.Default.SandboxTagsRequest),
        };
    }

    public static Call<ExecResult> Exec(string id, ExecRequest request)
        => new(HttpMethod.Post, Path(id) + "/exec", static answer => answer.Object(WireJson.Default.ExecResult))
        {
            Json = Call.Body(request, RequestJson.Default.ExecRequest),
            Repeat = Repeat.UnlessBegun,
            IsKeptAlive = true,
        };

    public static Call ExecStream(string id, ExecRequest request) => new(HttpMethod.Post, Path(id) + "/exec/stream")
    {
        Json = Call.Body(request, RequestJson.Default.ExecRequest),
        Repeat = Repeat.UnlessBegun,
        IsKeptAlive = true,
        Accept = "text/event-stream",
    };

    public static Call Events(string id, string? types, string? lastEventId) => new(HttpMethod.Get, Call.Query(Path(id) + "/events", ("types", types)))
    {
        LastEventId = lastEventId,
        Repeat = Repeat.UnlessBegun,
        IsKeptAlive = true,
        Accept = "text/event-stream",
    };

    public static Call<Readiness> Readiness(string id)
        => new(HttpMethod.Get, Path(id) + "/readiness", static answer => answer.Object(WireJson.Default.Readiness));

    public static Call<SandboxUsage> Usage(string id)
        => new(HttpMethod.Get, Path(id) + "/usage", static answer => answer.Object(WireJson.Default.SandboxUsage));

    public static Call<SandboxArtifacts> Artifacts(string id)
        => new(HttpMethod.Get, Path(id) + "/artifacts", static answer => answer.Object(WireJson.Default.SandboxArtifacts));

    public static Call<SandboxEgress> Egress(string id)
        => new(HttpMethod.Get, Path(id) + "/egress", static answer => answer.Object(WireJson.Default.SandboxEgress));

    public static Call<SandboxEgress> SetEgress(string id, SandboxEgress egress)
    {
        ArgumentNullException.ThrowIfNull(egress);
        return new(HttpMethod.Put, Path(id) + "/egress", static answer => answer.Object(WireJson.Default.SandboxEgress))
        {
            Json = Call.Body(egress, RequestJson.Default.SandboxEgress),
        };
    }

    public static Call<IReadOnlyList<EgressRefusal>> RefusedEgress(string id)
        => new(HttpMethod.Get, Path(id) + "/egress/refused", static answer => answer.Whole(WireJson.Default.EgressRefusals).Data);

    public static Call<SandboxMetrics> Metrics(string id, string? window)
        => new(HttpMethod.Get, Call.Query(Path(id) + "/metrics", ("window", window)), static answer => answer.Object(WireJson.Default.SandboxMetrics));

    public static Call<SandboxLogs> Logs(string id, int lines)
        => new(HttpMethod.Get, Call.Query(Path(id) + "/logs", ("lines", lines.ToString(CultureInfo.InvariantCulture))), static answer => answer.Object(WireJson.Default.SandboxLogs));

    public static Call ReadinessStream(string id) => new(HttpMethod.Get, Path(id) + "/readiness/stream")
    {
        Repeat = Repeat.UnlessBegun,
        IsKeptAlive = true,
        Accept = "text/event-stream",
    };

    public static ExecRequest Command(
        Command command, string? cwd, IReadOnlyDictionary<string, string>? env, TimeSpan? timeout, string? stdin)
    {
        if (timeout is { } limit && limit <= TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(timeout), $"the time limit of a command must be positive, not '{limit}'");
        return new ExecRequest { Command = command, Cwd = cwd, Env = env, TimeoutSec = timeout?.TotalSeconds, Stdin = stdin };
    }

    private static int? WholeSeconds(TimeSpan? time)
    {
        if (time is not { } value)
            return null;
        if (value < TimeSpan.FromSeconds(1) || value.TotalSeconds > int.MaxValue)
            throw new ArgumentOutOfRangeException(nameof(time), $"a time limit has at least one second, not '{value}'");
        return (int)Math.Ceiling(value.TotalSeconds);
    }

    private static SandboxInfo Info(Answer answer) => answer.Object(WireJson.Default.SandboxInfo);
}
