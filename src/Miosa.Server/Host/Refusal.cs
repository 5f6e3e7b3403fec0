using System.Text.Json.Nodes;

namespace Miosa.Server.Host;

/// <summary>An expected "no". The status of each code stands in one table, here and in docs/status-codes.md.</summary>
internal sealed record Refusal(string Code, string Message, JsonObject? Details = null, int? RetryAfter = null)
{
    public static readonly IReadOnlyDictionary<string, int> Statuses = new Dictionary<string, int>
    {
        [ErrorCodes.BadRequest] = 400,
        [ErrorCodes.InvalidToken] = 401,
        [ErrorCodes.InsufficientCredits] = 402,
        [ErrorCodes.InsufficientScope] = 403,
        [ErrorCodes.QuotaExceeded] = 403,
        [ErrorCodes.ForbiddenPath] = 403,
        [ErrorCodes.Forbidden] = 403,
        [ErrorCodes.NotFound] = 404,
        [ErrorCodes.MethodNotAllowed] = 405,
        [ErrorCodes.Conflict] = 409,
        [ErrorCodes.ComputerNotRunning] = 409,
        [ErrorCodes.DesktopNotAvailable] = 409,
        [ErrorCodes.WorkspaceNotEmpty] = 409,
        [ErrorCodes.FileTooLarge] = 413,
        [ErrorCodes.ValidationError] = 422,
        [ErrorCodes.IdempotencyKeyReused] = 422,
        [ErrorCodes.RateLimitExceeded] = 429,
        [ErrorCodes.InternalError] = 500,
        [ErrorCodes.AgentUnavailable] = 502,
        [ErrorCodes.PreviewUnreachable] = 502,
        [ErrorCodes.ProviderFailed] = 502,
        [ErrorCodes.Unavailable] = 503,
        [ErrorCodes.PreviewTimedOut] = 504,
        [ErrorCodes.NoSpace] = 507,
    };

    public int Status => Statuses[Code];

    public static Refusal NotFound(string what) => new(ErrorCodes.NotFound, $"{what} not found");

    public static Refusal Conflict(string message) => new(ErrorCodes.Conflict, message);

    public static Refusal BadRequest(string message) => new(ErrorCodes.BadRequest, message);

    public static Refusal Invalid(string field, string message) =>
        new(ErrorCodes.ValidationError, $"{field} {message}", new JsonObject { [field] = message });

    public static Refusal Unauthorized(string message) => new(ErrorCodes.InvalidToken, message);

    public static Refusal MissingScope(string scope)
    {
        // Part of what sandboxes:write allows: who may do all of it is told the name that he knows.
        var wider = scope is Scopes.SandboxesCreate or Scopes.SandboxesExec ? $" (or \"{Scopes.SandboxesWrite}\", which includes it)" : "";
        return new Refusal(ErrorCodes.InsufficientScope, $"the key lacks the scope \"{scope}\"{wider}");
    }

    public static Refusal TooLarge(string message) => new(ErrorCodes.FileTooLarge, message);

    public static Refusal TooMany(string message, int retryAfter) => new(ErrorCodes.RateLimitExceeded, message, RetryAfter: retryAfter);

    public static Refusal Forbidden(string message) => new(ErrorCodes.Forbidden, message);

    /// <summary>Nothing was done and the same call will work soon.</summary>
    public static Refusal Unavailable(string message, int retryAfter = 1) => new(ErrorCodes.Unavailable, message, RetryAfter: retryAfter);

    public static Refusal AgentUnavailable(string message) => new(ErrorCodes.AgentUnavailable, message);

    public static Refusal Internal() => new(ErrorCodes.InternalError, "the server failed; its log has the details under this request id");
}
