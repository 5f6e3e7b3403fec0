using System.Collections.Concurrent;
using Microsoft.EntityFrameworkCore;

namespace Miosa.Server.Storage;

/// <summary>
/// A table of which a tenant has at most one row, all of it in memory: requests look here, and the row in the database is the truth. A change
/// reads, decides and writes in one transaction of the writer, so that two changes at once lose nothing of each other.
/// </summary>
internal sealed class TenantRows<TRow>(Database database, Func<TRow, string> tenantOf)
    where TRow : class
{
    private readonly ConcurrentDictionary<string, TRow> rows = [];

    public ICollection<TRow> All => rows.Values;

    public TRow? Of(string tenantId) => rows.GetValueOrDefault(tenantId);

    /// <summary>At start, before anything asks.</summary>
    public async Task FillAsync(CancellationToken ct)
    {
        await using var db = database.Read();
        foreach (var row in await db.Set<TRow>().ToListAsync(ct))
            rows[tenantOf(row)] = row;
    }

    /// <summary>The row after the change, which gets the one before; null is no row.</summary>
    /// <param name="change">Runs in the transaction and may write other things in it; what it throws takes everything back.</param>
    /// <param name="adopted">Gets both rows once they are written, before another change begins.</param>
    public async Task<TRow?> ChangeAsync(string tenantId, Func<ServerDb, TRow?, TRow?> change, CancellationToken ct, Action<TRow?, TRow?>? adopted = null)
    {
        TRow? row = null;
        await database.WriteAsync(
            db =>
            {
                var old = db.Set<TRow>().Find(tenantId);
                // Find follows what it found; the change brings a row of its own.
                db.ChangeTracker.Clear();
                row = change(db, old);
                if (row is null && old is not null)
                    db.Remove(old);
                else if (row is not null && old is null)
                    db.Add(row);
                else if (row is not null && !ReferenceEquals(row, old))
                    db.Update(row);
                database.AfterCommit(() =>
                {
                    if (row is null)
                        rows.TryRemove(tenantId, out _);
                    else
                        rows[tenantId] = row;
                    adopted?.Invoke(old, row);
                });
            },
            ct);
        return row;
    }
}
