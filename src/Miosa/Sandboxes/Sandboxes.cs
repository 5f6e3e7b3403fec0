using System.Text.Json.Nodes;
using Miosa.Http;

namespace Miosa;

/// <summary>
/// The sandboxes of the key's tenant. All calls here may be retried (see docs/sdk.md) but <c>Exec</c>, which is sent again only when it cannot have begun.
/// Every call throws a <see cref="MiosaException"/> when the server refuses or does not answer.
/// </summary>
/// <example>
/// <code>
/// await using var sandbox = await client.Sandboxes.CreateAsync(image: "miosa-sandbox", timeoutSec: 300);
/// await foreach (var mine in client.Sandboxes.ListAllAsync(new() { ExternalUserId = "usr_123" }))
///     Console.WriteLine(mine.Id);
/// </code>
/// </example>
public sealed class Sandboxes
{
    private readonly Pipeline pipeline;

    internal Sandboxes(Pipeline pipeline) => this.pipeline = pipeline;

    /// <summary>Creates a sandbox and returns once it runs.</summary>
    /// <param name="image">Template or image; default: the server's, <c>miosa-sandbox</c>.</param>
    /// <param name="name">Display name, at most 255 characters, unique among the tenant's live sandboxes.</param>
    /// <param name="slug">URL-safe name: lower-case letters, digits and hyphens, 1 to 63 characters.</param>
    /// <param name="externalUserId">Your own name for the user it serves.</param>
    /// <param name="externalProjectId">Your own name for the project it serves.</param>
    /// <param name="externalWorkspaceId">Your own name for the workspace it serves.</param>
    /// <param name="metadata">Your own key-value data.</param>
    /// <param name="timeoutSec">Life limit in seconds, 1 to 2,592,000; default 3600.</param>
    /// <param name="alwaysOn">True: neither the life limit nor the idle limit stops it; default false.</param>
    /// <param name="vcpus">Virtual CPUs, 1 to 64; default: the server's size <c>small</c>.</param>
    /// <param name="memoryMb">Memory in MiB, at least 128; default: the server's size <c>small</c>.</param>
    /// <param name="idempotencyKey">1 to 255 characters; a second create with the same key within 24 h returns the first sandbox. Default: a new one for
    /// every call, which makes the call's own retries safe.</param>
    /// <param name="cancellationToken">Ends the wait; a sandbox that is being made may still come into being.</param>
    /// <returns>The running sandbox.</returns>
    /// <exception cref="ValidationException">A field is faulty.</exception>
    /// <exception cref="ConflictException">The name or slug is taken.</exception>
    /// <exception cref="InsufficientCreditsException">No credits are left.</exception>
    /// <exception cref="PermissionException">A quota is used up, or the key lacks the scope.</exception>
    public Task<Sandbox> CreateAsync(
        string? image = null, string? name = null, string? slug = null, string? externalUserId = null, string? externalProjectId = null,
        string? externalWorkspaceId = null, JsonObject? metadata = null, int? timeoutSec = null, bool? alwaysOn = null, int? vcpus = null,
        int? memoryMb = null, string? idempotencyKey = null, CancellationToken cancellationToken = default)
        => CreateAsync(
            Request(image, name, slug, externalUserId, externalProjectId, externalWorkspaceId, metadata, timeoutSec, alwaysOn, vcpus, memoryMb),
            idempotencyKey,
            cancellationToken);

    /// <inheritdoc cref="CreateAsync(string?, string?, string?, string?, string?, string?, JsonObject?, int?, bool?, int?, int?, string?, CancellationToken)"/>
    public Sandbox Create(
        string? image = null, string? name = null, string? slug = null, string? externalUserId = null, string? externalProjectId = null,
        string? externalWorkspaceId = null, JsonObject? metadata = null, int? timeoutSec = null, bool? alwaysOn = null, int? vcpus = null,
        int? memoryMb = null, string? idempotencyKey = null)
        => Create(
            Request(image, name, slug, externalUserId, externalProjectId, externalWorkspaceId, metadata, timeoutSec, alwaysOn, vcpus, memoryMb),
            idempotencyKey);

