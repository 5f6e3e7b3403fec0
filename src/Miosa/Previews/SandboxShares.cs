using Miosa.Http;

namespace Miosa;

/// <summary>Public links to one sandbox's previews: whoever has one may look (GET), at every port, without a key.</summary>
/// <example>
/// <code>
/// var share = await sandbox.Shares.CreateAsync(expiresInSec: 86_400);
/// Console.WriteLine(share.ShareUrl);
/// await sandbox.Shares.RevokeAsync(share.Id);
/// </code>
/// </example>
public sealed class SandboxShares
{
    private readonly Pipeline pipeline;
    private readonly string id;

    internal SandboxShares(Pipeline pipeline, string id) => (this.pipeline, this.id) = (pipeline, id);

    private string Path => SandboxCalls.Path(id) + "/shares";

    /// <summary>Makes a link.</summary>
    /// <param name="expiresInSec">Life in seconds, at least 1; default: no end.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The link. Only this answer has the secret in its address.</returns>
    /// <exception cref="ValidationException">The life is out of range.</exception>
    /// <exception cref="ConflictException">The sandbox is destroyed.</exception>
    public Task<Share> CreateAsync(int? expiresInSec = null, CancellationToken cancellationToken = default) => pipeline.SendAsync(CreateCall(expiresInSec), cancellationToken);

    /// <inheritdoc cref="CreateAsync"/>
    public Share Create(int? expiresInSec = null) => pipeline.Send(CreateCall(expiresInSec));

    /// <summary>The links that are good, newest first, without their secrets.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The links; empty when there are none.</returns>
    /// <exception cref="NotFoundException">The tenant has no such sandbox.</exception>
    public Task<IReadOnlyList<Share>> ListAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(ListCall(), cancellationToken);

    /// <inheritdoc cref="ListAsync"/>
    public IReadOnlyList<Share> List() => pipeline.Send(ListCall());

    /// <summary>Ends a link, and the connections it let in. Revoking one that has ended succeeds.</summary>
    /// <param name="shareId">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it opens nothing any more.</returns>
    public Task RevokeAsync(string shareId, CancellationToken cancellationToken = default) => pipeline.SendAsync(RevokeCall(shareId), cancellationToken);

    /// <inheritdoc cref="RevokeAsync"/>
    public void Revoke(string shareId) => pipeline.Send(RevokeCall(shareId));

    private Call<Share> CreateCall(int? expiresInSec) => new(HttpMethod.Post, Path, static answer => answer.Object(WireJson.Default.Share))
    {
        Json = Call.Body(new() { ExpiresIn = expiresInSec }, RequestJson.Default.ShareCreateRequest),
    };

    private Call<IReadOnlyList<Share>> ListCall() => new(HttpMethod.Get, Path, static answer => answer.Whole(WireJson.Default.ShareList).Data);

    private Call<bool> RevokeCall(string shareId)
    {
        ArgumentException.ThrowIfNullOrEmpty(shareId);
        return new(HttpMethod.Delete, Path + "/" + Uri.EscapeDataString(shareId), Answer.Nothing);
    }
}
