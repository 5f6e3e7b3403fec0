using System.Text.Json.Nodes;
using Miosa.Http;

namespace Miosa;

/// <summary>
/// All computers of the tenant: persistent Linux machines with a graphical desktop. Calls are tried again after a transient failure as the options say; a
/// command or an input only when it cannot have begun. Every call throws a <see cref="MiosaException"/> when the server refuses or does not answer.
/// </summary>
/// <example>
/// <code>
/// var computer = await client.Computers.CreateAsync(name: "runner-1", size: "small");
/// await computer.WaitUntilRunningAsync();
/// await computer.Desktop.SaveScreenshotAsync("screen.png");
/// await computer.DeleteAsync();
/// </code>
/// </example>
public sealed class Computers
{
    private readonly Pipeline pipeline;

    internal Computers(Pipeline pipeline)
    {
        this.pipeline = pipeline;
        Env = new ComputersEnv(pipeline);
        Ports = new ComputersPorts(pipeline);
    }

    /// <summary>The environment variables of computers.</summary>
    public ComputersEnv Env { get; }

    /// <summary>The exposed ports of computers.</summary>
    public ComputersPorts Ports { get; }

    /// <summary>Creates a computer. It boots by itself; <see cref="Computer.WaitUntilRunningAsync"/> waits for its desktop.</summary>
    /// <param name="name">Display name, at most 255 characters; default: the server makes one.</param>
    /// <param name="templateType">Image; default <c>miosa-desktop</c>. <c>miosa-sandbox</c> is a computer without a desktop.</param>
    /// <param name="size"><c>xs</c> (1 vCPU, 2 GiB), <c>small</c> (2, 4), <c>medium</c> (4, 8), <c>large</c> (8, 16) or <c>xl</c> (16, 32); default small.</param>
    /// <param name="selectedApps">Applications to add to those of the image, by the names that a refusal lists.</param>
    /// <param name="workspaceId">The workspace it goes into; default: the tenant's own.</param>
    /// <param name="externalUserId">Your own name for the user it serves.</param>
    /// <param name="externalProjectId">Your own name for the project it serves.</param>
    /// <param name="externalWorkspaceId">Your own name for the workspace it serves.</param>
    /// <param name="metadata">Your own key-value data.</param>
    /// <param name="autoStopSeconds">Idle seconds after which it is stopped, keeping its disk; 0 never. Default: the tenant's, else never.</param>
    /// <param name="idempotencyKey">1 to 255 characters; a second create with the same key within 24 h returns the first computer. Default: a new one for every call, which makes the call's own retries safe.</param>
    /// <param name="cancellationToken">Ends the wait; a computer that is being made may still come into being.</param>
    /// <returns>The computer, <c>creating</c>, <c>starting</c> or already <c>running</c>.</returns>
    /// <exception cref="ValidationException">A field is faulty, or there is no such image, size or application.</exception>
    /// <exception cref="ConflictException">The name or slug is taken.</exception>
    /// <exception cref="InsufficientCreditsException">No credits are left.</exception>
    /// <exception cref="PermissionException">A quota is used up, or the key lacks the scope.</exception>
    public Task<Computer> CreateAsync(
        string? name = null, string? templateType = null, string? size = null, IReadOnlyList<string>? selectedApps = null, string? workspaceId = null,
        string? externalUserId = null, string? externalProjectId = null, string? externalWorkspaceId = null, JsonObject? metadata = null, int? autoStopSeconds = null, string? idempotencyKey = null, CancellationToken cancellationToken = default)
        => CreateAsync(Request(name, templateType, size, selectedApps, workspaceId, externalUserId, externalProjectId, externalWorkspaceId, metadata, autoStopSeconds), idempotencyKey, cancellationToken);

