using System.Text.Json.Nodes;

namespace Miosa.Server.Host;

/// <summary>The contract, cut down to the operations this server routes: what stands there works.</summary>
internal sealed class OpenApiDocument(byte[] json)
{
    public static IResult Answer(HttpContext context)
    {
        var document = context.RequestServices.GetRequiredService<OpenApiDocument>();
        return Results.Bytes(document.Bytes, "application/json; charset=utf-8");
    }

    public byte[] Bytes { get; } = json;

    /// <summary>Method and contract path ("GET /sandboxes/{sandbox_id}") of every route under the base.</summary>
    public static HashSet<string> Routed(EndpointDataSource endpoints) =>
    [
        .. from endpoint in endpoints.Endpoints.OfType<RouteEndpoint>()
           let pattern = "/" + endpoint.RoutePattern.RawText?.TrimStart('/')
           where pattern.StartsWith(Routes.Base + "/", StringComparison.Ordinal)
           from method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? []
           // A catch-all is one path parameter in OpenAPI.
           select $"{method} {pattern[Routes.Base.Length..].Replace("{**", "{").Replace("{*", "{")}",
    ];

    public static OpenApiDocument For(EndpointDataSource endpoints)
    {
        using var stream = typeof(OpenApiDocument).Assembly.GetManifestResourceStream("openapi.json")
            ?? throw new InvalidOperationException("the contract is not embedded");
        var contract = JsonNode.Parse(stream)?.AsObject() ?? throw new InvalidOperationException("the contract is empty");
        var routed = Routed(endpoints);
        var paths = contract["paths"]?.AsObject() ?? [];
        foreach (var (path, node) in paths.ToList())
        {
            var operations = node?.AsObject() ?? [];
            foreach (var (method, _) in operations.ToList())
            {
                if (method is "get" or "post" or "put" or "patch" or "delete" && !routed.Contains($"{method.ToUpperInvariant()} {path}"))
                    operations.Remove(method);
            }
            if (!operations.Any(o => o.Key is "get" or "post" or "put" or "patch" or "delete"))
                paths.Remove(path);
        }
        DropUnusedSchemas(contract);
        return new OpenApiDocument(System.Text.Encoding.UTF8.GetBytes(contract.ToJsonString()));
    }

    private static void DropUnusedSchemas(JsonObject contract)
    {
        if (contract["components"]?["schemas"] is not JsonObject schemas)
            return;
        var used = new HashSet<string>();
        var open = new Queue<string>(References(contract["paths"]?.ToJsonString() ?? "")
            .Concat(contract["components"] is JsonObject components
                ? components.Where(c => c.Key != "schemas").SelectMany(c => References(c.Value?.ToJsonString() ?? ""))
                : []));
        while (open.TryDequeue(out var name))
        {
            if (used.Add(name) && schemas[name] is { } schema)
            {
                foreach (var next in References(schema.ToJsonString()))
                    open.Enqueue(next);
            }
        }
        foreach (var (name, _) in schemas.ToList())
        {
            if (!used.Contains(name))
                schemas.Remove(name);
        }
    }

    private static IEnumerable<string> References(string json)
    {
        const string Start = "#/components/schemas/";
        for (var at = json.IndexOf(Start, StringComparison.Ordinal); at >= 0; at = json.IndexOf(Start, at + 1, StringComparison.Ordinal))
        {
            var from = at + Start.Length;
            yield return json[from..json.IndexOf('"', from)];
        }
    }
}
