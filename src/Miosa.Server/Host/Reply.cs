using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Miosa.Server.Audit;
using Miosa.Server.Models;

namespace Miosa.Server.Host;

/// <summary>The bodies of the contract: merged object, bare object, list, ok, error.</summary>
internal static class Reply
{
    private const string Json = "application/json; charset=utf-8";

    /// <summary>The relaxed encoder: the default would write &lt; and ' as \u escapes for no reader of ours.</summary>
    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>All fields at top level and the same object again under <c>data</c>: clients read one or the other.</summary>
    public static IResult One<T>(T value, JsonTypeInfo<T> type, int status = 200) => new JsonReply(Merged(value, type), status);

    /// <summary>The same with <c>success</c> and <c>message</c>, as one computer is told.</summary>
    public static IResult Envelope<T>(T value, JsonTypeInfo<T> type, int status = 200)
    {
        var merged = Merged(value, type);
        return new JsonReply((byte[])[.. merged.AsSpan(0, merged.Length - 1), .. ",\"success\":true,\"message\":null}"u8], status);
    }

    public static IResult Bare<T>(T value, JsonTypeInfo<T> type, int status = 200) => new JsonReply(Bytes(value, type), status);

    /// <summary>A body that is JSON already.</summary>
    public static IResult Made(ReadOnlyMemory<byte> json) => new JsonReply(json, 200);

    public static IResult List<T>(Page<T> page, JsonTypeInfo<Page<T>> type) => new JsonReply(Bytes(page, type), 200);

    /// <summary>The page that was asked for of a list that is there whole.</summary>
    public static IResult ListOf<T>(HttpContext context, IReadOnlyList<T> all, JsonTypeInfo<Page<T>> type)
    {
        var faults = new Fields([]);
        var paging = Paging.Read(context.Request.Query, faults) with { Cursor = null };
        return faults.Errors() is { } refusal ? Refuse(refusal) : List(paging.Of([.. all.Skip(paging.Skip).Take(paging.PerPage)], all.Count), type);
    }

    public static IResult Ok() => new JsonReply(Bytes(new OkBody(), WireJson.Default.OkBody), 200);

    /// <summary>204, without a body.</summary>
    public static IResult Nothing() => new NoReply();

    public static IResult Refuse(Refusal refusal) => new RefusalReply(refusal);

    /// <summary>An answer with a secret, which must stay in no cache on its way.</summary>
    public static IResult NotStored(HttpContext context, IResult result)
    {
        context.Response.Headers.CacheControl = "no-store";
        return result;
    }

    /// <summary>The bytes of <see cref="One"/>, for an answer whose headers are already sent.</summary>
    public static byte[] Merged<T>(T value, JsonTypeInfo<T> type)
    {
        var plain = Serialize(value, type).WrittenSpan;
        var middle = plain.Length == 2 ? "\"data\":"u8 : ",\"data\":"u8;
        var merged = new byte[plain.Length * 2 + middle.Length];
        plain[..^1].CopyTo(merged);
        middle.CopyTo(merged.AsSpan(plain.Length - 1));
        plain.CopyTo(merged.AsSpan(plain.Length - 1 + middle.Length));
        merged[^1] = (byte)'}';
        return merged;
    }

    public static byte[] Bytes<T>(T value, JsonTypeInfo<T> type) => Serialize(value, type).WrittenSpan.ToArray();

    public static byte[] Bytes(Refusal refusal, string requestId) => Bytes(
        new ErrorBody
        {
            Error = refusal.Message,
            Message = refusal.Message,
            Code = refusal.Code,
            // A node has one parent: the refusal may be written more than once (idempotent replays).
            Details = (JsonObject?)refusal.Details?.DeepClone(),
            RequestId = requestId,
            RetryAfter = refusal.RetryAfter,
        },
        WireJson.Default.ErrorBody);

    private static ArrayBufferWriter<byte> Serialize<T>(T value, JsonTypeInfo<T> type)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using var writer = new Utf8JsonWriter(buffer, Relaxed);
        JsonSerializer.Serialize(writer, value, type);
        return buffer;
    }

    private static async Task WriteAsync(HttpContext context, ReadOnlyMemory<byte> body, int status)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = Json;
        context.Response.ContentLength = body.Length;
        context.Features.Get<AuditCall>()?.Answered(status, body.Span);
        if (!HttpMethods.IsHead(context.Request.Method))
            await context.Response.Body.WriteAsync(body, context.RequestAborted);
    }

    private sealed class JsonReply(ReadOnlyMemory<byte> body, int status) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext) => WriteAsync(httpContext, body, status);
    }

    private sealed class NoReply : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.StatusCode = StatusCodes.Status204NoContent;
            return Task.CompletedTask;
        }
    }

    private sealed class RefusalReply(Refusal refusal) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Features.Get<AuditCall>()?.Refused(refusal);
            if (refusal.RetryAfter is { } seconds)
                httpContext.Response.Headers.RetryAfter = seconds.ToString();
            var body = OpenAi.IsFor(httpContext) ? Bytes(OpenAi.Error(refusal, httpContext.RequestId()), WireJson.Default.JsonObject) : Bytes(refusal, httpContext.RequestId());
            return WriteAsync(httpContext, body, refusal.Status);
        }
    }
}
