using System.Globalization;
using Miosa.Http;

namespace Miosa;

/// <summary>The calls of the group Computers, as values.</summary>
internal static class ComputerCalls
{
    public static string Path(string id) => Call.Item("/computers", id);

    public static Call<ComputerInfo> Create(CreateComputerRequest request, string? idempotencyKey)
    {
        ArgumentNullException.ThrowIfNull(request);
        return new(HttpMethod.Post, "/computers", Info)
        {
            Json = Call.Body(request, RequestJson.Default.CreateComputerRequest),
            IdempotencyKey = Key(idempotencyKey),
        };
    }

    public static Call<ComputerInfo> Get(string id) => new(HttpMethod.Get, Path(id), Info);

    public static Call<Page<ComputerInfo>> List(ComputerFilter? filter, int page, int perPage)
    {
        var path = Call.Query(
            "/computers",
            ("status", filter?.Status),
            ("name", filter?.Name),
            ("template_type", filter?.TemplateType),
            ("workspace_id", filter?.WorkspaceId),
            ("project_id", filter?.ProjectId),
            ("external_user_id", filter?.ExternalUserId),
            ("external_project_id", filter?.ExternalProjectId),
            ("external_workspace_id", filter?.ExternalWorkspaceId));
        return new(HttpMethod.Get, Call.Paged(path, page, perPage), static answer => answer.Whole(WireJson.Default.PageComputerInfo));
    }

    public static Call<ComputerInfo> Update(string id, UpdateComputerRequest changes)
    {
        ArgumentNullException.ThrowIfNull(changes);
        return new(HttpMethod.Patch, Path(id), Info) { Json = Call.Body(changes, RequestJson.Default.UpdateComputerRequest) };
    }

    public static Call<bool> Delete(string id) => new(HttpMethod.Delete, Path(id), Answer.Nothing);

    public static Call<ComputerInfo> Start(string id) => new(HttpMethod.Post, Path(id) + "/start", Info);

    public static Call<ComputerInfo> Stop(string id) => new(HttpMethod.Post, Path(id) + "/stop", Info);

    /// <summary>A second restart is another restart.</summary>
    public static Call<ComputerInfo> Restart(string id) => new(HttpMethod.Post, Path(id) + "/restart", Info) { Repeat = Repeat.UnlessBegun };

    public static Call<ComputerInfo> Clone(string id, CloneComputerRequest? request, string? idempotencyKey) => new(HttpMethod.Post, Path(id) + "/clone", Info)
    {
        Json = Call.Body(request ?? new(), RequestJson.Default.CloneComputerRequest),
        IdempotencyKey = Key(idempotencyKey),
    };

    public static Call<ComputerInfo> Resize(string id, ResizeComputerRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return new(HttpMethod.Post, Path(id) + "/resize", Info) { Json = Call.Body(request, RequestJson.Default.ResizeComputerRequest) };
    }

    public static Call<ComputerInfo> Move(string id, string region)
    {
        ArgumentException.ThrowIfNullOrEmpty(region);
        return new(HttpMethod.Post, Path(id) + "/move", Info) { Json = Call.Body(new MoveComputerRequest { Region = region }, RequestJson.Default.MoveComputerRequest) };
    }

    public static Call<ComputerVncCredentials> VncCredentials(string id)
        => new(HttpMethod.Get, Path(id) + "/vnc-credentials", static answer => answer.Whole(WireJson.Default.ComputerVncCredentials));

    public static Call<ComputerStreamToken> StreamToken(string id, TimeSpan? expiresIn, bool readOnly)
    {
        if (expiresIn is { } life && (life < TimeSpan.FromSeconds(1) || life > TimeSpan.FromDays(1)))
            throw new ArgumentOutOfRangeException(nameof(expiresIn), $"a stream token lasts 1 s to 24 h, not '{life}'");
        var request = new ComputerStreamTokenRequest { ExpiresIn = expiresIn is { } time ? (int)Math.Ceiling(time.TotalSeconds) : null, ReadOnly = readOnly ? true : null };
        return new(HttpMethod.Post, Path(id) + "/stream-token", static answer => answer.Whole(WireJson.Default.ComputerStreamToken))
        {
            Json = Call.Body(request, RequestJson.Default.ComputerStreamTokenRequest),
        };
    }

