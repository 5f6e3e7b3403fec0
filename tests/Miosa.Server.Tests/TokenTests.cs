using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using Miosa.Platform;
using Miosa.Server.Host;
using Miosa.Server.Keys;

namespace Miosa.Server.Tests;

/// <summary>Tokens that a key makes for one user in one workspace.</summary>
public sealed class TokenTests(Tenant tenant) : IClassFixture<Tenant>
{
    private string? workspace;

    private Api Api => tenant.Api;

    [Fact]
    public async Task A_token_acts_for_its_user_in_its_workspace_and_ends_with_its_key()
    {
        var maker = (await Api.PostAsync("api-keys", """{"name":"maker"}""")).Expect(201);
        using var makerApi = tenant.Platform.Api(maker.Text("token"));
        var workspace = await WorkspaceAsync();
        var minted = (await makerApi.PostAsync("tokens/scoped", $$"""{"user_id":"alice","workspace_id":"{{workspace}}","scopes":["sandboxes:write"]}""")).Expect(201);
        Assert.StartsWith("eyJ", minted.Text("token"), StringComparison.Ordinal);
        Assert.Equal("""["sandboxes:write"]""", minted.Json.GetProperty("scopes").GetRawText());
        Assert.Equal("no-store", minted.Headers.CacheControl?.ToString());
        using var api = tenant.Platform.Api(minted.Text("token"));
        var elsewhere = await Api.CreateAsync("""{"memory_mb":256,"external_user_id":"alice"}""");

        var made = (await api.PostAsync("sandboxes", """{"memory_mb":256}""")).Expect(201);

        Assert.Equal(("alice", workspace), (made.Text("external_user_id"), made.Text("workspace_id")));
        Assert.Equal(404, (await api.GetAsync($"sandboxes/{elsewhere}")).Status);
        Assert.Equal(422, (await api.PostAsync("sandboxes", """{"workspace_id":"another"}""")).Status);
        Assert.Equal(403, (await api.GetAsync("api-keys")).Status);
        Assert.Equal(403, (await api.PostAsync("tokens/scoped", $$"""{"user_id":"bob","workspace_id":"{{workspace}}"}""")).Status);
        using var events = await api.EventsAsync($"sandboxes/{made.Text("id")}/events");
        var stream = events.ToEndAsync();
        var entry = (await Api.GetAsync("audit-log?action=sandbox.create&external_user_id=alice")).Json.GetProperty("data").EnumerateArray().First(e => e.GetProperty("status").GetInt32() == 201 && e.GetProperty("workspace_id").GetString() == workspace);
        Assert.Equal(("scoped_token", maker.Text("id")), (entry.GetProperty("actor_type").GetString(), entry.GetProperty("actor_id").GetString()));

        (await Api.DeleteAsync("api-keys/" + maker.Text("id"))).Expect(204);

        Assert.Equal(401, (await api.GetAsync("sandboxes")).Status);
        try
        {
            await stream.WaitAsync(TimeSpan.FromSeconds(5));
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            // Cut.
        }
    }

    [Fact]
    public async Task A_token_is_over_at_its_end_and_its_streams_too()
    {
        var id = await Api.CreateAsync($$"""{"memory_mb":256,"external_user_id":"carol","workspace_id":"{{await WorkspaceAsync()}}"}""");
        var minted = (await Api.PostAsync("tokens/scoped", $$"""{"user_id":"carol","workspace_id":"{{await WorkspaceAsync()}}","expires_in_seconds":3}""")).Expect(201);
        using var api = tenant.Platform.Api(minted.Text("token"));
        using var events = await api.EventsAsync($"sandboxes/{id}/events");
        try
        {
            await events.ToEndAsync().WaitAsync(TimeSpan.FromSeconds(10));
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            // Cut.
        }
        Assert.Equal(401, (await api.GetAsync("sandboxes")).Status);
    }

