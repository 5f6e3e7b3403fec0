using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.DataProtection;

namespace Miosa.Server.Webhooks;

/// <summary>Signing secrets and extra headers at rest: encrypted with the server's Data Protection keys. A secret must be had again to sign, so a hash will not do.</summary>
internal sealed class WebhookSeal(IDataProtectionProvider provider)
{
    private const string Start = "whsec_";
    private const int Shown = 4;

    private readonly IDataProtector protector = provider.CreateProtector("webhook");

    public static string NewSecret() => Start + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    public static string PreviewOf(string secret) => (secret.StartsWith(Start, StringComparison.Ordinal) ? Start : "") + "****" + secret[^Shown..];

    public byte[] Seal(string secret) => protector.Protect(Encoding.UTF8.GetBytes(secret));

    public string Open(byte[] secret) => Encoding.UTF8.GetString(protector.Unprotect(secret));

    public byte[]? SealHeaders(IReadOnlyDictionary<string, string> headers) =>
        headers.Count == 0 ? null : protector.Protect(JsonSerializer.SerializeToUtf8Bytes(headers));

    public WebhookSecrets Open(WebhookRow row) =>
        new(Open(row.SealedSecret), row.SealedOldSecret is null ? null : Open(row.SealedOldSecret), OpenHeaders(row.SealedHeaders));

    public IReadOnlyDictionary<string, string> OpenHeaders(byte[]? headers) =>
        headers is null ? new Dictionary<string, string>() : JsonSerializer.Deserialize<Dictionary<string, string>>(protector.Unprotect(headers)) ?? [];
}

/// <summary>What is sealed of a webhook, open.</summary>
internal sealed record WebhookSecrets(string Secret, string? OldSecret, IReadOnlyDictionary<string, string> Headers)
{
    /// <summary>A delivery as it leaves; with the old secret while that one is good.</summary>
    public Shipment ShipmentOf(WebhookRow row, DeliveryRow delivery, DateTimeOffset now) =>
        new(row.Url, Headers, Secret, row.OldSecretUntil > now ? OldSecret : null, delivery.Event, delivery.PayloadId, delivery.Payload);
}
