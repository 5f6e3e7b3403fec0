using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Server.Lifecycle;
using Miosa.Server.Previews;
using Miosa.Server.Workspaces;

namespace Miosa.Server.Sandboxes;

/// <summary>A machine as the wire tells it.</summary>
internal sealed class SandboxView(Sizes sizes, PreviewView previews, WorkspaceSet workspaces, TimeProvider time)
{
    public SandboxInfo Of(Machine row)
    {
        var now = time.GetUtcNow();
        var state = row.State.Wire();
        var info = previews.UrlInfoOf(row);
        var workspace = workspaces.Find(row.TenantId, row.WorkspaceId);
        return new SandboxInfo
        {
            Id = row.Id,
            Name = row.Name,
            Slug = row.Slug,
            State = state,
            Status = state,
            Ready = IsReady(row),
            TemplateId = row.TemplateId ?? row.Image,
            TemplateType = row.TemplateId ?? row.Image,
            Image = row.TemplateId ?? row.Image,
            ImageId = row.ImageDigest is null ? row.Image : $"{row.Image}@{row.ImageDigest}",
            Size = row.Size,
            ResourceContract = ContractOf(row),
            CpuCount = row.Vcpus,
            Vcpus = row.Vcpus,
            MemoryMb = row.MemoryMb,
            DiskSizeMb = row.DiskMb,
            DiskMb = row.DiskMb,
            TenantId = row.TenantId,
            OwnerId = row.OwnerId,
            WorkspaceId = row.WorkspaceId,
            WorkspaceSlug = workspace?.Slug,
            WorkspaceName = workspace?.Name,
            ProjectId = row.ProjectId,
            ProjectSlug = row.ProjectSlug,
            ProjectName = row.ProjectName,
            ExternalUserId = row.ExternalUserId,
            ExternalProjectId = row.ExternalProjectId,
            ExternalWorkspaceId = row.ExternalWorkspaceId,
            Metadata = row.Metadata == "{}" ? [] : JsonNode.Parse(row.Metadata) as JsonObject ?? [],
            Tags = row.Tags is null ? null : JsonSerializer.Deserialize<string[]>(row.Tags),
            TimeoutSec = row.TimeoutSec,
            TimeoutSeconds = row.TimeoutSec,
            TimeoutRemainingMs = row is { State: MachineState.Running, AlwaysOn: false, DueAt: { } due } ? Math.Max(0, (long)(due - now).TotalMilliseconds) : null,
            IdleTimeoutSec = row.IdleTimeoutSec,
            AlwaysOn = row.AlwaysOn,
            Persistent = row.Persistent,
            Isolation = IsolationFields.NameOf(row.Isolation),
            Region = row.Region,
            Entrypoint = row.Entrypoint,
            PreviewUrl = info?.Url,
            UrlInfo = info,
            UrlClass = info?.UrlClass,
            StableForEmbedding = info?.StableForEmbedding,
            RecommendedNextAction = info?.RecommendedNextAction,
            PreviewDomain = previews.DomainOf(row),
            BootPath = row.BootPath,
            BootMs = row.BootMs,
            ExitCode = row.ExitCode,
            TotalRuntimeSec = row.RanSec + (row.RunningSince is { } since ? (int)(now - since).TotalSeconds : 0),
            Error = row.Error,
            CreatedAt = row.CreatedAt,
            InsertedAt = row.CreatedAt,
            UpdatedAt = row.UpdatedAt,
            StartedAt = row.StartedAt,
            ReadyAt = row.ReadyAt,
            LastActivityAt = row.LastActivityAt,
            DestroyedAt = row.DestroyedAt,
        };
    }

    public static bool IsReady(Machine row) => row is { State: MachineState.Running, ReadyAt: not null };

    public static Readiness ReadinessOf(Machine row) => new()
    {
        Ready = IsReady(row),
        Status = row.State switch
        {
            MachineState.Error => "error",
            MachineState.Destroyed => "destroyed",
            _ => IsReady(row) ? "ready" : "pending",
        },
        State = row.State.Wire(),
        ReadyAt = row.ReadyAt,
        Reason = row.State switch
        {
            MachineState.Error or MachineState.Destroyed => row.Error ?? row.State.Wire(),
            MachineState.Paused => "paused",
            MachineState.Running when row.ReadyAt is null => "the readiness probe did not pass yet",
            _ => null,
        },
    };

    private ResourceContract? ContractOf(Machine row) => row.Size is { } name && sizes.Find(name) is { } shape
        ? new ResourceContract { Id = $"sandbox/{name}@v1", Size = name, Vcpus = shape.Vcpus, MemoryMb = shape.MemoryMb, DiskSizeMb = shape.DiskMb }
        : null;
}
