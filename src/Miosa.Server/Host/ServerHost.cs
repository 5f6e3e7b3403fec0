using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Miosa.Server.Analytics;
using Miosa.Server.Audit;
using Miosa.Server.Branding;
using Miosa.Server.ComputerEvents;
using Miosa.Server.Computers;
using Miosa.Server.ComputerServices;
using Miosa.Server.Credits;
using Miosa.Server.Desktop;
using Miosa.Server.Egress;
using Miosa.Server.Env;
using Miosa.Server.Events;
using Miosa.Server.Exec;
using Miosa.Server.Exports;
using Miosa.Server.Files;
using Miosa.Server.Keys;
using Miosa.Server.Lifecycle;
using Miosa.Server.Limits;
using Miosa.Server.Logs;
using Miosa.Server.Metering;
using Miosa.Server.Models;
using Miosa.Server.NetworkPolicies;
using Miosa.Server.Nodes;
using Miosa.Server.Policies;
using Miosa.Server.PreviewDomains;
using Miosa.Server.Previews;
using Miosa.Server.Processes;
using Miosa.Server.Quotas;
using Miosa.Server.Regions;
using Miosa.Server.Registries;
using Miosa.Server.Resources;
using Miosa.Server.Sandboxes;
using Miosa.Server.Settings;
using Miosa.Server.Snapshots;
using Miosa.Server.Storage;
using Miosa.Server.Templates;
using Miosa.Server.Terminals;
using Miosa.Server.Tunnels;
using Miosa.Server.Viewer;
using Miosa.Server.Webhooks;
using Miosa.Server.Workspaces;
using Orleans.Configuration;
using Orleans.Runtime.MembershipService.SiloMetadata;

namespace Miosa.Server.Host;

