using System.Text.Json.Nodes;
using Miosa.Server.Lifecycle;
using Miosa.Server.Previews;
using Miosa.Server.Viewer;
using Miosa.Server.Workspaces;

namespace Miosa.Server.Computers;

/// <summary>A computer as the wire tells it.</summary>
internal sealed class ComputerView(PreviewView previews, WorkspaceSet workspaces, ViewerAddress viewers)
{
    /// <summary>The clients know no other: a word of the server's own would make a whole list fail.</summary>
    private static readonly string[] KnownSizes = ["xs", "small", "medium", "large", "xl"];

    public ComputerInfo Of(Machine row)
    {
        var status = row.State.Wire(row.Kind);
        var url = previews.UrlInfoOf(row)?.Url;
        var viewer = ViewerOf(row);
        var workspace = workspaces.Find(row.TenantId, row.WorkspaceId);
        var template = row.TemplateId ?? row.Image;
        return new ComputerInfo
        {
            Id = row.Id,
            Name = row.Name ?? row.Slug,
            Slug = row.Slug,
            Status = status,
            State = status,
            Visibility = row.Visibility ?? ComputerVisibility.Public,
            TemplateType = template,
            TemplateId = template,
            Size = row.Size is { } size && KnownSizes.Contains(size) ? size : null,
            Vcpus = row.Vcpus,
            CpuCount = row.Vcpus,
            MemoryMb = row.MemoryMb,
            DiskSizeMb = row.DiskMb,
            TenantId = row.TenantId,
            OwnerId = row.OwnerId,
            WorkspaceId = row.WorkspaceId,
            WorkspaceSlug = workspace?.Slug,
            WorkspaceName = workspace?.Name,
            ProjectId = row.ProjectId,
            ExternalWorkspaceId = row.ExternalWorkspaceId,
            ExternalUserId = row.ExternalUserId,
            ExternalProjectId = row.ExternalProjectId,
            AgentSessionId = row.AgentSessionId,
            Region = row.Region,
            PreviewDomain = previews.DomainOf(row),
            SandboxUrl = url,
            PublicUrl = url,
            DesktopUrl = viewer,
            VncUrl = viewer,
            ScreenWidth = row.ScreenWidth,
            ScreenHeight = row.ScreenHeight,
            SelectedApps = AppCatalog.Read(row.SelectedApps),
            AutoStopSeconds = row.IdleTimeoutSec,
            Metadata = row.Metadata == "{}" ? [] : JsonNode.Parse(row.Metadata) as JsonObject ?? [],
            Error = row.Error ?? row.DesktopError,
            BootMs = row.BootMs,
            CreatedAt = row.CreatedAt,
            UpdatedAt = row.UpdatedAt,
            StartedAt = row.StartedAt,
            LastActivityAt = row.LastActivityAt,
        };
    }

    /// <summary>The page that shows the desktop; null for a computer without one.</summary>
    public string? ViewerOf(Machine row) => viewers.PageOf(row);
}