    /// <inheritdoc cref="CreateAsync(string?, string?, string?, IReadOnlyList{string}?, string?, string?, string?, string?, JsonObject?, int?, string?, CancellationToken)"/>
    public Computer Create(
        string? name = null, string? templateType = null, string? size = null, IReadOnlyList<string>? selectedApps = null, string? workspaceId = null,
        string? externalUserId = null, string? externalProjectId = null, string? externalWorkspaceId = null, JsonObject? metadata = null, int? autoStopSeconds = null, string? idempotencyKey = null)
        => Create(Request(name, templateType, size, selectedApps, workspaceId, externalUserId, externalProjectId, externalWorkspaceId, metadata, autoStopSeconds), idempotencyKey);

    /// <summary>Creates a computer from every field the contract knows.</summary>
    /// <param name="request">What it should be.</param>
    /// <param name="idempotencyKey">1 to 255 characters; default: a new one for every call.</param>
    /// <param name="cancellationToken">Ends the wait; a computer that is being made may still come into being.</param>
    /// <returns>The computer, <c>creating</c>, <c>starting</c> or already <c>running</c>.</returns>
    /// <exception cref="ValidationException">A field is faulty, or there is no such image, size or application.</exception>
    /// <exception cref="ConflictException">The name or slug is taken.</exception>
    /// <exception cref="InsufficientCreditsException">No credits are left.</exception>
    /// <exception cref="PermissionException">A quota is used up, or the key lacks the scope.</exception>
    public Task<Computer> CreateAsync(CreateComputerRequest request, string? idempotencyKey = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.Create(request, idempotencyKey).To(Handle), cancellationToken);

    /// <inheritdoc cref="CreateAsync(CreateComputerRequest, string?, CancellationToken)"/>
    public Computer Create(CreateComputerRequest request, string? idempotencyKey = null) => pipeline.Send(ComputerCalls.Create(request, idempotencyKey).To(Handle));

    /// <summary>Fetches a computer.</summary>
    /// <param name="computerId">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The computer, in whatever status it is.</returns>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<Computer> GetAsync(string computerId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.Get(computerId).To(Handle), cancellationToken);

    /// <inheritdoc cref="GetAsync"/>
    public Computer Get(string computerId) => pipeline.Send(ComputerCalls.Get(computerId).To(Handle));

    /// <summary>One page of computers, newest first.</summary>
    /// <param name="filter">Which ones; default: all.</param>
    /// <param name="page">Page number from 1; a page beyond the end is empty.</param>
    /// <param name="perPage">Page length, 1 to 100; default 20.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The page.</returns>
    public Task<Page<Computer>> ListAsync(ComputerFilter? filter = null, int page = 1, int perPage = 20, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.List(filter, page, perPage).To(Handles), cancellationToken);

    /// <inheritdoc cref="ListAsync"/>
    public Page<Computer> List(ComputerFilter? filter = null, int page = 1, int perPage = 20)
        => pipeline.Send(ComputerCalls.List(filter, page, perPage).To(Handles));

    /// <summary>All computers over all pages, each once; pages are fetched while the caller enumerates.</summary>
    /// <param name="filter">Which ones; default: all.</param>
    /// <param name="cancellationToken">Ends the enumeration.</param>
    /// <returns>The computers, newest first.</returns>
    public IAsyncEnumerable<Computer> ListAllAsync(ComputerFilter? filter = null, CancellationToken cancellationToken = default)
        => Feed.EnumerateAsync(() => Pages(filter), cancellationToken);

    /// <inheritdoc cref="ListAllAsync"/>
    public IEnumerable<Computer> ListAll(ComputerFilter? filter = null) => Feed.Enumerate(() => Pages(filter));

    /// <summary>Changes the fields that are not null.</summary>
    /// <param name="computerId">Id of the computer.</param>
    /// <param name="changes">The fields to change.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The computer, with the new <see cref="Computer.Info"/>.</returns>
    /// <exception cref="ValidationException">A field is faulty.</exception>
    /// <exception cref="ConflictException">The name or slug is taken.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<Computer> UpdateAsync(string computerId, UpdateComputerRequest changes, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.Update(computerId, changes).To(Handle), cancellationToken);

