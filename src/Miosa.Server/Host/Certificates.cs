using System.Collections.Frozen;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Miosa.Server.Host;

/// <summary>
/// The certificates of the server, each with its chain: that of <c>--tls-cert</c>, and those of <c>--tls-folder</c> by the name in their file name.
/// A client that asks for <c>3000-x.preview.acme.com</c> gets that of this name, else that of <c>preview.acme.com</c> (a wildcard one), else the first.
/// The folder is looked at again while clients come, so that a renewed certificate needs no restart.
/// </summary>
internal sealed partial class Certificates
{
    private const string CertificateEnd = ".crt";
    private const string KeyEnd = ".key";

    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(5);

    private readonly string? folder;
    private readonly SslStreamCertificateContext? standard;
    private readonly TimeProvider time;
    private readonly ILogger log;
    private readonly Lock turn = new();
    private volatile FrozenDictionary<string, Pair> byName = FrozenDictionary<string, Pair>.Empty;
    private long lookedAt;

    public Certificates(ServerSettings settings, TimeProvider time, ILogger<Certificates> log)
    {
        (folder, this.time, this.log) = (settings.TlsFolder, time, log);
        try
        {
            if (settings.TlsCert is { } file)
                standard = Read(file, settings.TlsKey ?? file);
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new SettingsException($"--tls-cert and --tls-key: {e.Message}");
        }
        try
        {
            Look();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SettingsException($"--tls-folder: {e.Message}");
        }
    }

    public bool Any => standard is not null || folder is not null;

    /// <exception cref="AuthenticationException">There is none for this name: the client is refused.</exception>
    public SslServerAuthenticationOptions For(string? name)
    {
        LookAgain();
        return new SslServerAuthenticationOptions
        {
            ServerCertificateContext = Find(name?.ToLowerInvariant().TrimEnd('.') ?? "") ?? standard ?? throw new AuthenticationException($"there is no certificate for \"{name}\""),
        };
    }

    /// <summary>Only what was found in the folder is looked through: a client's name never becomes part of a path.</summary>
    private SslStreamCertificateContext? Find(string name)
    {
        if (byName.TryGetValue(name, out var exact))
            return exact.Context;
        var dot = name.IndexOf('.', StringComparison.Ordinal);
        return dot > 0 && byName.TryGetValue(name[(dot + 1)..], out var above) ? above.Context : null;
    }

    private void LookAgain()
    {
        if (folder is null || time.GetElapsedTime(Volatile.Read(ref lookedAt)) < LookEvery || !turn.TryEnter())
            return;
        try
        {
            Look();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            FolderFailed(log, folder, e.Message);
        }
        finally
        {
            turn.Exit();
        }
    }

    private void Look()
    {
        if (folder is null)
            return;
        Volatile.Write(ref lookedAt, time.GetTimestamp());
        var known = byName;
        var found = new Dictionary<string, Pair>();
        foreach (var file in Directory.EnumerateFiles(folder, "*" + CertificateEnd))
        {
            var name = Path.GetFileNameWithoutExtension(file).ToLowerInvariant();
            var key = Path.ChangeExtension(file, KeyEnd);
            var stamp = (File.GetLastWriteTimeUtc(file), File.GetLastWriteTimeUtc(key));
            if (known.TryGetValue(name, out var old) && old.Stamp == stamp)
                found[name] = old;
            else if (TryRead(file, key) is { } context)
                found[name] = new Pair(context, stamp);
            else if (old is not null)
                // Half replaced, perhaps: the old one goes on until both files fit.
                found[name] = old;
        }
        byName = found.ToFrozenDictionary();
    }

    private SslStreamCertificateContext? TryRead(string file, string key)
    {
        try
        {
            return Read(file, key);
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            PairFailed(log, file, e.Message);
            return null;
        }
    }

    private static SslStreamCertificateContext Read(string file, string key)
    {
        var leaf = X509Certificate2.CreateFromPemFile(file, key);
        var others = new X509Certificate2Collection();
        others.ImportFromPemFile(file);
        // Offline: what is sent is what stands in the file, nothing is fetched for it.
        return SslStreamCertificateContext.Create(leaf, [.. others.Where(one => one.Thumbprint != leaf.Thumbprint)], offline: true);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "the certificate {File} and its key cannot be used: {Reason}")]
    private static partial void PairFailed(ILogger log, string file, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "the folder of certificates {Folder} cannot be read: {Reason}; those known go on")]
    private static partial void FolderFailed(ILogger log, string folder, string reason);

    private sealed record Pair(SslStreamCertificateContext Context, (DateTime Certificate, DateTime Key) Stamp);
}
