using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Miosa.Server.Host;

namespace Miosa.Server.Keys;

/// <summary>What a token says: it acts for one external user in one workspace, and is worth no more than the key that made it.</summary>
internal sealed record ScopedTokenClaims
{
    [JsonPropertyName("jti")]
    public required string Id { get; init; }

    [JsonPropertyName("kid")]
    public required string KeyId { get; init; }

    [JsonPropertyName("sub")]
    public required string UserId { get; init; }

    [JsonPropertyName("wid")]
    public required string WorkspaceId { get; init; }

    [JsonPropertyName("scopes")]
    public required IReadOnlyList<string> Scopes { get; init; }

    [JsonPropertyName("iat")]
    public required long IssuedAt { get; init; }

    [JsonPropertyName("exp")]
    public required long Expires { get; init; }

    [JsonIgnore]
    public DateTimeOffset ExpiresAt => DateTimeOffset.FromUnixTimeSeconds(Expires);

    public Caller CallerOf(Caller maker) => maker with
    {
        Scopes = ScopeSet.Of(Scopes).Where(maker.Has).ToHashSet(),
        BoundExternalUserId = UserId,
        BoundWorkspaceId = WorkspaceId,
        TokenId = Id,
        ExpiresAt = ExpiresAt,
    };
}

/// <summary>
/// Short-lived tokens: JWTs, signed with HMAC-SHA256. Nothing of them is stored: their end stands in them, and their key is looked up with every
/// request, so that they end with it. One algorithm and one header, compared as text: there is nothing to choose for who forges one.
/// </summary>
internal sealed class ScopedTokens(ServerSettings settings, TimeProvider time)
{
    private const int MaxLength = 8192;

    private static readonly string Header = Base64Url.EncodeToString("""{"alg":"HS256","typ":"JWT"}"""u8);

    private readonly Lazy<byte[]> secret = new(() => SecretOf(Path.Combine(settings.DataDir, "keys", "scoped-tokens.key")));

    public string Write(ScopedTokenClaims claims)
    {
        var content = $"{Header}.{Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(claims))}";
        return $"{content}.{Base64Url.EncodeToString(Sign(content))}";
    }

    /// <summary>Null for what is altered, ended or no token of this server.</summary>
    public ScopedTokenClaims? Read(string text)
    {
        var end = text.LastIndexOf('.');
        if (text.Length > MaxLength || end <= Header.Length + 1 || !text.StartsWith(Header + ".", StringComparison.Ordinal))
            return null;
        var signature = new byte[HMACSHA256.HashSizeInBytes];
        if (Base64Url.DecodeFromChars(text.AsSpan(end + 1), signature, out _, out var length) != OperationStatus.Done || length != signature.Length
            || !CryptographicOperations.FixedTimeEquals(signature, Sign(text[..end])))
            return null;
        // From here on it is what this server wrote.
        var claims = JsonSerializer.Deserialize<ScopedTokenClaims>(Base64Url.DecodeFromChars(text.AsSpan(Header.Length + 1, end - Header.Length - 1)));
        return claims?.ExpiresAt > time.GetUtcNow() ? claims : null;
    }

    private byte[] Sign(string content) => HMACSHA256.HashData(secret.Value, Encoding.ASCII.GetBytes(content));

    private static byte[] SecretOf(string path)
    {
        if (File.Exists(path))
            return File.ReadAllBytes(path);
        var made = RandomNumberGenerator.GetBytes(32);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!); // it has a folder: it is made above
        // Whole or not at all: half a secret would be weak, and a second one would end every token.
        using (var file = new FileStream(path + ".new", new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
        {
            file.Write(made);
            file.Flush(flushToDisk: true);
        }
        File.Move(path + ".new", path);
        return made;
    }
}
