using Miosa.Http;

namespace Miosa;

/// <summary>The calls about keys, as values; the keys of any tenant lie at another address and are made alike.</summary>
internal static class KeyCalls
{
    public const string OfTenant = "/api-keys";

    public static Call<ApiKey> Create(string path, CreateApiKeyRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return Made(path, Call.Body(request, RequestJson.Default.CreateApiKeyRequest));
    }

    public static Call<ApiKey> CreateScoped(CreateScopedApiKeyRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return Made(OfTenant + "/scoped", Call.Body(request, RequestJson.Default.CreateScopedApiKeyRequest));
    }

    public static Call<ScopedToken> CreateToken(CreateScopedTokenRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return new(HttpMethod.Post, "/tokens/scoped", static answer => answer.Object(WireJson.Default.ScopedToken))
        {
            Json = Call.Body(request, RequestJson.Default.CreateScopedTokenRequest),
        };
    }

    public static Call<ApiKey> Get(string id) => new(HttpMethod.Get, Call.Item(OfTenant, id), Key);

    public static Call<Page<ApiKey>> List(string path, int page, int perPage)
        => new(HttpMethod.Get, Call.Paged(path, page, perPage), static answer => answer.Whole(WireJson.Default.PageApiKey));

    public static Call<bool> Revoke(string path, string id) => new(HttpMethod.Delete, Call.Item(path, id), Answer.Nothing);

    private static Call<ApiKey> Made(string path, byte[] json) => new(HttpMethod.Post, path, Key)
    {
        Json = json,
        // The same over all tries: a key whose answer was lost would be nobody's.
        IdempotencyKey = Guid.NewGuid().ToString(),
    };

    private static ApiKey Key(Answer answer) => answer.Object(WireJson.Default.ApiKey);
}
