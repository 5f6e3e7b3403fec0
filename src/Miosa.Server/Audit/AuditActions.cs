using System.Collections.Frozen;
using System.IO.Enumeration;
using Miosa.Server.Host;

namespace Miosa.Server.Audit;

/// <summary>When the entry of a call is written.</summary>
internal enum AuditWrite
{
    /// <summary>Before its answer goes out: it changes what the platform keeps.</summary>
    BeforeAnswer,

    /// <summary>Within a tenth of a second after: it only reaches into a machine, and must not wait for the database.</summary>
    Behind,
}

/// <summary>What a route does, in the words of the audit log; stands among the metadata of its endpoint.</summary>
/// <param name="Name">Such as <c>sandbox.create</c>; the first word is the kind of the object.</param>
/// <param name="Event">The same in the past tense.</param>
internal sealed record AuditAction(string Name, string Event, AuditWrite Write)
{
    public string Resource { get; } = Name[..Name.IndexOf('.', StringComparison.Ordinal)];
}

/// <summary>
/// The one table of what is written into the audit log. A route that changes something and has no line here stops the server at its start, so
/// none can be forgotten: every method but GET, and every GET that needs more than a scope for reading.
/// </summary>
internal static class AuditActions
{
    private const string Sandbox = "/sandboxes/{sandbox_id}";
    private const string Computer = "/computers/{computer_id}";
    private const string Desktop = Computer + "/desktop";

