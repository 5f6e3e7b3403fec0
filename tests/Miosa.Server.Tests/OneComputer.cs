using System.Text.Json;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>One running computer per test class, of an image without a desktop; what needs a stopped one makes its own.</summary>
public sealed class OneComputer(ServerPlatform shared) : IAsyncLifetime
{
    private Api? api;

    public Miosa.Platform.Platform Platform => shared.Platform;

    public Api Api => api ?? throw new InvalidOperationException("not started");

    public string Id { get; private set; } = "";

    public string Tenant { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        Tenant = await Platform.NewTenantAsync("t-" + Guid.NewGuid().ToString("N")[..12]);
        api = Platform.Api(await Platform.NewKeyAsync(Tenant));
        Id = await Api.NewComputerAsync(image: "miosa-sandbox");
        (await Api.PostAsync($"computers/{Id}/env", """{"name":"FROM_BOX","value":"box"}""")).Expect(201);
    }

    public Task<Answer> PostAsync(string path, object? body = null) => Api.PostAsync($"computers/{Id}/{path}", JsonSerializer.Serialize(body ?? new { }));

    public Task<Answer> GetAsync(string path) => Api.GetAsync($"computers/{Id}/{path}");

    /// <summary>Runs a shell command and gives its standard output; it must end with 0.</summary>
    public Task<string> RunAsync(string shell) => RunAsync(Api, Id, shell);

    public static async Task<string> RunAsync(Api api, string computer, string shell)
    {
        var answer = (await api.PostAsync($"computers/{computer}/exec", JsonSerializer.Serialize(new { command = shell }))).Expect(200);
        return answer.Json.GetProperty("exit_code").GetInt32() == 0 ? answer.Text("stdout") : throw new InvalidOperationException(answer.Body);
    }

    /// <summary>The entries of the audit log of one action on the computer.</summary>
    public async Task<Answer> AuditedAsync(string action, string? computer = null)
    {
        Answer? found = null;
        await Miosa.Platform.Platform.UntilAsync($"{action} stands in the audit log", async () =>
        {
            found = (await Api.GetAsync($"audit-log?action={action}&resource_id={computer ?? Id}")).Expect(200);
            return found.Json.GetProperty("data").GetArrayLength() > 0;
        });
        return found ?? throw new InvalidOperationException("never");
    }

    public async ValueTask DisposeAsync()
    {
        if (api is null)
            return;
        if (await api.TryGetAsync(api.Root + "/readyz") is not null)
        {
            foreach (var computer in (await api.GetAsync("computers")).Json.GetProperty("data").EnumerateArray())
                await api.DeleteAsync("computers/" + computer.GetProperty("id").GetString());
        }
        api.Dispose();
    }
}
