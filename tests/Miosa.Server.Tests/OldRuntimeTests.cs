using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Miosa.Runtime.Wire;
using Miosa.Server.Host;
using Miosa.Server.Nodes;

namespace Miosa.Server.Tests;

/// <summary>A server that was brought up to date before its runtime.</summary>
public sealed class OldRuntimeTests
{
    [Fact]
    public async Task A_runtime_that_knows_no_policies_is_never_asked_for_a_machine_that_has_one()
    {
        var folder = Directory.CreateTempSubdirectory("miosa-old");
        var path = Path.Combine(folder.FullName, "r.sock");
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        var asked = new ConcurrentQueue<string>();
        _ = Task.Run(() => ServeAsync(listener, asked));
        using var client = new RuntimeClient(new ServerSettings { RuntimeSocket = path }, TimeProvider.System, NullLogger<RuntimeClient>.Instance);
        await client.StartAsync(CancellationToken.None);
        try
        {
            await Miosa.Platform.Platform.UntilAsync("the runtime is reached", () => Task.FromResult(client.IsUp));
            var closed = new EgressRequest { Mode = EgressModes.Closed };
            var refused = await Assert.ThrowsAsync<RuntimeRefusedException>(() => client.LaunchAsync(new RuntimeRequest { Machine = "m", Egress = closed }, CancellationToken.None));
            Assert.Contains("too old", refused.Message, StringComparison.Ordinal);
            await Assert.ThrowsAsync<RuntimeRefusedException>(() => client.ClaimAsync("m", 1, 256, 512, closed, CancellationToken.None));
            // An open machine is what such a runtime makes anyway.
            await Assert.ThrowsAsync<RuntimeRefusedException>(() => client.LaunchAsync(new RuntimeRequest { Machine = "m", Egress = new EgressRequest { Mode = EgressModes.Open } }, CancellationToken.None));
            Assert.Equal(["hello", "launch", "watch"], asked.Order());
        }
        finally
        {
            await client.StopAsync(CancellationToken.None);
            folder.Delete(recursive: true);
        }
    }

    /// <summary>What version 0.1.0 says of itself; everything else it refuses, and the watch stays open.</summary>
    private static async Task ServeAsync(Socket listener, ConcurrentQueue<string> asked)
    {
        using var stream = new NetworkStream(await listener.AcceptAsync(), ownsSocket: true);
        using var reader = new StreamReader(stream);
        while (await reader.ReadLineAsync() is { } line)
        {
            var request = JsonNode.Parse(line) ?? throw new InvalidDataException(line);
            var op = (string?)request["op"] ?? "";
            asked.Enqueue(op);
            var id = (long?)request["id"] ?? 0;
            if (op == "watch")
                continue;
            var answer = new JsonObject { ["id"] = id };
            if (op == "hello")
                answer["ok"] = JsonNode.Parse("""{"version":"0.1.0","generation":1,"cgroup":"v2","id_ranges":"distinct","disk_limits":true,"network":true,"notes":[]}""");
            else
                answer["error"] = JsonNode.Parse("""{"code":"failed","message":"asked"}""");
            await stream.WriteAsync(System.Text.Encoding.UTF8.GetBytes(answer.ToJsonString() + "\n"));
        }
    }
}