    /// <inheritdoc cref="UpdateAsync"/>
    public Computer Update(string computerId, UpdateComputerRequest changes) => pipeline.Send(ComputerCalls.Update(computerId, changes).To(Handle));

    /// <summary>Destroys the computer, running or not, and its disk. Deleting it again does no harm.</summary>
    /// <param name="computerId">Id of the computer.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is destroyed.</returns>
    /// <exception cref="NotFoundException">The tenant never had such a computer.</exception>
    public Task DeleteAsync(string computerId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.Delete(computerId), cancellationToken);

    /// <inheritdoc cref="DeleteAsync"/>
    public void Delete(string computerId) => pipeline.Send(ComputerCalls.Delete(computerId));

    /// <summary>Boots a stopped computer; its desktop comes back with the files that were there. Starting a running one does no harm.</summary>
    /// <param name="computerId">Id of the computer.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The computer, <c>starting</c> or <c>running</c>.</returns>
    /// <exception cref="ConflictException">Its status does not allow it.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<Computer> StartAsync(string computerId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.Start(computerId).To(Handle), cancellationToken);

    /// <inheritdoc cref="StartAsync"/>
    public Computer Start(string computerId) => pipeline.Send(ComputerCalls.Start(computerId).To(Handle));

    /// <summary>Shuts the computer down: what runs ends, its disk is kept, and it costs no memory. Stopping a stopped one does no harm.</summary>
    /// <param name="computerId">Id of the computer.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The computer, <c>stopping</c> or <c>stopped</c>.</returns>
    /// <exception cref="ConflictException">Its status does not allow it.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<Computer> StopAsync(string computerId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.Stop(computerId).To(Handle), cancellationToken);

    /// <inheritdoc cref="StopAsync"/>
    public Computer Stop(string computerId) => pipeline.Send(ComputerCalls.Stop(computerId).To(Handle));

    /// <summary>Reboots the computer.</summary>
    /// <param name="computerId">Id of the computer.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The computer, <c>starting</c> or <c>running</c>.</returns>
    /// <exception cref="ConflictException">Its status does not allow it.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<Computer> RestartAsync(string computerId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.Restart(computerId).To(Handle), cancellationToken);

    /// <inheritdoc cref="RestartAsync"/>
    public Computer Restart(string computerId) => pipeline.Send(ComputerCalls.Restart(computerId).To(Handle));

    /// <summary>Makes a new computer with a copy of a computer's disk as it is now, and its settings. It boots by itself; what runs there is not copied.</summary>
    /// <param name="computerId">Id of the computer.</param>
    /// <param name="request">What the copy has of its own; default: all as there.</param>
    /// <param name="idempotencyKey">1 to 255 characters; default: a new one for every call.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The new computer.</returns>
    /// <exception cref="ConflictException">The name is taken.</exception>
    /// <exception cref="PermissionException">A quota is used up.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<Computer> CloneAsync(string computerId, CloneComputerRequest? request = null, string? idempotencyKey = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.Clone(computerId, request, idempotencyKey).To(Handle), cancellationToken);

    /// <inheritdoc cref="CloneAsync"/>
    public Computer Clone(string computerId, CloneComputerRequest? request = null, string? idempotencyKey = null)
        => pipeline.Send(ComputerCalls.Clone(computerId, request, idempotencyKey).To(Handle));

    /// <summary>Changes its hardware: a named size, or single figures. A disk can only grow.</summary>
    /// <param name="computerId">Id of the computer.</param>
    /// <param name="request">The new size or figures.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The computer, with the new <see cref="Computer.Info"/>.</returns>
    /// <exception cref="ValidationException">There is no such size, or the disk would shrink.</exception>
    /// <exception cref="PermissionException">A quota is used up.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<Computer> ResizeAsync(string computerId, ResizeComputerRequest request, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.Resize(computerId, request).To(Handle), cancellationToken);

    /// <inheritdoc cref="ResizeAsync"/>
    public Computer Resize(string computerId, ResizeComputerRequest request) => pipeline.Send(ComputerCalls.Resize(computerId, request).To(Handle));

