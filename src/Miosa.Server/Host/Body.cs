using System.Buffers;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Miosa.Server.Host;

/// <summary>
/// Reads a JSON body the way the clients send it: none, an empty object and the text <c>null</c> are all an empty object, the content
/// type does not matter. Aliases are applied here, once, so nothing behind it knows more than the canonical names.
/// </summary>
internal static class Body
{
    /// <summary>Limit of ordinary bodies; routes that carry files name their own.</summary>
    public const int DefaultLimit = 1024 * 1024;

    private static readonly JsonDocumentOptions Options = new() { AllowDuplicateProperties = false, MaxDepth = 64 };

    public static async Task<BodyRead> ReadAsync(HttpContext context, Aliases aliases, int limit = DefaultLimit, CancellationToken ct = default)
    {
        var (bytes, refusal) = await BytesAsync(context, limit, ct);
        if (refusal is not null)
            return new BodyRead(new Fields([]), refusal);
        return Parse(bytes, aliases);
    }

    public static BodyRead Parse(ReadOnlyMemory<byte> bytes, Aliases aliases)
    {
        // A byte order mark is not JSON, but some editors and shells send one.
        if (bytes.Span.StartsWith("\uFEFF"u8))
            bytes = bytes[3..];
        if (bytes.Span.Trim(" \t\r\n"u8).IsEmpty)
            return new BodyRead(new Fields([]), null);
        JsonNode? node;
        try
        {
            node = JsonNode.Parse(bytes.Span, documentOptions: Options);
        }
        catch (JsonException e)
        {
            return new BodyRead(new Fields([]), Refusal.BadRequest(
                $"the body is not valid JSON (line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1})"));
        }
        return node switch
        {
            null => new BodyRead(new Fields([]), null),
            JsonObject body => new BodyRead(new Fields(aliases.Apply(body)), null),
            _ => new BodyRead(new Fields([]), new Refusal(ErrorCodes.ValidationError, "the body must be a JSON object")),
        };
    }

    /// <summary>The whole body in memory, at most <paramref name="limit"/> bytes; read once, also when asked for again.</summary>
    public static async Task<(ReadOnlyMemory<byte> Bytes, Refusal? Refusal)> BytesAsync(HttpContext context, int limit, CancellationToken ct)
    {
        if (context.Features.Get<ReadBody>() is { } read)
            return (read.Bytes, null);
        if (context.Request.ContentLength > limit)
            return (default, TooLarge(limit));
        var buffer = new ArrayBufferWriter<byte>(context.Request.ContentLength is { } length and > 0 ? (int)length : 256);
        while (true)
        {
            var memory = buffer.GetMemory(4096);
            var count = await context.Request.Body.ReadAsync(memory, ct.CanBeCanceled ? ct : context.RequestAborted);
            if (count == 0)
                break;
            buffer.Advance(count);
            if (buffer.WrittenCount > limit)
                return (default, TooLarge(limit));
        }
        context.Features.Set(new ReadBody(buffer.WrittenMemory));
        return (buffer.WrittenMemory, null);
    }

    private static Refusal TooLarge(int limit) => Refusal.TooLarge($"the body is larger than {limit} bytes");

    private sealed record ReadBody(ReadOnlyMemory<byte> Bytes);
}

internal readonly record struct BodyRead(Fields Fields, Refusal? Refusal);

/// <summary>Which spellings of a field are the same; when several are present the first one of the contract's order wins.</summary>
internal sealed class Aliases
{
    public static readonly Aliases None = new();

    private readonly List<(string Canonical, string[] Others)> table = [];

    public Aliases Add(string canonical, params string[] others)
    {
        table.Add((canonical, others));
        return this;
    }

    public JsonObject Apply(JsonObject body)
    {
        foreach (var (canonical, others) in table)
        {
            var chosen = body[canonical];
            foreach (var other in others)
            {
                if (!body.Remove(other, out var value))
                    continue;
                if (chosen is null && (value is not null || !body.ContainsKey(canonical)))
                {
                    body[canonical] = value;
                    chosen = value;
                }
            }
        }
        return body;
    }
}
