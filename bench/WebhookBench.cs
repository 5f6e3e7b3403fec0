using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Miosa.Bench;

/// <summary>
/// From an event to its arrival at a real receiver, one at a time and as many as go; the floor is the same receiver posted to directly, with the same body,
/// by one client that waits for each answer as a webhook does.
/// </summary>
internal static class WebhookBench
{
    private const string Range = "127.77.0.0/16";
    private const string Host = "127.77.0.1";
    private const int Single = 300;
    private const int Pairs = 500;
    private const int Hooks = 20;

    public static async Task RunAsync(Report report)
    {
        await using var bed = await Bed.WithAsync(Bed.SmallImage, "--pool-size", "0", "--webhook-allow", Range);
        var arrivals = new ConcurrentQueue<(string EventId, DateTimeOffset Happened, DateTimeOffset Arrived)>();
        using var arrived = new SemaphoreSlim(0);
        byte[] sample = [];
        await using var receiver = await ReceiverAsync(body =>
        {
            var now = DateTimeOffset.UtcNow;
            var json = JsonDocument.Parse(body).RootElement;
            sample = body;
            arrived.Release();
            arrivals.Enqueue((json.GetProperty("event_id").GetString() ?? "", json.GetProperty("occurred_at").GetDateTimeOffset(), now));
        });
        var url = receiver.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First() + "/hook";
        string[] types = ["sandbox.paused", "sandbox.resumed"];
        await bed.Client.Webhooks.CreateAsync(url, types);
        await using var sandbox = await bed.Client.Sandboxes.CreateAsync(image: Bed.SmallImage);

        // 1. One event at a time, from the call that causes it to the arrival: more than the delivery alone takes.
        var latency = new Times("webhook: call that causes the event, to arrival");
        for (var i = 0; i < Single; i++)
        {
            await latency.MeasureAsync(async () =>
            {
                var call = i % 2 == 0 ? sandbox.PauseAsync() : sandbox.ResumeAsync();
                await arrived.WaitAsync(TimeSpan.FromSeconds(30));
                return call;
            }).Unwrap();
        }
        report.Add(latency);

        // 2. A backlog of one webhook: its deliveries are one after the other.
        var hook = (await bed.Client.Webhooks.ListAsync()).Data[0];
        var burst = new Times("webhook: event to arrival, while events come as fast as they can");
        arrivals.Clear();
        var clock = Stopwatch.StartNew();
        for (var i = 0; i < Pairs; i++)
        {
            await sandbox.PauseAsync();
            await sandbox.ResumeAsync();
        }
        await UntilAsync(() => arrivals.Count >= 2 * Pairs);
        foreach (var (_, happened, at) in arrivals)
            burst.Add((at - happened).TotalMilliseconds);
        report.Add(burst);
        report.Line(string.Create(CultureInfo.InvariantCulture, $"  one webhook: {2 * Pairs / clock.Elapsed.TotalSeconds:F0} events per second made and delivered"));

        // 3. The same events to twenty webhooks at once, from a backlog, so that making them is not what is measured.
        for (var i = 1; i < Hooks; i++)
            await bed.Client.Webhooks.CreateAsync(url, types);
        var all = (await bed.Client.Webhooks.ListAsync()).Data;
        var gate = new TaskCompletionSource();
        held = gate.Task;
        for (var i = 0; i < 100; i++)
        {
            await sandbox.PauseAsync();
            await sandbox.ResumeAsync();
        }
        arrivals.Clear();
        clock.Restart();
        gate.SetResult();
        held = Task.CompletedTask;
        // One each was under way already.
        await UntilAsync(() => arrivals.Count >= Hooks * 199);
        report.Line(string.Create(CultureInfo.InvariantCulture, $"  {all.Count} webhooks: {arrivals.Count / clock.Elapsed.TotalSeconds:F0} deliveries per second"));

        // The floor.
        using var http = new HttpClient();
        var floor = new Times("floor: the receiver posted to directly");
        clock.Restart();
        for (var i = 0; i < 2000; i++)
        {
            await floor.MeasureAsync(async () =>
            {
                using var content = new ByteArrayContent(sample);
                using var response = await http.PostAsync(new Uri(url), content);
                return response.StatusCode;
            });
        }
        report.Add(floor);
        report.Line(string.Create(CultureInfo.InvariantCulture, $"  directly, one after the other: {2000 / clock.Elapsed.TotalSeconds:F0} per second; webhook {hook.Id}"));
    }

    private static volatile Task held = Task.CompletedTask;

    private static async Task<WebApplication> ReceiverAsync(Action<byte[]> take)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://{Host}:0");
        var app = builder.Build();
        app.Run(async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            take(body.ToArray());
            await held;
            context.Response.StatusCode = 204;
        });
        await app.StartAsync();
        return app;
    }

    private static async Task UntilAsync(Func<bool> isSo)
    {
        for (var clock = Stopwatch.StartNew(); !isSo();)
        {
            if (clock.Elapsed > TimeSpan.FromMinutes(2))
                throw new TimeoutException("the deliveries did not come");
            await Task.Delay(5);
        }
    }
}
