using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.DependencyInjection;
using Miosa.Platform;
using Miosa.Server.Host;
using Miosa.Server.Settings;
using Miosa.Server.Storage;

namespace Miosa.Server.Tests;

/// <summary>Keys of providers of language models: in nobody's sight again once they are stored.</summary>
public sealed class ProviderKeyTests(Tenant tenant) : IClassFixture<Tenant>
{
    private const string Secret = "sk-proj-THISmustNeverLeak0123456789abcd";

    private Api Api => tenant.Api;

    [Fact]
    public async Task A_key_is_stored_masked_replaced_and_deleted()
    {
        var stored = (await Api.PutAsync("settings/provider-keys/openai", $$"""{"key":"{{Secret}}"}""")).Expect(200);
        Assert.Equal(("openai", "sk-...abcd"), (stored.Text("provider"), stored.Text("masked")));
        Assert.Equal("sk-...abcd", stored.Json.GetProperty("data").GetProperty("masked").GetString());
        var replaced = (await Api.PutAsync("settings/provider-keys/openai", """{"key":"short"}""")).Expect(200);
        Assert.Equal(("...", stored.Text("created_at")), (replaced.Text("masked"), replaced.Text("created_at")));
        (await Api.PutAsync("settings/provider-keys/anthropic", $$"""{"key":"{{Secret}}"}""")).Expect(200);
        var list = (await Api.GetAsync("settings/provider-keys")).Expect(200);
        Assert.Equal(["anthropic", "openai"], list.Json.GetProperty("data").EnumerateArray().Select(k => k.GetProperty("provider").GetString()));
        Assert.Equal(2, list.Json.GetProperty("meta").GetProperty("total").GetInt32());
        Assert.DoesNotContain(Secret, list.Body + stored.Body, StringComparison.Ordinal);

        using var other = await tenant.Platform.NewApiAsync();
        Assert.Empty((await other.GetAsync("settings/provider-keys")).Json.GetProperty("data").EnumerateArray());
        Assert.Equal(404, (await other.DeleteAsync("settings/provider-keys/openai")).Status);

        (await Api.DeleteAsync("settings/provider-keys/openai")).Expect(204);
        Assert.Equal(404, (await Api.DeleteAsync("settings/provider-keys/openai")).Status);
        (await Api.DeleteAsync("settings/provider-keys/anthropic")).Expect(204);
    }

    [Fact]
    public async Task A_key_is_on_the_server_s_disk_and_in_its_log_nowhere_in_the_clear()
    {
        (await Api.PutAsync("settings/provider-keys/disk", $$"""{"key":"{{Secret}}"}""")).Expect(200);
        (await Api.PutAsync("settings/provider-keys/BAD", $$"""{"key":"{{Secret}}"}""")).Expect(422);
        (await Api.PutAsync("settings/provider-keys/bad", $$"""{"key":"{{Secret}} "}""")).Expect(422);
        (await Api.DeleteAsync("settings/provider-keys/disk")).Expect(204);
        foreach (var file in Directory.EnumerateFiles(tenant.Platform.ServerData, "*", SearchOption.AllDirectories).Append(tenant.Platform.ServerLog))
            Assert.True((await ReadAsync(file)).AsSpan().IndexOf("THISmustNeverLeak"u8) < 0, file);
    }

    [Theory]
    [InlineData("openai", """{}""", "key")]
    [InlineData("openai", """{"key":""}""", "key")]
    [InlineData("openai", """{"key":"two words"}""", "key")]
    [InlineData("openai", """{"key":"line\nbreak"}""", "key")]
    [InlineData("openai", """{"key":5}""", "key")]
    [InlineData("Open%20AI", """{"key":"sk-1"}""", "provider")]
    [InlineData("..%2fx", """{"key":"sk-1"}""", "provider")]
    public async Task Faulty_keys_and_providers_are_refused_and_the_answer_does_not_show_the_key(string provider, string body, string field)
    {
        var refused = (await Api.PutAsync($"settings/provider-keys/{provider}", body)).Expect(422);
        Assert.Equal([field], refused.Json.GetProperty("details").EnumerateObject().Select(d => d.Name));
        Assert.DoesNotContain("two words", refused.Body, StringComparison.Ordinal);
        var tooLong = (await Api.PutAsync("settings/provider-keys/openai", $$"""{"key":"{{new string('x', 10_000)}}"}""")).Expect(422);
        Assert.DoesNotContain("xxxx", tooLong.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_server_opens_what_it_stored_and_only_in_its_own_row()
    {
        var folder = Directory.CreateTempSubdirectory("miosa-provider-keys").FullName;
        try
        {
            await using var app = ServerHost.Build(new ServerSettings { DataDir = folder }, []);
            var database = app.Services.GetRequiredService<Database>();
            database.Migrate();
            var protection = app.Services.GetRequiredService<IDataProtectionProvider>();
            var now = DateTimeOffset.UtcNow;
            foreach (var id in (string[])["ten_a", "ten_b"])
                await database.WriteAsync(db => db.Tenants.Add(new TenantRow { Id = id, Name = id, CreatedAt = now }), TestContext.Current.CancellationToken);
            var keys = app.Services.GetRequiredService<ProviderKeys>();
            await keys.StoreAsync("ten_a", "openai", Secret, TestContext.Current.CancellationToken);
            Assert.Equal(Secret, await keys.OpenAsync("ten_a", "openai", TestContext.Current.CancellationToken));
            Assert.Null(await keys.OpenAsync("ten_b", "openai", TestContext.Current.CancellationToken));
            // Carried into another tenant's row by somebody with the file, it opens nothing.
            await database.WriteAsync(db => db.ProviderKeys.Add(db.ProviderKeys.Single() with { TenantId = "ten_b" }), TestContext.Current.CancellationToken);
            Assert.Null(await keys.OpenAsync("ten_b", "openai", TestContext.Current.CancellationToken));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<byte[]> ReadAsync(string file)
    {
        try
        {
            return await File.ReadAllBytesAsync(file);
        }
        catch (FileNotFoundException)
        {
            return [];
        }
    }
}
