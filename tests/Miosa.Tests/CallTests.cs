using System.Reflection;
using System.Text;
using System.Text.Json.Nodes;

namespace Miosa.Tests;

/// <summary>Every call of the SDK: what it sends, and that it reads the answer, blocking and awaiting.</summary>
public sealed partial class CallTests
{
    private const string Ok = """{"ok":true,"success":true}""";
    private const string Exec = """{"stdout":"2\n","stderr":"","exit_code":3,"exitCode":3,"duration_ms":12,"output":"2\n","success":false}""";
    private const string Written = """{"path":"/a","size":3,"size_bytes":3,"ok":true,"success":true}""";
    private const string ExecEvents = "event: stdout\ndata: {\"type\":\"stdout\",\"line\":\"hi\",\"data\":\"hi\\n\"}\n\nevent: exit\ndata: {\"type\":\"exit\",\"exit_code\":0}\n\n";

    /// <summary>A call by its public name, what it must send, what is answered, and what must come out.</summary>
    private sealed record Case(
        string Name, string Request, string? Body, string Answer, object? Expected, Func<Sandbox, MiosaClient, object?> Blocking,
        Func<Sandbox, MiosaClient, Task<object?>> Awaiting, string ContentType = "application/json");

    private const string Usage = """{"sandbox_id":"sbx_1","state":"running","runtime_sec":7,"provisioned_vcpu_ms":1,"creation_count":1,"measurement_status":{},"estimated_cost_cents":0,"timeout_sec":60}""";
    private const string Watched = "event: ended\ndata: {\"type\":\"ended\",\"event\":\"ended\",\"path\":\"/w\",\"is_dir\":true,\"ts\":\"2026-05-26T10:14:23.000Z\"}\n\n";

    private const string Template = """{"id":"tpl_1","name":"n","slug":"n","status":"ready","created_at":"2026-05-26T10:14:23Z","updated_at":"2026-05-26T10:14:23Z"}""";
    private const string Build = """{"id":"bld_1","template_id":"tpl_1","sandbox_template_id":"tpl_1","status":"queued","state":"queued","created_at":"2026-05-26T10:14:23Z"}""";
    private const string BuildLog = "id: 9\nevent: log\ndata: {\"type\":\"log\",\"stream\":\"stdout\",\"line\":\"hi\"}\n\nid: 9.end\nevent: build.completed\ndata: {\"type\":\"build.completed\"}\n\n";

    private static readonly CreateSandboxTemplateRequest Recipe = new()
    {
        Name = "n",
        BuildSpec = new() { From = "miosa-sandbox", Vcpu = 1, MemoryMib = 256, Steps = [new JsonObject { ["run"] = "true" }] },
    };

    private static readonly Dictionary<string, string> Env = new() { ["A"] = "1" };

