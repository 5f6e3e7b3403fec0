using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.DataProtection;
using Miosa.Server.Host;
using Miosa.Server.Settings;
using Miosa.Server.Storage;

namespace Miosa.Server.Models;

/// <summary>The server's own key of a provider.</summary>
internal sealed record ModelKeyRow
{
    public required string Provider { get; init; }

    /// <summary>Encrypted for this provider: under another's name it opens nothing.</summary>
    public required byte[] Sealed { get; init; }
    public required DateTimeOffset UpdatedAt { get; init; }
}

/// <summary>Keys of providers, opened for the moment of a call. They are in no setting, no log and no answer.</summary>
internal sealed class ProviderSecrets(Database database, IDataProtectionProvider protection, TimeProvider time, ProviderKeys? tenants)
{
    private const int MaxKey = 4096;

    /// <summary>For the admin command, which has no server around it.</summary>
    public static ProviderSecrets Of(Database database, ServerSettings settings, TimeProvider time) => new(
        database, DataProtectionProvider.Create(new DirectoryInfo(Path.Combine(settings.DataDir, "keys")), builder => builder.SetApplicationName("miosa-server")), time, tenants: null);

    /// <summary>The key for a call of this tenant; null when the provider takes none.</summary>
    public async ValueTask<(string? Key, Refusal? Refusal)> OfAsync(ProviderConfig provider, string tenant, CancellationToken ct)
    {
        switch (provider.Key)
        {
            case KeySource.Stored:
                return Open(provider.Name) is { } stored
                    ? (stored, null)
                    : (null, new Refusal(ErrorCodes.Unavailable, $"the provider \"{provider.Name}\" has no key: the server's operator stores one with \"miosa-server models set-key {provider.Name}\""));
            case KeySource.Tenant:
                return tenants is not null && await tenants.OpenAsync(tenant, provider.KeyName, ct) is { } own
                    ? (own, null)
                    : (null, Refusal.Conflict($"the tenant has no key of the provider \"{provider.KeyName}\": store it with PUT /settings/provider-keys/{provider.KeyName}"));
            default:
                return (null, null);
        }
    }

    public Task StoreAsync(string provider, string key, CancellationToken ct)
    {
        if (key.Length is 0 or > MaxKey || !key.All(c => c is > ' ' and <= '~'))
            throw new ArgumentException($"a key is one word of 1 to {MaxKey} ASCII characters", nameof(key));
        var row = new ModelKeyRow { Provider = provider, Sealed = ProtectorOf(provider).Protect(Encoding.UTF8.GetBytes(key)), UpdatedAt = time.GetUtcNow() };
        return database.WriteRowsAsync(
            transaction => transaction.Run(
                "INSERT INTO model_keys (Provider, Sealed, UpdatedAt) VALUES ($provider, $sealed, $at) ON CONFLICT (Provider) DO UPDATE SET Sealed = $sealed, UpdatedAt = $at",
                ("$provider", provider), ("$sealed", row.Sealed), ("$at", row.UpdatedAt.ToUnixTimeMilliseconds())),
            ct);
    }

    public async Task<bool> DeleteAsync(string provider, CancellationToken ct)
    {
        var count = 0;
        await database.WriteRowsAsync(transaction => count = transaction.Run("DELETE FROM model_keys WHERE Provider = $provider", ("$provider", provider)), ct);
        return count > 0;
    }

    public IReadOnlyList<string> Stored() =>
        database.ReadRows(transaction => transaction.Rows("SELECT Provider FROM model_keys ORDER BY Provider", row => row.GetString(0)).ToList());

    private string? Open(string provider)
    {
        var sealedKey = database.ReadRows(transaction => transaction.One("SELECT Sealed FROM model_keys WHERE Provider = $provider", row => (byte[])row[0], ("$provider", provider)));
        try
        {
            return sealedKey is null ? null : Encoding.UTF8.GetString(ProtectorOf(provider).Unprotect(sealedKey));
        }
        catch (CryptographicException)
        {
            // Sealed with keys that this server does not have: as good as none.
            return null;
        }
    }

    private IDataProtector ProtectorOf(string provider) => protection.CreateProtector("model.key", provider);
}
