using System.Text;

namespace Miosa.Server.Tests;

/// <summary>
/// One recipe for each route of the server. A GET needs none of its own when its path is all it takes; "~" stands for a path that is not under the base.
/// </summary>
internal static class AccessRecipes
{
    private const string Sandbox = "/sandboxes/{sandbox_id}";
    private const string Computer = "/computers/{computer_id}";
    private const string Desktop = Computer + "/desktop";
    private const string Window = Desktop + "/window/{window_id}";
    private const string Completion = """{"model":"m","messages":[{"role":"user","content":"hi"}]}""";
    private const string Embedding = """{"model":"miosa-embed-small","input":"hi"}""";
    private const string File = """{"path":"/workspace/a.txt"}""";

    public static Dictionary<string, Recipe> All { get; } = new()
    {
        ["POST /sandboxes"] = Recipe.Json("""{"memory_mb":256}""", 201),
        [$"PATCH {Sandbox}"] = Recipe.Json("""{"metadata":{}}"""),
        [$"PUT {Sandbox}"] = Recipe.Json("""{"metadata":{}}"""),
        [$"PATCH {Sandbox}/tags"] = Recipe.Json("""{"tags":["a"]}"""),
        [$"PUT {Sandbox}/tags"] = Recipe.Json("""{"tags":["a"]}"""),
        [$"POST {Sandbox}/extend"] = Recipe.Json("{}"),
        [$"POST {Sandbox}/fork"] = Recipe.Json("{}", 201),
        [$"DELETE {Sandbox}"] = new() { Prepare = NewSandbox },
        [$"POST {Sandbox}/pause"] = new() { Prepare = NewSandbox },
        [$"POST {Sandbox}/resume"] = new() { Prepare = NewSandbox },
        [$"POST {Sandbox}/stop"] = new() { Prepare = NewSandbox },
        // It was not made of a template with a start command.
        [$"POST {Sandbox}/template/start"] = Recipe.Json("{}", 422),

        [$"POST {Sandbox}/exec"] = Recipe.Json("""{"command":"true"}"""),
        [$"POST {Sandbox}/exec/stream"] = Recipe.Json("""{"command":"true"}"""),
        [$"GET {Sandbox}/exec/stream"] = new() { Query = "?command=true" },
        [$"GET {Sandbox}/exec/ws"] = new(101) { Query = "?command=true", IsSocket = true },
        [$"GET {Sandbox}/exec/spawn"] = new(101) { Query = "?command=true", IsSocket = true },
        [$"GET {Computer}/exec/ws"] = new(101) { Query = "?command=true", IsSocket = true },
        [$"GET {Computer}/exec/spawn"] = new(101) { Query = "?command=true", IsSocket = true },
        [$"GET {Computer}/exec/stream"] = new(101) { Query = "?command=true", IsSocket = true },
        [$"POST {Sandbox}/exec/resize"] = new() { Prepare = NewTerminal, Content = values => Text($$"""{"session_id":"{{values["session_id"]}}","cols":80,"rows":24}""") },
        [$"POST {Sandbox}/terminal"] = Recipe.Json("{}", 201),
        [$"GET {Sandbox}/terminal/{{session_id}}/ws"] = new(101) { IsSocket = true },
        [$"POST {Sandbox}/terminal/{{session_id}}/resize"] = Recipe.Json("""{"cols":80,"rows":24}"""),
        [$"DELETE {Sandbox}/terminal/{{session_id}}"] = new() { Prepare = NewTerminal },
        [$"POST {Sandbox}/processes"] = Recipe.Json("""{"command":"true"}""", 201),
        [$"POST {Sandbox}/processes/{{pid}}/stdin"] = Recipe.Json("""{"data":"x"}"""),
        [$"POST {Sandbox}/processes/{{pid}}/signal"] = Recipe.Json("""{"signal":"SIGCONT"}"""),
        [$"POST {Sandbox}/processes/{{pid}}/stop"] = new() { Prepare = NewProcess },
        [$"DELETE {Sandbox}/processes/{{pid}}"] = new() { Prepare = NewProcess },

        [$"POST {Sandbox}/files"] = Written(),
        [$"POST {Sandbox}/files/write"] = Written(),
        [$"POST {Sandbox}/fs/write"] = Written(),
        [$"PUT {Sandbox}/files"] = Written(),
        [$"PUT {Sandbox}/files/{{**file_path}}"] = new() { Content = _ => new ByteArrayContent("hi"u8.ToArray()) },
        [$"POST {Sandbox}/files/upload"] = new(201) { Content = _ => new MultipartFormDataContent { { new StringContent("/workspace/up.txt"), "path" }, { new ByteArrayContent("hi"u8.ToArray()), "file", "up.txt" } } },
        [$"POST {Sandbox}/files/write-many"] = Recipe.Json("""{"files":[{"path":"/workspace/b.txt","content":"aGk="}]}"""),
        [$"POST {Sandbox}/files/batch"] = Recipe.Json("""{"files":[{"path":"/workspace/b.txt","content":"aGk="}]}"""),
        [$"POST {Sandbox}/files/mkdir"] = Recipe.Json("""{"path":"/workspace/d1"}"""),
        [$"POST {Sandbox}/fs/mkdir"] = Recipe.Json("""{"path":"/workspace/d2"}"""),
        [$"POST {Sandbox}/files/copy"] = Recipe.Json("""{"from":"/workspace/a.txt","to":"/workspace/c.txt"}"""),
        [$"POST {Sandbox}/files/rename"] = new() { Prepare = NewFile, Content = _ => Text("""{"from":"/workspace/new.txt","to":"/workspace/r.txt"}""") },
        [$"POST {Sandbox}/files/move"] = new() { Prepare = NewFile, Content = _ => Text("""{"from":"/workspace/new.txt","to":"/workspace/m.txt"}""") },
        [$"POST {Sandbox}/files/chmod"] = Recipe.Json("""{"path":"/workspace/a.txt","mode":"0644"}"""),
        [$"POST {Sandbox}/files/stat"] = Recipe.Json(File),
        [$"POST {Sandbox}/files/delete"] = new() { Prepare = NewFile, Content = _ => Text("""{"path":"/workspace/new.txt"}""") },
        [$"DELETE {Sandbox}/files"] = new() { Prepare = NewFile, Query = "?path=/workspace/new.txt" },
        [$"DELETE {Sandbox}/files/{{**file_path}}"] = new() { Prepare = NewFile },
        [$"GET {Sandbox}/files/stat"] = new() { Query = "?path=/workspace/a.txt" },
        [$"GET {Sandbox}/files/read"] = new() { Query = "?path=/workspace/a.txt" },
        [$"GET {Sandbox}/files/download"] = new() { Query = "?path=/workspace/a.txt" },
        [$"GET {Sandbox}/fs/read"] = new() { Query = "?path=/workspace/a.txt" },
        [$"POST {Sandbox}/files/export"] = Recipe.Json(File),
        // Open for links, which tests of exports try; without one it asks for the key itself.
        [$"GET {Sandbox}/exports/download"] = new() { Query = "?path=/workspace/a.txt", AsksForScope = Scopes.SandboxesRead },
        [$"POST {Sandbox}/exports"] = Recipe.Json("""{"paths":["/workspace/a.txt"]}""", 201),

        [$"PUT {Sandbox}/env"] = Recipe.Json("""{"vars":[{"key":"B","value":"c"}]}"""),
        [$"POST {Sandbox}/env"] = Recipe.Json("""{"vars":[{"key":"B","value":"c"}]}"""),
        [$"PATCH {Sandbox}/env"] = Recipe.Json("""{"vars":[{"key":"B","value":"c"}]}"""),
        [$"PUT {Sandbox}/env/{{key}}"] = Recipe.Json("""{"value":"c"}"""),
        [$"DELETE {Sandbox}/env/{{key}}"] = new(),
        [$"PUT {Sandbox}/egress"] = Recipe.Json("""{"mode":"open"}"""),
        [$"POST {Sandbox}/snapshots"] = Recipe.Json("{}", 201),
        [$"POST {Sandbox}/snapshot"] = Recipe.Json("{}"),
        [$"POST {Sandbox}/restore/{{snapshot_id}}"] = Recipe.Json("{}"),
        [$"POST {Sandbox}/snapshots/{{snapshot_id}}/restore"] = Recipe.Json("{}"),
        [$"DELETE {Sandbox}/snapshots/{{snapshot_id}}"] = new() { Prepare = NewSnapshot },
        ["DELETE /snapshots/{snapshot_id}"] = new() { Prepare = NewSnapshot },

        [$"POST {Sandbox}/preview-token"] = Recipe.Json("{}"),
        [$"POST {Sandbox}/preview_token"] = Recipe.Json("{}"),
        [$"POST {Sandbox}/expose"] = Recipe.Json("""{"port":3001}"""),
        [$"POST {Sandbox}/previews"] = Recipe.Json("""{"port":3002}""", 201),
        [$"DELETE {Sandbox}/previews/{{preview_id}}"] = new() { Prepare = async world => new() { ["preview_id"] = await world.NewAsync("previews", """{"port":3003}""", "id") } },
        [$"POST {Sandbox}/previews/{{preview_id}}/share"] = Recipe.Json("{}"),
        [$"DELETE {Sandbox}/previews/{{preview_id}}/share"] = new(),
        [$"POST {Sandbox}/shares"] = Recipe.Json("{}", 201),
        [$"DELETE {Sandbox}/shares/{{share_id}}"] = new() { Prepare = async world => new() { ["share_id"] = await world.NewAsync("shares", "{}", "share_id") } },

        [$"POST {Computer}/exec"] = Recipe.Json("""{"command":"true"}"""),
        [$"POST {Computer}/exec/python"] = Recipe.Json("""{"code":"1"}"""),
        [$"GET {Computer}/tunnel/{{port}}"] = new(409) { IsSocket = true, Prepare = _ => Task.FromResult(new Dictionary<string, string> { ["port"] = "9" }) },
        [$"POST {Computer}/terminal"] = Recipe.Json("{}", 201),
        [$"GET {Computer}/pty/{{session_id}}"] = new(101) { IsSocket = true, Prepare = NewTerminalOfComputer },
        [$"POST {Computer}/pty/{{session_id}}/resize"] = Sized(),
        [$"POST {Computer}/terminal/{{session_id}}/resize"] = Sized(),
        [$"POST {Computer}/files/write"] = Recipe.Json("""{"path":"/root/a.txt","content":"hi"}"""),
        [$"POST {Computer}/files/upload"] = new(201) { Content = _ => new MultipartFormDataContent { { new StringContent("/root/up.txt"), "path" }, { new ByteArrayContent("hi"u8.ToArray()), "file", "up.txt" } } },
        [$"DELETE {Computer}/files"] = new() { Prepare = NewFileOfComputer, Query = "?path=/root/new.txt" },
        [$"POST {Computer}/files/mkdir"] = Recipe.Json("""{"path":"/root/d1"}"""),
        [$"POST {Computer}/files/rename"] = new() { Prepare = NewFileOfComputer, Content = _ => Text("""{"from":"/root/new.txt","to":"/root/r.txt"}""") },
        [$"POST {Computer}/files/move"] = new() { Prepare = NewFileOfComputer, Content = _ => Text("""{"from":"/root/new.txt","to":"/root/m.txt"}""") },
        [$"POST {Computer}/files/copy"] = new() { Prepare = NewFileOfComputer, Content = _ => Text("""{"from":"/root/new.txt","to":"/root/c.txt"}""") },
        [$"POST {Computer}/files/chmod"] = new() { Prepare = NewFileOfComputer, Content = _ => Text("""{"path":"/root/new.txt","mode":"0600"}""") },
        [$"POST {Computer}/files/stat"] = new() { Prepare = NewFileOfComputer, Content = _ => Text("""{"path":"/root/new.txt"}""") },
        [$"POST {Computer}/files/export"] = new() { Prepare = NewFileOfComputer, Content = _ => Text("""{"path":"/root/new.txt"}""") },
        [$"GET {Computer}/files"] = new() { Query = "?path=/root" },
        [$"GET {Computer}/files/list"] = new() { Query = "?path=/root" },
        [$"GET {Computer}/files/readdir"] = new() { Query = "?path=/root" },
        [$"GET {Computer}/files/stat"] = new() { Prepare = NewFileOfComputer, Query = "?path=/root/new.txt" },
        [$"GET {Computer}/files/download"] = new() { Prepare = NewFileOfComputer, Query = "?path=/root/new.txt" },
        [$"GET {Computer}/exports/download"] = new() { Prepare = NewFileOfComputer, Query = "?path=/root/new.txt", AsksForScope = Scopes.ComputersRead },
        [$"POST {Computer}/snapshots"] = Recipe.Json("{}", 201),
        [$"POST {Computer}/checkpoints"] = Recipe.Json("{}", 201),
        [$"GET {Computer}/snapshots/{{snapshot_id}}"] = new() { Prepare = NewCheckpoint },
        [$"GET {Computer}/checkpoints/{{snapshot_id}}"] = new() { Prepare = NewCheckpoint },
        [$"GET {Computer}/snapshots/{{snapshot_id}}/events"] = new() { Prepare = NewCheckpoint },
        [$"DELETE {Computer}/snapshots/{{snapshot_id}}"] = new() { Prepare = NewCheckpoint },
        [$"DELETE {Computer}/checkpoints/{{snapshot_id}}"] = new() { Prepare = NewCheckpoint },
        [$"POST {Computer}/restore/{{snapshot_id}}"] = new(201) { Prepare = NewCheckpoint },
        ["POST /snapshots/{snapshot_id}/restore"] = new(201) { Prepare = NewCheckpoint },
        [$"POST {Computer}/checkpoints/{{snapshot_id}}/restore"] = new(202) { Prepare = NewCheckpointOfAnother },
        [$"GET {Computer}/checkpoints/{{snapshot_id}}/restore/stream"] = new() { Prepare = NewCheckpointOfAnother },
        [$"POST {Computer}/services"] = new(201) { Content = _ => Text($$"""{"name":"m-{{Guid.NewGuid():N}}","command":"sleep 1000"}""") },
        [$"GET {Computer}/services/{{service_id}}"] = new() { Prepare = NewService },
        [$"GET {Computer}/services/{{service_id}}/logs"] = new() { Prepare = NewService },
        [$"DELETE {Computer}/services/{{service_id}}"] = new() { Prepare = NewService },
        [$"POST {Computer}/services/{{service_id}}/start"] = new() { Prepare = NewService },
        [$"POST {Computer}/services/{{service_id}}/stop"] = new() { Prepare = NewService },
        [$"POST {Computer}/services/{{service_id}}/restart"] = new() { Prepare = NewService },
        [$"PUT {Computer}/network-policy"] = Recipe.Json("""{"rules":[]}"""),
        [$"DELETE {Computer}/network-policy"] = new(),
        ["POST /computers"] = Recipe.Json("""{"template_type":"miosa-busybox","vcpus":1,"memory_mb":256}""", 201),
        [$"PATCH {Computer}"] = Recipe.Json("""{"metadata":{}}"""),
        [$"PUT {Computer}"] = Recipe.Json("""{"metadata":{}}"""),
        [$"POST {Computer}"] = Recipe.Json("""{"visibility":"tenant"}"""),
        [$"DELETE {Computer}"] = new() { Prepare = NewComputer },
        [$"POST {Computer}/start"] = new(),
        [$"POST {Computer}/stop"] = new() { Prepare = NewComputer },
        [$"POST {Computer}/restart"] = new() { Prepare = NewComputer },
        [$"POST {Computer}/clone"] = Recipe.Json("{}", 201),
        [$"POST {Computer}/resize"] = Recipe.Json("""{"vcpus":1}"""),
        [$"PATCH {Computer}/resize"] = Recipe.Json("""{"vcpus":1}"""),
        [$"POST {Computer}/move"] = Recipe.Json("""{"region":"local"}"""),
        [$"PATCH {Computer}/auto-stop"] = Recipe.Json("""{"seconds":3600}"""),
        [$"PUT {Computer}/auto-stop"] = Recipe.Json("""{"seconds":3600}"""),
        [$"POST {Computer}/env"] = Recipe.Json("""{"name":"D","value":"e"}""", 201),
        [$"PATCH {Computer}/env/{{name}}"] = new() { Prepare = NewVariable, Content = _ => Text("""{"value":"e"}""") },
        [$"PUT {Computer}/env/{{name}}"] = new() { Prepare = NewVariable, Content = _ => Text("""{"value":"e"}""") },
        [$"DELETE {Computer}/env/{{name}}"] = new() { Prepare = NewVariable },
        [$"POST {Computer}/ports"] = Recipe.Json("""{"port":3001}""", 201),
        [$"PATCH {Computer}/ports/{{port}}"] = Recipe.Json("""{"visibility":"private"}"""),
        [$"PUT {Computer}/ports/{{port}}"] = Recipe.Json("""{"visibility":"private"}"""),
        [$"DELETE {Computer}/ports/{{port}}"] = new() { Prepare = NewPort },

        // The computer here has no desktop: who may is looked at first. What they do is tried where there is one (DesktopTests, ViewerTests).
        [$"GET {Desktop}/screenshot"] = new(409),
        [$"GET {Desktop}/screenshot/region"] = new(409) { Query = "?x=0&y=0&width=1&height=1" },
        [$"GET {Computer}/screenshot"] = new(409) { Query = "?x=0&y=0&width=1&height=1" },
        [$"POST {Desktop}/screenshot/region"] = Recipe.Json("""{"x":0,"y":0,"width":1,"height":1}""", 409),
        [$"POST {Computer}/screenshot-region"] = Recipe.Json("""{"x":0,"y":0,"width":1,"height":1}""", 409),
        [$"POST {Desktop}/click"] = Recipe.Json(Point, 409),
        [$"POST {Desktop}/double-click"] = Recipe.Json(Point, 409),
        [$"POST {Desktop}/double_click"] = Recipe.Json(Point, 409),
        [$"POST {Desktop}/right-click"] = Recipe.Json(Point, 409),
        [$"POST {Desktop}/move"] = Recipe.Json(Point, 409),
        [$"POST {Desktop}/mouse-down"] = Recipe.Json(Point, 409),
        [$"POST {Desktop}/mouse-up"] = Recipe.Json(Point, 409),
        [$"POST {Desktop}/drag"] = Recipe.Json("""{"start_x":1,"start_y":1,"end_x":2,"end_y":2}""", 409),
        [$"POST {Desktop}/scroll"] = Recipe.Json("{}", 409),
        [$"GET {Desktop}/cursor"] = new(409),
        [$"POST {Desktop}/type"] = Recipe.Json("""{"text":"a"}""", 409),
        [$"POST {Desktop}/key"] = Recipe.Json("""{"key":"a"}""", 409),
        [$"POST {Desktop}/key-down"] = Recipe.Json("""{"key":"a"}""", 409),
        [$"POST {Desktop}/key-up"] = Recipe.Json("""{"key":"a"}""", 409),
        [$"POST {Desktop}/hotkey"] = Recipe.Json("""{"keys":["ctrl","a"]}""", 409),
        [$"GET {Desktop}/clipboard"] = new(409),
        [$"POST {Desktop}/clipboard"] = Recipe.Json("""{"text":"a"}""", 409),
        [$"PUT {Desktop}/clipboard"] = Recipe.Json("""{"text":"a"}""", 409),
        [$"POST {Desktop}/wallpaper"] = Recipe.Json("""{"path":"/a.png"}""", 409),
        [$"PUT {Desktop}/wallpaper"] = Recipe.Json("""{"path":"/a.png"}""", 409),
        [$"GET {Desktop}/accessibility-tree"] = new(409),
        [$"GET {Desktop}/screen-size"] = new(409),
        [$"GET {Desktop}/environment"] = new(409),
        [$"GET {Desktop}/windows"] = new(409),
        [$"GET {Window}/size"] = new(409) { Prepare = AnyWindow },
        [$"GET {Window}/position"] = new(409) { Prepare = AnyWindow },
        [$"POST {Desktop}/window/focus"] = Recipe.Json("""{"window_id":"41943047"}""", 409),
        [$"POST {Window}/focus"] = new(409) { Prepare = AnyWindow },
        [$"POST {Window}/maximize"] = new(409) { Prepare = AnyWindow },
        [$"POST {Window}/minimize"] = new(409) { Prepare = AnyWindow },
        [$"POST {Window}/close"] = new(409) { Prepare = AnyWindow },
        [$"POST {Window}/move"] = Recipe.Json(Point, 409) with { Prepare = AnyWindow },
        [$"POST {Window}/resize"] = Recipe.Json("""{"width":10,"height":10}""", 409) with { Prepare = AnyWindow },
        [$"POST {Desktop}/launch"] = Recipe.Json("""{"app":"xterm"}""", 409),
        [$"POST {Desktop}/wait"] = Recipe.Json("""{"seconds":0}"""),
        [$"GET {Computer}/vnc-credentials"] = new(409),
        [$"POST {Computer}/stream-token"] = Recipe.Json("{}", 409),
        [$"GET {Computer}/embed"] = new(409),
        [$"GET {Computer}/viewer-password"] = new(),
        [$"POST {Computer}/viewer-password/rotate"] = new(),
        // Open for tokens and for the viewer password, which ViewerTests try; without one they ask for the key themselves.
        [$"GET {Desktop}/vnc"] = new(409) { AsksForScope = Scopes.ComputersRead },
        [$"GET {Desktop}/vnc/ws"] = new(409) { AsksForScope = Scopes.ComputersRead, IsSocket = true },
        [$"POST {Desktop}/vnc"] = Recipe.Json("{}", 401),

        // A recipe of nothing: who may is looked at first.
        ["POST /sandbox-templates"] = Recipe.Json("{}", 422),
        ["POST /sandbox-templates/validate"] = Recipe.Json("""{"build_spec":{"from":"miosa-busybox","steps":[{"run":"true"}]}}"""),
        ["POST /sandbox-templates/{template_id}/builds"] = Recipe.Json("{}", 202),
        ["DELETE /sandbox-templates/{template_id}"] = new() { Prepare = async world => new() { ["template_id"] = (await world.Own.BuiltAsync($$$"""{"name":"m-{{{Guid.NewGuid():N}}}","build_spec":{"from":"miosa-busybox","steps":[{"run":"true"}]}}""")).Text("id") } },

        ["POST /api-keys"] = Recipe.Json("""{"name":"m"}""", 201),
        ["POST /api-keys/scoped"] = Recipe.Json("""{"external_user_id":"alice","scopes":["sandboxes:read"]}""", 201),
        ["DELETE /api-keys/{key_id}"] = new(204) { Prepare = NewKey },
        ["POST /api-keys/{key_id}/revoke"] = new(204) { Prepare = NewKey },
        ["POST /tokens/scoped"] = Recipe.Json("""{"user_id":"alice"}""", 422),
        ["POST /admin/tenants"] = new(201) { Content = _ => Text($$"""{"name":"m-{{Guid.NewGuid():N}}"}""") },
        ["DELETE /admin/tenants/{tenant_id}"] = new(204) { Prepare = async world => new() { ["tenant_id"] = (await world.Administrator.PostAsync("admin/tenants", $$"""{"name":"m-{{Guid.NewGuid():N}}"}""")).Expect(201).Text("id") } },
        ["POST /admin/tenants/{tenant_id}/keys"] = Recipe.Json("""{"name":"m"}""", 201),
        ["DELETE /admin/tenants/{tenant_id}/keys/{key_id}"] = new(204) { Prepare = NewKey },

        ["POST /webhooks"] = Recipe.Json($$"""{"url":"{{AccessWorld.Nowhere}}"}""", 201),
        ["PATCH /webhooks/{webhook_id}"] = Recipe.Json("""{"name":"m"}"""),
        ["DELETE /webhooks/{webhook_id}"] = new(204) { Prepare = async world => new() { ["webhook_id"] = await world.NewWebhookAsync() } },
        ["POST /webhooks/{webhook_id}/test"] = Recipe.Json("{}"),
        ["POST /webhooks/{webhook_id}/rotate-secret"] = Recipe.Json("{}"),
        ["POST /webhooks/{webhook_id}/deliveries/{delivery_id}/replay"] = Recipe.Json("{}", 202),
        ["POST /auth/sse-ticket"] = Recipe.Json("{}", 201),

        ["POST /workspaces"] = Recipe.Json("""{"name":"m"}""", 201),
        ["PATCH /workspaces/{workspace_id}"] = Recipe.Json("""{"description":"m"}"""),
        ["PUT /workspaces/{workspace_id}/settings"] = Recipe.Json("""{"note":"m"}"""),
        ["DELETE /workspaces/{workspace_id}"] = new(204) { Prepare = async world => new() { ["workspace_id"] = await world.NewWorkspaceAsync() } },
        ["GET /quotas/external/{**external_user_id}"] = new() { IsForAnyTenant = true },
        ["PUT /quotas/external/{**external_user_id}"] = Recipe.Json("""{"max_sandboxes":100}""") with { IsForAnyTenant = true },
        ["DELETE /quotas/external/{**external_user_id}"] = new(204) { IsForAnyTenant = true },
        ["PUT /quotas/default"] = Recipe.Json("""{"max_sandboxes":100}"""),
        ["DELETE /quotas/default"] = new(204),

        ["PUT /tenant/branding"] = Recipe.Json("""{"product_name":"m"}"""),
        ["PUT /settings/branding"] = Recipe.Json("""{"product_name":"m"}"""),
        ["DELETE /tenant/branding"] = new(204),
        ["PUT /tenant/policy"] = Recipe.Json("{}"),
        ["DELETE /tenant/policy"] = new(204),
        ["PUT /tenant/preview-domain"] = Recipe.Json("""{"domain":"m.example.com"}"""),
        ["DELETE /tenant/preview-domain"] = new(204),
        // Of the domain that was just set; that it is proven is tried with a name server (PreviewDomainTests).
        ["POST /tenant/preview-domain/verify"] = Recipe.Json("{}"),
        ["PUT /settings"] = Recipe.Json("{}"),
        ["PATCH /settings"] = Recipe.Json("{}"),
        ["PUT /settings/provider-keys/{provider}"] = Recipe.Json("""{"key":"m-secret"}""") with { IsForAnyTenant = true },
        ["DELETE /settings/provider-keys/{provider}"] = new(204) { Prepare = async world => { (await world.Own.PutAsync("settings/provider-keys/own", """{"key":"m-secret"}""")).Expect(200); return new() { ["provider"] = "own" }; } },
        // The server of the tests has no provider: who may ask hears that.
        ["POST /intelligence/completions"] = Recipe.Json(Completion, 503),
        ["POST /intelligence/chat/completions"] = Recipe.Json(Completion, 503),
        ["GET /intelligence/completions"] = Recipe.Json(Completion, 503),
        ["GET /intelligence/chat/completions"] = Recipe.Json(Completion, 503),
        ["POST /intelligence/embeddings"] = Recipe.Json(Embedding),
        ["GET /intelligence/models/{**model_id}"] = new() { IsForAnyTenant = true },
        ["POST ~/v1/completions"] = Recipe.Json(Completion, 503),
        ["POST ~/v1/chat/completions"] = Recipe.Json(Completion, 503),
        ["POST ~/v1/embeddings"] = Recipe.Json(Embedding),
        ["GET ~/v1/models/{**model_id}"] = new() { IsForAnyTenant = true },
        ["GET /regions/{region_slug}"] = new() { IsForAnyTenant = true },
        ["GET /compute/regions/{region_slug}"] = new() { IsForAnyTenant = true },
    };