    /// <summary>Creates a sandbox from every field the contract knows, and returns once it runs.</summary>
    /// <param name="request">What it should be.</param>
    /// <param name="idempotencyKey">1 to 255 characters; default: a new one for every call.</param>
    /// <param name="cancellationToken">Ends the wait; a sandbox that is being made may still come into being.</param>
    /// <returns>The running sandbox.</returns>
    /// <exception cref="ValidationException">A field is faulty.</exception>
    /// <exception cref="ConflictException">The name or slug is taken.</exception>
    public Task<Sandbox> CreateAsync(CreateSandboxRequest request, string? idempotencyKey = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(SandboxCalls.Create(request, idempotencyKey).To(Handle), cancellationToken);

    /// <inheritdoc cref="CreateAsync(CreateSandboxRequest, string?, CancellationToken)"/>
    public Sandbox Create(CreateSandboxRequest request, string? idempotencyKey = null)
        => pipeline.Send(SandboxCalls.Create(request, idempotencyKey).To(Handle));

    /// <summary>Fetches a sandbox.</summary>
    /// <param name="id">Its id; slug and name work too.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The sandbox, in whatever state it is.</returns>
    /// <exception cref="NotFoundException">The tenant has no such sandbox.</exception>
    public Task<Sandbox> GetAsync(string id, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(SandboxCalls.Get(id).To(Handle), cancellationToken);

    /// <inheritdoc cref="GetAsync"/>
    public Sandbox Get(string id) => pipeline.Send(SandboxCalls.Get(id).To(Handle));

    /// <summary>Fetches a live sandbox by its name.</summary>
    /// <param name="name">The exact name.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The sandbox.</returns>
    /// <exception cref="NotFoundException">No live sandbox of the tenant has this name.</exception>
    public Task<Sandbox> GetByNameAsync(string name, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(SandboxCalls.GetByName(name).To(Handle), cancellationToken);

    /// <inheritdoc cref="GetByNameAsync"/>
    public Sandbox GetByName(string name) => pipeline.Send(SandboxCalls.GetByName(name).To(Handle));

    /// <summary>The live sandbox of this name, resumed when it is paused, or a new one when there is none.</summary>
    /// <param name="name">The exact name.</param>
    /// <param name="request">What a new one should be; its name is replaced by <paramref name="name"/>. Default: the server's defaults.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The sandbox.</returns>
    public Task<Sandbox> GetOrCreateAsync(string name, CreateSandboxRequest? request = null, CancellationToken cancellationToken = default)
        => GetOrCreateAsync(name, request, async: true, cancellationToken).AsTask();

    /// <inheritdoc cref="GetOrCreateAsync(string, CreateSandboxRequest?, CancellationToken)"/>
    public Sandbox GetOrCreate(string name, CreateSandboxRequest? request = null)
        => Pipeline.Finished(GetOrCreateAsync(name, request, async: false, CancellationToken.None));

    /// <summary>One page of sandboxes, newest first.</summary>
    /// <param name="filter">Which ones; default: all that are not destroyed.</param>
    /// <param name="page">Page number from 1; a page beyond the end is empty.</param>
    /// <param name="perPage">Page length, 1 to 100; default 20.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The page.</returns>
    public Task<Page<Sandbox>> ListAsync(SandboxFilter? filter = null, int page = 1, int perPage = 20, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(SandboxCalls.List(filter, page, perPage).To(Handles), cancellationToken);

    /// <inheritdoc cref="ListAsync"/>
    public Page<Sandbox> List(SandboxFilter? filter = null, int page = 1, int perPage = 20)
        => pipeline.Send(SandboxCalls.List(filter, page, perPage).To(Handles));

    /// <summary>All sandboxes over all pages, each once; pages are fetched while the caller enumerates.</summary>
    /// <param name="filter">Which ones; default: all that are not destroyed.</param>
    /// <param name="cancellationToken">Ends the enumeration.</param>
    /// <returns>The sandboxes, newest first.</returns>
    public IAsyncEnumerable<Sandbox> ListAllAsync(SandboxFilter? filter = null, CancellationToken cancellationToken = default)
        => Feed.EnumerateAsync(() => Pages(filter), cancellationToken);

    /// <inheritdoc cref="ListAllAsync"/>
    public IEnumerable<Sandbox> ListAll(SandboxFilter? filter = null) => Feed.Enumerate(() => Pages(filter));

    /// <summary>Destroys a sandbox: its processes are killed and its files are gone. Destroying it again does no harm.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is destroyed.</returns>
    /// <exception cref="NotFoundException">The tenant never had such a sandbox.</exception>
    public Task DestroyAsync(string id, CancellationToken cancellationToken = default) => pipeline.SendAsync(SandboxCalls.Destroy(id), cancellationToken);

    /// <inheritdoc cref="DestroyAsync"/>
    public void Destroy(string id) => pipeline.Send(SandboxCalls.Destroy(id));

    /// <summary>Runs a shell string in a sandbox and waits for its end; see <see cref="Sandbox.RunAsync"/>.</summary>
    /// <param name="id">Id of the sandbox.</param>
    /// <param name="command">Runs through <c>bash -c</c> in the environment of a login shell.</param>
    /// <param name="cwd">Working folder; default <c>/workspace</c>.</param>
    /// <param name="env">Extra environment for this command.</param>
    /// <param name="timeout">Time limit of the command; at the limit its whole process tree is killed and the exit code is 124. Default and maximum: the server's.</param>
    /// <param name="stdin">Text fed to standard input; default: empty.</param>
    /// <param name="cancellationToken">Ends the wait and kills the command.</param>
    /// <returns>How it ended; a non-zero exit code is a result, not an error.</returns>
    public Task<ExecResult> ExecAsync(
        string id, string command, string? cwd = null, IReadOnlyDictionary<string, string>? env = null, TimeSpan? timeout = null, string? stdin = null,
        CancellationToken cancellationToken = default)
        => pipeline.SendAsync(SandboxCalls.Exec(id, SandboxCalls.Command(Command.FromShell(command), cwd, env, timeout, stdin)), cancellationToken);

    /// <inheritdoc cref="ExecAsync(string, string, string?, IReadOnlyDictionary{string, string}?, TimeSpan?, string?, CancellationToken)"/>
    public ExecResult Exec(
        string id, string command, string? cwd = null, IReadOnlyDictionary<string, string>? env = null, TimeSpan? timeout = null, string? stdin = null)
        => pipeline.Send(SandboxCalls.Exec(id, SandboxCalls.Command(Command.FromShell(command), cwd, env, timeout, stdin)));

    /// <summary>Runs a program with its arguments, without a shell, and waits for its end.</summary>
    /// <param name="id">Id of the sandbox.</param>
    /// <param name="argv">The program and its arguments.</param>
    /// <param name="cwd">Working folder; default <c>/workspace</c>.</param>
    /// <param name="env">Extra environment for this command.</param>
    /// <param name="timeout">Time limit of the command; at the limit its whole process tree is killed and the exit code is 124. Default and maximum: the server's.</param>
    /// <param name="stdin">Text fed to standard input; default: empty.</param>
    /// <param name="cancellationToken">Ends the wait and kills the command.</param>
    /// <returns>How it ended; a non-zero exit code is a result, not an error.</returns>
    public Task<ExecResult> ExecAsync(
        string id, IReadOnlyList<string> argv, string? cwd = null, IReadOnlyDictionary<string, string>? env = null, TimeSpan? timeout = null,
        string? stdin = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(SandboxCalls.Exec(id, SandboxCalls.Command(Command.FromArgv(argv), cwd, env, timeout, stdin)), cancellationToken);

    /// <inheritdoc cref="ExecAsync(string, IReadOnlyList{string}, string?, IReadOnlyDictionary{string, string}?, TimeSpan?, string?, CancellationToken)"/>
    public ExecResult Exec(
        string id, IReadOnlyList<string> argv, string? cwd = null, IReadOnlyDictionary<string, string>? env = null, TimeSpan? timeout = null,
        string? stdin = null)
        => pipeline.Send(SandboxCalls.Exec(id, SandboxCalls.Command(Command.FromArgv(argv), cwd, env, timeout, stdin)));

    private PageFeed<Sandbox> Pages(SandboxFilter? filter) =>
        new(pipeline, (page, _) => SandboxCalls.List(filter, page, PageFeed<Sandbox>.PerPage).To(Handles), static sandbox => sandbox.Id);

    internal Page<Sandbox> Handles(Page<SandboxInfo> page) => new() { Data = [.. page.Data.Select(Handle)], Meta = page.Meta, Figures = page.Figures };

    private static CreateSandboxRequest Request(
        string? image, string? name, string? slug, string? externalUserId, string? externalProjectId, string? externalWorkspaceId, JsonObject? metadata,
        int? timeoutSec, bool? alwaysOn, int? vcpus, int? memoryMb)
        => new()
        {
            TemplateId = image,
            Name = name,
            Slug = slug,
            ExternalUserId = externalUserId,
            ExternalProjectId = externalProjectId,
            ExternalWorkspaceId = externalWorkspaceId,
            Metadata = metadata,
            TimeoutSec = timeoutSec,
            AlwaysOn = alwaysOn,
            CpuCount = vcpus,
            MemoryMb = memoryMb,
        };

    private Sandbox Handle(SandboxInfo info) => new(pipeline, info);

    private async ValueTask<Sandbox> GetOrCreateAsync(string name, CreateSandboxRequest? request, bool async, CancellationToken ct)
    {
        var byName = SandboxCalls.GetByName(name).To(Handle);
        var create = SandboxCalls.Create((request ?? new()) with { Name = name }, idempotencyKey: null).To(Handle);
        Sandbox sandbox;
        try
        {
            sandbox = await pipeline.SendAsync(byName, async, ct).ConfigureAwait(false);
        }
        catch (NotFoundException)
        {
            try
            {
                return await pipeline.SendAsync(create, async, ct).ConfigureAwait(false);
            }
            catch (ConflictException)
            {
                // Somebody else made it between the two calls.
                sandbox = await pipeline.SendAsync(byName, async, ct).ConfigureAwait(false);
            }
        }
        if (sandbox.State == SandboxState.Paused)
            await pipeline.SendAsync(sandbox.ResumeCall(), async, ct).ConfigureAwait(false);
        return sandbox;
    }
}
