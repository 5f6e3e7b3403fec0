using Miosa.Http;

namespace Miosa;

/// <summary>
/// What each of your users may have. The server counts in the transaction that creates or starts a machine, so that no number of calls at once gets past
/// a cap. A refused call throws <see cref="PermissionException"/> with <see cref="ErrorCodes.QuotaExceeded"/> and what, limit and current in its details;
/// a cap on spending throws <see cref="InsufficientCreditsException"/>.
/// </summary>
/// <example>
/// <code>
/// await client.Quotas.SetAsync("usr_123", maxSandboxes: 5, maxConcurrent: 2, maxCreditCents: 10_000);
/// var quota = await client.Quotas.GetAsync("usr_123");
/// Console.WriteLine($"{quota.Usage.Sandboxes} of {quota.MaxSandboxes}");
/// </code>
/// </example>
public sealed class Quotas
{
    private const string OfUsers = "/quotas/external";
    private const string OfEachUser = "/quotas/default";

    private readonly Pipeline pipeline;

    internal Quotas(Pipeline pipeline) => this.pipeline = pipeline;

    /// <summary>The caps of a user and what it has now. A user nobody knows has the default and nothing.</summary>
    /// <param name="externalUserId">Your own name for the user.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The quota.</returns>
    public Task<Quota> GetAsync(string externalUserId, CancellationToken cancellationToken = default) => pipeline.SendAsync(GetCall(externalUserId), cancellationToken);

    /// <inheritdoc cref="GetAsync"/>
    public Quota Get(string externalUserId) => pipeline.Send(GetCall(externalUserId));

    /// <summary>Sets all four caps of a user; one that is not given is lifted. A cap below what is there takes nothing away: only new things are refused.</summary>
    /// <param name="externalUserId">Your own name for the user, at most 255 characters.</param>
    /// <param name="maxSandboxes">Most machines owned at once; default: not capped.</param>
    /// <param name="maxConcurrent">Most machines running at once; default: not capped.</param>
    /// <param name="maxStorageGb">Most GiB written to the disks of the machines, and the largest disk of one; default: not capped.</param>
    /// <param name="maxCreditCents">Most cents spent in a calendar month (UTC); default: not capped.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The quota.</returns>
    /// <exception cref="ValidationException">A cap is negative, or the name is too long.</exception>
    public Task<Quota> SetAsync(
        string externalUserId, int? maxSandboxes = null, int? maxConcurrent = null, int? maxStorageGb = null, long? maxCreditCents = null,
        CancellationToken cancellationToken = default)
        => pipeline.SendAsync(SetCall(externalUserId, maxSandboxes, maxConcurrent, maxStorageGb, maxCreditCents), cancellationToken);

    /// <inheritdoc cref="SetAsync"/>
    public Quota Set(string externalUserId, int? maxSandboxes = null, int? maxConcurrent = null, int? maxStorageGb = null, long? maxCreditCents = null)
        => pipeline.Send(SetCall(externalUserId, maxSandboxes, maxConcurrent, maxStorageGb, maxCreditCents));

    /// <summary>Drops a user's own caps: the tenant's default holds again. Dropping what is not there does no harm.</summary>
    /// <param name="externalUserId">Your own name for the user.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is done.</returns>
    public Task DeleteAsync(string externalUserId, CancellationToken cancellationToken = default) => pipeline.SendAsync(DeleteCall(externalUserId), cancellationToken);

    /// <inheritdoc cref="DeleteAsync"/>
    public void Delete(string externalUserId) => pipeline.Send(DeleteCall(externalUserId));

    /// <summary>The caps of users that have none of their own.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The caps.</returns>
    public Task<DefaultQuota> GetDefaultAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(GetDefaultCall(), cancellationToken);

    /// <inheritdoc cref="GetDefaultAsync"/>
    public DefaultQuota GetDefault() => pipeline.Send(GetDefaultCall());

    /// <summary>Sets all four caps of users that have none of their own; one that is not given is lifted.</summary>
    /// <param name="limits">The caps.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The caps.</returns>
    /// <exception cref="ValidationException">A cap is negative.</exception>
    public Task<DefaultQuota> SetDefaultAsync(QuotaLimits limits, CancellationToken cancellationToken = default) => pipeline.SendAsync(SetDefaultCall(limits), cancellationToken);

    /// <inheritdoc cref="SetDefaultAsync"/>
    public DefaultQuota SetDefault(QuotaLimits limits) => pipeline.Send(SetDefaultCall(limits));

    /// <summary>Drops the tenant's default: the server's setting holds again.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is done.</returns>
    public Task DeleteDefaultAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(DeleteDefaultCall(), cancellationToken);

    /// <inheritdoc cref="DeleteDefaultAsync"/>
    public void DeleteDefault() => pipeline.Send(DeleteDefaultCall());

    private static Call<Quota> GetCall(string externalUserId) => new(HttpMethod.Get, Call.Item(OfUsers, externalUserId), static answer => answer.Object(WireJson.Default.Quota));

    private static Call<Quota> SetCall(string externalUserId, int? maxSandboxes, int? maxConcurrent, int? maxStorageGb, long? maxCreditCents)
        => new(HttpMethod.Put, Call.Item(OfUsers, externalUserId), static answer => answer.Object(WireJson.Default.Quota))
        {
            Json = Call.Body(
                new() { MaxSandboxes = maxSandboxes, MaxConcurrent = maxConcurrent, MaxStorageGb = maxStorageGb, MaxCreditCents = maxCreditCents }, RequestJson.Default.QuotaLimits),
        };

    private static Call<bool> DeleteCall(string externalUserId) => new(HttpMethod.Delete, Call.Item(OfUsers, externalUserId), Answer.Nothing);

    private static Call<DefaultQuota> GetDefaultCall() => new(HttpMethod.Get, OfEachUser, static answer => answer.Object(WireJson.Default.DefaultQuota));

    private static Call<DefaultQuota> SetDefaultCall(QuotaLimits limits)
    {
        ArgumentNullException.ThrowIfNull(limits);
        return new(HttpMethod.Put, OfEachUser, static answer => answer.Object(WireJson.Default.DefaultQuota)) { Json = Call.Body(limits, RequestJson.Default.QuotaLimits) };
    }

    private static Call<bool> DeleteDefaultCall() => new(HttpMethod.Delete, OfEachUser, Answer.Nothing);
}
