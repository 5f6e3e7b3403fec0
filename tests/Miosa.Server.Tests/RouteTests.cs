using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Miosa.Server.Host;
using Miosa.Server.Storage;

namespace Miosa.Server.Tests;

/// <summary>The routes of the real application against the contract, and the database model against its migrations. No server runs.</summary>
public sealed class RouteTests : IDisposable
{
    private static readonly string[] GroupsOfNow = ["Sandboxes", "Sandbox exec", "Sandbox files", "Sandbox env", "Sandbox processes", "Sandbox previews", "Sandbox shares", "Sandbox snapshots", "Sandbox observation", "Sandbox templates", "System",
        "Workspaces", "Tenant", "Settings", "Regions", "Dashboard", "Analytics", "Audit log", "Usage", "Quotas", "Credits", "Webhooks", "API keys", "Events",
        "Computers", "Desktop", "Intelligence"];

    private readonly string folder = Directory.CreateTempSubdirectory("miosa-routes").FullName;
    private readonly Microsoft.AspNetCore.Builder.WebApplication app;

    public RouteTests() => app = ServerHost.Build(new ServerSettings { DataDir = folder }, []);

    private CompositeEndpointDataSource Endpoints => new(((IEndpointRouteBuilder)app).DataSources);

    [Fact]
    public void Every_route_under_the_base_says_who_may_use_it()
    {
        Assert.NotEmpty(Endpoints.Endpoints);
        var silent = Endpoints.Endpoints.OfType<RouteEndpoint>().Where(e => e.Metadata.GetMetadata<RouteAccess>() is null).Select(e => e.RoutePattern.RawText);
        Assert.Empty(silent);
    }

    [Fact]
    public void Every_route_is_in_the_contract_or_a_listed_alias()
    {
        var known = Contract().Select(o => Shape(o.Route)).Concat(Lines("AliasRoutes.txt").Select(Shape)).ToHashSet();
        var strangers = OpenApiDocument.Routed(Endpoints).Where(r => !known.Contains(Shape(r))).Order(StringComparer.Ordinal).ToList();
        Assert.True(strangers.Count == 0, "neither in the contract nor in AliasRoutes.txt:\n" + string.Join('\n', strangers));
    }

    [Fact]
    public void Every_operation_of_this_release_is_routed_or_listed_as_later()
    {
        var routed = OpenApiDocument.Routed(Endpoints).Select(Shape).ToHashSet();
        var missing = Contract().Where(o => GroupsOfNow.Contains(o.Group) && o.Tier is ("seed" or "next") && !routed.Contains(Shape(o.Route)))
            .Select(o => o.Route).Order(StringComparer.Ordinal).ToList();
        // The list may only shrink: an entry that is routed by now must be taken out.
        Assert.True(missing.SequenceEqual(Lines("LaterRoutes.txt")), "LaterRoutes.txt should be:\n" + string.Join('\n', missing));
    }

    [Fact]
    public void The_migrations_are_up_to_date_with_the_model()
    {
        using var db = app.Services.GetRequiredService<Database>().Read();
        Assert.False(db.Database.HasPendingModelChanges());
    }

    [Fact]
    public void Every_refusal_code_of_the_contract_has_a_status() =>
        Assert.DoesNotContain(typeof(ErrorCodes).GetFields().Select(f => (string?)f.GetRawConstantValue() ?? ""), c => !Refusal.Statuses.ContainsKey(c));

    public void Dispose()
    {
        ((IDisposable)app).Dispose();
        Directory.Delete(folder, recursive: true);
    }

    private static List<(string Route, string Group, string Tier)> Contract()
    {
        using var stream = typeof(RouteTests).Assembly.GetManifestResourceStream("contract.json") ?? throw new InvalidOperationException("no contract");
        var paths = JsonDocument.Parse(stream).RootElement.GetProperty("paths");
        return
        [
            .. from path in paths.EnumerateObject()
               from operation in path.Value.EnumerateObject()
               where operation.Name is "get" or "post" or "put" or "patch" or "delete"
               select ($"{operation.Name.ToUpperInvariant()} {path.Name}",
                   operation.Value.GetProperty("tags")[0].GetString() ?? "",
                   operation.Value.TryGetProperty("x-tier", out var tier) ? tier.GetString() ?? "" : ""),
        ];
    }

    /// <summary>Two routes are the same when they differ in the names of their parameters only.</summary>
    private static string Shape(string route) => Regex.Replace(route, @"\{[^}]*\}", "{}");

    private static List<string> Lines(string file) =>
        [.. File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, file)).Where(l => l.Length > 0 && l[0] != '#')];
}
