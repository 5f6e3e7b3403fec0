using System.Text.Json.Nodes;

namespace Miosa;

/// <summary>
/// A call failed. The derived types name what callers handle differently; 400, 405, 410, 413 and the like come as this type itself.
/// Misuse of the SDK is an <see cref="ArgumentException"/>, a cancelled token an <see cref="OperationCanceledException"/>.
/// </summary>
public class MiosaException : Exception
{
    internal MiosaException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }

    /// <summary>HTTP status of the answer; null when there was none.</summary>
    public int? StatusCode { get; internal init; }

    /// <summary>One of <see cref="ErrorCodes"/>, or a code this version does not know; null when the server gave none.</summary>
    public string? Code { get; internal init; }

    /// <summary>Id of the request, <c>req_…</c>, which the server's log knows; null when there was no answer.</summary>
    public string? RequestId { get; internal init; }

    /// <summary>More about the failure, as the server sent it.</summary>
    public JsonObject? Details { get; internal init; }

    /// <summary>True when the same call may well work a little later: no answer, 429, 500, 502, 503, 504.</summary>
    public bool IsTransient => this is ConnectionException || StatusCode is 429 or 500 or 502 or 503 or 504;

    internal TimeSpan? Wait { get; init; }
}

/// <summary>401: the key is missing, malformed, unknown, expired or revoked.</summary>
public sealed class AuthenticationException : MiosaException
{
    internal AuthenticationException(string message)
        : base(message)
    {
    }
}

/// <summary>402: no credits left.</summary>
public sealed class InsufficientCreditsException : MiosaException
{
    internal InsufficientCreditsException(string message)
        : base(message)
    {
    }
}

/// <summary>403: the key lacks a scope, a quota is used up, or a path may not be touched; <see cref="MiosaException.Code"/> says which.</summary>
public sealed class PermissionException : MiosaException
{
    internal PermissionException(string message)
        : base(message)
    {
    }
}

/// <summary>404: no such object for this key, or no such file.</summary>
public sealed class NotFoundException : MiosaException
{
    internal NotFoundException(string message)
        : base(message)
    {
    }
}

/// <summary>409: the state of the sandbox does not allow it, or a name or slug is taken.</summary>
public sealed class ConflictException : MiosaException
{
    internal ConflictException(string message)
        : base(message)
    {
    }
}

/// <summary>422: a field is faulty; <see cref="Errors"/> says which.</summary>
public sealed class ValidationException : MiosaException
{
    internal ValidationException(string message, IReadOnlyDictionary<string, string> errors)
        : base(message) => Errors = errors;

    /// <summary>Wire name of a field (such as <c>timeout_sec</c>) to what is wrong with it; empty when the server named none.</summary>
    public IReadOnlyDictionary<string, string> Errors { get; }
}

/// <summary>429: too many requests, still so after the retries.</summary>
public sealed class RateLimitException : MiosaException
{
    internal RateLimitException(string message)
        : base(message)
    {
    }

    /// <summary>How long the server asks to wait; null when it did not say.</summary>
    public TimeSpan? RetryAfter => Wait;
}

/// <summary>5xx: the server failed or cannot do it now, still so after the retries.</summary>
public sealed class ServerException : MiosaException
{
    internal ServerException(string message)
        : base(message)
    {
    }
}

/// <summary>
/// No answer, or one that broke off: the host is unknown, refuses, went away, or was silent for longer than <see cref="MiosaOptions.Timeout"/>.
/// <see cref="MiosaException.StatusCode"/> is null.
/// </summary>
public sealed class ConnectionException : MiosaException
{
    internal ConnectionException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }

    /// <summary>True when the silence was longer than the time limit.</summary>
    public bool IsTimeout { get; internal init; }

    /// <summary>The request provably never reached a server, so that even a command may be sent again.</summary>
    internal bool NeverSent { get; init; }
}
