using Miosa.Http;

namespace Miosa;

/// <summary>
/// The way into the platform. Make one and share it: it holds the connections, and all members may be used by many threads at once.
/// Every call exists twice, <c>X</c> and <c>XAsync</c>, with the same result; <c>X</c> blocks its thread and never waits on a task.
/// </summary>
/// <example>
/// <code>
/// using var client = new MiosaClient();
/// var sandbox = await client.Sandboxes.CreateAsync(image: "miosa-sandbox");
/// var result = await sandbox.RunAsync("python3 -c 'print(1 + 1)'");
/// Console.WriteLine(result.Stdout);
/// await sandbox.DestroyAsync();
/// </code>
/// </example>
public sealed class MiosaClient : IDisposable, IAsyncDisposable
{
    private readonly Pipeline pipeline;

    /// <summary>A client with default settings.</summary>
    /// <param name="apiKey">Workspace key, <c>msk_…</c>; default: the environment variable <c>MIOSA_API_KEY</c>.</param>
    /// <param name="baseUrl">Address of the API; default: the environment variable <c>MIOSA_BASE_URL</c>, else <see cref="MiosaOptions.DefaultBaseUrl"/>.</param>
    /// <exception cref="ArgumentException">There is no key, it does not start with <c>msk_</c>, or the address is not http or https.</exception>
    public MiosaClient(string? apiKey = null, string? baseUrl = null)
        : this(new MiosaOptions { ApiKey = apiKey, BaseUrl = baseUrl })
    {
    }

    /// <summary>A client with the given settings.</summary>
    /// <param name="options">The settings.</param>
    /// <exception cref="ArgumentException">There is no key, it does not start with <c>msk_</c>, or another setting is out of bounds.</exception>
    public MiosaClient(MiosaOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        pipeline = new Pipeline(options);
        Sandboxes = new Sandboxes(pipeline);
        Computers = new Computers(pipeline);
        Desktop = new Desktop(pipeline);
        SandboxTemplates = new SandboxTemplates(pipeline);
        ApiKeys = new ApiKeys(pipeline);
        AuditLog = new AuditLog(pipeline, "/audit-log");
        Admin = new Admin(pipeline);
        Webhooks = new Webhooks(pipeline);
        Events = new TenantEvents(pipeline);
        Workspaces = new Workspaces(pipeline);
        Quotas = new Quotas(pipeline);
        Usage = new Usage(pipeline);
        Credits = new Credits(pipeline);
        Analytics = new Analytics(pipeline);
        Dashboard = new Dashboard(pipeline);
        Tenant = new Tenant(pipeline);
        Settings = new Settings(pipeline);
        Regions = new Regions(pipeline);
        Models = new Models(pipeline);
        Completions = new Completions(pipeline);
        Embeddings = new Embeddings(pipeline);
    }

    /// <summary>Create, find, list and destroy sandboxes.</summary>
    public Sandboxes Sandboxes { get; }

    /// <summary>Create, find, list and delete computers: persistent machines with a graphical desktop.</summary>
    public Computers Computers { get; }

    /// <summary>The screens, mice and keyboards of computers, by the id of the computer.</summary>
    public Desktop Desktop { get; }

    /// <summary>What sandboxes are made of: list, create, build and delete templates.</summary>
    public SandboxTemplates SandboxTemplates { get; }

    /// <summary>The keys of the tenant: make, list and revoke them; keys and tokens for one user of yours.</summary>
    public ApiKeys ApiKeys { get; }

    /// <summary>Who did what in the tenant, and when.</summary>
    public AuditLog AuditLog { get; }

    /// <summary>For administrators of the server, with a key <c>msk_p_…</c>: tenants, their keys, and the audit log of all.</summary>
    public Admin Admin { get; }

    /// <summary>Addresses that are sent what happens; and, without a client, the verification of what they are sent.</summary>
    public Webhooks Webhooks { get; }

    /// <summary>What happens in the tenant, as a stream.</summary>
    public TenantEvents Events { get; }

    /// <summary>Named groups of machines, with limits and defaults of their own.</summary>
    public Workspaces Workspaces { get; }

    /// <summary>What each of your users may have.</summary>
    public Quotas Quotas { get; }

    /// <summary>What was used, by your users, projects and workspaces.</summary>
    public Usage Usage { get; }

    /// <summary>What is left to be used, and the ledger of it.</summary>
    public Credits Credits { get; }

    /// <summary>Counts and series of machines and usage.</summary>
    public Analytics Analytics { get; }

    /// <summary>Numbers for a start page.</summary>
    public Dashboard Dashboard { get; }

    /// <summary>The tenant of the key: its plan, how its product looks, the domain of its previews, the rules for its sandboxes.</summary>
    public Tenant Tenant { get; }

    /// <summary>What new sandboxes get where their creation names nothing.</summary>
    public Settings Settings { get; }

    /// <summary>Where machines run, and what can be made there.</summary>
    public Regions Regions { get; }

    /// <summary>The language models that can be used.</summary>
    public Models Models { get; }

    /// <summary>Answers of language models.</summary>
    public Completions Completions { get; }

    /// <summary>Vectors of texts.</summary>
    public Embeddings Embeddings { get; }

    /// <summary>Closes the connections; sandboxes go on running. Calls made afterwards throw <see cref="ObjectDisposedException"/>.</summary>
    public void Dispose() => pipeline.Dispose();

    /// <summary>Same as <see cref="Dispose"/>.</summary>
    /// <returns>A finished task.</returns>
    public ValueTask DisposeAsync()
    {
        pipeline.Dispose();
        return ValueTask.CompletedTask;
    }
}
