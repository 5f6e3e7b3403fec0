using Miosa.Server.Host;
using Miosa.Server.Keys;
using Miosa.Server.Workspaces;

namespace Miosa.Server.Models;

/// <summary>For whom a model is called, and so whose usage it is.</summary>
internal sealed record Attribution(string TenantId)
{
    private static readonly string[] Names = ["external_user_id", "external_project_id", "external_workspace_id", "workspace_id"];

    public string? ExternalUserId { get; init; }
    public string? ExternalProjectId { get; init; }
    public string? ExternalWorkspaceId { get; init; }
    public string? WorkspaceId { get; init; }

    /// <summary>
    /// Takes the platform's own fields out of the body: they are nothing for a provider. OpenAI's <c>user</c>, which is, names the user where no other
    /// field does.
    /// </summary>
    public static Attribution Take(Fields fields, Caller caller, WorkspaceSet workspaces)
    {
        UserBound.Apply(fields, caller);
        var read = new Attribution(caller.TenantId)
        {
            ExternalUserId = fields.ExternalId("external_user_id") ?? fields.ExternalId("user"),
            ExternalProjectId = fields.ExternalId("external_project_id"),
            ExternalWorkspaceId = fields.ExternalId("external_workspace_id"),
            WorkspaceId = workspaces.Named(fields, caller.TenantId)?.Id,
        };
        foreach (var name in Names)
            fields.Body.Remove(name);
        return read;
    }
}
