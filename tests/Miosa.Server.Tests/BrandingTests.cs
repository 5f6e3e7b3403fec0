using System.Net;
using System.Text.Json;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>The branding of a tenant: what is kept, what is refused, and what it does to pages of ours.</summary>
public sealed class BrandingTests(Tenant tenant) : IClassFixture<Tenant>
{
    private const string Acme = """
        {"product_name":"Acme AI","logo_url":"https://cdn.acme.com/logo.png","favicon_url":"https://icons.acme.com:8443/i.ico","support_url":"https://acme.com/support?a=1&b=2",
         "support_email":"help@acme.com","primary_color":"#ff6600","background_color":"#FFF","wordmark":"Acme™","custom_css":"body{}"}
        """;

    private Api Api => tenant.Api;

    private static string? Of(JsonElement branding, string field) => branding.GetProperty(field).GetString();

    [Fact]
    public async Task A_tenant_without_branding_has_a_whole_object_of_nulls_and_none_under_branding()
    {
        using var api = await tenant.Platform.NewApiAsync();
        foreach (var path in (string[])["tenant/branding", "settings/branding"])
        {
            var told = (await api.GetAsync(path)).Expect(200).Json;
            Assert.Equal(JsonValueKind.Null, told.GetProperty("branding").ValueKind);
            foreach (var field in (string[])["product_name", "name", "app_name", "logo_url", "favicon_url", "support_url", "support_email", "primary_color", "background_color", "wordmark", "custom_css", "updated_at"])
            {
                Assert.Equal(JsonValueKind.Null, told.GetProperty(field).ValueKind);
                Assert.Equal(JsonValueKind.Null, told.GetProperty("data").GetProperty(field).ValueKind);
            }
        }
        Assert.Equal(204, (await api.DeleteAsync("tenant/branding")).Status);
    }

    [Fact]
    public async Task Branding_is_set_whole_told_three_times_and_given_back()
    {
        var set = (await Api.PutAsync("tenant/branding", Acme)).Expect(200).Json;
        Assert.Equal(set.ToString(), (await Api.GetAsync("tenant/branding")).Expect(200).Json.ToString());
        Assert.Equal(set.ToString(), (await Api.GetAsync("settings/branding")).Expect(200).Json.ToString());
        foreach (var branding in (JsonElement[])[set, set.GetProperty("data"), set.GetProperty("branding")])
        {
            Assert.Equal(("Acme AI", "Acme AI", "Acme AI"), (Of(branding, "product_name"), Of(branding, "name"), Of(branding, "app_name")));
            Assert.Equal(("https://cdn.acme.com/logo.png", "https://acme.com/support?a=1&b=2", "#FFF", "Acme™"), (Of(branding, "logo_url"), Of(branding, "support_url"), Of(branding, "background_color"), Of(branding, "wordmark")));
            Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", Of(branding, "updated_at"));
        }
        using var other = await tenant.Platform.NewApiAsync();
        Assert.Equal(JsonValueKind.Null, (await other.GetAsync("tenant/branding")).Json.GetProperty("branding").ValueKind);

        // Set replaces: what is not named is gone.
        var replaced = (await Api.PutAsync("tenant/branding", """{"name":"Roadrunner","primary_color":"#0f0","updated_at":"1999-01-01T00:00:00Z","unknown":{"a":1}}""")).Expect(200).Json;
        Assert.Equal(("Roadrunner", "#0f0", null, null), (Of(replaced, "product_name"), Of(replaced, "primary_color"), Of(replaced, "logo_url"), Of(replaced, "wordmark")));
        Assert.False(replaced.TryGetProperty("unknown", out _));
        Assert.DoesNotContain("1999", Of(replaced, "updated_at"), StringComparison.Ordinal);

        Assert.Equal((204, ""), ((await Api.DeleteAsync("tenant/branding")) is var gone ? (gone.Status, gone.Body) : default));
        Assert.Equal(JsonValueKind.Null, (await Api.GetAsync("tenant/branding")).Json.GetProperty("branding").ValueKind);
    }

    [Fact]
    public async Task Under_settings_a_change_is_merged_and_null_takes_a_field_back()
    {
        (await Api.PutAsync("tenant/branding", Acme)).Expect(200);
        var merged = (await Api.PutAsync("settings/branding", """{"app_name":"New","logo_url":null}""")).Expect(200).Json;
        Assert.Equal(("New", null, "#ff6600", "help@acme.com"), (Of(merged, "product_name"), Of(merged, "logo_url"), Of(merged, "primary_color"), Of(merged, "support_email")));
        // A faulty field changes nothing of the others.
        (await Api.PutAsync("settings/branding", """{"app_name":"Newer","primary_color":"red"}""")).Expect(422);
        Assert.Equal("New", Of((await Api.GetAsync("settings/branding")).Json, "product_name"));
    }

