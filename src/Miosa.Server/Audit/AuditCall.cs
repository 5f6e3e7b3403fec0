using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Audit;

/// <summary>
/// The entry of one call while it runs: who, what and about what are told as they become known, and it is written exactly once. For calls that
/// change what the platform keeps that is before the first byte of the answer; a call whose answer nobody waits for any more is written at its end.
/// Without a tenant (no key, or one that never was) there is nowhere to write it.
/// </summary>
internal sealed class AuditCall(HttpContext context, AuditAction action, AuditLog log, MachineDirectory machines, TimeProvider time)
{
    private const int MaxUserAgent = 255;
    private const int MaxId = 255;
    private const int SecretLength = 40;
    private const int ShownOfSecret = 12;

    /// <summary>How secrets begin; somebody may send one where an id belongs.</summary>
    private static readonly string[] SecretStarts = ["msk_", "mp_", "ms_", "miosa_pv_", "mst_", "whsec_", "sset_", "eyJ"];

    private Caller? caller;
    private string? keyName;
    private Machine? machine;
    private int? status;
    private string? code;
    private string? madeId;
    private int isWritten;

    public static IApplicationBuilder Use(IApplicationBuilder app)
    {
        var (log, machines, time) = (app.ApplicationServices.GetRequiredService<AuditLog>(), app.ApplicationServices.GetRequiredService<MachineDirectory>(), app.ApplicationServices.GetRequiredService<TimeProvider>());
        return app.Use((context, next) =>
        {
            if (context.GetEndpoint()?.Metadata.GetMetadata<AuditAction>() is { } action)
            {
                var call = new AuditCall(context, action, log, machines, time);
                context.Features.Set(call);
                context.Response.OnStarting(call.WriteOnceAsync);
                context.Response.OnCompleted(call.WriteOnceAsync);
            }
            return next(context);
        });
    }

    /// <summary>Who calls, also when he may not. Before the call does anything: a machine that it destroys is still known.</summary>
    public void By(Caller who, string name)
    {
        (caller, keyName) = (who, name);
        if (context.Request.RouteValues[MachinePaths.ComputerId] is string computer)
            machine = machines.Find(who.TenantId, computer, MachineKind.Computer)?.Row;
        else if (context.Request.RouteValues[MachinePaths.SandboxId] is string sandbox)
            machine = machines.Find(who.TenantId, sandbox)?.Row;
    }

    public void Refused(Refusal refusal) => (status, code) = (refusal.Status, refusal.Code);

    /// <summary>The answer, as soon as there is one: it names what was made, and is the truth even when nobody is there to read it.</summary>
    public void Answered(int answer, ReadOnlySpan<byte> json)
    {
        status = answer;
        if (answer == StatusCodes.Status201Created)
            madeId ??= IdOf(json);
    }

    private Task WriteOnceAsync()
    {
        if (caller is null || Interlocked.Exchange(ref isWritten, 1) != 0)
            return Task.CompletedTask;
        var row = Row(caller);
        return action.Write == AuditWrite.BeforeAnswer ? log.WriteAsync(row) : log.WriteBehindAsync(row).AsTask();
    }

    private AuditRow Row(Caller who)
    {
        var metadata = new JsonObject();
        var named = NamedId(metadata);
        var made = madeId is null || madeId == named ? null : madeId;
        if (named is not null && made is not null)
            metadata["created_id"] = made;
        var about = machine ?? (made is null ? null : machines.Find(made)?.Row);
        var request = context.Request;
        var agent = request.Headers.UserAgent.ToString();
        return new AuditRow
        {
            Id = Ids.New("aud"),
            TenantId = who.TenantId.Length == 0 ? AuditLog.Platform : who.TenantId,
            Action = action.Name,
            ActorType = who.TokenId is null ? "api_key" : "scoped_token",
            ActorId = who.KeyId,
            ActorName = keyName,
            TokenId = who.TokenId,
            Resource = action.Resource,
            ResourceId = machine?.Id ?? named ?? made,
            WorkspaceId = about?.WorkspaceId ?? who.BoundWorkspaceId,
            ExternalUserId = about?.ExternalUserId ?? who.BoundExternalUserId,
            ExternalWorkspaceId = about?.ExternalWorkspaceId,
            ExternalProjectId = about?.ExternalProjectId,
            Status = status ?? context.Response.StatusCode,
            Code = code,
            Metadata = metadata.ToJsonString(),
            Ip = (context.Connection.RemoteIpAddress is { IsIPv4MappedToIPv6: true } mapped ? mapped.MapToIPv4() : context.Connection.RemoteIpAddress)?.ToString(),
            UserAgent = agent.Length == 0 ? null : agent.Length <= MaxUserAgent ? agent : agent[..MaxUserAgent],
            RequestId = context.RequestId(),
            At = time.GetUtcNow(),
        };
    }

    /// <summary>The object is the first that the path names; the others go to the metadata. Paths of files are nobody's business.</summary>
    private string? NamedId(JsonObject metadata)
    {
        string? first = null;
        foreach (var parameter in (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.Parameters ?? [])
        {
            if (parameter.Name == "file_path" || context.Request.RouteValues[parameter.Name] is not string { Length: > 0 } value)
                continue;
            if (parameter.Name == "tenant_id" && action.Resource != "tenant")
                continue;
            if (first is null)
                first = Shown(value);
            else
                metadata[parameter.Name] = Shown(value);
        }
        return first;
    }

    private static string Shown(string id)
    {
        if (id.Length >= SecretLength && Array.Exists(SecretStarts, start => id.StartsWith(start, StringComparison.Ordinal)))
            return id[..ShownOfSecret] + "…";
        return id.Length <= MaxId ? id : id[..MaxId] + "…";
    }

    private static string? IdOf(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName || reader.CurrentDepth != 1)
                continue;
            var isId = reader.ValueTextEquals("id"u8);
            reader.Read();
            if (isId)
                return reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
            reader.Skip();
        }
        return null;
    }
}
