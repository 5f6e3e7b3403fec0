using System.Net.Http.Headers;
using System.Text;
using System.Text.RegularExpressions;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>
/// Every route of the server × every kind of caller, through HTTP. A route without a recipe (<see cref="AccessRecipes"/>) fails, unless it stands in
/// Uncovered.txt, which may only shrink.
/// </summary>
public sealed partial class AccessMatrixTests(ServerPlatform shared)
{
    [Fact]
    public async Task Every_route_lets_in_whom_it_should_and_nobody_else()
    {
        var routes = RouteTable.Read();
        Assert.True(routes.Count > 100);
        await using var world = await AccessWorld.StartAsync(shared.Platform);
        var complaints = new List<string>();
        var uncovered = new List<string>();
        foreach (var route in routes)
        {
            if (AccessRecipes.For(route) is not { } recipe)
            {
                uncovered.Add(route.Name);
                // Who is nobody must be told so, whatever the route does.
                await StrangersAsync(route, Filled(route.Pattern), null, new Dictionary<string, string>(), world, complaints);
                continue;
            }
            var values = await recipe.PrepareAsync(world);
            var url = Filled(route.Pattern, values, world) + recipe.Query;
            if (route.IsOpen && recipe.AsksForScope is null)
            {
                var (status, _) = await SendAsync(world.Nobody, route, url, recipe, values);
                if (status != recipe.Status)
                    complaints.Add($"{route.Name}: open to all, got {status}");
                continue;
            }
            await StrangersAsync(route, url, recipe, values, world, complaints);
            await OthersAsync(route, url, recipe, values, world, complaints);
            var own = route.Access?.Scope == Keys.ScopeSet.Administration ? world.Administrator : world.Own;
            var (ownStatus, text) = await SendAsync(own, route, url, recipe, values);
            if (ownStatus != recipe.Status)
                complaints.Add($"{route.Name}: its own tenant got {ownStatus}, not {recipe.Status}: {text}");
        }
        Assert.True(complaints.Count == 0, string.Join('\n', complaints));
        var listed = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "Uncovered.txt")).Where(l => l.Length > 0 && l[0] != '#');
        Assert.True(uncovered.SequenceEqual(listed), "Uncovered.txt should be:\n" + string.Join('\n', uncovered));
    }

    [Fact]
    public void Every_recipe_belongs_to_a_route() =>
        Assert.Empty(AccessRecipes.All.Keys.Except(RouteTable.Read().Select(r => r.Name)));

    [Fact]
    public void Every_route_that_changes_something_has_an_action_of_the_audit_log()
    {
        var routes = RouteTable.Read();
        var silent = routes.Where(r => r.Action is null && (r.Method != "GET" || r.Access?.Scope is { } scope && (scope.EndsWith(":write", StringComparison.Ordinal) || scope is Scopes.SandboxesCreate or Scopes.SandboxesExec)));
        // They only ask, with a body.
        Assert.Equal(["POST /computers/{computer_id}/desktop/screenshot/region", "POST /computers/{computer_id}/desktop/wait", "POST /computers/{computer_id}/files/stat",
            "POST /computers/{computer_id}/screenshot-region", "POST /sandbox-templates/validate", "POST /sandboxes/{sandbox_id}/files/stat"], silent.Select(r => r.Name).Order(StringComparer.Ordinal));
        Assert.All(routes.Where(r => r.Action is not null), r => Assert.Matches("^[a-z_]+(\\.[a-z_]+)+$", r.Action!.Name));
    }

    /// <summary>Callers that have no business here: no key, one that is over, one without the scope.</summary>
    private static async Task StrangersAsync(RouteLine route, string url, Recipe? recipe, IReadOnlyDictionary<string, string> values, AccessWorld world, List<string> complaints)
    {
        foreach (var (who, api) in ((string, Api)[])[("nobody", world.Nobody), ("a revoked key", world.Revoked), ("an expired key", world.Expired), ("an unknown key", world.Unknown)])
        {
            var (status, text) = await SendAsync(api, route, url, recipe, values);
            if (status != 401 || !text.Contains("\"invalid_token\"", StringComparison.Ordinal))
                complaints.Add($"{route.Name}: {who} got {status}: {text}");
        }
        if ((recipe?.AsksForScope ?? route.Access?.Scope) is not { Length: > 0 } scope)
            return;
        var (without, message) = await SendAsync(world.WithoutScopes, route, url, recipe, values);
        if (without != 403 || !message.Contains("\"insufficient_scope\"", StringComparison.Ordinal))
            complaints.Add($"{route.Name}: a key without the scope got {without}: {message}");
        if (scope == Keys.ScopeSet.Administration)
            return;
        var (tenantless, answer) = await SendAsync(world.Administrator, route, url, recipe, values);
        if (tenantless != 403 || !answer.Contains("\"FORBIDDEN\"", StringComparison.Ordinal))
            complaints.Add($"{route.Name}: an administrator who names no tenant got {tenantless}: {answer}");
    }

    /// <summary>Good keys of others: of another tenant, and of the same tenant for another external user.</summary>
    private static async Task OthersAsync(RouteLine route, string url, Recipe recipe, IReadOnlyDictionary<string, string> values, AccessWorld world, List<string> complaints)
    {
        var isOfTenant = route.Access?.Scope != Keys.ScopeSet.Administration;
        var isAboutOne = route.Pattern.Contains('{', StringComparison.Ordinal);
        foreach (var (who, api, expected) in ((string, Api, int)[])
            [
                ("another tenant", world.Other, !isOfTenant ? 403 : isAboutOne && !recipe.IsForAnyTenant ? 404 : recipe.Status),
                ("the key of another external user", world.OtherUser,
                    !isOfTenant ? 403
                    : route.Pattern.Contains("{sandbox_id}", StringComparison.Ordinal) || route.Pattern.Contains("{computer_id}", StringComparison.Ordinal) || (route.KeepsToUser && isAboutOne && !recipe.IsForAnyTenant) ? 404
                    : route.KeepsToUser ? recipe.Status : 403),
            ])
        {
            var (status, text) = await SendAsync(api, route, url, recipe, values);
            if (status != expected)
                complaints.Add($"{route.Name}: {who} got {status}, not {expected}: {text}");
            if (world.Secrets.FirstOrDefault(secret => text.Contains(secret, StringComparison.Ordinal)) is { } leaked)
                complaints.Add($"{route.Name}: {who} was told {leaked}");
        }
    }

    private static async Task<(int Status, string Text)> SendAsync(Api api, RouteLine route, string url, Recipe? recipe, IReadOnlyDictionary<string, string> values)
    {
        // "~": not under the base.
        using var request = new HttpRequestMessage(new HttpMethod(route.Method), url[0] == '~' ? api.Root + url[1..] : url[1..]);
        if (recipe?.IsSocket == true)
        {
            request.Headers.Connection.Add("Upgrade");
            request.Headers.Upgrade.Add(new ProductHeaderValue("websocket"));
            request.Headers.Add("Sec-WebSocket-Version", "13");
            request.Headers.Add("Sec-WebSocket-Key", Convert.ToBase64String(new byte[16]));
        }
        if (recipe?.Content?.Invoke(values) is { } content)
            request.Content = content;
        using var response = await api.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        var isStream = (int)response.StatusCode == 101 || response.Content.Headers.ContentType?.MediaType == "text/event-stream";
        return ((int)response.StatusCode, isStream ? "" : await response.Content.ReadAsStringAsync());
    }

    private static string Filled(string pattern, IReadOnlyDictionary<string, string>? values = null, AccessWorld? world = null) =>
        Parameter().Replace(pattern, match =>
            values?.GetValueOrDefault(match.Groups[1].Value) ?? world?.Values.GetValueOrDefault(match.Groups[1].Value) ?? "nonsense");

    [GeneratedRegex(@"\{\**([a-z_]+)\}")]
    private static partial Regex Parameter();
}