    public static IReadOnlyList<(AuditAction Action, string[] Routes)> Table { get; } =
    [
        Changes("sandbox.create", "sandbox.created", "POST /sandboxes"),
        Changes("sandbox.update", "sandbox.updated", $"PATCH {Sandbox}", $"PUT {Sandbox}", $"PATCH {Sandbox}/tags", $"PUT {Sandbox}/tags"),
        Changes("sandbox.extend", "sandbox.extended", $"POST {Sandbox}/extend"),
        Changes("sandbox.fork", "sandbox.forked", $"POST {Sandbox}/fork"),
        Changes("sandbox.destroy", "sandbox.destroyed", $"DELETE {Sandbox}"),
        Changes("sandbox.pause", "sandbox.paused", $"POST {Sandbox}/pause"),
        Changes("sandbox.resume", "sandbox.resumed", $"POST {Sandbox}/resume"),
        Changes("sandbox.stop", "sandbox.stopped", $"POST {Sandbox}/stop"),
        Changes("sandbox.env.set", "sandbox.env.set", $"PUT {Sandbox}/env", $"POST {Sandbox}/env", $"PATCH {Sandbox}/env", $"PUT {Sandbox}/env/{{key}}"),
        Changes("sandbox.env.delete", "sandbox.env.deleted", $"DELETE {Sandbox}/env/{{key}}"),
        Changes("sandbox.egress.set", "sandbox.egress.set", $"PUT {Sandbox}/egress"),
        Changes("sandbox.snapshot.create", "sandbox.snapshot.created", $"POST {Sandbox}/snapshots", $"POST {Sandbox}/snapshot"),
        Changes("sandbox.snapshot.delete", "sandbox.snapshot.deleted", $"DELETE {Sandbox}/snapshots/{{snapshot_id}}"),
        Changes("snapshot.delete", "snapshot.deleted", "DELETE /snapshots/{snapshot_id}"),
        Changes("sandbox.restore", "sandbox.restored", $"POST {Sandbox}/restore/{{snapshot_id}}", $"POST {Sandbox}/snapshots/{{snapshot_id}}/restore"),
        Changes("sandbox.preview_token.create", "sandbox.preview_token.created", $"POST {Sandbox}/preview-token", $"POST {Sandbox}/preview_token"),
        Changes("sandbox.preview.publish", "sandbox.preview.published", $"POST {Sandbox}/previews", $"POST {Sandbox}/expose"),
        Changes("sandbox.preview.delete", "sandbox.preview.deleted", $"DELETE {Sandbox}/previews/{{preview_id}}"),
        Changes("sandbox.preview.share", "sandbox.preview.shared", $"POST {Sandbox}/previews/{{preview_id}}/share"),
        Changes("sandbox.preview.unshare", "sandbox.preview.unshared", $"DELETE {Sandbox}/previews/{{preview_id}}/share"),
        Changes("sandbox.share.create", "sandbox.share.created", $"POST {Sandbox}/shares"),
        Changes("sandbox.share.revoke", "sandbox.share.revoked", $"DELETE {Sandbox}/shares/{{share_id}}"),
        Changes("sandbox_template.create", "sandbox_template.created", "POST /sandbox-templates"),
        Changes("sandbox_template.delete", "sandbox_template.deleted", "DELETE /sandbox-templates/{template_id}"),
        Changes("sandbox_template.build", "sandbox_template.built", "POST /sandbox-templates/{template_id}/builds"),

        Reaches("sandbox.exec", "sandbox.executed", $"POST {Sandbox}/exec", $"POST {Sandbox}/exec/stream", $"GET {Sandbox}/exec/stream",
            $"GET {Sandbox}/exec/ws", $"GET {Sandbox}/exec/spawn"),
        Reaches("sandbox.process.start", "sandbox.process.started", $"POST {Sandbox}/processes"),
        Reaches("sandbox.process.input", "sandbox.process.input", $"POST {Sandbox}/processes/{{pid}}/stdin"),
        Reaches("sandbox.process.signal", "sandbox.process.signaled", $"POST {Sandbox}/processes/{{pid}}/signal"),
        Reaches("sandbox.process.stop", "sandbox.process.stopped", $"DELETE {Sandbox}/processes/{{pid}}", $"POST {Sandbox}/processes/{{pid}}/stop"),
        Reaches("sandbox.terminal.open", "sandbox.terminal.opened", $"POST {Sandbox}/terminal"),
        Reaches("sandbox.terminal.attach", "sandbox.terminal.attached", $"GET {Sandbox}/terminal/{{session_id}}/ws"),
        Reaches("sandbox.terminal.resize", "sandbox.terminal.resized", $"POST {Sandbox}/terminal/{{session_id}}/resize", $"POST {Sandbox}/exec/resize"),
        Reaches("sandbox.terminal.close", "sandbox.terminal.closed", $"DELETE {Sandbox}/terminal/{{session_id}}"),
        Reaches("sandbox.template.start", "sandbox.template.started", $"POST {Sandbox}/template/start"),
        Reaches("sandbox.file.write", "sandbox.file.written", $"POST {Sandbox}/files", $"POST {Sandbox}/files/write", $"POST {Sandbox}/fs/write", $"PUT {Sandbox}/files",
            $"PUT {Sandbox}/files/{{**file_path}}", $"POST {Sandbox}/files/upload", $"POST {Sandbox}/files/write-many", $"POST {Sandbox}/files/batch"),
        Reaches("sandbox.file.delete", "sandbox.file.deleted", $"DELETE {Sandbox}/files", $"POST {Sandbox}/files/delete", $"DELETE {Sandbox}/files/{{**file_path}}"),
        Reaches("sandbox.file.mkdir", "sandbox.file.mkdir", $"POST {Sandbox}/files/mkdir", $"POST {Sandbox}/fs/mkdir"),
        Reaches("sandbox.file.move", "sandbox.file.moved", $"POST {Sandbox}/files/rename", $"POST {Sandbox}/files/move"),
        Reaches("sandbox.file.copy", "sandbox.file.copied", $"POST {Sandbox}/files/copy"),
        Reaches("sandbox.file.chmod", "sandbox.file.chmod", $"POST {Sandbox}/files/chmod"),
        Reaches("sandbox.export.create", "sandbox.export.created", $"POST {Sandbox}/files/export", $"POST {Sandbox}/exports"),

        Changes("computer.create", "computer.created", "POST /computers"),
        Changes("computer.update", "computer.updated", $"PATCH {Computer}", $"PUT {Computer}", $"POST {Computer}"),
        Changes("computer.delete", "computer.deleted", $"DELETE {Computer}"),
        Changes("computer.start", "computer.started", $"POST {Computer}/start"),
        Changes("computer.stop", "computer.stopped", $"POST {Computer}/stop"),
        Changes("computer.restart", "computer.restarted", $"POST {Computer}/restart"),
        Changes("computer.clone", "computer.cloned", $"POST {Computer}/clone"),
        Changes("computer.resize", "computer.resized", $"POST {Computer}/resize", $"PATCH {Computer}/resize"),
        Changes("computer.move", "computer.moved", $"POST {Computer}/move"),
        Changes("computer.auto_stop.set", "computer.auto_stop.set", $"PATCH {Computer}/auto-stop", $"PUT {Computer}/auto-stop"),
        Changes("computer.env.set", "computer.env.set", $"POST {Computer}/env", $"PATCH {Computer}/env/{{name}}", $"PUT {Computer}/env/{{name}}"),
        Changes("computer.env.delete", "computer.env.deleted", $"DELETE {Computer}/env/{{name}}"),
        Changes("computer.port.expose", "computer.port.exposed", $"POST {Computer}/ports", $"PATCH {Computer}/ports/{{port}}", $"PUT {Computer}/ports/{{port}}"),
        Changes("computer.snapshot.create", "computer.snapshot.created", $"POST {Computer}/snapshots", $"POST {Computer}/checkpoints"),
        Changes("computer.snapshot.delete", "computer.snapshot.deleted", $"DELETE {Computer}/snapshots/{{snapshot_id}}", $"DELETE {Computer}/checkpoints/{{snapshot_id}}"),
        // The way back is a GET for the client that wants to see it happen.
        Changes("computer.snapshot.restore", "computer.snapshot.restored", $"POST {Computer}/restore/{{snapshot_id}}", $"POST {Computer}/checkpoints/{{snapshot_id}}/restore",
            $"GET {Computer}/checkpoints/{{snapshot_id}}/restore/stream", "POST /snapshots/{snapshot_id}/restore"),
        Changes("computer.service.create", "computer.service.created", $"POST {Computer}/services"),
        Changes("computer.service.delete", "computer.service.deleted", $"DELETE {Computer}/services/{{service_id}}"),
        Changes("computer.service.start", "computer.service.started", $"POST {Computer}/services/{{service_id}}/start"),
        Changes("computer.service.stop", "computer.service.stopped", $"POST {Computer}/services/{{service_id}}/stop"),
        Changes("computer.service.restart", "computer.service.restarted", $"POST {Computer}/services/{{service_id}}/restart"),
        Changes("computer.network_policy.set", "computer.network_policy.set", $"PUT {Computer}/network-policy"),
        Changes("computer.network_policy.reset", "computer.network_policy.reset", $"DELETE {Computer}/network-policy"),
        Reaches("computer.exec", "computer.executed", $"POST {Computer}/exec", $"POST {Computer}/exec/python", $"GET {Computer}/exec/ws", $"GET {Computer}/exec/spawn",
            $"GET {Computer}/exec/stream"),
        Reaches("computer.tunnel.open", "computer.tunnel.opened", $"GET {Computer}/tunnel/{{port}}"),
        Reaches("computer.terminal.open", "computer.terminal.opened", $"POST {Computer}/terminal"),
        Reaches("computer.terminal.attach", "computer.terminal.attached", $"GET {Computer}/pty/{{session_id}}"),
        Reaches("computer.terminal.resize", "computer.terminal.resized", $"POST {Computer}/pty/{{session_id}}/resize", $"POST {Computer}/terminal/{{session_id}}/resize"),
        Reaches("computer.file.write", "computer.file.written", $"POST {Computer}/files/write", $"POST {Computer}/files/upload"),
        Reaches("computer.file.delete", "computer.file.deleted", $"DELETE {Computer}/files"),
        Reaches("computer.file.mkdir", "computer.file.mkdir", $"POST {Computer}/files/mkdir"),
        Reaches("computer.file.move", "computer.file.moved", $"POST {Computer}/files/rename", $"POST {Computer}/files/move"),
        Reaches("computer.file.copy", "computer.file.copied", $"POST {Computer}/files/copy"),
        Reaches("computer.file.chmod", "computer.file.chmod", $"POST {Computer}/files/chmod"),
        Reaches("computer.export.create", "computer.export.created", $"POST {Computer}/files/export"),
        Changes("computer.port.close", "computer.port.closed", $"DELETE {Computer}/ports/{{port}}"),

        Reaches("computer.desktop.input", "computer.desktop.used", "click", "double-click", "double_click", "right-click", "move", "mouse-down", "mouse-up", "drag", "scroll", "type", "key",
            "key-down", "key-up", "hotkey").Under($"POST {Desktop}/"),
        Reaches("computer.desktop.clipboard.set", "computer.desktop.clipboard.set", $"POST {Desktop}/clipboard", $"PUT {Desktop}/clipboard"),
        Reaches("computer.desktop.wallpaper.set", "computer.desktop.wallpaper.set", $"POST {Desktop}/wallpaper", $"PUT {Desktop}/wallpaper"),
        Reaches("computer.desktop.window.change", "computer.desktop.window.changed", "focus", "{window_id}/focus", "{window_id}/maximize", "{window_id}/minimize", "{window_id}/close", "{window_id}/move",
            "{window_id}/resize").Under($"POST {Desktop}/window/"),
        Reaches("computer.desktop.launch", "computer.desktop.launched", $"POST {Desktop}/launch"),
        Changes("computer.stream_token.create", "computer.stream_token.created", $"POST {Computer}/stream-token", $"GET {Computer}/vnc-credentials", $"GET {Computer}/embed",
            $"GET {Desktop}/vnc", $"POST {Desktop}/vnc"),
        Changes("computer.viewer_password.rotate", "computer.viewer_password.rotated", $"POST {Computer}/viewer-password/rotate"),
        Reaches("computer.viewer.open", "computer.viewer.opened", $"GET {Desktop}/vnc/ws"),

        Changes("api_key.create", "api_key.created", "POST /api-keys", "POST /api-keys/scoped", "POST /admin/tenants/{tenant_id}/keys"),
        Changes("api_key.revoke", "api_key.revoked", "DELETE /api-keys/{key_id}", "POST /api-keys/{key_id}/revoke", "DELETE /admin/tenants/{tenant_id}/keys/{key_id}"),
        Changes("scoped_token.create", "scoped_token.created", "POST /tokens/scoped"),
        Changes("tenant.create", "tenant.created", "POST /admin/tenants"),
        Changes("tenant.delete", "tenant.deleted", "DELETE /admin/tenants/{tenant_id}"),
        Changes("workspace.create", "workspace.created", "POST /workspaces"),
        Changes("workspace.update", "workspace.updated", "PATCH /workspaces/{workspace_id}", "PUT /workspaces/{workspace_id}/settings"),
        Changes("workspace.delete", "workspace.deleted", "DELETE /workspaces/{workspace_id}"),
        Changes("webhook.create", "webhook.created", "POST /webhooks"),
        Changes("webhook.update", "webhook.updated", "PATCH /webhooks/{webhook_id}"),
        Changes("webhook.delete", "webhook.deleted", "DELETE /webhooks/{webhook_id}"),
        Changes("webhook.rotate_secret", "webhook.secret_rotated", "POST /webhooks/{webhook_id}/rotate-secret"),
        Changes("webhook.test", "webhook.tested", "POST /webhooks/{webhook_id}/test"),
        Changes("webhook.redeliver", "webhook.redelivered", "POST /webhooks/{webhook_id}/deliveries/{delivery_id}/replay"),
        Changes("quota.set", "quota.set", "PUT /quotas/external/{**external_user_id}", "PUT /quotas/default"),
        Changes("quota.delete", "quota.deleted", "DELETE /quotas/external/{**external_user_id}", "DELETE /quotas/default"),
        // On the command line alone.
        Changes("credits.grant", "credits.granted"),
        Changes("credits.adjust", "credits.adjusted"),
        Changes("settings.update", "settings.updated", "PUT /settings", "PATCH /settings"),
        Changes("provider_key.set", "provider_key.set", "PUT /settings/provider-keys/{provider}"),
        Changes("provider_key.delete", "provider_key.deleted", "DELETE /settings/provider-keys/{provider}"),
        Changes("tenant.branding.set", "tenant.branding.set", "PUT /tenant/branding", "PUT /settings/branding"),
        Changes("tenant.branding.delete", "tenant.branding.deleted", "DELETE /tenant/branding"),
        Changes("tenant.policy.set", "tenant.policy.set", "PUT /tenant/policy"),
        Changes("tenant.policy.delete", "tenant.policy.deleted", "DELETE /tenant/policy"),
        Changes("tenant.preview_domain.set", "tenant.preview_domain.set", "PUT /tenant/preview-domain"),
        Changes("tenant.preview_domain.verify", "tenant.preview_domain.verified", "POST /tenant/preview-domain/verify"),
        Changes("tenant.preview_domain.delete", "tenant.preview_domain.deleted", "DELETE /tenant/preview-domain"),
        Reaches("completion.create", "completion.created", "POST /intelligence/completions", "POST /intelligence/chat/completions", "GET /intelligence/completions",
            "GET /intelligence/chat/completions", "POST /v1/completions", "POST /v1/chat/completions"),
        Reaches("embedding.create", "embedding.created", "POST /intelligence/embeddings", "POST /v1/embeddings"),
        // On the command line alone.
        Changes("model_key.set", "model_key.set"),
        Changes("model_key.delete", "model_key.deleted"),
        Reaches("events.ticket.create", "events.ticket.created", "POST /auth/sse-ticket"),
    ];

