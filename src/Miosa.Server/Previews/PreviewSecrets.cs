using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.Net.Http.Headers;

namespace Miosa.Server.Previews;

/// <summary>Where a request carries a secret of ours, and how it is taken out before the request goes on.</summary>
internal static class PreviewSecrets
{
    public const string ShareParameter = "ms";
    public const string TokenParameter = "mt";
    public const string PreviewShareParameter = "preview_token";
    public const string Header = "X-Miosa-Preview-Token";
    public const string Cookie = "miosa_preview";

    private const string Bearer = "Bearer ";
    private static readonly string[] Parameters = [ShareParameter, TokenParameter, "token", PreviewShareParameter];

    /// <summary>The secret in the address; a server in a sandbox may have parameters of the same names, so it must look like one of ours.</summary>
    public static string? InQuery(HttpRequest request)
    {
        foreach (var name in Parameters)
        {
            if (request.Query[name].FirstOrDefault(value => value is not null && GrantText.IsOurs(value)) is { } found)
                return found;
        }
        return null;
    }

    public static string? InHeaderOrCookie(HttpRequest request) =>
        request.Headers[Header].ToString() is { Length: > 0 } header ? header : request.Cookies[Cookie];

    /// <summary>An API key, which opens the previews of its own tenant.</summary>
    public static string? ApiKey(HttpRequest request) =>
        request.Headers.Authorization.ToString() is { } text && text.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) && text[Bearer.Length..].Trim() is { } key && IsApiKey(key)
            ? key
            : null;

    /// <summary>The query without our secrets.</summary>
    public static QueryString Stripped(HttpRequest request)
    {
        if (InQuery(request) is null)
            return request.QueryString;
        var rest = new QueryBuilder();
        foreach (var (name, values) in request.Query)
        {
            foreach (var value in values)
            {
                if (!(Array.IndexOf(Parameters, name) >= 0 && value is not null && GrantText.IsOurs(value)))
                    rest.Add(name, value ?? "");
            }
        }
        return rest.ToQueryString();
    }

    /// <summary>Takes everything of ours out of the headers: what runs in a sandbox must not learn what opens it, or more than it.</summary>
    public static void Strip(System.Net.Http.Headers.HttpRequestHeaders headers)
    {
        headers.Remove(Header);
        if (headers.TryGetValues(HeaderNames.Authorization, out var authorization) && authorization.Any(value => value.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) && IsApiKey(value[Bearer.Length..].Trim())))
            headers.Remove(HeaderNames.Authorization);
        if (!headers.TryGetValues(HeaderNames.Cookie, out var cookies))
            return;
        var kept = cookies.SelectMany(line => line.Split(';')).Select(pair => pair.Trim()).Where(pair => pair.Length > 0 && !pair.StartsWith(Cookie + "=", StringComparison.Ordinal)).ToList();
        headers.Remove(HeaderNames.Cookie);
        if (kept.Count > 0)
            headers.TryAddWithoutValidation(HeaderNames.Cookie, string.Join("; ", kept));
    }

    private static bool IsApiKey(string text) => text.StartsWith("msk_", StringComparison.Ordinal);
}