    [Fact]
    public async Task Fifty_merges_at_once_lose_none_of_each_other()
    {
        (await Api.PutAsync("tenant/branding", "{}")).Expect(200);
        string[] fields = ["logo_url", "favicon_url", "support_url", "wordmark", "custom_css"];
        await Task.WhenAll(Enumerable.Range(0, 50).Select(async i => (await Api.PutAsync("settings/branding", $$"""{"{{fields[i % 5]}}":"https://{{i}}.acme.com/"}""")).Expect(200)));
        var now = (await Api.GetAsync("tenant/branding")).Json;
        Assert.All(fields, (field, i) => Assert.Equal(i, int.Parse((Of(now, field) ?? "")["https://".Length..].Split('.')[0]) % 5));
    }

    [Theory]
    [InlineData("""{"branding":{"product_name":"Wrapped"},"product_name":"flat"}""", "Wrapped")]
    [InlineData("""{"product_name":null,"name":"second","app_name":"third"}""", "second")]
    [InlineData("""{"app_name":"third"}""", "third")]
    [InlineData("""{"product_name":"Ünïcödé 株式会社 🚀👩‍🚀"}""", "Ünïcödé 株式会社 🚀👩‍🚀")]
    [InlineData("""{"branding":null,"product_name":"flat"}""", null)]
    [InlineData("", null)]
    public async Task A_name_has_three_spellings_and_may_be_of_any_script(string body, string? name) =>
        Assert.Equal(name, Of((await Api.PutAsync("tenant/branding", body)).Expect(200).Json, "product_name"));

    [Theory]
    [InlineData("primary_color", "red;}")]
    [InlineData("primary_color", "#ff66000")]
    [InlineData("primary_color", "#ff660")]
    [InlineData("primary_color", "#ggg")]
    [InlineData("primary_color", "#fff\n")]
    [InlineData("background_color", "url(https://evil.example)")]
    [InlineData("background_color", "rgb(1,2,3)")]
    [InlineData("logo_url", "javascript:alert(1)")]
    [InlineData("logo_url", "http://cdn.acme.com/logo.png")]
    [InlineData("logo_url", "//cdn.acme.com/logo.png")]
    [InlineData("logo_url", "data:image/svg+xml,<svg onload=alert(1)>")]
    [InlineData("logo_url", "https://user:pass@cdn.acme.com/")]
    [InlineData("logo_url", "https://cdn.acme.com/\"><script>")]
    [InlineData("logo_url", "https://")]
    [InlineData("favicon_url", "https://cdn.acme.com/a b")]
    [InlineData("support_url", "https://acme.com/'onclick")]
    [InlineData("support_url", "https://acme.com\r\nX-Evil: 1")]
    [InlineData("support_email", "no address")]
    [InlineData("support_email", "a@b")]
    [InlineData("support_email", "a@b.c?subject=x")]
    [InlineData("product_name", "two\nlines")]
    [InlineData("product_name", "")]
    [InlineData("wordmark", "bell\u0007")]
    public async Task A_faulty_field_is_named_and_nothing_is_kept(string field, string value)
    {
        (await Api.PutAsync("tenant/branding", Acme)).Expect(200);
        var refused = (await Api.PutAsync("tenant/branding", JsonSerializer.Serialize(new Dictionary<string, string> { [field] = value }))).Expect(422);
        Assert.Equal(ErrorCodes.ValidationError, refused.Code);
        Assert.Equal([field], refused.Json.GetProperty("details").EnumerateObject().Select(d => d.Name));
        Assert.Equal("Acme AI", Of((await Api.GetAsync("tenant/branding")).Json, "product_name"));
    }

    [Fact]
    public async Task Lengths_and_types_are_bounded_and_all_faults_are_told_at_once()
    {
        var huge = new string('x', 10_000);
        var refused = (await Api.PutAsync("tenant/branding", JsonSerializer.Serialize(new { product_name = huge, wordmark = huge, logo_url = "https://a.example/" + huge, support_email = huge + "@a.example", custom_css = huge + huge }))).Expect(422);
        Assert.Equal(["custom_css", "logo_url", "product_name", "support_email", "wordmark"], refused.Json.GetProperty("details").EnumerateObject().Select(d => d.Name).Order(StringComparer.Ordinal));
        foreach (var body in (string[])["""{"product_name":5}""", """{"logo_url":{}}""", """{"branding":[]}""", """{"branding":"x"}""", """{"primary_color":true}"""])
            Assert.Equal(422, (await Api.PutAsync("tenant/branding", body)).Status);
        Assert.Equal(400, (await Api.PutAsync("tenant/branding", "{")).Status);
    }

