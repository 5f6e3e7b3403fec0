using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.EntityFrameworkCore;
using Miosa.Server.Audit;
using Miosa.Server.Storage;

namespace Miosa.Server.Host;

/// <summary>Marks a route whose answer is kept under the caller's idempotency key; some take the key from the body, too.</summary>
internal sealed record Replayable(bool KeyInBody, int MaxBody = Body.DefaultLimit);

/// <summary>
/// Idempotency keys (docs/adr/0011): scope is tenant, method, path and key; answers below 500 are kept for 24 hours; a repeat while
/// the first call runs waits for it; the same key with another body is refused.
/// </summary>
internal sealed class Idempotency(Database database, IDataProtectionProvider protection, TimeProvider time)
{
    public const string Header = "Idempotency-Key";
    public const string BodyField = "idempotency_key";
    public const string ReplayHeader = "Idempotent-Replay";
    public static readonly TimeSpan Kept = TimeSpan.FromHours(24);

    private const int MaxKeyLength = 255;

    private readonly IDataProtector seal = protection.CreateProtector("idempotency");

    private readonly Dictionary<(string Tenant, string Method, string Path, string Key), Turn> running = [];

    public async Task HandleAsync(HttpContext context, RequestDelegate next)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<Replayable>() is not { } route || context.Features.Get<Caller>() is not { } caller)
        {
            await next(context);
            return;
        }
        var key = context.Request.Headers[Header].ToString();
        if (key.Length == 0 && !route.KeyInBody)
        {
            await next(context);
            return;
        }
        var (body, refusal) = await Body.BytesAsync(context, route.MaxBody, context.RequestAborted);
        if (refusal is null && key.Length == 0)
            (key, refusal) = KeyOf(body);
        if (refusal is null && key.Length > MaxKeyLength)
            refusal = Refusal.Invalid(BodyField, $"must be at most {MaxKeyLength} characters, got {key.Length}");
        if (refusal is not null)
        {
            await Reply.Refuse(refusal).ExecuteAsync(context);
            return;
        }
        if (key.Length == 0)
        {
            await next(context);
            return;
        }
        // Whom a key acts for is part of it: another user's answer is none of his.
        var whose = caller.BoundExternalUserId is null ? caller.TenantId : $"{caller.TenantId}\n{caller.BoundExternalUserId}\n{caller.BoundWorkspaceId}";
        await RunOnceAsync(context, next, (whose, context.Request.Method, context.Request.Path.Value ?? "", key), HashOf(body));
    }

    /// <summary>Forgets answers older than a day.</summary>
    public Task ForgetOldAsync(CancellationToken ct)
    {
        var limit = time.GetUtcNow() - Kept;
        return database.WriteAsync(db => db.Idempotency.Where(i => i.CreatedAt < limit).ExecuteDelete(), ct);
    }

    private async Task RunOnceAsync(HttpContext context, RequestDelegate next, (string Tenant, string Method, string Path, string Key) scope, byte[] hash)
    {
        var turn = Enter(scope);
        try
        {
            await turn.Gate.WaitAsync(context.RequestAborted);
            try
            {
                if (await FindAsync(scope, context.RequestAborted) is { } stored)
                    await AnswerAsync(context, stored, hash);
                else
                    await RunAndKeepAsync(context, next, scope, hash);
            }
            finally
            {
                turn.Gate.Release();
            }
        }
        finally
        {
            Leave(scope, turn);
        }
    }

    private Turn Enter((string Tenant, string Method, string Path, string Key) scope)
    {
        lock (running)
        {
            if (!running.TryGetValue(scope, out var turn))
                running[scope] = turn = new Turn();
            turn.Holders++;
            return turn;
        }
    }

    private void Leave((string Tenant, string Method, string Path, string Key) scope, Turn turn)
    {
        lock (running)
        {
            // Only the last one out removes it: a newcomer must meet those who still wait.
            if (--turn.Holders > 0)
                return;
            running.Remove(scope);
            turn.Gate.Dispose();
        }
    }

    private async Task<IdempotencyRow?> FindAsync((string Tenant, string Method, string Path, string Key) scope, CancellationToken ct)
    {
        await using var db = database.Read();
        var row = await db.Idempotency.FirstOrDefaultAsync(
            i => i.TenantId == scope.Tenant && i.Method == scope.Method && i.Path == scope.Path && i.Key == scope.Key, ct);
        return row is not null && row.CreatedAt > time.GetUtcNow() - Kept ? row : null;
    }

    private async Task AnswerAsync(HttpContext context, IdempotencyRow stored, byte[] hash)
    {
        if (!hash.AsSpan().SequenceEqual(stored.RequestHash))
        {
            await Reply.Refuse(new Refusal(ErrorCodes.IdempotencyKeyReused, "the idempotency key was used before with another body")).ExecuteAsync(context);
            return;
        }
        context.Response.StatusCode = stored.Status;
        context.Response.ContentType = stored.ContentType;
        var body = seal.Unprotect(stored.Body);
        context.Response.ContentLength = body.Length;
        context.Response.Headers[ReplayHeader] = "true";
        // What it repeats may have been a secret.
        context.Response.Headers.CacheControl = "no-store";
        context.Features.Get<AuditCall>()?.Answered(stored.Status, body);
        await context.Response.Body.WriteAsync(body, context.RequestAborted);
    }

    private async Task RunAndKeepAsync(HttpContext context, RequestDelegate next, (string Tenant, string Method, string Path, string Key) scope, byte[] hash)
    {
        var wire = context.Response.Body;
        using var kept = new MemoryStream();
        context.Response.Body = kept;
        try
        {
            await next(context);
        }
        finally
        {
            context.Response.Body = wire;
        }
        if (context.Response.StatusCode < 500)
        {
            var row = new IdempotencyRow
            {
                TenantId = scope.Tenant,
                Method = scope.Method,
                Path = scope.Path,
                Key = scope.Key,
                RequestHash = hash,
                Status = context.Response.StatusCode,
                ContentType = context.Response.ContentType ?? "",
                Body = seal.Protect(kept.ToArray()),
                CreatedAt = time.GetUtcNow(),
            };
            // Kept even when the caller has gone: exactly that caller will come again. Replaces an expired row.
            await database.WriteAsync(
                db =>
                {
                    db.Idempotency.Where(i => i.TenantId == row.TenantId && i.Method == row.Method && i.Path == row.Path && i.Key == row.Key).ExecuteDelete();
                    db.Idempotency.Add(row);
                },
                CancellationToken.None);
        }
        kept.Position = 0;
        await kept.CopyToAsync(wire, context.RequestAborted);
    }

    private static (string Key, Refusal? Refusal) KeyOf(ReadOnlyMemory<byte> body)
    {
        // A cheap look first: most bodies have no such field, and the endpoint parses them anyway.
        if (body.Span.IndexOf("\"idempotency_key\""u8) < 0)
            return ("", null);
        var read = Body.Parse(body, Aliases.None);
        if (read.Refusal is not null)
            return ("", null); // the endpoint says what is wrong with the body
        var key = read.Fields.Text(BodyField, MaxKeyLength);
        return (key ?? "", read.Fields.Errors());
    }

    // None, {} and null are the same empty request.
    private static byte[] HashOf(ReadOnlyMemory<byte> body)
    {
        var text = body.Span.Trim(" \t\r\n"u8);
        return SHA256.HashData(text.SequenceEqual("{}"u8) || text.SequenceEqual("null"u8) ? [] : text);
    }

    private sealed class Turn
    {
        public SemaphoreSlim Gate { get; } = new(1);

        /// <summary>Calls that run or wait under this key; guarded by the table.</summary>
        public int Holders { get; set; }
    }
}