/// <summary>One tenant with one of everything that belongs to its external user alice, and callers of all kinds.</summary>
internal sealed class AccessWorld : IAsyncDisposable
{
    /// <summary>A public address at which nobody answers here.</summary>
    public const string Nowhere = "http://1.1.1.1:9/";

    public required Api Own { get; init; }

    public required Api Other { get; init; }

    public required Api OtherUser { get; init; }

    public required Api Nobody { get; init; }

    public required Api Revoked { get; init; }

    public required Api Expired { get; init; }

    public required Api Unknown { get; init; }

    public required Api WithoutScopes { get; init; }

    public required Api Administrator { get; init; }

    /// <summary>Values of route parameters.</summary>
    public Dictionary<string, string> Values { get; } = [];

    /// <summary>What nobody else may ever be told.</summary>
    public List<string> Secrets { get; } = [];

    public static async Task<AccessWorld> StartAsync(Miosa.Platform.Platform platform)
    {
        var tenant = await platform.NewTenantAsync("m-" + Guid.NewGuid().ToString("N")[..12]);
        var own = platform.Api(await platform.NewKeyAsync(tenant));
        var revoked = (await own.PostAsync("api-keys", """{"name":"revoked"}""")).Expect(201);
        (await own.DeleteAsync("api-keys/" + revoked.Text("id"))).Expect(204);
        var world = new AccessWorld
        {
            Own = own,
            Other = await platform.NewApiAsync(),
            OtherUser = platform.Api((await own.PostAsync("api-keys/scoped", """{"external_user_id":"bob","scopes":["*"]}""")).Expect(201).Text("token")),
            Nobody = platform.Api(null),
            Revoked = platform.Api(revoked.Text("token")),
            Expired = platform.Api(await platform.NewKeyAsync(tenant, expires: "2020-01-01T00:00:00Z")),
            Unknown = platform.Api("msk_live_" + new string('7', 43)),
            WithoutScopes = platform.Api((await own.PostAsync("api-keys", """{"name":"none","scopes":["deployments:read"]}""")).Expect(201).Text("token")),
            Administrator = platform.Api(await platform.NewAdminKeyAsync()),
        };
        world.Values["tenant_id"] = tenant;
        world.Values["name"] = "m-name";
        world.Values["key"] = "A";
        world.Values["port"] = "3000";
        world.Values["file_path"] = "workspace/a.txt";
        world.Values["sandbox_id"] = await world.NewSandboxAsync(",\"name\":\"m-name\",\"image\":\"miosa-sandbox\",\"env\":{\"A\":\"b\"}");
        var sandbox = world.Values["sandbox_id"];
        await own.RunAsync(sandbox, "echo hi > /workspace/a.txt");
        world.Values["computer_id"] = await world.NewComputerAsync();
        (await own.PostAsync($"computers/{world.Values["computer_id"]}/ports", """{"port":3000}""")).Expect(201);
        (await own.PostAsync($"computers/{world.Values["computer_id"]}/env", """{"name":"C","value":"d"}""")).Expect(201);
        world.Values["snapshot_id"] = (await own.PostAsync($"sandboxes/{sandbox}/snapshots", "{}")).Expect(201).Text("id");
        world.Values["preview_id"] = (await own.PostAsync($"sandboxes/{sandbox}/previews", """{"port":3000}""")).Expect(201).Text("id");
        world.Values["pid"] = await world.NewProcessAsync();
        world.Values["session_id"] = await world.NewTerminalAsync();
        world.Values["template_id"] = (await own.BuiltAsync("""{"name":"m-template","build_spec":{"from":"miosa-busybox","steps":[{"run":"true"}]}}""")).Text("id");
        world.Values["build_id"] = (await own.GetAsync($"sandbox-templates/{world.Values["template_id"]}/builds")).Expect(200).Json.GetProperty("data")[0].GetProperty("id").GetString() ?? "";
        world.Values["key_id"] = await world.NewKeyAsync();
        world.Values["workspace_id"] = await world.NewWorkspaceAsync();
        world.Values["webhook_id"] = await world.NewWebhookAsync();
        world.Values["delivery_id"] = (await own.PostAsync($"webhooks/{world.Values["webhook_id"]}/test")).Expect(200).Text("id");
        world.Values["external_user_id"] = "alice";
        world.Values["provider"] = "openai";
        world.Values["region_slug"] = "local";
        world.Values["model_id"] = "miosa-embed-small";
        world.Secrets.AddRange(world.Values.Where(v => v.Key is not ("name" or "key" or "port" or "file_path" or "pid" or "tenant_id" or "external_user_id" or "provider" or "region_slug" or "model_id")).Select(v => v.Value));
        return world;
    }