    /// <summary>GETs that are not streams of something else, and whose path is all they take.</summary>
    public static Recipe? For(RouteLine route) => All.GetValueOrDefault(route.Name) ?? (route.Method == "GET" && PlainGets.Contains(route.Pattern) ? new Recipe() : null);

    private static readonly HashSet<string> PlainGets =
    [
        "~/viewer/novnc.js", "~/health", "~/healthz", "~/readyz", "~/version", "~/openapi.json", "/health", "/version",
        "/sandboxes", "/sandboxes/by-name/{name}", Sandbox, $"{Sandbox}/events", $"{Sandbox}/readiness", $"{Sandbox}/readiness/stream", $"{Sandbox}/usage", $"{Sandbox}/metrics",
        $"{Sandbox}/artifacts", $"{Sandbox}/logs", $"{Sandbox}/logs/stream", $"{Sandbox}/env", $"{Sandbox}/egress", $"{Sandbox}/egress/refused", $"{Sandbox}/snapshots",
        $"{Sandbox}/terminal", $"{Sandbox}/processes", $"{Sandbox}/processes/{{pid}}", $"{Sandbox}/processes/{{pid}}/logs", $"{Sandbox}/processes/{{pid}}/stream",
        $"{Sandbox}/files", $"{Sandbox}/files/list", $"{Sandbox}/files/readdir", $"{Sandbox}/fs", $"{Sandbox}/files/tree", $"{Sandbox}/files/watch", $"{Sandbox}/files/{{**file_path}}",
        $"{Sandbox}/previews", $"{Sandbox}/previews/{{preview_id}}", $"{Sandbox}/shares", "/snapshots/{snapshot_id}",
        $"{Computer}/logs", $"{Computer}/logs/stream", $"{Computer}/events", $"{Computer}/snapshots", $"{Computer}/checkpoints", $"{Computer}/services", $"{Computer}/network-policy",
        "/computers", Computer, $"{Computer}/urls", $"{Computer}/apps", $"{Computer}/auto-stop", $"{Computer}/metrics", $"{Computer}/env", $"{Computer}/ports",
        "/sandbox-templates", "/sandbox-templates/build-spec", "/sandbox-templates/{template_id}", "/sandbox-templates/{template_id}/builds", "/templates",
        "/sandbox-template-builds/{build_id}", "/sandbox-template-builds/{build_id}/logs/stream",
        "/api-keys", "/api-keys/{key_id}", "/audit-log", "/audit-log/export", "/admin/tenants", "/admin/tenants/{tenant_id}", "/admin/tenants/{tenant_id}/keys", "/admin/audit-log",
        "/webhooks", "/webhooks/events", "/webhooks/{webhook_id}", "/webhooks/{webhook_id}/deliveries", "/events/stream", "/tenant/events/stream",
        "/workspaces", "/workspaces/{workspace_id}", "/workspaces/{workspace_id}/sandboxes", "/workspaces/{workspace_id}/computers", "/workspaces/{workspace_id}/stats",
        "/workspaces/{workspace_id}/usage", "/quotas/default", "/usage", "/usage/summary", "/usage/credits", "/usage/compute", "/usage/sessions",
        "/credits/balance", "/credits/transactions", "/credits/usage", "/analytics/computers", "/analytics/usage", "/analytics/overview", "/analytics/timeseries",
        "/dashboard", "/overview", "/tenant/plan", "/tenant/branding", "/tenant/policy", "/tenant/preview-domain", "/settings", "/settings/available-models", "/settings/branding",
        "/settings/provider-keys", "/settings/regions", "/settings/compute-pricing", "/settings/gpu-pricing",
        "/intelligence/models", "~/v1/models",
        "/regions", "/compute/regions", "/compute/sizes", "/compute/catalog", "/compute/pricing", "/compute/templates", "/compute/templates/{template_id}",
    ];

