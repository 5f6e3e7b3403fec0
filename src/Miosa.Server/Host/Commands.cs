using System.CommandLine;
using System.Globalization;
using Miosa.Server.Keys;
using Miosa.Server.Lifecycle;
using Miosa.Server.Metering;
using Miosa.Server.Quotas;
using Miosa.Server.Storage;
using Miosa.Server.Workspaces;

namespace Miosa.Server.Host;

/// <summary>The command line: <c>serve</c> (also without any command), and the admin commands on the same database.</summary>
internal static class Commands
{
    private static readonly Option<string> Config = new("--" + SettingsTable.ConfigName) { Description = "JSON file of settings", Recursive = true };

    private static readonly IReadOnlyList<Option<string>> Settings =
        [.. SettingsTable.All.Select(s => new Option<string>("--" + s.Name) { Description = s.Says, Recursive = true })];

    public static RootCommand Root()
    {
        var root = new RootCommand("miosa-server: the API server of the Miosa platform");
        root.Options.Add(Config);
        foreach (var option in Settings)
            root.Options.Add(option);
        root.SetAction(ServeAsync);
        var serve = new System.CommandLine.Command("serve", "Serve the API (the default)");
        serve.SetAction(ServeAsync);
        root.Subcommands.Add(serve);
        root.Subcommands.Add(Tenant());
        root.Subcommands.Add(Key());
        root.Subcommands.Add(Init());
        root.Subcommands.Add(MeteringCommands.Credits(AdminAsync));
        root.Subcommands.Add(MeteringCommands.Limits(AdminAsync));
        root.Subcommands.Add(ModelCommands.Models(AdminAsync));
        return root;
    }

    private static async Task<int> ServeAsync(ParseResult line, CancellationToken ct)
    {
        if (Read(line) is not { } read)
            return 2;
        await using var app = ServerHost.Build(read.Settings, read.Unknown);
        // Before anything listens: the schema, and every machine this node holds.
        var database = app.Services.GetRequiredService<Database>();
        database.Migrate();
        await ServerHost.FillAsync(app.Services, ct);
        var directory = app.Services.GetRequiredService<MachineDirectory>();
        await directory.FillAsync(database, read.Settings.Node, ct);
        app.Services.GetRequiredService<WorkspaceSet>().Fill();
        var meter = app.Services.GetRequiredService<Meter>();
        await database.WriteRowsAsync(transaction => meter.Begin(transaction, [.. directory.All.Select(resident => resident.Row)]), ct);
        await app.Services.GetRequiredService<Previews.Previews>().FillAsync(directory, ct);
        await app.RunAsync(ct);
        return 0;
    }

    private static System.CommandLine.Command Tenant()
    {
        var name = new Argument<string>("name") { Description = "name of the tenant" };
        var create = new System.CommandLine.Command("create", "Create a tenant and print its id") { name };
        create.SetAction((line, ct) => AdminAsync(line, async admin =>
            Console.WriteLine((await admin.CreateTenantAsync(line.GetRequiredValue(name), ct)).Id)));
        var list = new System.CommandLine.Command("list", "List tenants");
        list.SetAction((line, ct) => AdminAsync(line, async admin =>
        {
            foreach (var tenant in await admin.ListTenantsAsync(ct))
                Console.WriteLine($"{tenant.Id}  {tenant.Name}  {Time(tenant.CreatedAt)}");
        }));
        return new System.CommandLine.Command("tenant", "Tenants") { create, list };
    }

    private static System.CommandLine.Command Key()
    {
        var tenant = new Option<string>("--tenant") { Description = "name or id of the tenant" };
        var platform = new Option<bool>("--platform") { Description = "a key of an administrator of this server, which has no tenant of its own" };
        var name = new Option<string>("--name") { Description = "what the key is for", Required = true };
        var scopes = new Option<string[]>("--scope") { Description = $"a scope, may be repeated: {string.Join(", ", Scopes.Known)}; default *" };
        var expires = new Option<string>("--expires") { Description = "end as RFC 3339 time, or as a number of days" };
        var create = new System.CommandLine.Command("create", "Create a key and print it: the only time it can be seen") { tenant, platform, name, scopes, expires };
        create.SetAction((line, ct) => AdminAsync(line, async admin =>
        {
            if (line.GetValue(platform) == (line.GetValue(tenant) is not null))
                throw new AdminException("name a tenant with --tenant, or say --platform for a key of an administrator");
            var (key, text) = await admin.CreateKeyAsync(
                line.GetValue(tenant), line.GetRequiredValue(name), line.GetValue(scopes) ?? [], EndOf(line.GetValue(expires)), ct);
            Console.Error.WriteLine(key.Id);
            Console.WriteLine(text);
        }));

        var id = new Argument<string>("id") { Description = "id of the key" };
        var revoke = new System.CommandLine.Command("revoke", "Revoke a key") { id };
        revoke.SetAction((line, ct) => AdminAsync(line, admin => admin.RevokeKeyAsync(line.GetRequiredValue(id), ct)));

        var ofTenant = new Option<string>("--tenant") { Description = "only this tenant" };
        var list = new System.CommandLine.Command("list", "List keys") { ofTenant };
        list.SetAction((line, ct) => AdminAsync(line, async admin =>
        {
            foreach (var (key, owner) in await admin.ListKeysAsync(line.GetValue(ofTenant), ct))
            {
                var state = key.RevokedAt is not null ? "revoked" : key.ExpiresAt is { } end ? "until " + Time(end) : "active";
                Console.WriteLine($"{key.Id}  {key.Prefix}…  {owner}  {key.Name}  [{key.Scopes}]  {state}  last used {(key.LastUsedAt is { } at ? Time(at) : "never")}");
            }
        }));
        return new System.CommandLine.Command("key", "API keys") { create, revoke, list };
    }

