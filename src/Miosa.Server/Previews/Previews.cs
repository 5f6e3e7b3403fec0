using Microsoft.EntityFrameworkCore;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Storage;

namespace Miosa.Server.Previews;

/// <summary>
/// Writes published ports and secrets: the database first, then the machine's copy in memory. One change at a time; they are rare and short.
/// </summary>
internal sealed class Previews(Database database, TimeProvider time) : IDisposable
{
    private const int MaxPreviews = 100;
    private const int MaxGrants = 1000;

    private readonly SemaphoreSlim turn = new(1);

    /// <summary>At start, after the directory has its machines.</summary>
    public async Task FillAsync(MachineDirectory directory, CancellationToken ct)
    {
        await using var db = database.Read();
        foreach (var row in await db.Previews.ToListAsync(ct))
            directory.Find(row.MachineId)?.Previews.Put(row);
        var now = time.GetUtcNow();
        foreach (var row in await db.PreviewGrants.Where(g => g.ExpiresAt == null || g.ExpiresAt > now).ToListAsync(ct))
            directory.Find(row.MachineId)?.Previews.Put(row);
    }

    /// <summary>Publishes a port, or changes how it is published; a repeat changes nothing.</summary>
    public async Task<(PreviewRow? Row, bool IsNew, Refusal? Refusal)> PublishAsync(Resident machine, int port, bool? isPublic, string? name, bool defaultPublic, CancellationToken ct, string? visibility = null)
    {
        await turn.WaitAsync(ct);
        try
        {
            if (machine.Previews.OfPort(port)?.Row is { } old)
            {
                var changed = old with { IsPublic = isPublic ?? old.IsPublic, Visibility = visibility ?? old.Visibility, Name = name ?? old.Name };
                if (changed == old)
                    return (old, false, null);
                changed = changed with { UpdatedAt = time.GetUtcNow() };
                await database.WriteAsync(db => db.Previews.Update(changed), ct);
                machine.Previews.Put(changed);
                return (changed, false, null);
            }
            if (machine.Previews.All.Count >= MaxPreviews)
                return (null, false, new Refusal(ErrorCodes.QuotaExceeded, $"a {machine.Row.Kind} has at most {MaxPreviews} {(machine.Row.IsComputer ? "ports" : "previews")}; delete one first"));
            var row = new PreviewRow
            {
                Id = Ids.New("prv"),
                TenantId = machine.Row.TenantId,
                MachineId = machine.Row.Id,
                Port = port,
                IsPublic = isPublic ?? defaultPublic,
                Visibility = visibility,
                Name = name,
                CreatedAt = time.GetUtcNow(),
            };
            await database.WriteAsync(db => db.Previews.Add(row), ct);
            machine.Previews.Put(row);
            return (row, true, null);
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Takes a preview back, and the share tokens that belong to it.</summary>
    public Task DeleteAsync(Resident machine, string id, CancellationToken ct) => ChangeAsync(
        db =>
        {
            db.Previews.Where(p => p.Id == id && p.MachineId == machine.Row.Id).ExecuteDelete();
            db.PreviewGrants.Where(g => g.PreviewId == id && g.MachineId == machine.Row.Id).ExecuteDelete();
        },
        () =>
        {
            machine.Previews.Drop((PreviewRow p) => p.Id == id);
            machine.Previews.Drop((PreviewGrantRow g) => g.PreviewId == id);
        },
        ct);

    /// <summary>Makes a secret; its text is known to nobody after this answer.</summary>
    public async Task<(PreviewGrantRow? Row, string Text, Refusal? Refusal)> GrantAsync(
        Resident machine, GrantKind kind, int? expiresInSec, bool mayWrite, int? port, string? previewId, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var text = GrantText.New(kind);
        var row = new PreviewGrantRow
        {
            Id = Ids.New(kind == GrantKind.Share ? "ms" : "pg"),
            TenantId = machine.Row.TenantId,
            MachineId = machine.Row.Id,
            Kind = kind.ToString(),
            PreviewId = previewId,
            Port = port,
            MayWrite = mayWrite,
            Prefix = text[..GrantText.ShownLength],
            Hash = GrantText.HashOf(text) ?? throw new InvalidOperationException("a new secret is one of ours"),
            CreatedAt = now,
            ExpiresAt = expiresInSec is { } seconds ? now.AddSeconds(seconds) : null,
        };
        var refusal = await AddAsync(machine, row, now, $"a {machine.Row.Kind} has at most {MaxGrants} tokens and links that are still good; revoke some first", ct);
        return refusal is null ? (row, text, null) : (null, "", refusal);
    }

    /// <summary>A stream token; its text is known to nobody after this answer.</summary>
    /// <param name="keyId">The key that asks, and with which the token ends.</param>
    /// <param name="passwordId">Or the viewer password.</param>
    public async Task<(PreviewGrantRow? Row, string Text, Refusal? Refusal)> GrantStreamAsync(
        Resident machine, DateTimeOffset expiresAt, bool mayWrite, string? keyId, string? passwordId, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var text = GrantText.New(GrantKind.Stream);
        var row = new PreviewGrantRow
        {
            Id = Ids.New("pg"),
            TenantId = machine.Row.TenantId,
            MachineId = machine.Row.Id,
            Kind = nameof(GrantKind.Stream),
            KeyId = keyId,
            PasswordId = passwordId,
            MayWrite = mayWrite,
            Prefix = text[..GrantText.ShownLength],
            Hash = GrantText.HashOf(text) ?? throw new InvalidOperationException("a new secret is one of ours"),
            CreatedAt = now,
            ExpiresAt = expiresAt,
        };
        var refusal = await AddAsync(machine, row, now, $"a computer has at most {MaxGrants} stream tokens that are still good; ask for shorter ones, or wait until some end", ct);
        return refusal is null ? (row, text, null) : (null, "", refusal);
    }

    /// <summary>A new viewer password; the one before, and what was got with it, ends.</summary>
    public async Task<(PreviewGrantRow Row, string Text)> RotateViewerPasswordAsync(Resident machine, CancellationToken ct)
    {
        var text = GrantText.NewPassword();
        var row = new PreviewGrantRow
        {
            Id = Ids.New("pg"),
            TenantId = machine.Row.TenantId,
            MachineId = machine.Row.Id,
            Kind = nameof(GrantKind.ViewerPassword),
            MayWrite = true,
            Prefix = "",
            Hash = GrantText.HashOfPassword(text),
            CreatedAt = time.GetUtcNow(),
        };
        await ChangeAsync(
            db =>
            {
                db.PreviewGrants.Where(g => g.MachineId == machine.Row.Id && (g.Kind == nameof(GrantKind.ViewerPassword) || g.PasswordId != null)).ExecuteDelete();
                db.PreviewGrants.Add(row);
            },
            () =>
            {
                machine.Previews.Drop((PreviewGrantRow g) => g.Kind == nameof(GrantKind.ViewerPassword) || g.PasswordId is not null);
                machine.Previews.Put(row);
            },
            ct);
        return (row, text);
    }

    public Task RevokeAsync(Resident machine, IReadOnlyCollection<string> ids, CancellationToken ct) => ChangeAsync(
        db => db.PreviewGrants.Where(g => ids.Contains(g.Id) && g.MachineId == machine.Row.Id).ExecuteDelete(),
        () => machine.Previews.Drop((PreviewGrantRow g) => ids.Contains(g.Id)),
        ct);

    public void Dispose() => turn.Dispose();

    /// <param name="full">What is said when there are too many.</param>
    private async Task<Refusal?> AddAsync(Resident machine, PreviewGrantRow row, DateTimeOffset now, string full, CancellationToken ct)
    {
        Refusal? refusal = null;
        await ChangeAsync(
            db =>
            {
                db.PreviewGrants.Where(g => g.MachineId == machine.Row.Id && g.ExpiresAt <= now).ExecuteDelete();
                if (db.PreviewGrants.Count(g => g.MachineId == machine.Row.Id) < MaxGrants)
                    db.PreviewGrants.Add(row);
                else
                    refusal = new Refusal(ErrorCodes.QuotaExceeded, full);
            },
            () =>
            {
                machine.Previews.Drop((PreviewGrantRow g) => g.ExpiresAt <= now);
                if (refusal is null)
                    machine.Previews.Put(row);
            },
            ct);
        return refusal;
    }

    private async Task ChangeAsync(Action<ServerDb> write, Action adopt, CancellationToken ct)
    {
        await turn.WaitAsync(ct);
        try
        {
            await database.WriteAsync(write, ct);
            adopt();
        }
        finally
        {
            turn.Release();
        }
    }
}
