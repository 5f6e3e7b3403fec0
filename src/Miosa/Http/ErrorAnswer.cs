using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Miosa.Http;

/// <summary>
/// Turns an answer that is not 2xx into its exception. Reading is lenient: besides our flat body there is the nested one of the public pages
/// (<c>{"error": {"code", "message"}}</c>), and a proxy in between may answer with HTML or nothing.
/// </summary>
internal static class ErrorAnswer
{
    private const int LongestText = 300;

    public static MiosaException Exception(HttpResponseMessage response, byte[] body, TimeProvider clock)
    {
        var status = (int)response.StatusCode;
        var json = Parse(body);
        var nested = json?["error"] as JsonObject;
        var message = Text(json?["message"]) ?? Text(nested?["message"]) ?? Text(json?["error"]) ?? Text(json?["detail"]) ?? PlainText(json, body) ?? Phrase(response);
        var code = Text(json?["code"]) ?? Text(nested?["code"]);
        var details = (json?["details"] ?? nested?["details"]) as JsonObject;
        var requestId = (response.Headers.TryGetValues("X-Request-ID", out var ids) ? ids.FirstOrDefault() : null)
            ?? Text(json?["request_id"]) ?? Text(nested?["request_id"]);
        var wait = Wait(response, clock) ?? Seconds(json?["retry_after"]);
        return status switch
        {
            401 => new AuthenticationException(message) { StatusCode = status, Code = code, RequestId = requestId, Details = details, Wait = wait },
            402 => new InsufficientCreditsException(message) { StatusCode = status, Code = code, RequestId = requestId, Details = details, Wait = wait },
            403 => new PermissionException(message) { StatusCode = status, Code = code, RequestId = requestId, Details = details, Wait = wait },
            404 => new NotFoundException(message) { StatusCode = status, Code = code, RequestId = requestId, Details = details, Wait = wait },
            409 => new ConflictException(message) { StatusCode = status, Code = code, RequestId = requestId, Details = details, Wait = wait },
            422 => new ValidationException(message, Fields(details)) { StatusCode = status, Code = code, RequestId = requestId, Details = details, Wait = wait },
            429 => new RateLimitException(message) { StatusCode = status, Code = code, RequestId = requestId, Details = details, Wait = wait },
            >= 500 => new ServerException(message) { StatusCode = status, Code = code, RequestId = requestId, Details = details, Wait = wait },
            _ => new MiosaException(message) { StatusCode = status, Code = code, RequestId = requestId, Details = details, Wait = wait },
        };
    }

    private static JsonObject? Parse(byte[] body)
    {
        try
        {
            return body.Length == 0 ? null : JsonNode.Parse(body) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string? Text(JsonNode? node)
        => node is JsonValue value && value.TryGetValue<string>(out var text) && text.Length > 0 ? text : null;

    private static TimeSpan? Seconds(JsonNode? node)
        => node is JsonValue value && value.TryGetValue<double>(out var seconds) && seconds is >= 0 and < int.MaxValue ? TimeSpan.FromSeconds(seconds) : null;

    private static TimeSpan? Wait(HttpResponseMessage response, TimeProvider clock)
    {
        var header = response.Headers.RetryAfter;
        if (header?.Date is { } date)
            return date > clock.GetUtcNow() ? date - clock.GetUtcNow() : TimeSpan.Zero;
        return header?.Delta;
    }

    private static Dictionary<string, string> Fields(JsonObject? details)
    {
        var fields = new Dictionary<string, string>();
        foreach (var (name, value) in details ?? [])
        {
            var text = value is JsonArray list ? string.Join("; ", list.Select(Text).OfType<string>()) : Text(value);
            fields[name] = text ?? value?.ToJsonString() ?? "";
        }
        return fields;
    }

    private static string? PlainText(JsonObject? json, byte[] body)
    {
        if (json is not null)
            return null;
        var text = Encoding.UTF8.GetString(body.AsSpan(0, Math.Min(body.Length, LongestText))).Trim();
        return text.Length > 0 && text[0] != '<' ? text : null;
    }

    private static string Phrase(HttpResponseMessage response) => response.StatusCode switch
    {
        >= HttpStatusCode.MultipleChoices and < HttpStatusCode.BadRequest
            => $"the server redirects to '{response.Headers.Location}'; use that as the base URL",
        _ => $"the server answered {(int)response.StatusCode} {response.ReasonPhrase}".TrimEnd(),
    };
}
