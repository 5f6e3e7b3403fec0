using System.Globalization;
using System.Text.Json;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>What holds of a service when something fails: of itself, of another one, of its caller, or of its computer.</summary>
public sealed class ComputerServiceKeepingTests(OneComputer computer) : IClassFixture<OneComputer>
{
    private Api Api => computer.Api;

    [Fact]
    public async Task One_that_cannot_be_started_keeps_no_other_from_it_and_comes_back_when_it_can()
    {
        var id = await Api.NewComputerAsync(image: "miosa-sandbox");
        await OneComputer.RunAsync(Api, id, "mkdir /root/folder");
        (await Api.PostAsync($"computers/{id}/services", """{"name":"first","command":"exec sleep 8282","working_dir":"/root/folder","restart_policy":"always"}""")).Expect(201);
        var second = (await Api.PostAsync($"computers/{id}/services", """{"name":"second","command":"exec sleep 8383","restart_policy":"always"}""")).Expect(201).Json.GetProperty("pid").GetInt32();
        // The first is due first, and from then on at every look.
        await OneComputer.RunAsync(Api, id, "rmdir /root/folder && pkill -f 'sleep 828[2]'");
        await UntilAsync(id, "first", service => service.GetProperty("status").GetString() == "pending");
        await OneComputer.RunAsync(Api, id, "pkill -f 'sleep 838[3]'");
        await UntilAsync(id, "second", service => IsRunning(service) && service.GetProperty("pid").GetInt32() != second);

        // In a copy it has never run.
        var clone = (await Api.PostAsync($"computers/{id}/clone")).Expect(201).Text("id");
        await Api.UntilStatusAsync(clone, "running");
        await UntilAsync(clone, "second", IsRunning);
        await UntilAsync(clone, "first", service => service.GetProperty("status").GetString() == "failed");
        foreach (var one in (string[])[id, clone])
        {
            await OneComputer.RunAsync(Api, one, "mkdir /root/folder");
            await UntilAsync(one, "first", IsRunning);
            (await Api.DeleteAsync($"computers/{one}")).Expect(200);
        }
    }

    [Fact]
    public async Task A_restart_whose_caller_leaves_meanwhile_starts_it_all_the_same()
    {
        const string command = "trap 'touch /tmp/told; while [ ! -e /tmp/go ]; do sleep 0.1; done; exit 0' TERM; touch /tmp/ready; while :; do sleep 0.1; done";
        var made = (await computer.PostAsync("services", new { name = "slow", command })).Expect(201);
        await ThereIsAsync("/tmp/ready");
        using (var leave = new CancellationTokenSource())
        {
            var restart = Api.Http.PostAsync($"computers/{computer.Id}/services/slow/restart", content: null, leave.Token);
            await ThereIsAsync("/tmp/told");
            await leave.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => restart);
        }
        await computer.RunAsync("touch /tmp/go");
        await UntilAsync(computer.Id, "slow", service => IsRunning(service) && service.GetProperty("pid").GetInt32() != made.Json.GetProperty("pid").GetInt32());
        (await Api.DeleteAsync($"computers/{computer.Id}/services/slow")).Expect(200);
    }

    [Fact]
    public async Task Of_a_long_log_no_more_is_held_than_is_read_in_one_piece_anywhere()
    {
        (await computer.PostAsync("services", new { name = "long", command = "seq 1 10050" })).Expect(201);
        await Miosa.Platform.Platform.UntilAsync("all of it is there", async () => (await LinesAsync("?tail=1")).SingleOrDefault() == "10050");
        var last = await LinesAsync("?tail=2000000000");
        Assert.Equal((10_000, "51", "10050"), (last.Count, last[0], last[^1]));
        // Without a number it is not held at all.
        Assert.Equal(10_050, (await LinesAsync("")).Count);
    }

    [Fact]
    public async Task Those_of_a_deleted_computer_are_forgotten_unless_a_checkpoint_hands_them_on()
    {
        var (gone, kept) = (await NewWithServiceAsync(), await NewWithServiceAsync());
        var snapshot = (await Api.PostAsync($"computers/{kept}/snapshots")).Expect(201).Text("id");
        foreach (var id in (string[])[gone, kept])
            (await Api.DeleteAsync($"computers/{id}")).Expect(200);
        // A server forgets with its first pass.
        await RestartServerAsync();
        await Miosa.Platform.Platform.UntilAsync("the service is forgotten", async () => await CountAsync(gone) == 0);
        Assert.Equal(1, await CountAsync(kept));
        var copy = (await Api.PostAsync($"snapshots/{snapshot}/restore")).Expect(201).Json.GetProperty("data").GetProperty("id").GetString() ?? "";
        await Api.UntilStatusAsync(copy, "running");
        await UntilAsync(copy, "web", IsRunning);

        (await Api.DeleteAsync($"snapshots/{snapshot}")).Expect(200);
        await RestartServerAsync();
        await Miosa.Platform.Platform.UntilAsync("the other one is forgotten", async () => await CountAsync(kept) == 0);
        Assert.Equal(1, await CountAsync(copy));
        await UntilAsync(copy, "web", IsRunning);
    }

    private static bool IsRunning(JsonElement service) => service.GetProperty("status").GetString() == "running";

    private Task UntilAsync(string id, string name, Func<JsonElement, bool> holds) => Miosa.Platform.Platform.UntilAsync(
        $"service {name} of {id} is as it should be", async () => holds((await Api.GetAsync($"computers/{id}/services/{name}")).Expect(200).Json));

    private Task ThereIsAsync(string path) => Miosa.Platform.Platform.UntilAsync($"{path} is there", async () => await computer.RunAsync($"test -e {path} && echo yes || echo no") == "yes\n");

    private async Task<string> NewWithServiceAsync()
    {
        var id = await Api.NewComputerAsync(image: "miosa-sandbox");
        (await Api.PostAsync($"computers/{id}/services", """{"name":"web","command":"exec sleep 8484","env":{"TOKEN":"sealed"}}""")).Expect(201);
        return id;
    }

    private async Task RestartServerAsync()
    {
        await computer.Platform.KillServerAsync();
        await computer.Platform.StartServerAsync();
    }

    private async Task<List<string>> LinesAsync(string query)
    {
        var text = await Api.Http.GetStringAsync($"computers/{computer.Id}/services/long/logs{query}");
        return [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line["data: ".Length..]).RootElement.GetProperty("line").GetString() ?? "")];
    }

    /// <summary>Of a computer that nobody can ask any more.</summary>
    private async Task<int> CountAsync(string id)
    {
        await using var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={Path.Combine(computer.Platform.ServerData, "miosa.db")};Mode=ReadOnly");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT count(*) FROM services WHERE MachineId = $id";
        command.Parameters.AddWithValue("$id", id);
        return Convert.ToInt32(await command.ExecuteScalarAsync(), CultureInfo.InvariantCulture);
    }
}