    private static readonly Case[] Cases =
    [
        new("Sandboxes.Create", "POST /sandboxes",
            """{"template_id":"miosa-sandbox","name":"n","slug":"s","cpu_count":1,"memory_mb":512,"timeout_sec":300,"always_on":false,"metadata":{"env":"x"},"external_user_id":"u","external_project_id":"p","external_workspace_id":"w"}""",
            Wire.Sandbox, "sbx_1",
            (_, c) => c.Sandboxes.Create("miosa-sandbox", "n", "s", "u", "p", "w", new JsonObject { ["env"] = "x" }, 300, false, 1, 512).Id,
            async (_, c) => (await c.Sandboxes.CreateAsync("miosa-sandbox", "n", "s", "u", "p", "w", new JsonObject { ["env"] = "x" }, 300, false, 1, 512)).Id),
        new("Sandboxes.Create request", "POST /sandboxes", """{"size":"small","persistent":true,"tags":["a"],"github_repo_url":"r"}""", Wire.Plain, "running",
            (_, c) => c.Sandboxes.Create(new CreateSandboxRequest { Size = "small", Persistent = true, Tags = ["a"], GithubRepoUrl = "r" }).State,
            async (_, c) => (await c.Sandboxes.CreateAsync(new CreateSandboxRequest { Size = "small", Persistent = true, Tags = ["a"], GithubRepoUrl = "r" })).State),
        new("Sandboxes.Get", "GET /sandboxes/sbx_1", "", Wire.Sandbox, "n", (_, c) => c.Sandboxes.Get("sbx_1").Name, async (_, c) => (await c.Sandboxes.GetAsync("sbx_1")).Name),
        new("Sandboxes.Get escaped", "GET /sandboxes/a%2Fb%3Fc", "", Wire.Sandbox, "s", (_, c) => c.Sandboxes.Get("a/b?c").Slug, async (_, c) => (await c.Sandboxes.GetAsync("a/b?c")).Slug),
        new("Sandboxes.Get data only", "GET /sandboxes/x", "", $$"""{"data":{{Wire.Plain}}}""", "sbx_1", (_, c) => c.Sandboxes.Get("x").Id, async (_, c) => (await c.Sandboxes.GetAsync("x")).Id),
        new("Sandboxes.GetByName", "GET /sandboxes/by-name/my%20build", "", Wire.Sandbox, "sbx_1",
            (_, c) => c.Sandboxes.GetByName("my build").Id, async (_, c) => (await c.Sandboxes.GetByNameAsync("my build")).Id),
        new("Sandboxes.GetOrCreate", "GET /sandboxes/by-name/n", "", Wire.Sandbox, "sbx_1",
            (_, c) => c.Sandboxes.GetOrCreate("n").Id, async (_, c) => (await c.Sandboxes.GetOrCreateAsync("n")).Id),
        new("Sandboxes.List", "GET /sandboxes?state=running&name=x&tags=a%2Cb&external_user_id=u&page=2&per_page=50", "", List(false), 1,
            (_, c) => c.Sandboxes.List(new() { State = "running", Name = "x", Tags = ["a", "b"], ExternalUserId = "u" }, 2, 50).Data.Count,
            async (_, c) => (await c.Sandboxes.ListAsync(new() { State = "running", Name = "x", Tags = ["a", "b"], ExternalUserId = "u" }, 2, 50)).Data.Count),
        new("Sandboxes.ListAll", "GET /sandboxes?page=1&per_page=100", "", List(false), "sbx_1",
            (_, c) => c.Sandboxes.ListAll().Single().Id, async (_, c) => (await c.Sandboxes.ListAllAsync().SingleAsync()).Id),
        new("Sandboxes.Destroy", "DELETE /sandboxes/sbx_1", "", Wire.State("destroyed"), null,
            (_, c) => Null(() => c.Sandboxes.Destroy("sbx_1")), (_, c) => Null(c.Sandboxes.DestroyAsync("sbx_1"))),
        new("Sandboxes.Exec", "POST /sandboxes/sbx_1/exec", """{"command":"echo hi"}""", Wire.Merged(Exec), 3,
            (_, c) => c.Sandboxes.Exec("sbx_1", "echo hi").ExitCode, async (_, c) => (await c.Sandboxes.ExecAsync("sbx_1", "echo hi")).ExitCode),
        new("Sandboxes.Exec argv", "POST /sandboxes/sbx_1/exec", """{"command":["bash","-c","echo hi"]}""", Exec, "2\n",
            (_, c) => c.Sandboxes.Exec("sbx_1", ["bash", "-c", "echo hi"]).Stdout, async (_, c) => (await c.Sandboxes.ExecAsync("sbx_1", ["bash", "-c", "echo hi"])).Stdout),
        new("Sandbox.Run", "POST /sandboxes/sbx_1/exec", """{"command":"npm install","cwd":"/app","env":{"A":"1"},"timeout_sec":120,"stdin":"in"}""", "  \n " + Exec, 12L,
            (s, _) => s.Run("npm install", "/app", Env, TimeSpan.FromMinutes(2), "in").DurationMs,
            async (s, _) => (await s.RunAsync("npm install", "/app", Env, TimeSpan.FromMinutes(2), "in")).DurationMs),
        new("Sandbox.Exec", "POST /sandboxes/sbx_1/exec", """{"command":"ls"}""", Exec, false, (s, _) => s.Exec("ls").Success, async (s, _) => (await s.ExecAsync("ls")).Success),
        new("Sandbox.Exec argv", "POST /sandboxes/sbx_1/exec", """{"command":["python3","main.py"]}""", Exec, "",
            (s, _) => s.Exec(["python3", "main.py"]).Stderr, async (s, _) => (await s.ExecAsync(["python3", "main.py"])).Stderr),
        new("Sandbox.ExecStream", "POST /sandboxes/sbx_1/exec/stream", """{"command":"ls"}""", ExecEvents, "hi", (s, _) => s.ExecStream("ls").First().Line,
            async (s, _) => (await s.ExecStreamAsync("ls").FirstAsync()).Line, "text/event-stream"),
        new("Sandbox.ExecStream argv", "POST /sandboxes/sbx_1/exec/stream", """{"command":["ls"]}""", ExecEvents, 0, (s, _) => s.ExecStream(["ls"]).Last().ExitCode,
            async (s, _) => (await s.ExecStreamAsync(["ls"]).LastAsync()).ExitCode, "text/event-stream"),
        new("Sandbox.Refresh", "GET /sandboxes/sbx_1", "", Wire.State("paused"), "paused", (s, _) => s.Refresh().State, async (s, _) => (await s.RefreshAsync()).State),
        new("Sandbox.Update", "PATCH /sandboxes/sbx_1", """{"name":"new","timeout_sec":600,"always_on":true}""", Wire.Sandbox, "n",
            (s, _) => s.Update(new() { Name = "new", TimeoutSec = 600, AlwaysOn = true }).Name,
            async (s, _) => (await s.UpdateAsync(new() { Name = "new", TimeoutSec = 600, AlwaysOn = true })).Name),
        new("Sandbox.SetTags", "PATCH /sandboxes/sbx_1/tags", """{"tags":["a"]}""", Wire.Sandbox, "sbx_1", (s, _) => s.SetTags(["a"]).Id, async (s, _) => (await s.SetTagsAsync(["a"])).Id),
        new("Sandbox.Extend", "POST /sandboxes/sbx_1/extend", """{"timeout_sec":90}""", Wire.Sandbox, "sbx_1",
            (s, _) => s.Extend(TimeSpan.FromSeconds(89.5)).Id, async (s, _) => (await s.ExtendAsync(TimeSpan.FromSeconds(89.5))).Id),
        new("Sandbox.Fork", "POST /sandboxes/sbx_1/fork", """{"name":"copy"}""", Wire.Sandbox, "sbx_1",
            (s, _) => s.Fork(new() { Name = "copy" }).Id, async (s, _) => (await s.ForkAsync(new() { Name = "copy" })).Id),
        new("Sandbox.GetUsage", "GET /sandboxes/sbx_1/usage", "", Usage, 7, (s, _) => s.GetUsage().RuntimeSec, async (s, _) => (await s.GetUsageAsync()).RuntimeSec),
        new("SandboxFiles.WatchDir", "GET /sandboxes/sbx_1/files/watch?path=%2Fw&recursive=false", "", Watched, "ended",
            (s, _) => s.Files.WatchDir("/w", recursive: false).Last().Type, async (s, _) => (await s.Files.WatchDirAsync("/w", recursive: false).LastAsync()).Type, "text/event-stream"),
        new("Sandbox.GetArtifacts", "GET /sandboxes/sbx_1/artifacts", "", Wire.Merged("""{"artifacts":{"/workspace/dist":{"type":"directory","size":40}},"preview":{"url":null,"port":3000}}"""), "directory 3000",
            (s, _) => Told(s.GetArtifacts()), async (s, _) => Told(await s.GetArtifactsAsync())),
        new("Sandbox.GetEgress", "GET /sandboxes/sbx_1/egress", "", Wire.Merged("""{"mode":"listed","cidrs":[],"domains":["a.b"]}"""), "a.b",
            (s, _) => s.GetEgress().Domains!.Single(), async (s, _) => (await s.GetEgressAsync()).Domains!.Single()),
        new("Sandbox.SetEgress", "PUT /sandboxes/sbx_1/egress", """{"mode":"listed","cidrs":["203.0.113.0/24"]}""", """{"mode":"listed","cidrs":["203.0.113.0/24"],"domains":[]}""", "listed",
            (s, _) => s.SetEgress(SandboxEgress.Listed(cidrs: ["203.0.113.0/24"])).Mode, async (s, _) => (await s.SetEgressAsync(SandboxEgress.Listed(cidrs: ["203.0.113.0/24"]))).Mode),
        new("Sandbox.ListRefusedEgress", "GET /sandboxes/sbx_1/egress/refused", "",
            """{"data":[{"protocol":"dns","target":"a.b","port":53,"reason":"policy","count":3,"first_at":"2026-05-26T10:14:23.000Z","last_at":"2026-05-26T10:14:23.000Z"}]}""", 3L,
            (s, _) => s.ListRefusedEgress().Single().Count, async (s, _) => (await s.ListRefusedEgressAsync()).Single().Count),
        new("Sandbox.GetMetrics", "GET /sandboxes/sbx_1/metrics?window=15m", "", """{"resource_type":"sandbox","current":{"cpu_count":2,"memory_mb":1,"disk_mb":1}}""", 2,
            (s, _) => s.GetMetrics("15m").Current.CpuCount, async (s, _) => (await s.GetMetricsAsync("15m")).Current.CpuCount),
        new("SandboxFiles.Export", "POST /sandboxes/sbx_1/files/export", """{"path":"/w/a"}""", """{"url":"http://h/x","expires_at":"2026-05-26T10:14:23Z"}""", "http://h/x",
            (s, _) => s.Files.Export("/w/a").Url, async (s, _) => (await s.Files.ExportAsync("/w/a")).Url),
        new("SandboxFiles.Export many", "POST /sandboxes/sbx_1/exports", """{"paths":["/a","/b"],"label":"l"}""", """{"id":"exp_1","sandbox_id":"sbx_1","status":"ready","files":[]}""", "exp_1",
            (s, _) => s.Files.Export(["/a", "/b"], "l").Id, async (s, _) => (await s.Files.ExportAsync(["/a", "/b"], "l")).Id),
        new("SandboxProcesses.Start", "POST /sandboxes/sbx_1/processes", """{"command":"sleep 1","name":"n"}""", """{"pid":"41","command":"sleep 1","status":"running","state":"running","started_at":"2026-05-26T10:14:23Z","exit_code":null}""", "41",
            (s, _) => s.Processes.Start(new() { Command = "sleep 1", Name = "n" }).Pid, async (s, _) => (await s.Processes.StartAsync(new() { Command = "sleep 1", Name = "n" })).Pid),
        new("SandboxProcesses.List", "GET /sandboxes/sbx_1/processes", "", """{"data":[{"pid":"41","command":"sleep 1","status":"running","state":"running","started_at":"2026-05-26T10:14:23Z","exit_code":null}]}""", "41",
            (s, _) => s.Processes.List()[0].Pid, async (s, _) => (await s.Processes.ListAsync())[0].Pid),
        new("SandboxProcesses.Get", "GET /sandboxes/sbx_1/processes/41", "", """{"pid":"41","command":"sleep 1","status":"running","state":"running","started_at":"2026-05-26T10:14:23Z","exit_code":null}""", "running", (s, _) => s.Processes.Get("41").Status, async (s, _) => (await s.Processes.GetAsync("41")).Status),
        new("SandboxProcesses.Logs", "GET /sandboxes/sbx_1/processes/41/logs?tail=5", "", """{"data":"a\n","logs":"a\n","pid":"41","truncated":false}""", "a\n",
            (s, _) => s.Processes.Logs("41", 5).Data, async (s, _) => (await s.Processes.LogsAsync("41", 5)).Data),
        new("SandboxProcesses.Stream", "GET /sandboxes/sbx_1/processes/41/stream", "", "id: 9\nevent: exit\ndata: {\"type\":\"exit\",\"exit_code\":3}\n\n", "3",
            (s, _) => $"{s.Processes.Stream("41").Single().ExitCode}", async (s, _) => $"{(await s.Processes.StreamAsync("41").SingleAsync()).ExitCode}", "text/event-stream"),
        new("SandboxProcesses.WriteInput", "POST /sandboxes/sbx_1/processes/41/stdin", """{"data":"x","eof":true}""", """{"ok":true}""", "sbx_1",
            (s, _) => { s.Processes.WriteInput("41", "x", eof: true); return s.Id; }, async (s, _) => { await s.Processes.WriteInputAsync("41", "x", eof: true); return s.Id; }),
        new("SandboxProcesses.Signal", "POST /sandboxes/sbx_1/processes/41/signal", """{"signal":"HUP"}""", """{"ok":true}""", "sbx_1",
            (s, _) => { s.Processes.Signal("41", "HUP"); return s.Id; }, async (s, _) => { await s.Processes.SignalAsync("41", "HUP"); return s.Id; }),
        new("SandboxProcesses.Stop", "DELETE /sandboxes/sbx_1/processes/41", "", """{"ok":true}""", "sbx_1",
            (s, _) => { s.Processes.Stop("41"); return s.Id; }, async (s, _) => { await s.Processes.StopAsync("41"); return s.Id; }),
        new("Sandbox.GetLogs", "GET /sandboxes/sbx_1/logs?lines=5", "", """{"logs":"a","lines":["a"]}""", "a", (s, _) => s.GetLogs(5).Logs, async (s, _) => (await s.GetLogsAsync(5)).Logs),
        new("SandboxTerminals.Create", "POST /sandboxes/sbx_1/terminal", """{"cols":100,"rows":30,"shell":"sh"}""", """{"session_id":"sess_1","cols":100,"rows":30}""", "sess_1",
            (s, _) => s.Terminals.Create(new() { Cols = 100, Rows = 30, Shell = "sh" }).SessionId, async (s, _) => (await s.Terminals.CreateAsync(new() { Cols = 100, Rows = 30, Shell = "sh" })).SessionId),
        new("SandboxTerminals.List", "GET /sandboxes/sbx_1/terminal", "", """{"data":[{"session_id":"sess_1","cols":100,"rows":30}]}""", 30,
            (s, _) => s.Terminals.List()[0].Rows, async (s, _) => (await s.Terminals.ListAsync())[0].Rows),
        new("SandboxTerminals.Resize", "POST /sandboxes/sbx_1/terminal/sess_1/resize", """{"cols":90,"rows":20}""", """{"ok":true}""", "sbx_1",
            (s, _) => { s.Terminals.Resize("sess_1", 90, 20); return s.Id; }, async (s, _) => { await s.Terminals.ResizeAsync("sess_1", 90, 20); return s.Id; }),
        new("SandboxTerminals.Close", "DELETE /sandboxes/sbx_1/terminal/sess_1", "", """{"ok":true}""", "sbx_1",
            (s, _) => { s.Terminals.Close("sess_1"); return s.Id; }, async (s, _) => { await s.Terminals.CloseAsync("sess_1"); return s.Id; }),
        new("SandboxPreviews.Create", "POST /sandboxes/sbx_1/previews", """{"port":3000,"visibility":"public","name":"n"}""", """{"id":"prv_1","sandbox_id":"sbx_1","port":3000,"url":"http://p","preview_url":"http://p","preview_slug":"3000-x","visibility":"public","status":"ready","created_at":"2026-05-26T10:14:23Z"}""", "http://p",
            (s, _) => s.Previews.Create(3000, "public", "n").Url, async (s, _) => (await s.Previews.CreateAsync(3000, "public", "n")).Url),
        new("SandboxPreviews.Expose", "POST /sandboxes/sbx_1/expose", """{"port":3000}""", """{"url":"http://p","preview_url":"http://p","port":3000,"url_class":"temporary_preview","class":"temporary_preview","stable_for_embedding":false,"recommended_next_action":"publish_when_ready"}""", "http://p", (s, _) => s.Previews.Expose(3000).Url, async (s, _) => (await s.Previews.ExposeAsync(3000)).Url),
        new("SandboxPreviews.List", "GET /sandboxes/sbx_1/previews", "", """{"data":[""" + """{"id":"prv_1","sandbox_id":"sbx_1","port":3000,"url":"http://p","preview_url":"http://p","preview_slug":"3000-x","visibility":"public","status":"ready","created_at":"2026-05-26T10:14:23Z"}""" + "]}", 3000, (s, _) => s.Previews.List()[0].Port, async (s, _) => (await s.Previews.ListAsync())[0].Port),
        new("SandboxPreviews.Get", "GET /sandboxes/sbx_1/previews/prv_1", "", """{"id":"prv_1","sandbox_id":"sbx_1","port":3000,"url":"http://p","preview_url":"http://p","preview_slug":"3000-x","visibility":"public","status":"ready","created_at":"2026-05-26T10:14:23Z"}""", "ready", (s, _) => s.Previews.Get("prv_1").Status, async (s, _) => (await s.Previews.GetAsync("prv_1")).Status),
        new("SandboxPreviews.Delete", "DELETE /sandboxes/sbx_1/previews/prv_1", "", """{"ok":true}""", "sbx_1",
            (s, _) => { s.Previews.Delete("prv_1"); return s.Id; }, async (s, _) => { await s.Previews.DeleteAsync("prv_1"); return s.Id; }),
        new("SandboxPreviews.Share", "POST /sandboxes/sbx_1/previews/prv_1/share", """{"ttl_seconds":60}""",
            """{"id":"prv_1","preview_token":"miosa_pv_1","token":"miosa_pv_1","share_url":"u","url":"u","share_token_prefix":"miosa_pv_","share_token_expires_at":"2026-05-26T10:14:23Z","expires_at":"2026-05-26T10:14:23Z"}""", "miosa_pv_1",
            (s, _) => s.Previews.Share("prv_1", 60).Token, async (s, _) => (await s.Previews.ShareAsync("prv_1", 60)).Token),
        new("SandboxPreviews.Unshare", "DELETE /sandboxes/sbx_1/previews/prv_1/share", "", """{"ok":true}""", "sbx_1",
            (s, _) => { s.Previews.Unshare("prv_1"); return s.Id; }, async (s, _) => { await s.Previews.UnshareAsync("prv_1"); return s.Id; }),
        new("SandboxPreviews.CreateToken", "POST /sandboxes/sbx_1/preview-token", """{"expires_in":60,"scope":"interact"}""",
            """{"token":"mp_1","url":"u","embed_url":"u","expires_at":"2026-05-26T10:14:23Z","scope":"interact"}""", "mp_1",
            (s, _) => s.Previews.CreateToken(new() { ExpiresIn = 60, Scope = "interact" }).Token, async (s, _) => (await s.Previews.CreateTokenAsync(new() { ExpiresIn = 60, Scope = "interact" })).Token),
        new("SandboxShares.Create", "POST /sandboxes/sbx_1/shares", """{"expires_in":60}""", """{"share_id":"ms_1","id":"ms_1","share_url":"http://p/?ms=x","expires_at":null,"scope":"read","created_at":"2026-05-26T10:14:23Z"}""", "ms_1", (s, _) => s.Shares.Create(60).Id, async (s, _) => (await s.Shares.CreateAsync(60)).Id),
        new("SandboxShares.List", "GET /sandboxes/sbx_1/shares", "", """{"data":[{"share_id":"ms_1","id":"ms_1","share_url":"http://p/?ms=x","expires_at":null,"scope":"read","created_at":"2026-05-26T10:14:23Z"}]}""", "ms_1", (s, _) => s.Shares.List()[0].Id, async (s, _) => (await s.Shares.ListAsync())[0].Id),
        new("SandboxShares.Revoke", "DELETE /sandboxes/sbx_1/shares/ms_1", "", """{"ok":true}""", "sbx_1",
            (s, _) => { s.Shares.Revoke("ms_1"); return s.Id; }, async (s, _) => { await s.Shares.RevokeAsync("ms_1"); return s.Id; }),
        new("SandboxSnapshots.Create", "POST /sandboxes/sbx_1/snapshots", """{"comment":"c","retention_seconds":60}""", """{"id":"snap_1","snapshot_id":"snap_1","sandbox_id":"sbx_1","status":"ready","created_at":"2026-05-26T10:14:23Z","updated_at":"2026-05-26T10:14:23Z"}""", "snap_1",
            (s, _) => s.Snapshots.Create(new() { Comment = "c", RetentionSeconds = 60 }).Id, async (s, _) => (await s.Snapshots.CreateAsync(new() { Comment = "c", RetentionSeconds = 60 })).Id),
        new("SandboxSnapshots.List", "GET /sandboxes/sbx_1/snapshots", "", """{"data":[{"id":"snap_1","snapshot_id":"snap_1","sandbox_id":"sbx_1","status":"ready","created_at":"2026-05-26T10:14:23Z","updated_at":"2026-05-26T10:14:23Z"}]}""", "snap_1", (s, _) => s.Snapshots.List()[0].Id, async (s, _) => (await s.Snapshots.ListAsync())[0].Id),
        new("SandboxSnapshots.Get", "GET /snapshots/snap_1", "", """{"id":"snap_1","snapshot_id":"snap_1","sandbox_id":"sbx_1","status":"ready","created_at":"2026-05-26T10:14:23Z","updated_at":"2026-05-26T10:14:23Z"}""", "ready", (s, _) => s.Snapshots.Get("snap_1").Status, async (s, _) => (await s.Snapshots.GetAsync("snap_1")).Status),
        new("SandboxSnapshots.Delete", "DELETE /sandboxes/sbx_1/snapshots/snap_1", "", """{"ok":true}""", "sbx_1",
            (s, _) => { s.Snapshots.Delete("snap_1"); return s.Id; }, async (s, _) => { await s.Snapshots.DeleteAsync("snap_1"); return s.Id; }),
        new("SandboxSnapshots.Restore", "POST /sandboxes/sbx_1/restore/snap_1", "", Wire.Sandbox, "sbx_1",
            (s, _) => s.Snapshots.Restore("snap_1").Id, async (s, _) => (await s.Snapshots.RestoreAsync("snap_1")).Id),
        new("SandboxTemplates.List", "GET /sandbox-templates?page=1&per_page=100", "", $$"""{"data":[{{Template}}],"default_template_id":"miosa-sandbox"}""", "tpl_1",
            (_, c) => c.SandboxTemplates.List()[0].Id, async (_, c) => (await c.SandboxTemplates.ListAsync())[0].Id),
        new("SandboxTemplates.Get", "GET /sandbox-templates/my%20one", "", Wire.Merged(Template), "tpl_1", (_, c) => c.SandboxTemplates.Get("my one").Id, async (_, c) => (await c.SandboxTemplates.GetAsync("my one")).Id),
        new("SandboxTemplates.Create", "POST /sandbox-templates", """{"name":"n","image":"miosa-sandbox","description":"d"}""", Template, "ready",
            (_, c) => c.SandboxTemplates.Create("n", "miosa-sandbox", "d").Status, async (_, c) => (await c.SandboxTemplates.CreateAsync("n", "miosa-sandbox", "d")).Status),
        new("SandboxTemplates.Create recipe", "POST /sandbox-templates", """{"name":"n","build_spec":{"from":"miosa-sandbox","vcpu":1,"memoryMib":256,"steps":[{"run":"true"}]}}""", Template, "ready",
            (_, c) => c.SandboxTemplates.Create(Recipe).Status, async (_, c) => (await c.SandboxTemplates.CreateAsync(Recipe)).Status),
        new("SandboxTemplates.Delete", "DELETE /sandbox-templates/tpl_1", "", Ok, null, (_, c) => Null(() => c.SandboxTemplates.Delete("tpl_1")), (_, c) => Null(c.SandboxTemplates.DeleteAsync("tpl_1"))),
        new("SandboxTemplates.Validate", "POST /sandbox-templates/validate", """{"build_spec":{"from":"x"}}""", """{"valid":false,"errors":["from: no"],"data":{"valid":false,"errors":[{"code":"INVALID","field":"from","message":"no"}]}}""", "from",
            (_, c) => c.SandboxTemplates.Validate(new() { From = "x" }).Data.Errors[0].Field, async (_, c) => (await c.SandboxTemplates.ValidateAsync(new() { From = "x" })).Data.Errors[0].Field),
        new("SandboxTemplates.GetBuildSpecSchema", "GET /sandbox-templates/build-spec", "", """{"type":"object"}""", 1, (_, c) => c.SandboxTemplates.GetBuildSpecSchema().Count, async (_, c) => (await c.SandboxTemplates.GetBuildSpecSchemaAsync()).Count),
        new("SandboxTemplates.GetCatalog", "GET /templates", "", """{"templates":[{"id":"a","product":"sandbox","default_size":"small","sizes":[]}],"data":[]}""", "a",
            (_, c) => c.SandboxTemplates.GetCatalog().Templates[0].Id, async (_, c) => (await c.SandboxTemplates.GetCatalogAsync()).Templates[0].Id),
        new("SandboxTemplates.ListBuilds", "GET /sandbox-templates/tpl_1/builds", "", $$"""{"data":[{{Build}}]}""", "bld_1", (_, c) => c.SandboxTemplates.ListBuilds("tpl_1")[0].Id, async (_, c) => (await c.SandboxTemplates.ListBuildsAsync("tpl_1"))[0].Id),
        new("SandboxTemplates.Build", "POST /sandbox-templates/tpl_1/builds", "{}", Wire.Merged(Build), "queued", (_, c) => c.SandboxTemplates.Build("tpl_1").Status, async (_, c) => (await c.SandboxTemplates.BuildAsync("tpl_1")).Status),
        new("SandboxTemplates.GetBuild", "GET /sandbox-template-builds/bld_1", "", Wire.Merged(Build), "tpl_1", (_, c) => c.SandboxTemplates.GetBuild("bld_1").TemplateId, async (_, c) => (await c.SandboxTemplates.GetBuildAsync("bld_1")).TemplateId),
        new("SandboxTemplates.StreamBuildLogs", "GET /sandbox-template-builds/bld_1/logs/stream", "", BuildLog, "hi build.completed",
            (_, c) => string.Join(' ', c.SandboxTemplates.StreamBuildLogs("bld_1").Select(e => e.Line ?? e.Type)), async (_, c) => string.Join(' ', await c.SandboxTemplates.StreamBuildLogsAsync("bld_1").Select(e => e.Line ?? e.Type).ToListAsync()), "text/event-stream"),
        new("SandboxTemplates.WaitUntilBuilt", "GET /sandbox-templates/tpl_1", "", Template, "ready", (_, c) => c.SandboxTemplates.WaitUntilBuilt("tpl_1").Status, async (_, c) => (await c.SandboxTemplates.WaitUntilBuiltAsync("tpl_1")).Status),
        new("Sandbox.StartTemplate", "POST /sandboxes/sbx_1/template/start", """{"install":false,"port":3000}""", """{"state":"running","pid":"12","port":3000}""", "12",
            (s, _) => s.StartTemplate(new() { Install = false, Port = 3000 }).Pid, async (s, _) => (await s.StartTemplateAsync(new() { Install = false, Port = 3000 })).Pid),
        new("Sandbox.Pause with memory", "POST /sandboxes/sbx_1/pause", """{"memory":true}""", Wire.State("paused"), "paused", (s, _) => s.Pause(memory: true).State, async (s, _) => (await s.PauseAsync(memory: true)).State),
        new("Sandbox.Pause", "POST /sandboxes/sbx_1/pause", "", Wire.State("paused"), "paused", (s, _) => s.Pause().State, async (s, _) => (await s.PauseAsync()).State),
        new("Sandbox.Resume", "POST /sandboxes/sbx_1/resume", "", Wire.Sandbox, "running", (s, _) => s.Resume().State, async (s, _) => (await s.ResumeAsync()).State),
        new("Sandbox.Stop", "POST /sandboxes/sbx_1/stop", "", Wire.State("destroyed"), "destroyed", (s, _) => s.Stop().State, async (s, _) => (await s.StopAsync()).State),
        new("Sandbox.Destroy", "DELETE /sandboxes/sbx_1", "", "", "destroyed", (s, _) => Then(s.Destroy, () => s.State), async (s, _) =>
        {
            await s.DestroyAsync();
            return s.State;
        }),
        new("Sandbox.WaitUntilReady", "GET /sandboxes/sbx_1/readiness", "", """{"ready":true,"status":"ready","id":"sbx_1","state":"running"}""", "running",
            (s, _) => s.WaitUntilReady(TimeSpan.FromMinutes(1)).State, async (s, _) => (await s.WaitUntilReadyAsync(TimeSpan.FromMinutes(1))).State),
        new("SandboxEvents.Stream", "GET /sandboxes/sbx_1/events?types=sandbox.%2A", "", Wire.Event("sandbox.destroyed", "evt_1"), "evt_1",
            (s, _) => s.Events.Stream(["sandbox.*"]).Single().EventId, async (s, _) => (await s.Events.StreamAsync(["sandbox.*"]).SingleAsync()).EventId, "text/event-stream"),
        new("SandboxFiles.Read", "GET /sandboxes/sbx_1/files/read?path=%2Fapp%2F..%2Ftree", "", "häh", "häh",
            (s, _) => s.Files.Read("/app/../tree").Text, async (s, _) => (await s.Files.ReadAsync("/app/../tree")).Text, "text/plain; charset=utf-8"),
        new("SandboxFiles.Read binary", "GET /sandboxes/sbx_1/files/read?path=a", "", "xyz", null,
            (s, _) => s.Files.Read("a").Text, async (s, _) => (await s.Files.ReadAsync("a")).Text, "application/octet-stream"),
        new("SandboxFiles.ReadText", "GET /sandboxes/sbx_1/files/read?path=a", "", "xyz", "xyz",
            (s, _) => s.Files.ReadText("a"), async (s, _) => await s.Files.ReadTextAsync("a"), "application/octet-stream"),
        new("SandboxFiles.ReadBytes", "GET /sandboxes/sbx_1/files/read?path=a", "", "xyz", 3,
            (s, _) => s.Files.ReadBytes("a").Length, async (s, _) => (await s.Files.ReadBytesAsync("a")).Length, "text/plain"),
        new("SandboxFiles.OpenRead", "GET /sandboxes/sbx_1/files/read?path=a", "", "xyz", "xyz", (s, _) =>
        {
            using var reader = new StreamReader(s.Files.OpenRead("a"));
            return reader.ReadToEnd();
        }, async (s, _) =>
        {
            using var reader = new StreamReader(await s.Files.OpenReadAsync("a"));
            return await reader.ReadToEndAsync();
        }),
        new("SandboxFiles.Write", "POST /sandboxes/sbx_1/files", """{"path":"/a","content":"eHl6","mode":"0755"}""", Wire.Merged(Written), 3L,
            (s, _) => s.Files.Write("/a", "xyz", "0755").Size, async (s, _) => (await s.Files.WriteAsync("/a", "xyz", "0755")).Size),
        new("SandboxFiles.Write bytes", "POST /sandboxes/sbx_1/files", """{"path":"/a","content":"AAH/"}""", Written, "/a",
            (s, _) => s.Files.Write("/a", (byte[])[0, 1, 255]).Path, async (s, _) => (await s.Files.WriteAsync("/a", (byte[])[0, 1, 255])).Path),
        new("SandboxFiles.Write stream", "PUT /sandboxes/sbx_1/files?path=%2Fapp%2F..%2Fa%20b%23%C3%BC.bin&mode=0755", "xyz", Written, 3L,
            (s, _) => s.Files.Write("/app/../a b#ü.bin", Bytes("xyz"), "0755").Size, async (s, _) => (await s.Files.WriteAsync("/app/../a b#ü.bin", Bytes("xyz"), "0755")).Size),
        new("SandboxFiles.WriteFiles", "POST /sandboxes/sbx_1/files/write-many", """{"files":[{"path":"/a","content_base64":"eA=="},{"path":"/b","content_base64":"AQ==","mode":"0600"}]}""",
            """{"written":[{"path":"/a","size_bytes":1}],"failed":[{"path":"/b","error":"no"}],"data":{"written":[{"path":"/a","size_bytes":1}],"failed":[{"path":"/b","error":"no"}]}}""", "no",
            (s, _) => s.Files.WriteFiles([new("/a", "x"), new("/b", new byte[] { 1 }, "0600")]).Failed[0].Error,
            async (s, _) => (await s.Files.WriteFilesAsync([new("/a", "x"), new("/b", new byte[] { 1 }, "0600")])).Failed[0].Error),
        new("SandboxFiles.Upload", "PUT /sandboxes/sbx_1/files?path=x", "local", Written, 3L,
            (s, _) => WithFile(file => s.Files.Upload(file, "x").Size), (s, _) => WithFileAsync(async file => (await s.Files.UploadAsync(file, "x")).Size)),
        new("SandboxFiles.Download", "GET /sandboxes/sbx_1/files/read?path=%2Fx", "", "remote", "6 remote",
            (s, _) => WithFile(file => s.Files.Download("/x", file) + " " + File.ReadAllText(file)),
            (s, _) => WithFileAsync(async file => await s.Files.DownloadAsync("/x", file) + " " + await File.ReadAllTextAsync(file))),
        new("SandboxFiles.List", "GET /sandboxes/sbx_1/files?path=%2Fapp&depth=2&include_hidden=false", "",
            """{"path":"/app","entries":[{"name":"m","path":"/app/m","type":"file","is_dir":false,"size":14,"modified_at":"2026-05-26T10:14:23.000Z"}],"files":[]}""", 14L,
            (s, _) => s.Files.List("/app", 2, false).Single().Size, async (s, _) => (await s.Files.ListAsync("/app", 2, false)).Single().Size),
        new("SandboxFiles.Tree", "GET /sandboxes/sbx_1/files/tree?path=%2Fworkspace&depth=10", "",
            """{"path":"/workspace","name":"workspace","type":"dir","children":[{"path":"/workspace/a","name":"a","type":"file","size":1}]}""", "a",
            (s, _) => s.Files.Tree(recursive: true).Children!.Single().Name, async (s, _) => (await s.Files.TreeAsync(recursive: true)).Children!.Single().Name),
        new("SandboxFiles.Stat", "POST /sandboxes/sbx_1/files/stat", """{"path":"/a"}""", """{"path":"/a","mode":"0644","size":7,"modified_at":"2026-05-26T10:14:23.000Z"}""", "0644",
            (s, _) => s.Files.Stat("/a").Mode, async (s, _) => (await s.Files.StatAsync("/a")).Mode),
        new("SandboxFiles.Delete", "DELETE /sandboxes/sbx_1/files?path=%2Fa&recursive=true", "", Ok, null,
            (s, _) => Null(() => s.Files.Delete("/a")), (s, _) => Null(s.Files.DeleteAsync("/a"))),
        new("SandboxFiles.Mkdir", "POST /sandboxes/sbx_1/files/mkdir", """{"path":"/d","recursive":true}""", Ok, null,
            (s, _) => Null(() => s.Files.Mkdir("/d")), (s, _) => Null(s.Files.MkdirAsync("/d"))),
        new("SandboxFiles.Move", "POST /sandboxes/sbx_1/files/rename", """{"from":"/a","to":"/b","overwrite":true}""", Ok, null,
            (s, _) => Null(() => s.Files.Move("/a", "/b")), (s, _) => Null(s.Files.MoveAsync("/a", "/b"))),
        new("SandboxFiles.Copy", "POST /sandboxes/sbx_1/files/copy", """{"from":"/a","to":"/b","overwrite":false}""", Ok, null,
            (s, _) => Null(() => s.Files.Copy("/a", "/b", false)), (s, _) => Null(s.Files.CopyAsync("/a", "/b", false))),
        new("SandboxFiles.Chmod", "POST /sandboxes/sbx_1/files/chmod", """{"path":"/a","mode":"0755"}""", Ok, null,
            (s, _) => Null(() => s.Files.Chmod("/a", "0755")), (s, _) => Null(s.Files.ChmodAsync("/a", "0755"))),
        .. MeteringCases(),
        .. TenantCases(),
        .. ModelCases(),
    ];