    [Fact]
    public async Task Altered_and_self_made_tokens_are_refused()
    {
        var minted = (await Api.PostAsync("tokens/scoped", $$"""{"user_id":"alice","workspace_id":"{{await WorkspaceAsync()}}"}""")).Expect(201).Text("token");
        var parts = minted.Split('.');
        var claims = JsonDocument.Parse(Base64Url.DecodeFromChars(parts[1])).RootElement.EnumerateObject().ToDictionary(p => p.Name, p => (object)p.Value);
        claims["sub"] = "bob";
        var forged = Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(claims));
        var none = Base64Url.EncodeToString("""{"alg":"none","typ":"JWT"}"""u8);
        var other = Base64Url.EncodeToString("""{"typ":"JWT","alg":"HS256"}"""u8);
        string Signed(string content) => content + "." + Base64Url.EncodeToString(HMACSHA256.HashData(""u8, Encoding.ASCII.GetBytes(content)));
        using (var good = tenant.Platform.Api(minted))
            (await good.GetAsync("sandboxes")).Expect(200);
        foreach (var bad in (string[])[
            $"{parts[0]}.{forged}.{parts[2]}", $"{none}.{parts[1]}.", $"{none}.{parts[1]}.{parts[2]}", Signed($"{other}.{parts[1]}"), Signed($"{parts[0]}.{forged}"),
            $"{parts[0]}.{parts[1]}", $"{parts[0]}.{parts[1]}.", $"{minted}x", minted[..^1], $"{parts[0]}..{parts[2]}", "eyJ", new string((char)101, 10_000)])
        {
            using var api = tenant.Platform.Api(null);
            var answer = await api.SendAsync(HttpMethod.Get, "sandboxes", null, ("Authorization", "Bearer " + bad));
            Assert.Equal((bad, 401), (bad, answer.Status));
        }
    }

    [Theory]
    [InlineData("""{"workspace_id":"WORKSPACE"}""", "user_id")]
    [InlineData("""{"user_id":"u"}""", "workspace_id")]
    [InlineData("""{"user_id":"u","workspace_id":"no-such"}""", "workspace_id")]
    [InlineData("""{"user_id":"u","workspace_id":"WORKSPACE","expires_in_seconds":0}""", "expires_in_seconds")]
    [InlineData("""{"user_id":"u","workspace_id":"WORKSPACE","expires_in_seconds":86401}""", "expires_in_seconds")]
    [InlineData("""{"user_id":"u","workspace_id":"WORKSPACE","scopes":["fly"]}""", "scopes")]
    public async Task Faulty_fields_are_422(string body, string field)
    {
        var answer = await Api.PostAsync("tokens/scoped", body.Replace("WORKSPACE", await WorkspaceAsync(), StringComparison.Ordinal));
        Assert.Equal((422, field), (answer.Status, Assert.Single(answer.Json.GetProperty("details").EnumerateObject()).Name));
    }

    [Fact]
    public void A_token_of_another_server_is_none_and_its_secret_is_made_once()
    {
        var folder = Directory.CreateTempSubdirectory("miosa-tokens").FullName;
        try
        {
            var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
            var claims = new ScopedTokenClaims { Id = "tok_1", KeyId = "key_1", UserId = "u", WorkspaceId = "w", Scopes = ["*"], IssuedAt = 0, Expires = time.GetUtcNow().AddMinutes(1).ToUnixTimeSeconds() };
            var one = new ScopedTokens(new ServerSettings { DataDir = folder }, time);
            var text = one.Write(claims);
            Assert.Equal("u", one.Read(text)?.UserId);
            // After a restart it is the same.
            Assert.Equal("u", new ScopedTokens(new ServerSettings { DataDir = folder }, time).Read(text)?.UserId);
            Assert.Null(new ScopedTokens(new ServerSettings { DataDir = Path.Combine(folder, "other") }, time).Read(text));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(folder, "keys", "scoped-tokens.key")));
            time.Advance(TimeSpan.FromMinutes(1));
            Assert.Null(one.Read(text));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private async Task<string> WorkspaceAsync() => workspace ??= (await Api.PostAsync("workspaces", """{"name":"of tokens"}""")).Expect(201).Text("id");
}