    /// <summary>Moves the computer to another region. A server has one region: its own is accepted and changes nothing.</summary>
    /// <param name="computerId">Id of the computer.</param>
    /// <param name="region">Slug of the region.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The computer.</returns>
    /// <exception cref="ValidationException">There is no such region.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<Computer> MoveAsync(string computerId, string region, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.Move(computerId, region).To(Handle), cancellationToken);

    /// <inheritdoc cref="MoveAsync"/>
    public Computer Move(string computerId, string region) => pipeline.Send(ComputerCalls.Move(computerId, region).To(Handle));

    /// <summary>How a viewer reaches the live desktop: RFB over a WebSocket of the server, with a new token as the password.</summary>
    /// <param name="computerId">Id of the computer.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Addresses and password; whoever has them can control the desktop for an hour.</returns>
    /// <exception cref="ConflictException">The computer does not run or has no desktop.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<ComputerVncCredentials> VncCredentialsAsync(string computerId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.VncCredentials(computerId), cancellationToken);

    /// <inheritdoc cref="VncCredentialsAsync"/>
    public ComputerVncCredentials VncCredentials(string computerId) => pipeline.Send(ComputerCalls.VncCredentials(computerId));

    /// <summary>Makes a ticket for the live desktop: a page for a browser or an iframe, and a WebSocket.</summary>
    /// <param name="computerId">Id of the computer.</param>
    /// <param name="expiresIn">Its life, 1 s to 24 h, rounded up to seconds; default one hour.</param>
    /// <param name="readOnly">True: whoever has it may look and not touch; the server drops the rest. Default false.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The ticket and the addresses with it.</returns>
    /// <exception cref="ConflictException">The computer does not run or has no desktop.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<ComputerStreamToken> StreamTokenAsync(string computerId, TimeSpan? expiresIn = null, bool readOnly = false, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.StreamToken(computerId, expiresIn, readOnly), cancellationToken);

    /// <inheritdoc cref="StreamTokenAsync"/>
    public ComputerStreamToken StreamToken(string computerId, TimeSpan? expiresIn = null, bool readOnly = false)
        => pipeline.Send(ComputerCalls.StreamToken(computerId, expiresIn, readOnly));

    /// <summary>The web addresses of the computer: its desktop and its exposed ports.</summary>
    /// <param name="computerId">Id of the computer.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The addresses.</returns>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<ComputerUrls> UrlsAsync(string computerId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.Urls(computerId), cancellationToken);

    /// <inheritdoc cref="UrlsAsync"/>
    public ComputerUrls Urls(string computerId) => pipeline.Send(ComputerCalls.Urls(computerId));

    /// <summary>The applications of the computer; their ids are what <see cref="ComputerDesktop.LaunchAsync"/> takes.</summary>
    /// <param name="computerId">Id of the computer.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The applications.</returns>
    /// <exception cref="ConflictException">The computer does not run.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<IReadOnlyList<ComputerApp>> ListAppsAsync(string computerId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.Apps(computerId), cancellationToken);

    /// <inheritdoc cref="ListAppsAsync"/>
    public IReadOnlyList<ComputerApp> ListApps(string computerId) => pipeline.Send(ComputerCalls.Apps(computerId));

    /// <summary>After what idle time the computer is stopped.</summary>
    /// <param name="computerId">Id of the computer.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The policy, and when it would be stopped.</returns>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<ComputerAutoStop> GetAutoStopAsync(string computerId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.AutoStop(computerId), cancellationToken);

    /// <inheritdoc cref="GetAutoStopAsync"/>
    public ComputerAutoStop GetAutoStop(string computerId) => pipeline.Send(ComputerCalls.AutoStop(computerId));

    /// <summary>Sets after what idle time the computer is stopped.</summary>
    /// <param name="computerId">Id of the computer.</param>
    /// <param name="autoStopSeconds">Seconds without a call, a viewer or input, at most 2,592,000 (30 days); 0 switches it off.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The policy.</returns>
    /// <exception cref="ValidationException">The number is out of range.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<ComputerAutoStop> UpdateAutoStopAsync(string computerId, int autoStopSeconds, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.SetAutoStop(computerId, autoStopSeconds), cancellationToken);

