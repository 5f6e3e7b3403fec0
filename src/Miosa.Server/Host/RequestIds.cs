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
    private static readonly Lock Gate = new();
    private static Ulid last;

    public static string New(string prefix) => From(prefix, Next());

    /// <summary>
    /// Greater than all before it: lists go by time and then by id, so that what was made one after the other in one millisecond is listed in that order.
    /// </summary>
    public static Ulid Next()
    {
        var next = Ulid.NewUlid();
        lock (Gate)
        {
            if (next.CompareTo(last) <= 0)
                next = After(last);
            return last = next;
        }
    }

    private static Ulid After(Ulid ulid)
    {
        var bytes = ulid.ToByteArray();
        for (var at = bytes.Length - 1; at >= 0 && ++bytes[at] == 0; at--)
        {
        }
        return new Ulid(bytes);
    }

    public static string From(string prefix, Ulid ulid) => string.Concat(prefix, "_", ulid.ToString().ToLowerInvariant());
}
