using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Miosa.Platform;
using Miosa.Server.Host;
using Miosa.Server.Keys;
using Miosa.Server.Lifecycle;
using Miosa.Server.Metering;
using Miosa.Server.Models;
using Miosa.Server.Storage;
using Miosa.Server.Workspaces;

namespace Miosa.Server.Tests;

/// <summary>The server in this process, without machines: what models need of it is all here, and the test can look at its meters.</summary>
public sealed class ModelServer : IAsyncLifetime
{
    public const string StoredKey = "sk-stored-THISmustNeverLeak0123456789";

    private readonly string folder = Directory.CreateTempSubdirectory("miosa-models").FullName;
    private RecordedProvider? provider;
    private WebApplication? app;
    private Admin? admin;

    internal RecordedProvider Provider => provider ?? throw new InvalidOperationException("not started");

    internal IServiceProvider Services => app?.Services ?? throw new InvalidOperationException("not started");

    public string Root { get; private set; } = "";

    public string Folder => folder;

    public string Tenant { get; private set; } = "";

    public string Key { get; private set; } = "";

    public Api Api { get; private set; } = new("http://127.0.0.1:1", null);

    public async ValueTask InitializeAsync()
    {
        provider = await RecordedProvider.StartAsync();
        await StartAsync(
            $$$$"""
            {"providers":[
              {"name":"main","kind":"openai","url":"{{{{provider.Url}}}}/main/v1","key":"stored","retries":2,
               "models":{"qwen3:32b":{"upstream":"own-name","context_length":32768},"org/legacy":{"upstream":"own-name","prompts":true},"vectors":{"upstream":"vec","type":"embedding"}}},
              {"name":"hasty","kind":"openai","url":"{{{{provider.Url}}}}/hasty","timeout_sec":2,"retries":1,"models":{"hasty":"own-name"}},
              {"name":"narrow","kind":"openai","url":"{{{{provider.Url}}}}/narrow","concurrency":1,"queue":1,"models":{"narrow":"own-name"}},
              {"name":"broken","kind":"openai","url":"{{{{provider.Url}}}}/broken","retries":0,"models":{"broken":"own-name"}},
              {"name":"shared","kind":"openai","url":"{{{{provider.Url}}}}/shared","concurrency":2,"queue":4,"models":{"shared":"own-name"}},
              {"name":"touchy","kind":"openai","url":"{{{{provider.Url}}}}/touchy","retries":2,"models":{"touchy":"own-name"}},
              {"name":"weary","kind":"openai","url":"{{{{provider.Url}}}}/weary","retries":0,"models":{"weary":"own-name"}},
              {"name":"brief","kind":"openai","url":"{{{{provider.Url}}}}/brief","retries":0,"total_sec":0.3,"models":{"brief":"own-name"}},
              {"name":"gone","kind":"openai","url":"http://127.0.0.1:9","retries":1,"models":{"gone":"own-name"}},
              {"name":"local","kind":"ollama","url":"{{{{provider.Url}}}}","models":{"llama":"llama3.2"}},
              {"name":"cloud","kind":"azure","url":"{{{{provider.Url}}}}/cloud","key":"stored","models":{"gpt":"my deployment"}},
              {"name":"own","kind":"openai","url":"{{{{provider.Url}}}}/own","key":"tenant:openai","models":{"owned":"own-name"}},
              {"name":"dear","kind":"openai","url":"{{{{provider.Url}}}}/dear","models":{"dear":{"upstream":"own-name","token_in":1000000,"token_out":2000000}}}
            ]}
            """,
            new ServerSettings { ChargeSec = 1, Prices = "token_in=1000,token_out=3000,token_embedding=500" });
        foreach (var name in (string[])["main", "cloud"])
            await ProviderSecrets.Of(Services.GetRequiredService<Database>(), Services.GetRequiredService<ServerSettings>(), TimeProvider.System).StoreAsync(name, StoredKey, CancellationToken.None);
        (Tenant, Key) = await NewTenantAsync();
        Api = new Api(Root, Key);
    }

    /// <summary>A server of its own; <see cref="IAsyncLifetime"/> makes the usual one.</summary>
    internal async Task StartAsync(string? providers, ServerSettings settings)
    {
        if (providers is not null)
            await File.WriteAllTextAsync(Path.Combine(folder, "models.json"), providers);
        Root = $"http://127.0.0.1:{FreePort()}";
        app = ServerHost.Build(settings with { DataDir = folder, Urls = Root, RuntimeSocket = Path.Combine(folder, "none.sock"), LogLevel = "Warning" }, []);
        var database = app.Services.GetRequiredService<Database>();
        database.Migrate();
        await ServerHost.FillAsync(app.Services, CancellationToken.None);
        await app.Services.GetRequiredService<MachineDirectory>().FillAsync(database, settings.Node, CancellationToken.None);
        app.Services.GetRequiredService<WorkspaceSet>().Fill();
        var meter = app.Services.GetRequiredService<Meter>();
        await database.WriteRowsAsync(transaction => meter.Begin(transaction, []), CancellationToken.None);
        await app.StartAsync();
        admin = new Admin(database, TimeProvider.System);
    }

    /// <summary>Ends the server as an operator does, with time for what is under way; its services are there still.</summary>
    public Task StopAsync() => app?.StopAsync() ?? Task.CompletedTask;

    public async Task<(string Tenant, string Key)> NewTenantAsync(params string[] scopes)
    {
        var owner = admin ?? throw new InvalidOperationException("not started");
        var tenant = await owner.CreateTenantAsync("t-" + Guid.NewGuid().ToString("N")[..12], CancellationToken.None);
        return (tenant.Id, (await owner.CreateKeyAsync(tenant.Id, "test", scopes, expiresAt: null, CancellationToken.None)).Text);
    }

    public async ValueTask DisposeAsync()
    {
        Api.Dispose();
        if (app is not null)
        {
            using var now = new CancellationTokenSource();
            await now.CancelAsync();
            await app.StopAsync(now.Token);
            await app.DisposeAsync();
        }
        if (provider is not null)
            await provider.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
