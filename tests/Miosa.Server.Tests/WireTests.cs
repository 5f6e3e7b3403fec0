using System.Text;
using System.Text.RegularExpressions;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>What every answer has in common: envelopes, the error body, times, ids, tolerance of odd requests.</summary>
public sealed class WireTests(Tenant tenant) : IClassFixture<Tenant>
{
    private Api Api => tenant.Api;

    [Fact]
    public async Task A_single_object_stands_at_top_level_and_again_under_data()
    {
        var answer = (await Api.PostAsync("sandboxes", "{}")).Expect(201);
        var top = answer.Json.EnumerateObject().Where(p => p.Name != "data").ToDictionary(p => p.Name, p => p.Value.GetRawText());
        var data = answer.Json.GetProperty("data").EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetRawText());
        Assert.Equal(top, data);
        Assert.Equal("application/json; charset=utf-8", answer.ContentHeaders.ContentType?.ToString());
    }

    [Fact]
    public async Task Times_have_three_fraction_digits_and_a_Z()
    {
        var answer = (await Api.PostAsync("sandboxes", "{}")).Expect(201);
        foreach (var field in (string[])["created_at", "inserted_at", "updated_at", "started_at", "ready_at", "last_activity_at"])
            Assert.Matches(new Regex(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"), answer.Text(field));
    }

    [Fact]
    public async Task An_error_is_flat_and_carries_the_request_id_of_the_header()
    {
        var answer = await Api.GetAsync("sandboxes/nonexistent-id");
        Assert.Equal(404, answer.Status);
        Assert.Equal(answer.Text("error"), answer.Text("message"));
        Assert.Equal("NOT_FOUND", answer.Code);
        Assert.StartsWith("req_", answer.Text("request_id"));
        Assert.Equal(answer.Text("request_id"), Assert.Single(answer.Headers.GetValues("X-Request-ID")));
    }

    [Fact]
    public async Task A_success_carries_a_request_id_header_too() =>
        Assert.StartsWith("req_", Assert.Single((await Api.GetAsync("sandboxes")).Headers.GetValues("X-Request-ID")));

    [Fact]
    public async Task An_unknown_route_is_404_with_the_error_body()
    {
        var answer = await Api.GetAsync("no/such/route");
        Assert.Equal((404, "NOT_FOUND"), (answer.Status, answer.Code));
    }

    [Fact]
    public async Task A_wrong_method_is_405_with_the_error_body_and_Allow()
    {
        var answer = await Api.DeleteAsync("sandboxes");
        Assert.Equal((405, "METHOD_NOT_ALLOWED"), (answer.Status, answer.Code));
        Assert.Contains("POST", answer.ContentHeaders.Allow);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("{\"name\":}")]
    [InlineData("{\"a\":1,\"a\":2}")]
    public async Task Malformed_JSON_is_400(string body)
    {
        var answer = await Api.PostAsync("sandboxes", body);
        Assert.Equal((400, "BAD_REQUEST"), (answer.Status, answer.Code));
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("\"text\"")]
    [InlineData("3")]
    public async Task A_body_that_is_no_object_is_422(string body)
    {
        var answer = await Api.PostAsync("sandboxes", body);
        Assert.Equal((422, "VALIDATION_ERROR"), (answer.Status, answer.Code));
    }

    [Fact]
    public async Task A_body_over_the_limit_is_413()
    {
        var answer = await Api.PostAsync("sandboxes", $$"""{"name":"{{new string('x', 2_000_000)}}"}""");
        Assert.Equal((413, "FILE_TOO_LARGE"), (answer.Status, answer.Code));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("null")]
    public async Task No_body_an_empty_one_and_null_make_a_default_sandbox(string? body)
    {
        using var content = body is null ? null : new ByteArrayContent(Encoding.UTF8.GetBytes(body)); // no content type either
        using var response = await Api.Http.PostAsync("sandboxes", content);
        Assert.Equal("running", (await Answer.ReadAsync(response)).Expect(201).Text("state"));
    }

    [Fact]
    public async Task Double_slashes_are_one()
    {
        var answer = await Api.SendAsync(HttpMethod.Get, Api.Root + "/api/v1//sandboxes");
        Assert.Equal(200, answer.Status);
    }

    [Fact]
    public async Task Health_and_version_answer_without_a_key_at_the_root_and_under_the_base()
    {
        using var nobody = tenant.Platform.Api(null);
        foreach (var path in (string[])["/health", "/version", "/healthz", "/readyz", "/api/v1/health", "/api/v1/version"])
            Assert.Equal((path, 200), (path, (await nobody.GetAsync(nobody.Root + path)).Status));
        Assert.Equal("ok", (await nobody.GetAsync("health")).Json.GetProperty("data").GetProperty("status").GetString());
    }

    [Fact]
    public async Task Text_is_not_escaped_needlessly()
    {
        var answer = (await Api.PostAsync("sandboxes", """{"metadata":{"html":"<b>'é'</b>"}}""")).Expect(201);
        Assert.Contains("<b>'é'</b>", answer.Body);
    }
}