    public static Call<ComputerUrls> Urls(string id) => new(HttpMethod.Get, Path(id) + "/urls", static answer => answer.Whole(WireJson.Default.ComputerUrls));

    public static Call<IReadOnlyList<ComputerApp>> Apps(string id) => new(HttpMethod.Get, Path(id) + "/apps", static answer => answer.Whole(WireJson.Default.ComputerAppList).Data);

    public static Call<ComputerAutoStop> AutoStop(string id) => new(HttpMethod.Get, Path(id) + "/auto-stop", static answer => answer.Whole(WireJson.Default.ComputerAutoStop));

    public static Call<ComputerAutoStop> SetAutoStop(string id, int seconds)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(seconds);
        return new(HttpMethod.Patch, Path(id) + "/auto-stop", static answer => answer.Whole(WireJson.Default.ComputerAutoStop))
        {
            Json = Call.Body(new ComputerAutoStopRequest { Seconds = seconds }, RequestJson.Default.ComputerAutoStopRequest),
        };
    }

    public static Call<ComputerAutoStop> SetAutoStop(string id, TimeSpan? after)
    {
        if (after is { } time && (time < TimeSpan.FromSeconds(1) || time.TotalSeconds > int.MaxValue))
            throw new ArgumentOutOfRangeException(nameof(after), $"a computer is idle for at least a second before it is stopped, not '{time}'; null switches it off");
        return SetAutoStop(id, after is { } limit ? (int)Math.Ceiling(limit.TotalSeconds) : 0);
    }

    public static Call<ComputerMetrics> Metrics(string id, string? window)
        => new(HttpMethod.Get, Call.Query(Path(id) + "/metrics", ("window", window)), static answer => answer.Whole(WireJson.Default.ComputerMetrics));

    // Whoever visits the page has the address in it: unasked, the server gives a key that may write one that controls.
    public static Call<ComputerEmbed> Embed(string id) => new(HttpMethod.Get, Path(id) + "/embed?read_only=true", static answer => answer.Whole(WireJson.Default.ComputerEmbed));

    public static Call<ComputerViewerPassword> ViewerPassword(string id)
        => new(HttpMethod.Get, Path(id) + "/viewer-password", static answer => answer.Whole(WireJson.Default.ComputerViewerPassword));

    /// <summary>A second rotation makes another password.</summary>
    public static Call<ComputerViewerPasswordRotation> RotateViewerPassword(string id)
        => new(HttpMethod.Post, Path(id) + "/viewer-password/rotate", static answer => answer.Whole(WireJson.Default.ComputerViewerPasswordRotation)) { Repeat = Repeat.UnlessBegun };

    public static Call<ExecResult> Exec(string id, string command, string? cwd, IReadOnlyDictionary<string, string>? env, TimeSpan? timeout)
        => Waiting(id, "/exec", Call.Body(SandboxCalls.Command(Command.FromShell(command), cwd, env, timeout, stdin: null), RequestJson.Default.ExecRequest));

    public static Call<ExecResult> ExecPython(string id, string code, string? cwd, IReadOnlyDictionary<string, string>? env, TimeSpan? timeout)
    {
        ArgumentException.ThrowIfNullOrEmpty(code);
        if (timeout is { } limit && limit <= TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(timeout), $"the time limit of a program must be positive, not '{limit}'");
        var request = new ExecPythonRequest { Code = code, WorkingDir = cwd, Env = env, TimeoutSec = timeout?.TotalSeconds };
        return Waiting(id, "/exec/python", Call.Body(request, RequestJson.Default.ExecPythonRequest));
    }

    public static Call<ComputerLogs> Logs(string id, int lines, DateTimeOffset? since)
    {
        var path = Call.Query(Path(id) + "/logs", ("lines", lines.ToString(CultureInfo.InvariantCulture)), ("since", Call.Time(since)));
        return new(HttpMethod.Get, path, static answer => answer.Whole(WireJson.Default.ComputerLogs));
    }

    public static Call LogsStream(string id) => new(HttpMethod.Get, Path(id) + "/logs/stream") { Accept = "text/event-stream", IsKeptAlive = true };

    public static Call<ComputerNetworkPolicy> NetworkPolicy(string id)
        => new(HttpMethod.Get, Path(id) + "/network-policy", static answer => answer.Object(WireJson.Default.ComputerNetworkPolicy));

    public static Call<ComputerNetworkPolicy> SetNetworkPolicy(string id, ComputerNetworkPolicyRequest policy)
    {
        ArgumentNullException.ThrowIfNull(policy);
        return new(HttpMethod.Put, Path(id) + "/network-policy", static answer => answer.Object(WireJson.Default.ComputerNetworkPolicy))
        {
            Json = Call.Body(policy, RequestJson.Default.ComputerNetworkPolicyRequest),
        };
    }

    public static Call<bool> ResetNetworkPolicy(string id) => new(HttpMethod.Delete, Path(id) + "/network-policy", Answer.Nothing);

    public static Call<IReadOnlyList<ComputerEnvVar>> Env(string id) => new(HttpMethod.Get, Path(id) + "/env", static answer => answer.Whole(WireJson.Default.ComputerEnvVarList).Data);

    public static Call<ComputerEnvVar> CreateEnv(string id, string name, string value)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(value);
        return new(HttpMethod.Post, Path(id) + "/env", static answer => answer.Whole(WireJson.Default.ComputerEnvVar))
        {
            Json = Call.Body(new ComputerEnvVarRequest { Name = name, Value = value }, RequestJson.Default.ComputerEnvVarRequest),
        };
    }

    public static Call<ComputerEnvVar> UpdateEnv(string id, string name, string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return new(HttpMethod.Patch, Call.Item(Path(id) + "/env", name), static answer => answer.Whole(WireJson.Default.ComputerEnvVar))
        {
            Json = Call.Body(new ComputerEnvVarRequest { Value = value }, RequestJson.Default.ComputerEnvVarRequest),
        };
    }

    public static Call<bool> DeleteEnv(string id, string name) => new(HttpMethod.Delete, Call.Item(Path(id) + "/env", name), Answer.Nothing);

    public static Call<IReadOnlyList<ComputerPort>> Ports(string id) => new(HttpMethod.Get, Path(id) + "/ports", static answer => answer.Whole(WireJson.Default.ComputerPortList).Data);

    public static Call<ComputerPort> CreatePort(string id, int port, string? visibility, string? label)
        => new(HttpMethod.Post, Path(id) + "/ports", static answer => answer.Whole(WireJson.Default.ComputerPort))
        {
            Json = Call.Body(new ComputerPortRequest { Port = port, Visibility = visibility, Label = label }, RequestJson.Default.ComputerPortRequest),
        };

    public static Call<ComputerPort> UpdatePort(string id, int port, string? visibility, string? label)
        => new(HttpMethod.Patch, PortPath(id, port), static answer => answer.Whole(WireJson.Default.ComputerPort))
        {
            Json = Call.Body(new ComputerPortRequest { Visibility = visibility, Label = label }, RequestJson.Default.ComputerPortRequest),
        };

    public static Call<bool> DeletePort(string id, int port) => new(HttpMethod.Delete, PortPath(id, port), Answer.Nothing);

    private static Call<ExecResult> Waiting(string id, string verb, byte[] body)
        => new(HttpMethod.Post, Path(id) + verb, static answer => answer.Object(WireJson.Default.ExecResult))
        {
            Json = body,
            Repeat = Repeat.UnlessBegun,
            IsKeptAlive = true,
        };

    private static string PortPath(string id, int port) => Path(id) + "/ports/" + port.ToString(CultureInfo.InvariantCulture);

    private static string Key(string? idempotencyKey)
    {
        if (idempotencyKey is "" or { Length: > 255 })
            throw new ArgumentException("an idempotency key has 1 to 255 characters", nameof(idempotencyKey));
        // The same over all tries, so that a create whose answer was lost is not done twice.
        return idempotencyKey ?? Guid.NewGuid().ToString();
    }

    private static ComputerInfo Info(Answer answer) => answer.Object(WireJson.Default.ComputerInfo);
}
