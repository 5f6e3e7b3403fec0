using System.Text.Json.Nodes;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>Steps that the tests of templates share.</summary>
internal static class TemplateCalls
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(240);

    /// <summary>Makes a template and waits until it is ready; fails with the build's error.</summary>
    public static async Task<Answer> BuiltAsync(this Api api, string json)
    {
        var id = (await api.PostAsync("sandbox-templates", json)).Expect(201).Text("id");
        return await api.UntilBuiltAsync(id);
    }

    public static async Task<Answer> UntilBuiltAsync(this Api api, string template)
    {
        Answer? last = null;
        await Miosa.Platform.Platform.UntilAsync(
            $"the template {template} is built", async () => (last = (await api.GetAsync($"sandbox-templates/{template}")).Expect(200)).Text("status") is "ready" or "failed", Patience);
        return last?.Text("status") == "ready" ? last : throw new InvalidOperationException((await api.GetAsync($"sandbox-templates/{template}/builds")).Body);
    }

    /// <summary>Starts a build of a recipe and waits for its end, good or bad.</summary>
    public static async Task<Answer> BuildAsync(this Api api, string name, JsonObject spec)
    {
        var template = (await api.PostAsync("sandbox-templates", new JsonObject { ["name"] = name, ["build_spec"] = spec }.ToJsonString())).Expect(201).Text("id");
        var build = (await api.GetAsync($"sandbox-templates/{template}/builds")).Expect(200).Json.GetProperty("data")[0].GetProperty("id").GetString();
        return await api.UntilOverAsync(build ?? "");
    }

    public static async Task<Answer> UntilOverAsync(this Api api, string build)
    {
        Answer? last = null;
        await Miosa.Platform.Platform.UntilAsync(
            $"the build {build} is over",
            async () => (last = (await api.GetAsync($"sandbox-template-builds/{build}")).Expect(200)).Text("status") is "ready" or "failed" or "cancelled", Patience);
        return last ?? throw new InvalidOperationException("no answer");
    }

    public static async Task<List<string?>> ImagesAsync(this Miosa.Platform.Platform platform) =>
        [.. (await platform.AskRuntimeAsync(new JsonObject { ["op"] = "images" })).GetProperty("images").EnumerateArray().Select(image => image.GetProperty("name").GetString())];
}