    private static Recipe Written() => Recipe.Json("""{"path":"/workspace/w.txt","content":"aGk="}""");

    private const string Point = """{"x":1,"y":1}""";

    private static Task<Dictionary<string, string>> AnyWindow(AccessWorld world) => Task.FromResult(new Dictionary<string, string> { ["window_id"] = "41943047" });

    private static StringContent Text(string json) => new(json, Encoding.UTF8, "application/json");

    private static async Task<Dictionary<string, string>> NewSandbox(AccessWorld world) => new() { ["sandbox_id"] = await world.NewSandboxAsync() };

    private static Recipe Sized() => Recipe.Json("""{"cols":80,"rows":24}""") with { Prepare = NewTerminalOfComputer };

    private static async Task<string> MadeAsync(AccessWorld world, string computer, string path, string body, string field) =>
        (await world.Own.PostAsync($"computers/{computer}/{path}", body)).Expect(201).Text(field);

    private static async Task<Dictionary<string, string>> NewTerminalOfComputer(AccessWorld world) =>
        new() { ["session_id"] = await MadeAsync(world, world.Values["computer_id"], "terminal", "{}", "session_id") };

    private static async Task<Dictionary<string, string>> NewCheckpoint(AccessWorld world) =>
        new() { ["snapshot_id"] = await MadeAsync(world, world.Values["computer_id"], "snapshots", "{}", "id") };

