using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Miosa.Bench;

/// <summary>
/// 2,000 readers of one tenant's events: what each adds to the server's memory, and how long an event takes to the first and to the last of them. The floor
/// is one reader alone in the same run. The readers are bare sockets of this process, on loopback.
/// </summary>
internal static class ReaderBench
{
    private const int Readers = 2000;
    private const int Events = 30;

    public static async Task RunAsync(Report report)
    {
        await using var bed = await Bed.WithAsync(Bed.SmallImage, "--pool-size", "0");
        await using var sandbox = await bed.Client.Sandboxes.CreateAsync(image: Bed.SmallImage);
        var readers = new List<Reader>();
        try
        {
            readers.Add(await Reader.OpenAsync(bed));
            // Warm: what the first events cost once is no reader's.
            await EventsAsync(sandbox, readers, new Times(""), new Times(""));
            var alone = new Times("readers: event to the only reader");
            await EventsAsync(sandbox, readers, new Times(""), alone);
            var before = HostMemory.ResidentKb(bed.Platform.ServerPid);
            while (readers.Count < Readers)
                readers.AddRange(await Task.WhenAll(Enumerable.Range(0, Math.Min(50, Readers - readers.Count)).Select(_ => Reader.OpenAsync(bed))));
            var idle = HostMemory.ResidentKb(bed.Platform.ServerPid);
            var (first, last) = (new Times($"readers: event to the first of {Readers}"), new Times($"readers: event to the last of {Readers}"));
            await EventsAsync(sandbox, readers, first, last);
            var after = HostMemory.ResidentKb(bed.Platform.ServerPid);
            foreach (var times in (Times[])[alone, first, last])
                report.Add(times);
            report.Line(string.Create(CultureInfo.InvariantCulture,
                $"  {(idle - before) / (double)(Readers - 1):F1} KiB of the server per reader when idle, {(after - before) / (double)(Readers - 1):F1} after {Events} events"));
        }
        finally
        {
            readers.ForEach(reader => reader.Dispose());
        }
    }

    /// <summary>Each event from the call that causes it; the next one only when everybody has this one.</summary>
    private static async Task EventsAsync(Sandbox sandbox, List<Reader> readers, Times first, Times last)
    {
        for (var i = 0; i < Events; i++)
        {
            var begun = Stopwatch.GetTimestamp();
            var waits = readers.ConvertAll(reader => reader.NextAsync());
            var call = i % 2 == 0 ? sandbox.PauseAsync() : (Task)sandbox.ResumeAsync();
            await Task.WhenAny(waits);
            first.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
            await Task.WhenAll(waits).WaitAsync(TimeSpan.FromMinutes(1));
            last.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
            await call;
        }
    }

    private sealed class Reader : IDisposable
    {
        private static readonly byte[] Mark = Encoding.ASCII.GetBytes("\nevent: sandbox.");

        private readonly Socket socket;
        private readonly byte[] buffer = new byte[4096];

        private Reader(Socket socket) => this.socket = socket;

        public static async Task<Reader> OpenAsync(Bed bed)
        {
            var root = new Uri(bed.Platform.RootUrl);
            var reader = new Reader(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
            await reader.socket.ConnectAsync(root.Host, root.Port);
            await reader.socket.SendAsync(Encoding.ASCII.GetBytes(
                $"GET /api/v1/events/stream?types=sandbox.paused,sandbox.resumed HTTP/1.1\r\nHost: {root.Authority}\r\nAuthorization: Bearer {bed.Key}\r\n\r\n"));
            var head = new StringBuilder();
            while (!head.ToString().Contains(": heartbeat", StringComparison.Ordinal))
            {
                var count = await reader.socket.ReceiveAsync(reader.buffer);
                if (count == 0)
                    throw new IOException("the server hung up: " + head);
                head.Append(Encoding.ASCII.GetString(reader.buffer, 0, count));
            }
            return reader;
        }

        /// <summary>Completes with the next event; heartbeats do not count.</summary>
        public async Task NextAsync()
        {
            while (true)
            {
                var count = await socket.ReceiveAsync(buffer);
                if (count == 0)
                    throw new IOException("the server hung up");
                if (buffer.AsSpan(0, count).IndexOf(Mark) >= 0)
                    return;
            }
        }

        public void Dispose() => socket.Dispose();
    }
}