    [Fact]
    public async Task The_pages_of_a_preview_show_the_tenant_s_brand_and_load_its_pictures_and_nothing_else()
    {
        (await Api.PutAsync("tenant/branding", Acme)).Expect(200);
        var id = await Api.CreateAsync();
        var url = new Uri((await Api.PostAsync($"sandboxes/{id}/previews", """{"port":3000,"visibility":"public"}""")).Expect(201).Text("url"));
        var (status, page, policy) = await PageAsync(url);
        Assert.Equal(HttpStatusCode.BadGateway, status);
        Assert.Contains("""<img src="https://cdn.acme.com/logo.png" alt="Acme AI"><b>Acme™</b>""", WebUtility.HtmlDecode(page), StringComparison.Ordinal);
        Assert.Contains("""<link rel="icon" href="https://icons.acme.com:8443/i.ico">""", page, StringComparison.Ordinal);
        Assert.Contains("href=\"https://acme.com/support?a=1&amp;b=2\"", page, StringComparison.Ordinal);
        Assert.Contains("border-top-color:#ff6600", page, StringComparison.Ordinal);
        Assert.Contains("body{background:#ffffff!important;color:#1c2430!important}", page, StringComparison.Ordinal);
        Assert.Contains("img-src https://cdn.acme.com https://icons.acme.com:8443;", policy, StringComparison.Ordinal);
        Assert.StartsWith("default-src 'none';", policy, StringComparison.Ordinal);

        // The same on the page of what is private, and none of it in what programs read.
        (await Api.PostAsync($"sandboxes/{id}/previews", """{"port":4000}""")).Expect(201);
        var (forbidden, privatePage, _) = await PageAsync(new Uri(url.ToString().Replace("3000-", "4000-", StringComparison.Ordinal)));
        Assert.Equal(HttpStatusCode.Forbidden, forbidden);
        Assert.Contains("Acme™", WebUtility.HtmlDecode(privatePage), StringComparison.Ordinal);
        var (_, answer, _) = await PageAsync(url, "application/json");
        Assert.DoesNotContain("Acme", answer, StringComparison.Ordinal);

        // Another tenant's pages, and pages of no sandbox at all, have none of it.
        using var other = await tenant.Platform.NewApiAsync();
        var foreign = await other.CreateAsync();
        var foreignUrl = new Uri((await other.PostAsync($"sandboxes/{foreign}/previews", """{"port":3000,"visibility":"public"}""")).Expect(201).Text("url"));
        var (_, foreignPage, foreignPolicy) = await PageAsync(foreignUrl);
        Assert.DoesNotContain("Acme", foreignPage, StringComparison.Ordinal);
        Assert.Contains("img-src 'none';", foreignPolicy, StringComparison.Ordinal);
        var (unknown, unknownPage, _) = await PageAsync(new Uri(url.ToString().Replace("3000-", "3000-x", StringComparison.Ordinal)));
        Assert.Equal(HttpStatusCode.NotFound, unknown);
        Assert.DoesNotContain("Acme", unknownPage, StringComparison.Ordinal);
        await other.DeleteAsync($"sandboxes/{foreign}");

        (await Api.DeleteAsync("tenant/branding")).Expect(204);
        var (_, plain, _) = await PageAsync(url);
        Assert.DoesNotContain("Acme", plain, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"product_name":"<script>alert(1)</script>"}""", "<script>alert")]
    [InlineData("""{"product_name":"\" onerror=alert(1) x=\"","logo_url":"https://a.example/l.png"}""", "\" onerror=")]
    [InlineData("""{"wordmark":"</style><img src=x onerror=alert(1)>"}""", "<img src=x")]
    [InlineData("""{"support_email":"a'><svg/onload=alert(1)>@a.example"}""", "<svg")]
    [InlineData("""{"custom_css":"</style><script>alert(1)</script>"}""", "<script>alert")]
    [InlineData("""{"product_name":"{{{page.Style}}} $& NONCE"}""", "nonce=\"NONCE")]
    public async Task Hostile_values_stay_text(string branding, string broken)
    {
        var set = await Api.PutAsync("tenant/branding", branding);
        if (set.Status == 422)
            return;
        set.Expect(200);
        var id = await Api.CreateAsync();
        var url = new Uri((await Api.PostAsync($"sandboxes/{id}/previews", """{"port":3000,"visibility":"public"}""")).Expect(201).Text("url"));
        var (_, page, policy) = await PageAsync(url);
        Assert.DoesNotContain(broken, page, StringComparison.Ordinal);
        // Scripts run by a word that is new for every page and stands in none of its values.
        var nonce = policy.Split("script-src 'nonce-")[1].Split('\'')[0];
        Assert.Equal(2, page.Split(nonce).Length - 1);
        var (_, again, _) = await PageAsync(url);
        Assert.DoesNotContain(nonce, again, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Dark_backgrounds_get_light_text()
    {
        (await Api.PutAsync("tenant/branding", """{"background_color":"#103"}""")).Expect(200);
        var id = await Api.CreateAsync();
        var url = new Uri((await Api.PostAsync($"sandboxes/{id}/previews", """{"port":3000,"visibility":"public"}""")).Expect(201).Text("url"));
        var (_, page, _) = await PageAsync(url);
        Assert.Contains("body{background:#110033!important;color:#f2f4f7!important}", page, StringComparison.Ordinal);
    }

    private async Task<(HttpStatusCode Status, string Page, string Policy)> PageAsync(Uri url, string accept = "text/html")
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, Api.Root + url.PathAndQuery);
        request.Headers.Host = url.Authority;
        request.Headers.TryAddWithoutValidation("Accept", accept);
        using var browser = new HttpClient();
        using var answer = await browser.SendAsync(request);
        var policy = answer.Headers.TryGetValues("Content-Security-Policy", out var values) ? values.Single() : "";
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(), policy);
    }
}