    private static IEnumerable<Case> AllCases => [.. Cases, .. WebhookCases];

    public static TheoryData<string, bool> All
    {
        get
        {
            var data = new TheoryData<string, bool>();
            foreach (var one in AllCases)
            {
                data.Add(one.Name, false);
                data.Add(one.Name, true);
            }
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task Call_sends_what_the_contract_says_and_reads_the_answer(string name, bool async)
    {
        var one = AllCases.Single(one => one.Name == name);
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.Sandbox).Client();
        var sandbox = await client.Sandboxes.GetAsync("sbx_1", TestContext.Current.CancellationToken);
        server.Then(one.Answer.Length == 0 ? 204 : 200, one.Answer, one.ContentType);

        var result = await Twins.CallAsync(async, () => one.Blocking(sandbox, client), () => one.Awaiting(sandbox, client));

        var request = server.Seen[1];
        Assert.Equal(one.Expected, result);
        Assert.Equal(one.Request, $"{request.Method} {request.Path}");
        if (one.Body is { Length: > 0 } && one.Body[0] == '{')
            Assert.True(JsonNode.DeepEquals(JsonNode.Parse(one.Body), JsonNode.Parse(request.Text)), request.Text);
        else
            Assert.Equal(one.Body, request.Text);
    }

    [Fact]
    public void Every_public_call_is_in_the_table()
    {
        Type[] types = [typeof(Sandboxes), typeof(Sandbox), typeof(SandboxFiles), typeof(SandboxEvents), typeof(SandboxTemplates), typeof(Webhooks), typeof(TenantEvents), .. MeteringTypes, .. TenantTypes, .. ModelTypes];
        var names = types.SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
            .Where(method => !method.IsSpecialName && !method.Name.EndsWith("Async", StringComparison.Ordinal) && method.Name != "Dispose")
            .Select(method => $"{type.Name}.{method.Name}"));
        Assert.Empty(names.Distinct().Except(AllCases.Select(one => one.Name.Split(' ')[0])));
    }

    private static string Told(SandboxArtifacts found) => $"{found.Artifacts["/workspace/dist"].Type} {found.Preview.Port}";

    private static string List(bool hasNext)
        => "{\"data\":[" + Wire.Plain + "],\"meta\":{\"total\":1,\"page\":1,\"per_page\":20,\"total_pages\":1,\"has_next\":" + (hasNext ? "true" : "false")
            + "},\"page\":{\"page\":1,\"page_size\":20,\"total\":1}}";

    private static MemoryStream Bytes(string text) => new(Encoding.UTF8.GetBytes(text));

    private static object? Null(Action act)
    {
        act();
        return null;
    }

    private static async Task<object?> Null(Task task)
    {
        await task;
        return null;
    }

    private static object? Then(Action act, Func<object?> result)
    {
        act();
        return result();
    }

    private static object? WithFile(Func<string, object?> use)
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, "local");
            return use(file);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static async Task<object?> WithFileAsync<T>(Func<string, Task<T>> use)
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, "local");
            return await use(file);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
