using Microsoft.AspNetCore.Routing;
using Miosa.Server.Audit;
using Miosa.Server.Host;

namespace Miosa.Server.Tests;

/// <summary>A route as the server has it.</summary>
internal sealed record RouteLine(string Method, string Pattern, RouteAccess? Access, bool KeepsToUser, AuditAction? Action)
{
    public string Name => $"{Method} {Pattern}";

    public bool IsOpen => Access is { Scope: null };
}

/// <summary>The routes of the real application; no server runs.</summary>
internal static class RouteTable
{
    public static List<RouteLine> Read()
    {
        var folder = Directory.CreateTempSubdirectory("miosa-route-table").FullName;
        try
        {
            using var app = (IDisposable)ServerHost.Build(new ServerSettings { DataDir = folder }, []);
            return
            [
                .. from endpoint in new CompositeEndpointDataSource(((IEndpointRouteBuilder)app).DataSources).Endpoints.OfType<RouteEndpoint>()
                   from method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? []
                   let pattern = "/" + endpoint.RoutePattern.RawText?.TrimStart('/')
                   orderby pattern, method
                   select new RouteLine(
                       method,
                       pattern.StartsWith(Routes.Base, StringComparison.Ordinal) ? pattern[Routes.Base.Length..] : "~" + pattern,
                       endpoint.Metadata.GetMetadata<RouteAccess>(),
                       endpoint.Metadata.GetMetadata<KeepsToUser>() is not null,
                       endpoint.Metadata.GetMetadata<AuditAction>()),
            ];
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
