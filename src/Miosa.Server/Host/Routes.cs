namespace Miosa.Server.Host;

/// <summary>Routes as plain delegates: no parameter binding, so none of its automatic 400 answers, which the contract does not know.</summary>
internal static class Routes
{
    public const string Base = "/api/v1";

    public static IEndpointConventionBuilder Map(
        this IEndpointRouteBuilder routes, string method, string pattern, Func<HttpContext, Task<IResult>> handler) =>
        routes.MapMethods(pattern, [method], async context => await (await handler(context)).ExecuteAsync(context));

    /// <summary>For handlers that write the answer themselves (streams).</summary>
    public static IEndpointConventionBuilder MapStream(
        this IEndpointRouteBuilder routes, string method, string pattern, RequestDelegate handler) =>
        routes.MapMethods(pattern, [method], handler);

    /// <summary>A value of the path, never null on a route that names it.</summary>
    public static string PathValue(this HttpContext context, string name) => (string?)context.Request.RouteValues[name] ?? "";
}
