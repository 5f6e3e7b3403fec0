using Miosa.Platform;

namespace Miosa.Server.Tests;

public sealed class IdempotencyTests(Tenant tenant) : IClassFixture<Tenant>
{
    private Api Api => tenant.Api;

    [Fact]
    public async Task The_same_key_gives_the_first_answer_again_in_any_letter_case()
    {
        var key = Guid.NewGuid().ToString();
        var first = (await Api.PostAsync("sandboxes", """{"memory_mb":256}""", ("Idempotency-Key", key))).Expect(201);
        var again = (await Api.PostAsync("sandboxes", """{"memory_mb":256}""", ("idempotency-key", key))).Expect(201);
        Assert.Equal(first.Body, again.Body);
        Assert.Equal("true", Assert.Single(again.Headers.GetValues("Idempotent-Replay")));
    }

    [Fact]
    public async Task The_key_may_stand_in_the_body()
    {
        var body = $$"""{"memory_mb":256,"idempotency_key":"{{Guid.NewGuid()}}"}""";
        Assert.Equal((await Api.PostAsync("sandboxes", body)).Expect(201).Text("id"), (await Api.PostAsync("sandboxes", body)).Expect(201).Text("id"));
    }

    [Fact]
    public async Task Repeats_that_come_at_the_same_time_make_one_sandbox()
    {
        var key = Guid.NewGuid().ToString();
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Api.PostAsync("sandboxes", """{"memory_mb":256}""", ("Idempotency-Key", key))));
        Assert.Single(answers.Select(a => a.Expect(201).Text("id")).Distinct());
    }

    [Fact]
    public async Task The_same_key_with_another_body_is_refused()
    {
        var key = Guid.NewGuid().ToString();
        (await Api.PostAsync("sandboxes", """{"memory_mb":256}""", ("Idempotency-Key", key))).Expect(201);
        var answer = await Api.PostAsync("sandboxes", """{"memory_mb":512}""", ("Idempotency-Key", key));
        Assert.Equal((422, "IDEMPOTENCY_KEY_REUSED"), (answer.Status, answer.Code));
    }

    [Fact]
    public async Task Another_tenants_same_key_is_another_call()
    {
        var key = Guid.NewGuid().ToString();
        var mine = (await Api.PostAsync("sandboxes", "{}", ("Idempotency-Key", key))).Expect(201).Text("id");
        using var other = await tenant.Platform.NewApiAsync();
        var theirs = (await other.PostAsync("sandboxes", "{}", ("Idempotency-Key", key))).Expect(201).Text("id");
        Assert.NotEqual(mine, theirs);
        await other.DeleteAsync($"sandboxes/{theirs}");
    }

    [Fact]
    public async Task A_refusal_below_500_is_kept_too()
    {
        var key = Guid.NewGuid().ToString();
        var first = (await Api.PostAsync("sandboxes", """{"size":"x"}""", ("Idempotency-Key", key))).Expect(422);
        var again = (await Api.PostAsync("sandboxes", """{"size":"x"}""", ("Idempotency-Key", key))).Expect(422);
        Assert.Equal(first.Text("request_id"), again.Text("request_id"));
    }

    [Fact]
    public async Task A_key_that_is_too_long_is_422() =>
        Assert.Equal(422, (await Api.PostAsync("sandboxes", "{}", ("Idempotency-Key", new string('k', 256)))).Status);
}
