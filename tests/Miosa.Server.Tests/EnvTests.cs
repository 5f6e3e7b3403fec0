using System.Text;
using Miosa.Platform;

namespace Miosa.Server.Tests;

public sealed class EnvTests(Tenant tenant, ServerPlatform server) : IClassFixture<Tenant>
{
    private Api Api => tenant.Api;

    [Fact]
    public async Task A_later_command_sees_what_was_set_and_not_what_was_deleted()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox","env":{"FIRST":"1"}}""");

        (await Api.PutAsync($"sandboxes/{id}/env", """{"vars":[{"key":"SECOND","value":"two words"},{"name":"THIRD","value":""}]}""")).Expect(200);
        Assert.Equal("1|two words|set|", await Api.RunAsync(id, "printf '%s|' \"$FIRST\" \"$SECOND\" \"${THIRD+set}\""));

        var deleted = (await Api.DeleteAsync($"sandboxes/{id}/env/SECOND")).Expect(200).Json;
        Assert.True(deleted.GetProperty("deleted").GetBoolean() && deleted.GetProperty("ok").GetBoolean());
        Assert.Equal("1||", await Api.RunAsync(id, "printf '%s|' \"$FIRST\" \"$SECOND\""));
        (await Api.DeleteAsync($"sandboxes/{id}/env/SECOND")).Expect(200);
    }

    [Fact]
    public async Task A_command_s_own_environment_wins()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        (await Api.PutAsync($"sandboxes/{id}/env", """{"key":"MODE","value":"sandbox"}""")).Expect(200);

        var answer = (await Api.PostAsync($"sandboxes/{id}/exec", """{"command":"echo $MODE","env":{"MODE":"command"}}""")).Expect(200);

        Assert.Equal("command\n", answer.Text("stdout"));
    }

    [Fact]
    public async Task The_list_has_one_key_and_tells_no_secret()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox","env":{"FROM_CREATE":"hidden-0"}}""");

        var set = (await Api.PutAsync($"sandboxes/{id}/env", """{"vars":[{"key":"SECRET","value":"hidden-1"},{"key":"PLAIN","value":"shown","encrypted":false}]}""")).Expect(200);
        var list = (await Api.GetAsync($"sandboxes/{id}/env")).Expect(200);

        Assert.Equal(set.Body, list.Body);
        Assert.Equal("data", Assert.Single(list.Json.EnumerateObject()).Name);
        var rows = list.Json.GetProperty("data").EnumerateArray().ToList();
        Assert.Equal(["FROM_CREATE", "PLAIN", "SECRET"], rows.Select(row => row.GetProperty("key").GetString()));
        Assert.Equal([null, "shown", null], rows.Select(row => row.GetProperty("value").GetString()));
        Assert.Equal([true, false, true], rows.Select(row => row.GetProperty("encrypted").GetBoolean()));
        Assert.DoesNotContain("hidden", list.Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("PATCH", "env", """{"env":{"A":"new"}}""", "new|old|")]
    [InlineData("POST", "env", """{"vars":[{"key":"A","value":"new"}]}""", "new|old|")]
    [InlineData("PUT", "env/A", """{"value":"new"}""", "new|old|")]
    [InlineData("PUT", "env", """{"vars":[{"key":"A","value":"new"}],"replace":true}""", "new||")]
    public async Task Every_spelling_of_a_set_is_taken(string method, string path, string body, string expected)
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox","env":{"A":"old","B":"old"}}""");

        (await Api.SendAsync(new HttpMethod(method), $"sandboxes/{id}/{path}", body)).Expect(200);

        Assert.Equal(expected, await Api.RunAsync(id, "printf '%s|' \"$A\" \"$B\""));
    }

    [Theory]
    [InlineData("""{}""", "vars")]
    [InlineData("""{"vars":[{"key":"OK","value":"x"},{"key":"1BAD","value":"x"}]}""", "vars[1].key")]
    [InlineData("""{"vars":[{"key":"A\n","value":"x"}]}""", "vars[0].key")]
    [InlineData("""{"vars":[{"value":"x"}]}""", "vars[0].key")]
    [InlineData("""{"vars":["A=1"]}""", "vars[0]")]
    [InlineData("""{"vars":[{"key":"A","value":7}]}""", "vars[0].value")]
    [InlineData("""{"vars":[{"key":"A","value":"x","encrypted":"no"}]}""", "vars[0].encrypted")]
    [InlineData("""{"key":"A","value":"a\u0000b"}""", "value")]
    [InlineData("""{"key":"A"}""", "value")]
    [InlineData("""{"env":{"A B":"x"}}""", "env.A B.key")]
    [InlineData("""{"vars":"A=1"}""", "vars")]
    public async Task A_faulty_set_is_refused_by_name_and_sets_nothing(string body, string field)
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox"}""");

        var answer = (await Api.PutAsync($"sandboxes/{id}/env", body)).Expect(422);

        Assert.True(answer.Json.GetProperty("details").TryGetProperty(field, out _), answer.Body);
        Assert.Equal("""{"data":[]}""", (await Api.GetAsync($"sandboxes/{id}/env")).Body);
    }

    [Fact]
    public async Task Too_much_is_refused_at_create_and_later()
    {
        var large = new string('x', 33_000);
        (await Api.PostAsync("sandboxes", $$$"""{"image":"miosa-busybox","env":{"A":"{{{large}}}"}}""")).Expect(422);

        var id = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        var answer = (await Api.PutAsync($"sandboxes/{id}/env", $$"""{"key":"A","value":"{{large}}"}""")).Expect(422);
        Assert.True(answer.Json.GetProperty("details").TryGetProperty("vars", out _), answer.Body);

        // Each is allowed alone; a command beside them may become too long, and says so before it runs.
        (await Api.PutAsync($"sandboxes/{id}/env", $$"""{"key":"A","value":"{{large[..32_000]}}"}""")).Expect(200);
        Assert.Equal("32000\n", await Api.RunAsync(id, "echo ${#A}"));
        Assert.Equal(422, (await Api.PostAsync($"sandboxes/{id}/exec", $$"""{"command":"true {{large}}"}""")).Status);
    }

    [Fact]
    public async Task Fifty_sets_at_once_lose_nothing()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox"}""");

        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(i => Api.PutAsync($"sandboxes/{id}/env", $$"""{"key":"K{{i}}","value":"{{i}}"}""")));

        Assert.All(answers, answer => answer.Expect(200));
        Assert.Equal(50, (await Api.GetAsync($"sandboxes/{id}/env")).Json.GetProperty("data").GetArrayLength());
        Assert.Equal("1225\n", await Api.RunAsync(id, "s=0; i=0; while [ $i -lt 50 ]; do eval v=\\$K$i; s=$((s+v)); i=$((i+1)); done; echo $s"));
    }

    [Fact]
    public async Task A_value_is_nowhere_on_the_server_s_disk_nor_in_its_events()
    {
        var secret = "sesame-" + Guid.NewGuid().ToString("N");
        var id = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        (await Api.PutAsync($"sandboxes/{id}/env", $$"""{"key":"TOKEN","value":"{{secret}}","encrypted":false}""")).Expect(200);
        Assert.Equal(secret + "\n", await Api.RunAsync(id, "echo $TOKEN"));

        var needle = Encoding.UTF8.GetBytes(secret);
        var files = Directory.EnumerateFiles(server.Platform.ServerData, "*", SearchOption.AllDirectories).Append(server.Platform.ServerLog).ToList();
        Assert.Contains(files, file => file.EndsWith(".db", StringComparison.Ordinal));
        Assert.DoesNotContain(files, file => Bytes(file).AsSpan().IndexOf(needle) >= 0);

        (await Api.DeleteAsync("sandboxes/" + id)).Expect(200);
        using var events = await Api.EventsAsync($"sandboxes/{id}/events");
        var told = await events.ToEndAsync();
        Assert.Contains(told, e => e.Type == "sandbox.updated");
        Assert.DoesNotContain(told, e => e.Data.Contains(secret, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_environment_survives_the_server()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        (await Api.PutAsync($"sandboxes/{id}/env", """{"key":"KEPT","value":"yes","encrypted":false}""")).Expect(200);

        await server.Platform.KillServerAsync();
        await server.Platform.StartServerAsync();

        Assert.Equal("yes\n", await Api.RunAsync(id, "echo $KEPT"));
    }

    [Fact]
    public async Task Another_tenant_s_environment_is_not_found()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox","env":{"A":"1"}}""");
        using var other = tenant.Platform.Api(await tenant.Platform.NewKeyAsync(await tenant.Platform.NewTenantAsync("other-" + Guid.NewGuid().ToString("N")[..8])));

        (await other.GetAsync($"sandboxes/{id}/env")).Expect(404);
        (await other.PutAsync($"sandboxes/{id}/env", """{"key":"A","value":"2"}""")).Expect(404);
        (await other.DeleteAsync($"sandboxes/{id}/env/A")).Expect(404);
        Assert.Equal("1\n", await Api.RunAsync(id, "echo $A"));
    }

    [Fact]
    public async Task A_destroyed_sandbox_has_no_environment()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox","env":{"A":"1"}}""");
        (await Api.DeleteAsync("sandboxes/" + id)).Expect(200);

        Assert.Equal("""{"data":[]}""", (await Api.GetAsync($"sandboxes/{id}/env")).Expect(200).Body);
        (await Api.PutAsync($"sandboxes/{id}/env", """{"key":"A","value":"2"}""")).Expect(409);
    }

    private static byte[] Bytes(string file)
    {
        // The server holds them open for writing.
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        return copy.ToArray();
    }
}
