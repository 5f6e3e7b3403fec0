using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Miosa;

/// <summary>Codes of refusals; the HTTP status of each stands in docs/status-codes.md.</summary>
public static class ErrorCodes
{
    /// <summary>401: the key is missing, malformed, unknown, expired or revoked.</summary>
    public const string InvalidToken = "invalid_token";

    /// <summary>403: the key lacks a scope.</summary>
    public const string InsufficientScope = "insufficient_scope";

    /// <summary>403: a quota or plan cap is hit.</summary>
    public const string QuotaExceeded = "QUOTA_EXCEEDED";

    /// <summary>403: the path is outside what may be written.</summary>
    public const string ForbiddenPath = "FORBIDDEN_PATH";

    /// <summary>403: the object is not the caller's to change, or what was presented does not open this preview; whether it was ever good is not told.</summary>
    public const string Forbidden = "FORBIDDEN";

    /// <summary>402: no credits left.</summary>
    public const string InsufficientCredits = "INSUFFICIENT_CREDITS";

    /// <summary>404: no such object for this tenant, or an id that does not parse.</summary>
    public const string NotFound = "NOT_FOUND";

    /// <summary>405: the path exists, the method does not.</summary>
    public const string MethodNotAllowed = "METHOD_NOT_ALLOWED";

    /// <summary>409: the state does not allow it, or a unique value is taken.</summary>
    public const string Conflict = "CONFLICT";

    /// <summary>409: the call needs a computer that runs, and it is stopped, being made, starting or in error; the message says which and what to do.</summary>
    public const string ComputerNotRunning = "COMPUTER_NOT_RUNNING";

    /// <summary>409: the computer runs and has no desktop.</summary>
    public const string DesktopNotAvailable = "DESKTOP_NOT_AVAILABLE";

    /// <summary>409: a workspace that still has machines cannot be deleted.</summary>
    public const string WorkspaceNotEmpty = "WORKSPACE_NOT_EMPTY";

    /// <summary>413: body or file too large.</summary>
    public const string FileTooLarge = "FILE_TOO_LARGE";

    /// <summary>400: the body is not JSON.</summary>
    public const string BadRequest = "BAD_REQUEST";

    /// <summary>422: a field is faulty; <see cref="ErrorBody.Details"/> has one entry per field.</summary>
    public const string ValidationError = "VALIDATION_ERROR";

    /// <summary>422: the Idempotency-Key was used with another body.</summary>
    public const string IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED";

    /// <summary>429: too many requests.</summary>
    public const string RateLimitExceeded = "rate_limit_exceeded";

    /// <summary>500: our fault; the log has the request id.</summary>
    public const string InternalError = "INTERNAL_ERROR";

    /// <summary>502: the machine's guest does not answer.</summary>
    public const string AgentUnavailable = "AGENT_UNAVAILABLE";

    /// <summary>502: nothing listens on the port of the sandbox, or its server broke off before it answered.</summary>
    public const string PreviewUnreachable = "PREVIEW_UNREACHABLE";

    /// <summary>502: the provider of a language model cannot be reached, failed, or sent what is no answer.</summary>
    public const string ProviderFailed = "PROVIDER_FAILED";

    /// <summary>504: the server in the sandbox took the request and did not answer.</summary>
    public const string PreviewTimedOut = "PREVIEW_TIMED_OUT";

    /// <summary>503: the node cannot do it now; try again.</summary>
    public const string Unavailable = "UNAVAILABLE";

    /// <summary>507: no space left in the machine.</summary>
    public const string NoSpace = "NO_SPACE";
}

/// <summary>The one error body, flat on purpose: two of the clients cannot read a nested one.</summary>
public sealed record ErrorBody
{
    /// <summary>The message.</summary>
    public required string Error { get; init; }

    /// <summary>The message again; clients differ in which they read.</summary>
    public required string Message { get; init; }

    /// <summary>One of <see cref="ErrorCodes"/>.</summary>
    public required string Code { get; init; }

    /// <summary>For validation an object of field name to message.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonObject? Details { get; init; }

    /// <summary>Id of the request, also in the header <c>X-Request-ID</c>.</summary>
    public string? RequestId { get; init; }

    /// <summary>Whole seconds to wait before the next try.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? RetryAfter { get; init; }
}

/// <summary>Answer of calls that return no object.</summary>
public sealed record OkBody
{
    /// <summary>Always true.</summary>
    public bool Ok { get; init; } = true;

    /// <summary>Always true.</summary>
    public bool Success { get; init; } = true;
}
