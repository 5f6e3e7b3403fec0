using System.Security.Cryptography;
using Miosa.Server.Storage;

namespace Miosa.Server.Previews;

/// <summary>A row in memory, and the signal that it opens nothing any more; open connections end with it.</summary>
internal sealed class Live<TRow>(TRow row) : IDisposable
{
    private readonly CancellationTokenSource ended = new();

    public TRow Row => row;

    public CancellationToken Ended => ended.Token;

    public void Dispose() => ended.Cancel();
}

/// <summary>
/// The published ports of one machine and the secrets that open them, as the database has them; requests look here. Lists are replaced whole,
/// so a reader never waits.
/// </summary>
internal sealed class MachinePreviews
{
    /// <summary>Requests at a time to one machine: more would take the streams that commands and files need.</summary>
    public const int MaxOpen = 400;

    /// <summary>Viewers at a time of one computer.</summary>
    public const int MaxViewers = 32;

    private volatile IReadOnlyList<Live<PreviewRow>> previews = [];
    private volatile IReadOnlyList<Live<PreviewGrantRow>> grants = [];
    private int open;
    private int watching;

    /// <summary>By the order of their making.</summary>
    public IReadOnlyList<Live<PreviewRow>> All => previews;

    public IReadOnlyList<Live<PreviewGrantRow>> Grants => grants;

    public Live<PreviewRow>? OfPort(int port) => previews.FirstOrDefault(p => p.Row.Port == port);

    public Live<PreviewRow>? Find(string id) => previews.FirstOrDefault(p => p.Row.Id == id);

    /// <summary>The secret whose hash this is, if it opens the port now. Every secret is compared in the same time.</summary>
    public Live<PreviewGrantRow>? Open(byte[] hash, int port, DateTimeOffset now) =>
        Find(hash, now) is { } found && !IsOfViewer(found.Row) && (found.Row.Port is null || found.Row.Port == port) ? found : null;

    /// <summary>The stream token whose hash this is, if it is good now.</summary>
    public Live<PreviewGrantRow>? OpenStream(byte[] hash, DateTimeOffset now) => Find(hash, now) is { Row.Kind: nameof(GrantKind.Stream) } found ? found : null;

    /// <summary>The viewer password, if one was set.</summary>
    public Live<PreviewGrantRow>? ViewerPassword => grants.LastOrDefault(g => g.Row.Kind == nameof(GrantKind.ViewerPassword));

    public bool TryWatch()
    {
        if (Interlocked.Increment(ref watching) <= MaxViewers)
            return true;
        Unwatch();
        return false;
    }

    public void Unwatch() => Interlocked.Decrement(ref watching);

    public bool TryEnter()
    {
        if (Interlocked.Increment(ref open) <= MaxOpen)
            return true;
        Leave();
        return false;
    }

    public void Leave() => Interlocked.Decrement(ref open);

    /// <summary>One writer at a time: <see cref="Previews"/>. A row that is replaced ends what it let in.</summary>
    public void Put(PreviewRow row)
    {
        Drop((PreviewRow p) => p.Id == row.Id);
        previews = [.. previews.Append(new(row)).OrderBy(p => p.Row.CreatedAt)];
    }

    public void Drop(Func<PreviewRow, bool> which)
    {
        var gone = previews.Where(p => which(p.Row)).ToList();
        previews = [.. previews.Except(gone)];
        gone.ForEach(p => p.Dispose());
    }

    public void Put(PreviewGrantRow row) => grants = [.. grants, new(row)];

    public void Drop(Func<PreviewGrantRow, bool> which)
    {
        var gone = grants.Where(g => which(g.Row)).ToList();
        grants = [.. grants.Except(gone)];
        gone.ForEach(g => g.Dispose());
    }

    private Live<PreviewGrantRow>? Find(byte[] hash, DateTimeOffset now)
    {
        Live<PreviewGrantRow>? found = null;
        foreach (var grant in grants)
        {
            if (CryptographicOperations.FixedTimeEquals(grant.Row.Hash, hash))
                found = grant;
        }
        return found is not null && !(found.Row.ExpiresAt <= now) ? found : null;
    }

    private static bool IsOfViewer(PreviewGrantRow row) => row.Kind is nameof(GrantKind.Stream) or nameof(GrantKind.ViewerPassword);
}
