namespace Miosa.Tests;

public sealed class ErrorTests
{
    [Theory]
    [InlineData(400, typeof(MiosaException))]
    [InlineData(401, typeof(AuthenticationException))]
    [InlineData(402, typeof(InsufficientCreditsException))]
    [InlineData(403, typeof(PermissionException))]
    [InlineData(404, typeof(NotFoundException))]
    [InlineData(405, typeof(MiosaException))]
    [InlineData(409, typeof(ConflictException))]
    [InlineData(410, typeof(MiosaException))]
    [InlineData(413, typeof(MiosaException))]
    [InlineData(422, typeof(ValidationException))]
    [InlineData(429, typeof(RateLimitException))]
    [InlineData(500, typeof(ServerException))]
    [InlineData(502, typeof(ServerException))]
    [InlineData(507, typeof(ServerException))]
    [InlineData(302, typeof(MiosaException))]
    public async Task Status_decides_the_exception(int status, Type type)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(
            status,
            """{"error":"it failed","message":"it failed","code":"SOME_CODE","details":{"name":"too long"},"request_id":"req_body","retry_after":7}""",
            "application/json",
            ("X-Request-ID", "req_1")).Client(maxRetries: 0);

        foreach (var async in new[] { false, true })
        {
            var failure = await Assert.ThrowsAnyAsync<MiosaException>(
                () => Twins.CallAsync(async, () => client.Sandboxes.Get("x"), () => client.Sandboxes.GetAsync("x")));
            Assert.IsType(type, failure);
            Assert.Equal("it failed", failure.Message);
            Assert.Equal(status, failure.StatusCode);
            Assert.Equal("SOME_CODE", failure.Code);
            Assert.Equal("req_1", failure.RequestId);
            Assert.Equal("too long", (string?)failure.Details?["name"]);
            Assert.Equal(status is 429 or 500 or 502 or 503 or 504, failure.IsTransient);
            if (failure is RateLimitException limited)
                Assert.Equal(TimeSpan.FromSeconds(7), limited.RetryAfter);
            if (failure is ValidationException faulty)
                Assert.Equal("too long", faulty.Errors["name"]);
        }
    }

    [Theory]
    [InlineData("""{"error":{"code":"NOT_FOUND","message":"gone","request_id":"req_2"}}""", "gone", "NOT_FOUND", "req_2")]
    [InlineData("""{"message":"gone"}""", "gone", null, null)]
    [InlineData("""{"detail":"gone"}""", "gone", null, null)]
    [InlineData("no such host", "no such host", null, null)]
    [InlineData("<html><body>nginx</body></html>", "the server answered 404 Not Found", null, null)]
    [InlineData("", "the server answered 404 Not Found", null, null)]
    [InlineData("""{"error":""", """{"error":""", null, null)]
    public async Task Other_error_bodies_are_understood(string body, string message, string? code, string? requestId)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(404, body, "text/plain").Client();

        var failure = await Assert.ThrowsAsync<NotFoundException>(() => client.Sandboxes.GetAsync("x"));

        Assert.Equal(message, failure.Message);
        Assert.Equal(code, failure.Code);
        Assert.Equal(requestId, failure.RequestId);
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{\"state\":\"running\"}")]
    [InlineData("{\"id\":5,\"state\":\"running\"}")]
    public async Task Unreadable_answer_is_a_MiosaException(string body)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, body).Client();

        var failure = await Assert.ThrowsAsync<MiosaException>(() => client.Sandboxes.GetAsync("x"));

        Assert.Contains("not what this version of the SDK expects", failure.Message, StringComparison.Ordinal);
        Assert.Single(server.Seen);
    }

    [Fact]
    public async Task Redirect_is_not_followed_with_the_key()
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(301, "", "text/html", ("Location", "http://127.0.0.1:1/")).Client();

        var failure = await Assert.ThrowsAsync<MiosaException>(() => client.Sandboxes.GetAsync("x"));

        Assert.Contains("'http://127.0.0.1:1/'", failure.Message, StringComparison.Ordinal);
    }
}
