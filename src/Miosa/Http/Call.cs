using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Miosa.Http;

/// <summary>When a call that failed may be sent again.</summary>
internal enum Repeat
{
    /// <summary>Doing it twice is the same as doing it once.</summary>
    Freely,

    /// <summary>It may have begun: only when it never left, or was refused (429, 503) before it began.</summary>
    UnlessBegun,
}

/// <summary>A call as a value: what to send and how to read the answer, nothing about how it is sent.</summary>
internal record Call(HttpMethod Method, string Path)
{
    public static readonly TimeSpan KeepAliveSilence = TimeSpan.FromSeconds(35);

    /// <summary>JSON, serialised once, so that every try sends the same bytes.</summary>
    public byte[]? Json { get; init; }

    /// <summary>Raw bytes of a file.</summary>
    public ReadOnlyMemory<byte>? Bytes { get; init; }

    /// <summary>Raw bytes that are read while they are sent.</summary>
    public Upload? Upload { get; init; }

    /// <summary><see cref="Bytes"/> or <see cref="Upload"/> go as the part <c>file</c> of a form.</summary>
    public bool IsForm { get; init; }

    public Repeat Repeat { get; init; } = Repeat.Freely;

    public string Accept { get; init; } = "application/json";

    public string? IdempotencyKey { get; init; }

    public string? LastEventId { get; init; }

    /// <summary>The server sends blanks or heartbeats at least every 15 s, so that a shorter silence says nothing.</summary>
    public bool IsKeptAlive { get; init; }

    /// <summary>The work is known to take so long, in which the server says nothing; silence counts from then on.</summary>
    public TimeSpan Takes { get; init; }

    public static byte[] Body<T>(T value, JsonTypeInfo<T> type) => JsonSerializer.SerializeToUtf8Bytes(value, type);

    /// <summary>The path of one of a collection.</summary>
    public static string Item(string collection, string id)
    {
        ArgumentException.ThrowIfNullOrEmpty(id);
        // "." and ".." would leave the collection: the address is normalised before it is sent.
        if (id is "." or "..")
            throw new ArgumentException($"'{id}' is not an id", nameof(id));
        return collection + "/" + Uri.EscapeDataString(id);
    }

    /// <summary>The path of a list with a page in it, checked.</summary>
    public static string Paged(string path, int page, int perPage)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(page, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(perPage, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(perPage, 100);
        return Query(path, ("page", page.ToString(CultureInfo.InvariantCulture)), ("per_page", perPage.ToString(CultureInfo.InvariantCulture)));
    }

    /// <summary>A moment as a query parameter.</summary>
    public static string? Time(DateTimeOffset? time) => time is { } at ? WireTime.Text(at) : null;

    /// <summary>Adds the given parameters that are not null; the path may have some already.</summary>
    public static string Query(string path, params ReadOnlySpan<(string Name, string? Value)> parameters)
    {
        var text = new StringBuilder(path);
        var separator = path.Contains('?', StringComparison.Ordinal) ? '&' : '?';
        foreach (var (name, value) in parameters)
        {
            if (value is null)
                continue;
            text.Append(separator).Append(name).Append('=').Append(Uri.EscapeDataString(value));
            separator = '&';
        }
        return text.ToString();
    }
}

/// <summary>A call whose answer is read whole.</summary>
internal sealed record Call<T>(HttpMethod Method, string Path, Func<Answer, T> Read) : Call(Method, Path)
{
    public Call<TOther> To<TOther>(Func<T, TOther> map) => new(Method, Path, answer => map(Read(answer)))
    {
        Json = Json,
        Bytes = Bytes,
        Upload = Upload,
        IsForm = IsForm,
        Repeat = Repeat,
        Accept = Accept,
        IdempotencyKey = IdempotencyKey,
        LastEventId = LastEventId,
        IsKeptAlive = IsKeptAlive,
        Takes = Takes,
    };
}

/// <summary>A whole answer.</summary>
internal readonly record struct Answer(string? ContentType, byte[] Body)
{
    public static bool Nothing(Answer answer) => true;

    /// <summary>
    /// Reads a single object. The server writes its fields at the top and again under <c>data</c>; other servers write only one of the two, so an object
    /// under <c>data</c> is preferred, else the body itself is the object.
    /// </summary>
    public T Object<T>(JsonTypeInfo<T> type)
    {
        try
        {
            var whole = new Utf8JsonReader(Body);
            var scan = whole;
            if (!scan.Read() || scan.TokenType != JsonTokenType.StartObject)
                throw new JsonException("expected an object");
            while (scan.Read() && scan.TokenType == JsonTokenType.PropertyName)
            {
                var isData = scan.ValueTextEquals("data"u8);
                scan.Read();
                if (isData && scan.TokenType == JsonTokenType.StartObject)
                    return NotNull(JsonSerializer.Deserialize(ref scan, type));
                scan.Skip();
            }
            return Whole(type);
        }
        catch (JsonException e)
        {
            throw Unreadable(e);
        }
    }

    /// <summary>Reads a list or a bare tree, in which <c>data</c> is a field like others.</summary>
    public T Whole<T>(JsonTypeInfo<T> type)
    {
        try
        {
            return NotNull(JsonSerializer.Deserialize(Body, type));
        }
        catch (JsonException e)
        {
            throw Unreadable(e);
        }
    }

    private static T NotNull<T>(T? value) => value ?? throw new JsonException("expected an object, not null");

    private MiosaException Unreadable(JsonException cause)
        => new($"the answer is not what this version of the SDK expects (content type '{ContentType}', {Body.Length} bytes): {cause.Message}", cause);
}
