using System.Text.Json.Nodes;
using Miosa.Server.Host;

namespace Miosa.Server.Models;

/// <summary>What clients of OpenAI's API expect besides the contract's own forms.</summary>
internal static class OpenAi
{
    public const string Prefix = "/v1";

    /// <summary>Where errors have their nested form: our own clients cannot read it (common.md, section 7), theirs no other.</summary>
    public static bool IsFor(HttpContext context) => context.Request.Path.StartsWithSegments(Prefix, StringComparison.Ordinal);

    public static JsonObject Error(Refusal refusal, string requestId) => new()
    {
        ["error"] = new JsonObject
        {
            ["message"] = refusal.Message,
            ["type"] = refusal.Status switch
            {
                401 or 403 => "authentication_error",
                402 => "insufficient_quota",
                429 => "rate_limit_error",
                >= 500 => "server_error",
                _ => "invalid_request_error",
            },
            ["param"] = refusal.Code == ErrorCodes.ValidationError && refusal.Details?.FirstOrDefault().Key is { } field && field != "provider_code" ? field : null,
            ["code"] = refusal.Details?["provider_code"]?.GetValue<string>() ?? refusal.Code,
        },
        ["message"] = refusal.Message,
        ["code"] = refusal.Code,
        ["request_id"] = requestId,
    };
}
