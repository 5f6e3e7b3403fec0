using System.Text.Json.Nodes;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>Calls that most tests of computers make.</summary>
internal static class ComputerCalls
{
    /// <summary>A small computer without a desktop that runs.</summary>
    /// <param name="more">Further fields of the body, each after a comma.</param>
    public static async Task<string> NewComputerAsync(this Api api, string more = "", string image = "miosa-busybox")
    {
        var id = (await api.PostAsync("computers", $$"""{"template_type":"{{image}}","vcpus":1,"memory_mb":256{{more}}}""")).Expect(201).Text("id");
        await api.UntilStatusAsync(id, "running");
        return id;
    }

    /// <summary>Fails at once when the computer fails.</summary>
    public static Task UntilStatusAsync(this Api api, string id, string status, TimeSpan? within = null) => Miosa.Platform.Platform.UntilAsync(
        $"computer {id} is {status}",
        async () =>
        {
            var told = (await api.GetAsync($"computers/{id}")).Expect(200);
            return told.Text("status") == status || (status != "error" && told.Text("status") == "error" ? throw new InvalidOperationException(told.Body) : false);
        },
        within);

    public static async Task<string> StatusAsync(this Api api, string id) => (await api.GetAsync($"computers/{id}")).Expect(200).Text("status");

    /// <summary>A file of the machine as the host sees it, whatever the machine itself can do.</summary>
    public static async Task<string> HostPathAsync(this Miosa.Platform.Platform platform, string machine, string path)
    {
        var state = await platform.AskRuntimeAsync(new JsonObject { ["op"] = "inspect", ["machine"] = machine });
        return $"/proc/{state.GetProperty("pid").GetInt32()}/root{path}";
    }
}