    /// <inheritdoc cref="UpdateAutoStopAsync"/>
    public ComputerAutoStop UpdateAutoStop(string computerId, int autoStopSeconds) => pipeline.Send(ComputerCalls.SetAutoStop(computerId, autoStopSeconds));

    /// <summary>What the computer uses and has used: CPU, memory, disk, network. One that is stopped tells what is kept.</summary>
    /// <param name="computerId">Id of the computer.</param>
    /// <param name="window">How far back, a number with m, h or d, such as <c>15m</c>; default <c>1h</c>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The figures of now and the samples.</returns>
    /// <exception cref="ValidationException">The window cannot be read or is too long.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<ComputerMetrics> MetricsAsync(string computerId, string? window = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.Metrics(computerId, window), cancellationToken);

    /// <inheritdoc cref="MetricsAsync"/>
    public ComputerMetrics Metrics(string computerId, string? window = null) => pipeline.Send(ComputerCalls.Metrics(computerId, window));

    /// <summary>An address of the live desktop for a page that shows it in a frame.</summary>
    /// <param name="computerId">Id of the computer.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The address, good for looking on, and its end.</returns>
    /// <exception cref="ConflictException">The computer does not run or has no desktop.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<ComputerEmbed> EmbedAsync(string computerId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.Embed(computerId), cancellationToken);

    /// <inheritdoc cref="EmbedAsync"/>
    public ComputerEmbed Embed(string computerId) => pipeline.Send(ComputerCalls.Embed(computerId));

    /// <summary>Whether the viewer page can be opened with a password.</summary>
    /// <param name="computerId">Id of the computer.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Whether there is one, and since when; never the password itself.</returns>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<ComputerViewerPassword> GetViewerPasswordAsync(string computerId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.ViewerPassword(computerId), cancellationToken);

    /// <inheritdoc cref="GetViewerPasswordAsync"/>
    public ComputerViewerPassword GetViewerPassword(string computerId) => pipeline.Send(ComputerCalls.ViewerPassword(computerId));

    /// <summary>Makes a new viewer password; the old one opens nothing any more. It is not tried again once it may have happened.</summary>
    /// <param name="computerId">Id of the computer.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The password, which is told only here.</returns>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<ComputerViewerPasswordRotation> RotateViewerPasswordAsync(string computerId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.RotateViewerPassword(computerId), cancellationToken);

    /// <inheritdoc cref="RotateViewerPasswordAsync"/>
    public ComputerViewerPasswordRotation RotateViewerPassword(string computerId) => pipeline.Send(ComputerCalls.RotateViewerPassword(computerId));

    internal Page<Computer> Handles(Page<ComputerInfo> page) => new() { Data = [.. page.Data.Select(Handle)], Meta = page.Meta, Figures = page.Figures };

    private static CreateComputerRequest Request(
        string? name, string? templateType, string? size, IReadOnlyList<string>? selectedApps, string? workspaceId, string? externalUserId, string? externalProjectId,
        string? externalWorkspaceId, JsonObject? metadata, int? autoStopSeconds)
        => new()
        {
            Name = name,
            TemplateType = templateType,
            Size = size,
            SelectedApps = selectedApps,
            WorkspaceId = workspaceId,
            ExternalUserId = externalUserId,
            ExternalProjectId = externalProjectId,
            ExternalWorkspaceId = externalWorkspaceId,
            Metadata = metadata,
            AutoStopSeconds = autoStopSeconds,
        };

    private Computer Handle(ComputerInfo info) => new(pipeline, info);

    private PageFeed<Computer> Pages(ComputerFilter? filter) =>
        new(pipeline, (page, _) => ComputerCalls.List(filter, page, PageFeed<Computer>.PerPage).To(Handles), static computer => computer.Id);
}
