using System.Text.Json;
using Microsoft.AspNetCore.DataProtection;

namespace Miosa.Server.Lifecycle;

/// <summary>Environment values at rest: encrypted with the server's Data Protection keys, which lie in the data folder (0700).</summary>
internal sealed class EnvSeal(IDataProtectionProvider provider)
{
    private readonly IDataProtector protector = provider.CreateProtector("machine.env");

    public byte[]? Seal(MachineEnv env) =>
        env.Variables.Count == 0 ? null : protector.Protect(JsonSerializer.SerializeToUtf8Bytes(env.Variables));

    public MachineEnv Open(byte[]? @sealed)
    {
        if (@sealed is null)
            return MachineEnv.Empty;
        using var json = JsonDocument.Parse(protector.Unprotect(@sealed));
        // Version 0.1 kept plain texts, all of them secret.
        return new MachineEnv(json.RootElement.EnumerateObject().ToDictionary(
            variable => variable.Name,
            variable => variable.Value.ValueKind == JsonValueKind.String
                ? new EnvValue(variable.Value.GetString() ?? "", IsSecret: true, DateTimeOffset.UnixEpoch)
                : variable.Value.Deserialize<EnvValue>() ?? throw new JsonException($"no value under {variable.Name}")));
    }
}