    /// <summary>They only ask, with a body.</summary>
    private static readonly FrozenSet<string> Questions = ((string[])[$"POST {Sandbox}/files/stat", $"POST {Computer}/files/stat", "POST /sandbox-templates/validate",
        $"POST {Desktop}/screenshot/region", $"POST {Computer}/screenshot-region", $"POST {Desktop}/wait"]).ToFrozenSet();

    private static readonly FrozenDictionary<string, AuditAction> ByRoute =
        Table.SelectMany(line => line.Routes.Select(route => KeyValuePair.Create(route, line.Action))).ToFrozenDictionary();

    private static readonly FrozenDictionary<string, AuditAction> ByName = Table.ToFrozenDictionary(line => line.Action.Name, line => line.Action);

    /// <summary>Gives every route that changes something its line of the table.</summary>
    public static TBuilder WithAuditActions<TBuilder>(this TBuilder routes)
        where TBuilder : IEndpointConventionBuilder
    {
        routes.Finally(endpoint =>
        {
            if (endpoint is not RouteEndpointBuilder { RoutePattern.RawText: { } raw } || endpoint.Metadata.OfType<HttpMethodMetadata>().LastOrDefault() is not { } methods)
                return;
            var pattern = raw.StartsWith(Host.Routes.Base, StringComparison.Ordinal) ? raw[Host.Routes.Base.Length..] : raw;
            foreach (var method in methods.HttpMethods)
            {
                var route = $"{method} {pattern}";
                if (ByRoute.TryGetValue(route, out var action))
                    endpoint.Metadata.Add(action);
                else if (!Questions.Contains(route) && IsChange(method, endpoint.Metadata.OfType<RouteAccess>().LastOrDefault()))
                    throw new InvalidOperationException($"route \"{route}\" changes something and has no line in {nameof(AuditActions)}");
            }
        });
        return routes;
    }