    /// <summary>For scripts: makes the tenant <c>default</c>, a first key of it and a key of an administrator once; when it is run again nothing changes.</summary>
    private static System.CommandLine.Command Init()
    {
        var file = new Option<string>("--out") { Description = "file that gets the key of the tenant, mode 0600", Required = true };
        var adminFile = new Option<string>("--admin-out") { Description = "file that gets the key of the administrator, mode 0600; default: the other with -admin at its end" };
        var init = new System.CommandLine.Command("init", "Create the tenant \"default\", a first key and an administrator's key, if there are none") { file, adminFile };
        init.SetAction((line, ct) => AdminAsync(line, async admin =>
        {
            const string Name = "default";
            var path = line.GetRequiredValue(file);
            _ = await admin.FindTenantAsync(Name, ct) ?? await admin.CreateTenantAsync(Name, ct);
            var keys = (await admin.ListKeysAsync(tenant: null, ct)).Where(k => k.Key.RevokedAt is null).ToList();
            await HaveKeyAsync(Name, path, keys.Any(k => k.Tenant == Name));
            await HaveKeyAsync(null, line.GetValue(adminFile) ?? path + "-admin", keys.Any(k => k.Key.TenantId is null));

            async Task HaveKeyAsync(string? tenant, string path, bool isThere)
            {
                // A lost file is a lost key: only a new one helps.
                if (isThere && File.Exists(path))
                    return;
                var (_, text) = await admin.CreateKeyAsync(tenant, "init", [], expiresAt: null, ct);
                var create = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite };
                await using var writer = new StreamWriter(path, create);
                await writer.WriteLineAsync(text);
            }
        }));
        return init;
    }

    private static Task<int> AdminAsync(ParseResult line, Func<Admin, Task> work) => AdminAsync(line, (admin, _, _) => work(admin));

    private static async Task<int> AdminAsync(ParseResult line, Func<Admin, Database, ServerSettings, Task> work)
    {
        if (Read(line) is not { } read)
            return 2;
        try
        {
            using var database = new Database(read.Settings);
            database.Migrate();
            await work(new Admin(database, TimeProvider.System), database, read.Settings);
            return 0;
        }
        catch (Exception e) when (e is AdminException or SettingsException or IOException or UnauthorizedAccessException or Microsoft.Data.Sqlite.SqliteException)
        {
            Console.Error.WriteLine($"miosa-server: {e.Message}");
            return 1;
        }
    }

    private static (ServerSettings Settings, IReadOnlyList<string> Unknown)? Read(ParseResult line)
    {
        var given = new Dictionary<string, string>();
        foreach (var option in Settings.Append(Config))
        {
            if (line.GetResult(option) is { Implicit: false } && line.GetValue(option) is { } value)
                given[option.Name.TrimStart('-')] = value;
        }
        try
        {
            var read = SettingsTable.Read(given, Environment.GetEnvironmentVariables());
            _ = new Sandboxes.Sizes(read.Settings);
            _ = new Registries.RegistryAddresses(read.Settings);
            _ = ServerHost.ProxiesOf(read.Settings);
            _ = new Webhooks.RetrySchedule(read.Settings);
            new Webhooks.WebhookSender(read.Settings, TimeProvider.System).Dispose();
            _ = Prices.Of(read.Settings.Prices);
            _ = Models.ProviderConfig.Read(read.Settings);
            _ = Caps.Of("tenant-limits", read.Settings.TenantLimits);
            _ = Caps.Of("user-limits", read.Settings.UserLimits);
            return read;
        }
        catch (Exception e) when (e is SettingsException or IOException or System.Text.Json.JsonException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"miosa-server: {e.Message}");
            return null;
        }
    }

    private static DateTimeOffset? EndOf(string? text) => text switch
    {
        null => null,
        _ when int.TryParse(text, out var days) => TimeProvider.System.GetUtcNow().AddDays(days),
        _ when DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) => time,
        _ => throw new AdminException($"--expires must be a time or a number of days, got \"{text}\""),
    };

    private static string Time(DateTimeOffset time) => time.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
