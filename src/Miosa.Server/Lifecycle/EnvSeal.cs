using System.Text.Json;
using Microsoft.AspNetCore.DataProtection;

namespace Miosa.Server.Lifecycle;

/// <summary>Environment values at rest: encrypted with the server's Data Protection keys, which lie in the data folder (0700).</summary>
internal sealed class EnvSeal(IDataProtectionProvider provider)
{
    private static readonly IReadOnlyDictionary<string, string> Empty = new Dictionary<string, string>();

    private readonly IDataProtector protector = provider.CreateProtector("machine.env");

    public byte[]? Seal(IReadOnlyDictionary<string, string>? env) =>
        env is null or { Count: 0 } ? null : protector.Protect(JsonSerializer.SerializeToUtf8Bytes(env));

    public IReadOnlyDictionary<string, string> Open(byte[]? @sealed) =>
        @sealed is null ? Empty : JsonSerializer.Deserialize<Dictionary<string, string>>(protector.Unprotect(@sealed)) ?? Empty;
}