    /// <summary>The past tense of an action; of one that this version does not know, its own name.</summary>
    public static string EventOf(string action) => ByName.GetValueOrDefault(action)?.Event ?? action;

    /// <summary>The actions that a filter means, which may be in either tense and end in a star.</summary>
    public static IReadOnlyList<string> Matching(string filter) =>
    [
        .. Table.Select(line => line.Action)
            .Where(a => FileSystemName.MatchesSimpleExpression(filter, a.Name, ignoreCase: false) || FileSystemName.MatchesSimpleExpression(filter, a.Event, ignoreCase: false))
            .Select(a => a.Name),
    ];

    private static bool IsChange(string method, RouteAccess? access) => method is not ("GET" or "HEAD")
        || access?.Scope is { Length: > 0 } scope && (scope.EndsWith(":write", StringComparison.Ordinal) || scope is Scopes.SandboxesCreate or Scopes.SandboxesExec);

    /// <summary>Routes that differ in their end alone.</summary>
    private static (AuditAction Action, string[] Routes) Under(this (AuditAction Action, string[] Routes) line, string start) => (line.Action, [.. line.Routes.Select(end => start + end)]);

    private static (AuditAction Action, string[] Routes) Changes(string action, string past, params string[] routes) =>
        (new AuditAction(action, past, AuditWrite.BeforeAnswer), routes);

    private static (AuditAction Action, string[] Routes) Reaches(string action, string past, params string[] routes) =>
        (new AuditAction(action, past, AuditWrite.Behind), routes);
}