    public Task<string> NewSandboxAsync(string more = "") => Own.CreateAsync($$"""{"memory_mb":256,"external_user_id":"alice"{{more}}}""");

    public Task<string> NewComputerAsync() => Own.NewComputerAsync(""","external_user_id":"alice" """);

    public async Task<string> NewProcessAsync() =>
        (await Own.PostAsync($"sandboxes/{Values["sandbox_id"]}/processes", """{"command":"cat > /dev/null; sleep 1000"}""")).Expect(201).Text("pid");

    public async Task<string> NewTerminalAsync() => (await Own.PostAsync($"sandboxes/{Values["sandbox_id"]}/terminal", "{}")).Expect(201).Text("session_id");

    public async Task<string> NewKeyAsync() => (await Own.PostAsync("api-keys", """{"name":"m-key"}""")).Expect(201).Text("id");

    public async Task<string> NewWorkspaceAsync() => (await Own.PostAsync("workspaces", """{"name":"m-workspace"}""")).Expect(201).Text("id");

    public async Task<string> NewWebhookAsync() => (await Own.PostAsync("webhooks", $$"""{"url":"{{Nowhere}}"}""")).Expect(201).Text("id");

    public async Task<string> NewAsync(string path, string body, string field) =>
        (await Own.PostAsync($"sandboxes/{Values["sandbox_id"]}/{path}", body)) is { Status: 200 or 201 } made ? made.Text(field) : throw new InvalidOperationException($"{path} made nothing");

