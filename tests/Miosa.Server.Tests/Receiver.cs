using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Miosa.Server.Tests;

/// <summary>What a webhook was sent, byte for byte.</summary>
internal sealed record Received(IReadOnlyDictionary<string, string> Headers, byte[] Body)
{
    public JsonElement Json => JsonDocument.Parse(Body).RootElement;

    public string Event => Headers["X-Miosa-Event"];

    public string Delivery => Headers["X-Miosa-Delivery"];

    public string EventId => Text("event_id");

    public string Text(string field) => Json.GetProperty(field).GetString() ?? "";

    /// <summary>By the words of the contract, with nothing of ours.</summary>
    public static string Hmac(string secret, byte[] body) => Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), body));
}

/// <summary>A real web server that webhooks may be sent to: on a part of the loopback network that the tests' platforms allow.</summary>
internal sealed class Receiver : IAsyncDisposable
{
    public const string Range = "127.77.0.0/16";
    public const string Host = "127.77.0.1";

    private readonly WebApplication app;
    private readonly ConcurrentQueue<Received> all = [];

    private Receiver(WebApplication app) => this.app = app;

    public string Url { get; private set; } = "";

    public int Port => new Uri(Url).Port;

    public IReadOnlyList<Received> All => [.. all];

    /// <summary>What it answers; 204 unless said otherwise.</summary>
    public Func<HttpContext, Received, Task> Answer { get; set; } = (context, _) =>
    {
        context.Response.StatusCode = 204;
        return Task.CompletedTask;
    };

    public static async Task<Receiver> StartAsync(string host = Host)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://{host}:0");
        var receiver = new Receiver(builder.Build());
        receiver.app.Run(receiver.TakeAsync);
        await receiver.app.StartAsync();
        receiver.Url = receiver.app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First() + "/hook";
        return receiver;
    }

    /// <summary>Waits until so many have come, and gives them.</summary>
    public async Task<IReadOnlyList<Received>> CountAsync(int count, TimeSpan? within = null)
    {
        await Miosa.Platform.Platform.UntilAsync($"{count} deliveries have come (there are {string.Join(", ", All.Select(r => r.Event))})", () => Task.FromResult(all.Count >= count), within);
        return All;
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await app.StopAsync(now.Token);
        await app.DisposeAsync();
    }

    private async Task TakeAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        var received = new Received(context.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase), body.ToArray());
        all.Enqueue(received);
        await Answer(context, received);
    }
}
