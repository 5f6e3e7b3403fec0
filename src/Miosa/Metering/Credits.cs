using Miosa.Http;

namespace Miosa;

/// <summary>The credits of the tenant: what is left, and the ledger behind it. One credit is one cent. The server's administrator grants them.</summary>
public sealed class Credits
{
    private readonly Pipeline pipeline;

    internal Credits(Pipeline pipeline) => this.pipeline = pipeline;

    /// <summary>What is left, up to this moment. Any valid key may ask.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The balance.</returns>
    public Task<CreditBalance> BalanceAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(BalanceCall(), cancellationToken);

    /// <inheritdoc cref="BalanceAsync"/>
    public CreditBalance Balance() => pipeline.Send(BalanceCall());

    /// <summary>One page of the ledger, newest first.</summary>
    /// <param name="type">Only <c>debit</c>, <c>credit</c> or <c>promo</c>.</param>
    /// <param name="page">Page number from 1; a page beyond the end is empty.</param>
    /// <param name="perPage">Page length, 1 to 100; default 20.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The page.</returns>
    /// <exception cref="ValidationException">There is no such type.</exception>
    public Task<Page<CreditTransaction>> TransactionsAsync(string? type = null, int page = 1, int perPage = 20, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(TransactionsCall(type, page, perPage), cancellationToken);

    /// <inheritdoc cref="TransactionsAsync"/>
    public Page<CreditTransaction> Transactions(string? type = null, int page = 1, int perPage = 20) => pipeline.Send(TransactionsCall(type, page, perPage));

    /// <summary>What was used in a period, by kind.</summary>
    /// <param name="period"><c>30d</c> and the like, a month such as <c>2026-05</c>, or <c>month-to-date</c>, the default.</param>
    /// <param name="start">Start, inclusive; goes before <paramref name="period"/>.</param>
    /// <param name="end">End, exclusive; default: now.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The credits by kind.</returns>
    /// <exception cref="ValidationException">There is no such period.</exception>
    public Task<CreditUsage> UsageAsync(string? period = null, DateTimeOffset? start = null, DateTimeOffset? end = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(UsageCall(period, start, end), cancellationToken);

    /// <inheritdoc cref="UsageAsync"/>
    public CreditUsage Usage(string? period = null, DateTimeOffset? start = null, DateTimeOffset? end = null) => pipeline.Send(UsageCall(period, start, end));

    private static Call<CreditBalance> BalanceCall() => new(HttpMethod.Get, "/credits/balance", static answer => answer.Object(WireJson.Default.CreditBalance));

    private static Call<Page<CreditTransaction>> TransactionsCall(string? type, int page, int perPage)
        => new(HttpMethod.Get, Call.Query(Call.Paged("/credits/transactions", page, perPage), ("type", type)), static answer => answer.Whole(WireJson.Default.PageCreditTransaction));

    private static Call<CreditUsage> UsageCall(string? period, DateTimeOffset? start, DateTimeOffset? end) => new(
        HttpMethod.Get,
        Call.Query("/credits/usage", ("period", period), ("from", Call.Time(start)), ("to", Call.Time(end))),
        static answer => answer.Object(WireJson.Default.CreditUsage));
}