    private static async Task<Dictionary<string, string>> NewCheckpointOfAnother(AccessWorld world)
    {
        // It is stopped on the way, and the others want theirs running.
        var computer = await world.NewComputerAsync();
        return new() { ["computer_id"] = computer, ["snapshot_id"] = await MadeAsync(world, computer, "snapshots", "{}", "id") };
    }

    private static async Task<Dictionary<string, string>> NewService(AccessWorld world) =>
        new() { ["service_id"] = await MadeAsync(world, world.Values["computer_id"], "services", $$"""{"name":"m-{{Guid.NewGuid():N}}","command":"sleep 1000"}""", "id") };

    private static async Task<Dictionary<string, string>> NewFileOfComputer(AccessWorld world)
    {
        (await world.Own.PostAsync($"computers/{world.Values["computer_id"]}/files/write", """{"path":"/root/new.txt","content":"hi"}""")).Expect(200);
        return [];
    }

    private static async Task<Dictionary<string, string>> NewComputer(AccessWorld world) => new() { ["computer_id"] = await world.NewComputerAsync() };

    private static async Task<Dictionary<string, string>> NewPort(AccessWorld world)
    {
        (await world.Own.PostAsync($"computers/{world.Values["computer_id"]}/ports", """{"port":3003}""")).Expect(201);
        return new() { ["port"] = "3003" };
    }

    private static async Task<Dictionary<string, string>> NewVariable(AccessWorld world)
    {
        var name = "M_" + Guid.NewGuid().ToString("N");
        (await world.Own.PostAsync($"computers/{world.Values["computer_id"]}/env", $$"""{"name":"{{name}}","value":"e"}""")).Expect(201);
        return new() { ["name"] = name };
    }

    private static async Task<Dictionary<string, string>> NewTerminal(AccessWorld world) => new() { ["session_id"] = await world.NewTerminalAsync() };

    private static async Task<Dictionary<string, string>> NewProcess(AccessWorld world) => new() { ["pid"] = await world.NewProcessAsync() };

    private static async Task<Dictionary<string, string>> NewKey(AccessWorld world) => new() { ["key_id"] = await world.NewKeyAsync() };

    private static async Task<Dictionary<string, string>> NewSnapshot(AccessWorld world) => new() { ["snapshot_id"] = await world.NewAsync("snapshots", "{}", "id") };

    private static async Task<Dictionary<string, string>> NewFile(AccessWorld world)
    {
        await world.Own.RunAsync(world.Values["sandbox_id"], "echo hi > /workspace/new.txt");
        return new() { ["file_path"] = "workspace/new.txt" };
    }
}
