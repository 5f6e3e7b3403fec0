using Miosa.Http;

namespace Miosa;

/// <summary>
/// The ports of one sandbox as web addresses: every port has an origin of its own, over HTTP/1.1, HTTP/2 (with TLS) and WebSocket. A port opens with a key
/// of the tenant, a preview token or a share link without being published; publishing it gives it a name in lists and, if wanted, opens it to everybody.
/// </summary>
/// <example>
/// <code>
/// await sandbox.Processes.StartAsync(new() { Command = "npm run dev -- --port 3000" });
/// var preview = await sandbox.Previews.CreateAsync(3000, PreviewVisibility.Public);
/// Console.WriteLine(preview.Url);                       // http://3000-….localhost:8484
/// </code>
/// </example>
public sealed class SandboxPreviews
{
    private readonly Pipeline pipeline;
    private readonly string id;

    internal SandboxPreviews(Pipeline pipeline, string id) => (this.pipeline, this.id) = (pipeline, id);

    private string Path => SandboxCalls.Path(id) + "/previews";

    /// <summary>Publishes a port, or changes how it is published. Nothing needs to listen on it yet.</summary>
    /// <param name="port">1 to 65535.</param>
    /// <param name="visibility">One of <see cref="PreviewVisibility"/>; default private, or what it was.</param>
    /// <param name="name">Label, at most 255 characters.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The preview and its address.</returns>
    /// <exception cref="ValidationException">The port is out of range.</exception>
    /// <exception cref="ConflictException">The sandbox is destroyed.</exception>
    /// <exception cref="PermissionException">The sandbox has 100 previews already.</exception>
    public Task<Preview> CreateAsync(int port, string? visibility = null, string? name = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(CreateCall(port, visibility, name), cancellationToken);

    /// <inheritdoc cref="CreateAsync"/>
    public Preview Create(int port, string? visibility = null, string? name = null) => pipeline.Send(CreateCall(port, visibility, name));

    /// <summary>Opens a port to everybody, unless it was published as private, and gives its address.</summary>
    /// <param name="port">1 to 65535; default the first published one, else 3000.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The address and how it may be used.</returns>
    /// <exception cref="ConflictException">The sandbox is destroyed.</exception>
    public Task<PreviewUrlInfo> ExposeAsync(int? port = null, CancellationToken cancellationToken = default) => pipeline.SendAsync(ExposeCall(port), cancellationToken);

    /// <inheritdoc cref="ExposeAsync"/>
    public PreviewUrlInfo Expose(int? port = null) => pipeline.Send(ExposeCall(port));

    /// <summary>The published ports, by number.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The previews; empty when there are none.</returns>
    /// <exception cref="NotFoundException">The tenant has no such sandbox.</exception>
    public Task<IReadOnlyList<Preview>> ListAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(ListCall(), cancellationToken);

    /// <inheritdoc cref="ListAsync"/>
    public IReadOnlyList<Preview> List() => pipeline.Send(ListCall());

    /// <summary>One preview; its status tells whether something listens.</summary>
    /// <param name="previewId">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The preview.</returns>
    /// <exception cref="NotFoundException">The sandbox has no such preview.</exception>
    public Task<Preview> GetAsync(string previewId, CancellationToken cancellationToken = default) => pipeline.SendAsync(GetCall(previewId), cancellationToken);

    /// <inheritdoc cref="GetAsync"/>
    public Preview Get(string previewId) => pipeline.Send(GetCall(previewId));

    /// <summary>Takes a preview back; its share tokens end, and so do the connections they let in.</summary>
    /// <param name="previewId">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is gone.</returns>
    public Task DeleteAsync(string previewId, CancellationToken cancellationToken = default) => pipeline.SendAsync(DeleteCall(PathOf(previewId)), cancellationToken);

    /// <inheritdoc cref="DeleteAsync"/>
    public void Delete(string previewId) => pipeline.Send(DeleteCall(PathOf(previewId)));

    /// <summary>Makes a share token that opens one preview.</summary>
    /// <param name="previewId">Its id.</param>
    /// <param name="ttlSeconds">Life, 1 to 31,536,000; default 3600.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The token, which is told only here, and the address with it.</returns>
    /// <exception cref="NotFoundException">The sandbox has no such preview.</exception>
    public Task<PreviewShareResult> ShareAsync(string previewId, int? ttlSeconds = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ShareCall(previewId, ttlSeconds), cancellationToken);

    /// <inheritdoc cref="ShareAsync"/>
    public PreviewShareResult Share(string previewId, int? ttlSeconds = null) => pipeline.Send(ShareCall(previewId, ttlSeconds));

    /// <summary>Ends all share tokens of a preview.</summary>
    /// <param name="previewId">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when none of them opens it any more.</returns>
    /// <exception cref="NotFoundException">The sandbox has no such preview.</exception>
    public Task UnshareAsync(string previewId, CancellationToken cancellationToken = default) => pipeline.SendAsync(DeleteCall(PathOf(previewId) + "/share"), cancellationToken);

    /// <inheritdoc cref="UnshareAsync"/>
    public void Unshare(string previewId) => pipeline.Send(DeleteCall(PathOf(previewId) + "/share"));

    /// <summary>Makes a short-lived token that opens the sandbox's ports in a browser: to show or to embed.</summary>
    /// <param name="request">Life, rights, port; default: 3600 s, to look only, every port.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The token, which is told only here, and an address with it.</returns>
    /// <exception cref="ValidationException">A field is out of range.</exception>
    /// <exception cref="ConflictException">The sandbox is destroyed.</exception>
    public Task<PreviewToken> CreateTokenAsync(PreviewTokenRequest? request = null, CancellationToken cancellationToken = default) => pipeline.SendAsync(TokenCall(request), cancellationToken);

    /// <inheritdoc cref="CreateTokenAsync"/>
    public PreviewToken CreateToken(PreviewTokenRequest? request = null) => pipeline.Send(TokenCall(request));

    private string PathOf(string previewId)
    {
        ArgumentException.ThrowIfNullOrEmpty(previewId);
        return Path + "/" + Uri.EscapeDataString(previewId);
    }

    private Call<Preview> CreateCall(int port, string? visibility, string? name) => new(HttpMethod.Post, Path, static answer => answer.Object(WireJson.Default.Preview))
    {
        Json = Call.Body(new() { Port = port, Visibility = visibility, Name = name }, RequestJson.Default.PreviewCreateRequest),
    };

    private Call<PreviewUrlInfo> ExposeCall(int? port) => new(HttpMethod.Post, SandboxCalls.Path(id) + "/expose", static answer => answer.Object(WireJson.Default.PreviewUrlInfo))
    {
        Json = Call.Body(new() { Port = port }, RequestJson.Default.ExposeRequest),
    };

    private Call<IReadOnlyList<Preview>> ListCall() => new(HttpMethod.Get, Path, static answer => answer.Whole(WireJson.Default.PreviewList).Data);

    private Call<Preview> GetCall(string previewId) => new(HttpMethod.Get, PathOf(previewId), static answer => answer.Object(WireJson.Default.Preview));

    private Call<PreviewShareResult> ShareCall(string previewId, int? ttlSeconds) => new(HttpMethod.Post, PathOf(previewId) + "/share", static answer => answer.Object(WireJson.Default.PreviewShareResult))
    {
        Json = Call.Body(new() { TtlSeconds = ttlSeconds }, RequestJson.Default.PreviewShareRequest),
    };

    private Call<PreviewToken> TokenCall(PreviewTokenRequest? request) => new(HttpMethod.Post, SandboxCalls.Path(id) + "/preview-token", static answer => answer.Object(WireJson.Default.PreviewToken))
    {
        Json = Call.Body(request ?? new(), RequestJson.Default.PreviewTokenRequest),
    };

    private static Call<bool> DeleteCall(string path) => new(HttpMethod.Delete, path, Answer.Nothing);
}
