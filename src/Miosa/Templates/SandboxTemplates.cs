using System.Text.Json.Nodes;
using Miosa.Http;

namespace Miosa;

/// <summary>
/// The templates that the key's tenant can use, and their builds: a template is an image and the defaults of the sandboxes made of it. Its id, slug or name
/// stands wherever an image is asked for.
/// </summary>
/// <example>
/// <code>
/// var template = await client.SandboxTemplates.CreateAsync(new CreateSandboxTemplateRequest
/// {
///     Name = "my-template",
///     BuildSpec = new() { Dockerfile = "FROM miosa-sandbox\nRUN pip install flask" },
/// });
/// template = await client.SandboxTemplates.WaitUntilBuiltAsync(template.Id);
/// await using var sandbox = await client.Sandboxes.CreateAsync(image: template.Id);
/// </code>
/// </example>
public sealed class SandboxTemplates
{
    private static readonly TimeSpan DefaultBuildWait = TimeSpan.FromMinutes(30);

    private readonly Pipeline pipeline;

    internal SandboxTemplates(Pipeline pipeline) => this.pipeline = pipeline;

    /// <summary>The templates, own ones first; at most 100.</summary>
    /// <param name="page">Page number from 1; a page beyond the end is empty.</param>
    /// <param name="perPage">Page length, 1 to 100; default 100.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The templates.</returns>
    public Task<IReadOnlyList<SandboxTemplate>> ListAsync(int page = 1, int perPage = 100, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(TemplateCalls.List(page, perPage), cancellationToken);

    /// <inheritdoc cref="ListAsync"/>
    public IReadOnlyList<SandboxTemplate> List(int page = 1, int perPage = 100) => pipeline.Send(TemplateCalls.List(page, perPage));

    /// <summary>Fetches a template.</summary>
    /// <param name="templateId">Its id, slug or name.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The template.</returns>
    /// <exception cref="NotFoundException">There is none that the tenant can use.</exception>
    public Task<SandboxTemplate> GetAsync(string templateId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(TemplateCalls.Get(templateId), cancellationToken);

    /// <inheritdoc cref="GetAsync"/>
    public SandboxTemplate Get(string templateId) => pipeline.Send(TemplateCalls.Get(templateId));

    /// <summary>Creates a template that uses an image as it is.</summary>
    /// <param name="name">Name, 1 to 255 characters, unique among the tenant's templates.</param>
    /// <param name="image">The template or image it stands on.</param>
    /// <param name="description">What it is for, at most 4096 characters.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The template, ready to be used.</returns>
    /// <exception cref="ValidationException">A field is faulty, or there is no such image.</exception>
    /// <exception cref="ConflictException">The name is taken.</exception>
    public Task<SandboxTemplate> CreateAsync(string name, string image, string? description = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(TemplateCalls.Create(new() { Name = name, Image = image, Description = description }), cancellationToken);

    /// <inheritdoc cref="CreateAsync(string, string, string?, CancellationToken)"/>
    public SandboxTemplate Create(string name, string image, string? description = null)
        => pipeline.Send(TemplateCalls.Create(new() { Name = name, Image = image, Description = description }));

    /// <summary>Creates a template; one with a recipe that changes its image is built at once (see <see cref="WaitUntilBuiltAsync"/>).</summary>
    /// <param name="request">Name and recipe.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The template; its status says whether it is being built.</returns>
    /// <exception cref="ValidationException">A field is faulty; of a Dockerfile every fault is told with its line.</exception>
    /// <exception cref="ConflictException">The name or slug is taken.</exception>
    /// <exception cref="PermissionException">The tenant has as many templates as it may have.</exception>
    public Task<SandboxTemplate> CreateAsync(CreateSandboxTemplateRequest request, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(TemplateCalls.Create(request), cancellationToken);

    /// <inheritdoc cref="CreateAsync(CreateSandboxTemplateRequest, CancellationToken)"/>
    public SandboxTemplate Create(CreateSandboxTemplateRequest request) => pipeline.Send(TemplateCalls.Create(request));

    /// <summary>Deletes an own template. Its build ends; sandboxes made of it go on.</summary>
    /// <param name="templateId">Its id, slug or name.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is gone.</returns>
    /// <exception cref="NotFoundException">The tenant has no such template.</exception>
    /// <exception cref="PermissionException">It is an official one.</exception>
    public Task DeleteAsync(string templateId, CancellationToken cancellationToken = default) => pipeline.SendAsync(TemplateCalls.Delete(templateId), cancellationToken);

    /// <inheritdoc cref="DeleteAsync"/>
    public void Delete(string templateId) => pipeline.Send(TemplateCalls.Delete(templateId));

    /// <summary>Checks a recipe without making anything.</summary>
    /// <param name="spec">The recipe.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Its faults; a faulty recipe is a result, not an error.</returns>
    public Task<BuildSpecValidation> ValidateAsync(BuildSpec spec, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(TemplateCalls.Validate(spec), cancellationToken);

    /// <inheritdoc cref="ValidateAsync"/>
    public BuildSpecValidation Validate(BuildSpec spec) => pipeline.Send(TemplateCalls.Validate(spec));

    /// <summary>The JSON schema of recipes.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The schema.</returns>
    public Task<JsonObject> GetBuildSpecSchemaAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(TemplateCalls.Schema(), cancellationToken);

    /// <inheritdoc cref="GetBuildSpecSchemaAsync"/>
    public JsonObject GetBuildSpecSchema() => pipeline.Send(TemplateCalls.Schema());

    /// <summary>What can be made here, over all products.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The catalogue.</returns>
    public Task<ProductTemplateCatalog> GetCatalogAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(TemplateCalls.Catalog(), cancellationToken);

    /// <inheritdoc cref="GetCatalogAsync"/>
    public ProductTemplateCatalog GetCatalog() => pipeline.Send(TemplateCalls.Catalog());

    /// <summary>The last 20 builds of a template, newest first.</summary>
    /// <param name="templateId">Id, slug or name of the template.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The builds; an official template has none.</returns>
    /// <exception cref="NotFoundException">There is no such template.</exception>
    public Task<IReadOnlyList<SandboxTemplateBuild>> ListBuildsAsync(string templateId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(TemplateCalls.Builds(templateId), cancellationToken);

    /// <inheritdoc cref="ListBuildsAsync"/>
    public IReadOnlyList<SandboxTemplateBuild> ListBuilds(string templateId) => pipeline.Send(TemplateCalls.Builds(templateId));

    /// <summary>Builds a template again. While one of its builds waits or runs, that one is given instead.</summary>
    /// <param name="templateId">Id, slug or name of the template.</param>
    /// <param name="request">Another recipe, which becomes the template's when the build succeeds. Default: the template's.</param>
    /// <param name="cancellationToken">Ends the wait; the build goes on.</param>
    /// <returns>The build; it waits for its turn.</returns>
    /// <exception cref="ConflictException">A build of another recipe is not over.</exception>
    /// <exception cref="ValidationException">The recipe is faulty.</exception>
    public Task<SandboxTemplateBuild> BuildAsync(string templateId, CreateSandboxTemplateBuildRequest? request = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(TemplateCalls.Build(templateId, request), cancellationToken);

    /// <inheritdoc cref="BuildAsync"/>
    public SandboxTemplateBuild Build(string templateId, CreateSandboxTemplateBuildRequest? request = null) => pipeline.Send(TemplateCalls.Build(templateId, request));

    /// <summary>Fetches a build.</summary>
    /// <param name="buildId">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The build.</returns>
    /// <exception cref="NotFoundException">The tenant has no such build.</exception>
    public Task<SandboxTemplateBuild> GetBuildAsync(string buildId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(TemplateCalls.BuildOf(buildId), cancellationToken);

    /// <inheritdoc cref="GetBuildAsync"/>
    public SandboxTemplateBuild GetBuild(string buildId) => pipeline.Send(TemplateCalls.BuildOf(buildId));

    /// <summary>
    /// Follows the log of a build, from its first line to how it ended. When the connection drops it is made again and goes on after the last line received.
    /// </summary>
    /// <param name="buildId">The build.</param>
    /// <param name="cancellationToken">Ends the loop; the build goes on.</param>
    /// <returns>Lines, and last of all an event such as <see cref="EventNames.BuildCompleted"/>.</returns>
    /// <exception cref="NotFoundException">The tenant has no such build.</exception>
    public IAsyncEnumerable<TemplateBuildEvent> StreamBuildLogsAsync(string buildId, CancellationToken cancellationToken = default)
        => Feed.EnumerateAsync(() => new BuildLogFeed(pipeline, buildId), cancellationToken);

    /// <inheritdoc cref="StreamBuildLogsAsync"/>
    public IEnumerable<TemplateBuildEvent> StreamBuildLogs(string buildId) => Feed.Enumerate(() => new BuildLogFeed(pipeline, buildId));

    /// <summary>Waits until a template can be used.</summary>
    /// <param name="templateId">Its id, slug or name.</param>
    /// <param name="timeout">The longest wait; default 30 minutes.</param>
    /// <param name="cancellationToken">Ends the wait; the build goes on.</param>
    /// <returns>The ready template.</returns>
    /// <exception cref="MiosaException">Its build failed; the message says why, <see cref="MiosaException.Code"/> is that of the build.</exception>
    /// <exception cref="TimeoutException">It is not ready yet.</exception>
    public Task<SandboxTemplate> WaitUntilBuiltAsync(string templateId, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
        => new BuildWait(pipeline, templateId).RunAsync(timeout ?? DefaultBuildWait, async: true, cancellationToken).AsTask();

    /// <inheritdoc cref="WaitUntilBuiltAsync"/>
    public SandboxTemplate WaitUntilBuilt(string templateId, TimeSpan? timeout = null)
        => Pipeline.Finished(new BuildWait(pipeline, templateId).RunAsync(timeout ?? DefaultBuildWait, async: false, CancellationToken.None));
}
