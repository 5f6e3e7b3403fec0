using System.Text.Json.Nodes;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>Short forms for tests of webhooks.</summary>
internal static class Hooks
{
    /// <param name="api">The tenant's.</param>
    /// <param name="url">Where it is sent.</param>
    /// <param name="more">More fields: a comma and a JSON object.</param>
    public static async Task<(string Id, string Secret)> CreateAsync(Api api, string url, string more = "")
    {
        var body = more.Length == 0 ? [] : (JsonObject)JsonNode.Parse(more[1..])!;
        body["url"] = url;
        var made = (await api.PostAsync("webhooks", body.ToJsonString())).Expect(201);
        return (made.Text("id"), made.Text("secret"));
    }

    public static async Task ClearAsync(Api api)
    {
        foreach (var hook in (await api.GetAsync("webhooks")).Expect(200).Json.GetProperty("data").EnumerateArray())
            (await api.DeleteAsync("webhooks/" + hook.GetProperty("id").GetString())).Expect(204);
    }

    /// <summary>Two events: paused and resumed.</summary>
    public static async Task TwoEventsAsync(Api api, string sandbox)
    {
        (await api.PostAsync($"sandboxes/{sandbox}/pause")).Expect(200);
        (await api.PostAsync($"sandboxes/{sandbox}/resume")).Expect(200);
    }
}