    public async ValueTask DisposeAsync()
    {
        foreach (var api in (Api[])[Own, Other, OtherUser])
        {
            foreach (var sandbox in (await api.GetAsync("sandboxes")).Json.GetProperty("data").EnumerateArray())
                await api.DeleteAsync("sandboxes/" + sandbox.GetProperty("id").GetString());
            foreach (var computer in (await api.GetAsync("computers")).Json.GetProperty("data").EnumerateArray())
                await api.DeleteAsync("computers/" + computer.GetProperty("id").GetString());
        }
        foreach (var api in (Api[])[Own, Other, OtherUser, Nobody, Revoked, Expired, Unknown, WithoutScopes, Administrator])
            api.Dispose();
    }
}

/// <summary>How a route is called so that its own tenant is let in.</summary>
/// <param name="Status">What the own tenant gets.</param>
internal sealed record Recipe(int Status = 200)
{
    /// <summary>The body, for the parameters that <see cref="Prepare"/> gave.</summary>
    public Func<IReadOnlyDictionary<string, string>, HttpContent>? Content { get; init; }

    public string Query { get; init; } = "";

    public bool IsSocket { get; init; }

    /// <summary>The route is open to all and asks for a key with this scope itself.</summary>
    public string? AsksForScope { get; init; }

    /// <summary>The path names nothing of a tenant.</summary>
    public bool IsForAnyTenant { get; init; }

    /// <summary>Makes what the call will end or use up, and gives its parameters.</summary>
    public Func<AccessWorld, Task<Dictionary<string, string>>>? Prepare { get; init; }

    public async Task<Dictionary<string, string>> PrepareAsync(AccessWorld world) => Prepare is null ? [] : await Prepare(world);

    public static Recipe Json(string body, int status = 200, string query = "") => new(status) { Content = _ => new StringContent(body, Encoding.UTF8, "application/json"), Query = query };
}