/// <summary>Puts the server together: one Add and one Map per slice, and the pipeline in its order.</summary>
internal static partial class ServerHost
{
    public static WebApplication Build(ServerSettings settings, IReadOnlyList<string> unknown)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ApplicationName = "miosa-server" });
        builder.Logging.ClearProviders().AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ";
            console.UseUtcTimestamp = true;
        });
        var level = Enum.Parse<LogLevel>(settings.LogLevel, ignoreCase: true);
        builder.Logging.SetMinimumLevel(level);
        foreach (var noisy in (string[])["Microsoft", "Orleans", "System", "Polly", "Yarp"])
            builder.Logging.AddFilter(noisy, level < LogLevel.Warning ? LogLevel.Warning : level);
        builder.Logging.AddFilter("Microsoft.Hosting.Lifetime", level);

        builder.WebHost.UseUrls(settings.Urls).ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            // An external id of 255 characters may take four times as much; what is longer should hear why.
            kestrel.Limits.MaxRequestLineSize = 64 * 1024;
            kestrel.Limits.MaxRequestBodySize = 64 * 1024 * 1024;
            // Whoever sends his headers byte by byte holds a connection no longer than this.
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
            // Without TLS there is nothing that could tell HTTP/2 from HTTP/1.1.
            var securePorts = SecurePortsOf(settings);
            var certificates = kestrel.ApplicationServices.GetRequiredService<Certificates>();
            kestrel.ConfigureEndpointDefaults(endpoint =>
            {
                var isSecure = endpoint.IPEndPoint is { } address && securePorts.Contains(address.Port);
                endpoint.Protocols = isSecure ? HttpProtocols.Http1AndHttp2 : HttpProtocols.Http1;
                if (isSecure && certificates.Any)
                    endpoint.UseHttps(new TlsHandshakeCallbackOptions { OnConnection = context => ValueTask.FromResult(certificates.For(context.ClientHelloInfo.ServerName)) });
            });
        });
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.UseShutdownTimeout(Shutdown.Timeout);
        AddServices(builder.Services, settings);
        builder.Host.UseOrleans(silo => AddSilo(silo, settings));

        var app = builder.Build();
        foreach (var name in unknown)
            UnknownSetting(app.Logger, name);
        Map(app);
        // Built here, so that a route which lacks something stops the server at its start and not its first request.
        foreach (var source in ((IEndpointRouteBuilder)app).DataSources)
            _ = source.Endpoints;
        return app;
    }

    private static HashSet<int> SecurePortsOf(ServerSettings settings) =>
    [
        .. settings.Urls.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(BindingAddress.Parse).Where(address => address.Scheme == Uri.UriSchemeHttps).Select(address => address.Port),
    ];

    private static void AddServices(IServiceCollection services, ServerSettings settings)
    {
        services.AddSingleton(settings);
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(new Sizes(settings));
        services.AddDataProtection().SetApplicationName("miosa-server")
            .PersistKeysToFileSystem(new DirectoryInfo(Path.Combine(settings.DataDir, "keys")));
        services.AddSingleton(Prices.Of(settings.Prices));
        services.AddSingleton(provider => new MeterClock(provider.GetRequiredService<TimeProvider>(), MeterClock.HostBoot()));
        services.AddSingleton<Meter>();
        services.AddSingleton<QuotaSet>();
        services.AddSingleton<QuotaGate>();
        services.AddSingleton<QuotaEndpoints>();
        services.AddSingleton<WorkspaceSet>();
        services.AddSingleton<WorkspaceEndpoints>();
        services.AddSingleton<UsageView>();
        services.AddSingleton<UsageEndpoints>();
        services.AddSingleton<CreditEndpoints>();
        services.AddSingleton<DiskUses>();
        services.AddSingleton<AnalyticsEndpoints>();
        services.AddSingleton<DashboardEndpoints>();
        services.AddSingleton<PricingEndpoints>();
        services.AddSingleton<Database>();
        services.AddSingleton<TenantSet>();
        services.AddSingleton<KeySet>();
        services.AddSingleton<ScopedTokens>();
        services.AddSingleton<KeyFields>();
        services.AddSingleton<KeyEndpoints>();
        services.AddSingleton<TenantEndpoints>();
        services.AddSingleton<AddressLimits>();
        services.AddSingleton<Access>();
        services.AddSingleton<Shutdown>();
        services.AddSingleton<AuditEndpoints>();
        services.AddSingleton<EventLog>();
        services.AddSingleton<EnvSeal>();
        services.AddSingleton<EgressFields>();
        services.AddSingleton<IsolationFields>();
        services.AddSingleton<ExportLinks>();
        services.AddSingleton<MachineDirectory>();
        services.AddSingleton<Machines>();
        services.AddSingleton<ImageNames>();
        services.AddSingleton<Failures>();
        services.AddSingleton<Idempotency>();
        services.AddSingleton<SandboxFields>();
        services.AddSingleton<SandboxView>();
        services.AddSingleton<SandboxList>();
        services.AddSingleton<ComputerFields>();
        services.AddSingleton<ComputerView>();
        services.AddSingleton<ComputerList>();
        services.AddSingleton<ComputerEndpoints>();
        services.AddSingleton<ComputerFacts>();
        services.AddSingleton<ComputerPorts>();
        services.AddSingleton<ServiceSet>();
        services.AddSingleton<ServiceEndpoints>();
        services.AddSingleton<Restores>();
        services.AddSingleton<ComputerSnapshotEndpoints>();
        services.AddSingleton<ComputerEventEndpoints>();
        services.AddHttpForwarder();
        services.AddSingleton<Certificates>();
        services.AddSingleton<ProvenDomains>();
        services.AddSingleton<PreviewHosts>();
        services.AddSingleton<PreviewView>();
        services.AddSingleton<PreviewPools>();
        services.AddSingleton<PreviewProxy>();
        services.AddSingleton<Previews.Previews>();
        services.AddSingleton<PreviewEndpoints>();
        services.AddSingleton<PublicSuffixes>();
        services.AddSingleton<DomainClaims>();
        services.AddSingleton<DomainLook>();
        services.AddSingleton<PreviewDomainSet>();
        services.AddSingleton<PreviewDomainEndpoints>();
        AddTenantRows<BrandingRow>(services, row => row.TenantId);
        services.AddSingleton<BrandingEndpoints>();
        AddTenantRows<PolicyRow>(services, row => row.TenantId);
        services.AddSingleton<PolicyEndpoints>();
        AddTenantRows<TenantSettingsRow>(services, row => row.TenantId);
        services.AddSingleton<TenantDefaults>();
        services.AddSingleton<SettingsEndpoints>();
        services.AddSingleton<ProviderKeys>();
        services.AddSingleton<ProviderSecrets>();
        services.AddSingleton<ModelMetrics>();
        services.AddSingleton<ModelUsage>();
        services.AddSingleton<EmbeddedModel>();
        services.AddSingleton<ModelCalls>();
        services.AddSingleton<CompletionEndpoints>();
        services.AddSingleton<EmbeddingEndpoints>();
        services.AddSingleton<ModelEndpoints>();
        services.AddSingleton(ProviderConfig.Read(settings));
        services.AddSingleton<ModelSet>();
        services.AddSingleton<RegionSet>();
        services.AddSingleton<Catalog>();
        services.AddSingleton<RegionEndpoints>();
        services.AddSingleton<SnapshotSet>();
        services.AddSingleton<SnapshotEndpoints>();
        services.AddSingleton<RecipeFields>();
        services.AddSingleton<TemplateFields>();
        services.AddSingleton<TemplateSet>();
        services.AddSingleton<TemplateView>();
        services.AddSingleton(new RegistryAddresses(settings));
        services.AddSingleton<RegistryPull>();
        services.AddSingleton<BaseImages>();
        services.AddSingleton<TemplateEndpoints>();
        services.AddSingleton<BuildEndpoints>();
        services.AddSingleton<TemplateStart>();
        services.AddSingleton<TemplateArtifacts>();
        services.AddSingleton<SandboxEndpoints>();
        services.AddSingleton<TenantFeeds>();
        services.AddSingleton<EventEndpoints>();
        services.AddSingleton<TenantEventEndpoints>();
        services.AddSingleton<SseTickets>();
        services.AddSingleton<WebhookSeal>();
        services.AddSingleton<WebhookView>();
        services.AddSingleton(provider => new WebhookSender(settings, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(new RetrySchedule(settings));
        services.AddSingleton<DesktopTurns>();
        services.AddSingleton<ScreenshotEndpoints>();
        services.AddSingleton<PictureFetch>();
        services.AddSingleton<WallpaperEndpoints>();
        services.AddHttpContextAccessor();
        services.AddSingleton<ViewerAddress>();
        services.AddSingleton<ViewerFiles>();
        services.AddSingleton<ViewerAccess>();
        services.AddSingleton<ViewerEndpoints>();
        services.AddSingleton<ViewerPage>();
        services.AddSingleton<DeliveryLog>();
        services.AddSingleton<WebhookSet>();
        services.AddSingleton<WebhookEndpoints>();
        services.AddSingleton<SystemEndpoints>();
        services.AddSingleton(provider => OpenApiDocument.For(provider.GetRequiredService<EndpointDataSource>()));
        // Stopped last: what the others do while they end is written down, too.
        AddLoop<AuditLog>(services);
        AddLoop<ApiKeys>(services);
        AddLoop<RuntimeClient>(services);
        AddLoop<WarmPool>(services);
        AddLoop<Deadlines>(services);
        AddLoop<Builds>(services);
        AddLoop<Reconciliation>(services);
        AddLoop<AfterBoot>(services);
        AddLoop<Desktops>(services);
        AddLoop<SnapshotSweep>(services);
        AddLoop<PreviewDomainChecks>(services);
        AddLoop<MetricsSampler>(services);
        AddLoop<Deliveries>(services);
        AddLoop<MeterLoop>(services);
        AddLoop<ServiceKeeper>(services);
        AddLoop<WarmUp>(services);
    }

    private static void AddTenantRows<TRow>(IServiceCollection services, Func<TRow, string> tenantOf)
        where TRow : class => services.AddSingleton(provider => new TenantRows<TRow>(provider.GetRequiredService<Database>(), tenantOf));

    /// <summary>Takes into memory what requests look up there; before anything listens.</summary>
    public static async Task FillAsync(IServiceProvider services, CancellationToken ct)
    {
        await services.GetRequiredService<TenantRows<BrandingRow>>().FillAsync(ct);
        await services.GetRequiredService<TenantRows<PolicyRow>>().FillAsync(ct);
        await services.GetRequiredService<TenantRows<TenantSettingsRow>>().FillAsync(ct);
        await services.GetRequiredService<PreviewDomainSet>().FillAsync(ct);
        await services.GetRequiredService<ServiceSet>().FillAsync(ct);
    }

    private static void AddLoop<T>(IServiceCollection services)
        where T : class, IHostedService
    {
        services.AddSingleton<T>();
        services.AddHostedService(provider => provider.GetRequiredService<T>());
    }

    private static void AddSilo(ISiloBuilder silo, ServerSettings settings)
    {
        var siloPort = settings.SiloPort == 0 ? FreePort() : settings.SiloPort;
        var gatewayPort = settings.GatewayPort == 0 ? FreePort() : settings.GatewayPort;
        silo.UseLocalhostClustering(siloPort, gatewayPort, primarySiloEndpoint: null, serviceId: "miosa", clusterId: "miosa");
        silo.UseSiloMetadata(new Dictionary<string, string> { [NodePinnedDirector.NodeName] = settings.Node });
        silo.Services.AddPlacementDirector<NodePinned, NodePinnedDirector>();
        silo.Configure<SiloMessagingOptions>(options => options.ResponseTimeout = TimeSpan.FromSeconds(settings.BootTimeoutSec + 40));
    }

    /// <summary>The pipeline, outermost first.</summary>
    private static void Map(WebApplication app)
    {
        // 1. the id, so that everything after can tell it;  2. failures become bodies;  3. one spelling of the path;
        // 4. routing;  5. what changes something gets an entry of the audit log;  6. who asks and may they;
        // 7. repeats of a call get the first answer;  8. the endpoint.
        // Before all, the address of who asks. Between 1 and 2, what is for a preview leaves: no body, path or failure of it is ours to change.
        if (ProxiesOf(app.Services.GetRequiredService<ServerSettings>()) is { } proxies)
            app.UseForwardedHeaders(proxies);
        app.UseRequestIds();
        var previews = app.Services.GetRequiredService<PreviewProxy>();
        app.Use((context, next) => previews.HandleAsync(context, next));
        var failures = app.Services.GetRequiredService<Failures>();
        app.Use((context, next) => failures.HandleAsync(context, next));
        app.Use((context, next) =>
        {
            context.Request.Path = CollapseSlashes(context.Request.Path);
            return next(context);
        });
        app.UseRouting();
        AuditCall.Use(app);
        var access = app.Services.GetRequiredService<Access>();
        app.Use((context, next) => access.HandleAsync(context, next));
        // A peer that does not answer a ping for this long is gone.
        app.UseWebSockets(new WebSocketOptions { KeepAliveInterval = TimeSpan.FromSeconds(15), KeepAliveTimeout = TimeSpan.FromSeconds(30) });
        var idempotency = app.Services.GetRequiredService<Idempotency>();
        app.Use((context, next) => idempotency.HandleAsync(context, next));

        var root = app.MapGroup("").WithAuditActions();
        var api = root.MapGroup(Routes.Base);
        SystemEndpoints.Map(root, api);
        SandboxEndpoints.Map(api);
        ComputerEndpoints.Map(api);
        ComputerFacts.Map(api);
        ComputerEnv.Map(api);
        ComputerPorts.Map(api);
        ServiceEndpoints.Map(api);
        ComputerSnapshotEndpoints.Map(api);
        ComputerEventEndpoints.Map(api);
        LogEndpoints.Map(api);
        NetworkPolicyEndpoints.Map(api);
        TunnelEndpoints.Map(api);
        SnapshotEndpoints.Map(api);
        PreviewEndpoints.Map(api);
        TemplateEndpoints.Map(api);
        BuildEndpoints.Map(api);
        TemplateStart.Map(api);
        TemplateArtifacts.Map(api);
        EventEndpoints.Map(api);
        TenantEventEndpoints.Map(api);
        WebhookEndpoints.Map(api);
        EnvEndpoints.Map(api);
        ResourceEndpoints.Map(api);
        ExportEndpoints.Map(api);
        EgressEndpoints.Map(api);
        KeyEndpoints.Map(api);
        TenantEndpoints.Map(api);
        AuditEndpoints.Map(api);
        WorkspaceEndpoints.Map(api);
        QuotaEndpoints.Map(api);
        UsageEndpoints.Map(api);
        CreditEndpoints.Map(api);
        AnalyticsEndpoints.Map(api);
        DashboardEndpoints.Map(api);
        PricingEndpoints.Map(api);
        BrandingEndpoints.Map(api);
        PreviewDomainEndpoints.Map(api);
        PolicyEndpoints.Map(api);
        SettingsEndpoints.Map(api);
        ProviderKeys.Map(api);
        RegionEndpoints.Map(api);
        root.MapDesktop();
        root.MapViewer();
        ModelEndpoints.Map(root, api);
        root.MapExec();
        root.MapProcesses();
        root.MapTerminals();
        root.MapFiles();
        root.MapComputerFiles();
    }

    /// <summary>Without a proxy that is trusted, the header is what anybody may write.</summary>
    public static ForwardedHeadersOptions? ProxiesOf(ServerSettings settings)
    {
        if (settings.TrustedProxies.Length == 0)
            return null;
        var options = new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.XForwardedFor, ForwardLimit = null };
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        foreach (var proxy in settings.TrustedProxies.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            if (IPAddress.TryParse(proxy, out var address))
                options.KnownProxies.Add(address);
            else if (System.Net.IPNetwork.TryParse(proxy, out var network))
                options.KnownIPNetworks.Add(network);
            else
                throw new SettingsException($"--trusted-proxies: \"{proxy}\" is neither an address nor a range such as 10.0.0.0/8");
        }
        return options;
    }

    /// <summary>Go joins its base and paths blindly and so sends /api/v1//sandboxes.</summary>
    private static PathString CollapseSlashes(PathString path)
    {
        var text = path.Value ?? "/";
        while (text.Contains("//", StringComparison.Ordinal))
            text = text.Replace("//", "/", StringComparison.Ordinal);
        return text;
    }

    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)(socket.LocalEndPoint ?? throw new InvalidOperationException("a bound socket has an address"))).Port;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "unknown setting {Name}: it has no effect")]
    private static partial void UnknownSetting(ILogger log, string name);
}
