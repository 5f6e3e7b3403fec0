namespace Miosa.Server.Host;

/// <summary>Every answer carries <c>X-Request-ID</c>; logs and error bodies carry the same id.</summary>
internal static class RequestIds
{
    public const string Header = "X-Request-ID";

    public static string RequestId(this HttpContext context) => context.TraceIdentifier;

    public static IApplicationBuilder UseRequestIds(this IApplicationBuilder app) => app.Use((context, next) =>
    {
        context.TraceIdentifier = Ids.New("req");
        context.Response.Headers[Header] = context.TraceIdentifier;
        return next(context);
    });
}

/// <summary>Opaque ids: a prefix and a lower-case ULID.</summary>
internal static class Ids
{
    public static string New(string prefix) => From(prefix, Ulid.NewUlid());

    public static string From(string prefix, Ulid ulid) => string.Concat(prefix, "_", ulid.ToString().ToLowerInvariant());
}
