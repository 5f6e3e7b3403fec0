using System.Diagnostics;
using System.Globalization;
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

    /// <summary>The process that is the machine, on the host.</summary>
    public static async Task<int> PidAsync(this Miosa.Platform.Platform platform, string machine) =>
        (await platform.AskRuntimeAsync(new JsonObject { ["op"] = "inspect", ["machine"] = machine })).GetProperty("pid").GetInt32();

    /// <summary>Runs a shell command in the machine past the server and its guest, and gives what it wrote.</summary>
    public static async Task<string> EnterAsync(this Miosa.Platform.Platform platform, string machine, string shell)
    {
        var start = new ProcessStartInfo("nsenter") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])["-t", (await platform.PidAsync(machine)).ToString(CultureInfo.InvariantCulture), "-U", "-m", "-p", "-S", "0", "-G", "0", "/bin/sh", "-c", shell])
            start.ArgumentList.Add(argument);
        using var process = Process.Start(start) ?? throw new InvalidOperationException("nsenter could not be started");
        var error = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"nsenter ended with {process.ExitCode}: {await error}");
    }
}
