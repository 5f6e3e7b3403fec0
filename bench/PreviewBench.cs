using System.Diagnostics;

namespace Miosa.Bench;

/// <summary>
/// Requests through a preview, by sixteen clients at once, against the same server reached directly: the same program on the host, through the same client.
/// What the preview adds is the server's proxy, the guest's relay and two sockets.
/// </summary>
internal static class PreviewBench
{
    private const int Clients = 16;
    private const int Requests = 8000;

    private const string Site = """
        import asyncio, sys
        ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 1024\r\nContent-Type: text/plain\r\n\r\n' + b'x' * 1024
        async def serve(reader, writer):
            try:
                while await reader.readuntil(b'\r\n\r\n'):
                    writer.write(ANSWER)
                    await writer.drain()
            except (asyncio.IncompleteReadError, ConnectionError): pass
            writer.close()
        async def main():
            server = await asyncio.start_server(serve, '127.0.0.1', int(sys.argv[1]))
            print(server.sockets[0].getsockname()[1], flush=True)
            await server.serve_forever()
        asyncio.run(main())
        """;

    public static async Task RunAsync(Report report)
    {
        await using var bed = await Bed.StartAsync("--pool-size", "0");
        await using var sandbox = await bed.Client.Sandboxes.CreateAsync(image: Bed.Image);
        await sandbox.Files.WriteAsync("/workspace/site.py", Site);
        await sandbox.Processes.StartAsync(new() { Command = "python3 /workspace/site.py 3000" });
        var preview = await sandbox.Previews.CreateAsync(3000, PreviewVisibility.Public);
        while ((await sandbox.Previews.GetAsync(preview.Id)).Status != "ready")
            await Task.Delay(20);
        var start = new ProcessStartInfo("python3") { RedirectStandardOutput = true };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(Site);
        start.ArgumentList.Add("0");
        using var direct = Process.Start(start) ?? throw new InvalidOperationException("python3 did not start");
        try
        {
            var port = await direct.StandardOutput.ReadLineAsync();
            var url = new Uri(preview.Url);
            await MeasureAsync("warm-up", new Uri($"http://127.0.0.1:{url.Port}/"), url.Authority, 1000);
            var (ours, ourRate) = await MeasureAsync("preview", new Uri($"http://127.0.0.1:{url.Port}/"), url.Authority, Requests);
            var (floor, rate) = await MeasureAsync("floor: the same server reached directly, on the host", new Uri($"http://127.0.0.1:{port}/"), null, Requests);
            report.Add(ours);
            report.Add(floor);
            report.Line($"  {ourRate:F0} requests/s through the preview, {rate:F0} directly: {ourRate / rate:F2} of it; {Clients} clients, answers of 1 KiB, client and servers on the same 2 cores");
        }
        finally
        {
            direct.Kill();
        }
    }

    private static async Task<(Times Times, double PerSecond)> MeasureAsync(string name, Uri url, string? host, int requests)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false, UseCookies = false });
        var times = new Times(name);
        var since = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Clients).Select(_ => Task.Run(async () =>
        {
            for (var i = 0; i < requests / Clients; i++)
            {
                var began = Stopwatch.GetTimestamp();
                using var request = new HttpRequestMessage(HttpMethod.Get, url);
                request.Headers.Host = host;
                using var answer = await http.SendAsync(request);
                if ((await answer.EnsureSuccessStatusCode().Content.ReadAsByteArrayAsync()).Length != 1024)
                    throw new InvalidOperationException("not the whole answer");
                lock (times)
                    times.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
            }
        })));
        return (times, requests / Stopwatch.GetElapsedTime(since).TotalSeconds);
    }
}
