using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.DataProtection;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Exports;

/// <summary>What a download link hands out: these paths of this sandbox or computer, as one download.</summary>
internal sealed record ExportOrder(string TenantId, string SandboxId, string[] Paths, string? FileName);

/// <summary>
/// Links that need no key: the order itself, sealed with the server's Data Protection keys and its end with it, so that nothing has to be
/// stored or swept, and nobody can alter one.
/// </summary>
internal sealed class ExportLinks(IDataProtectionProvider provider)
{
    public static readonly TimeSpan Life = TimeSpan.FromHours(1);

    private readonly ITimeLimitedDataProtector protector = provider.CreateProtector("sandbox.export").ToTimeLimitedDataProtector();

    public string UrlOf(HttpContext context, ExportOrder order, DateTimeOffset expiresAt)
    {
        var request = context.Request;
        var token = protector.Protect(JsonSerializer.Serialize(order), expiresAt);
        return $"{request.Scheme}://{request.Host}{Routes.Base}/{context.Area()}/{order.SandboxId}/exports/download?t={token}";
    }

    /// <summary>Null for what is altered, expired or meant for another sandbox; which of them is nobody's business.</summary>
    public ExportOrder? Open(string token, string sandboxId)
    {
        try
        {
            return JsonSerializer.Deserialize<ExportOrder>(protector.Unprotect(token)) is { } order && order.SandboxId == sandboxId ? order : null;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }
}
