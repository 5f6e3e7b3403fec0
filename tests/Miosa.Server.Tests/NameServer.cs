using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Miosa.Server.Tests;

/// <summary>
/// Debian's dnsmasq on a loopback port, with the records that a test says. What it does not know does not exist, but for <c>hostile.test</c>, which
/// it asks a server of the test's own for.
/// </summary>
internal sealed class NameServer : IAsyncDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("miosa-dns-").FullName;
    private readonly SemaphoreSlim turn = new(1);
    private readonly List<string> records = [];
    private readonly int upstream;
    private Process? process;

    private NameServer(int port, int upstream) => (Port, this.upstream) = (port, upstream);

    public int Port { get; }

    public static async Task<NameServer> StartAsync(int upstream)
    {
        var server = new NameServer(FreePort(), upstream);
        await server.RestartAsync();
        return server;
    }

    public Task AliasAsync(string name, string target) => ChangeAsync(lines => lines.Add($"cname={name},{target}\nhost-record={target},127.0.0.1"));

    public Task TextAsync(string name, string value) => ChangeAsync(lines => lines.Add($"txt-record={name},\"{value}\""));

    /// <summary>Takes back every record of a domain and of what is below it.</summary>
    public Task ForgetAsync(string domain) => ChangeAsync(lines => lines.RemoveAll(line => line.Split(',')[0].EndsWith(domain, StringComparison.Ordinal)));

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        turn.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>A port that is free for both transports.</summary>
    public static int FreePort()
    {
        while (true)
        {
            using var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            var port = ((IPEndPoint)listener.LocalEndpoint).Port;
            try
            {
                using var datagrams = new UdpClient(new IPEndPoint(IPAddress.Loopback, port));
                return port;
            }
            catch (SocketException)
            {
                // Somebody has it for datagrams.
            }
        }
    }

    private async Task ChangeAsync(Action<List<string>> change)
    {
        await turn.WaitAsync();
        try
        {
            change(records);
            await RestartAsync();
        }
        finally
        {
            turn.Release();
        }
    }

    // Aliases and texts are read at its start only.
    private async Task RestartAsync()
    {
        await StopAsync();
        var file = Path.Combine(folder, "dnsmasq.conf");
        string[] head = ["keep-in-foreground", $"port={Port}", "listen-address=127.0.0.1", "bind-interfaces", "no-resolv", "no-hosts", "no-ping", "user=root", "pid-file", "local=/test/", $"server=/hostile.test/127.0.0.1#{upstream}"];
        await File.WriteAllLinesAsync(file, [.. head, .. records]);
        process = Process.Start(new ProcessStartInfo("dnsmasq", ["--conf-file=" + file]) { RedirectStandardError = true }) ?? throw new InvalidOperationException("dnsmasq did not start");
        var error = process.StandardError.ReadToEndAsync();
        await Miosa.Platform.Platform.UntilAsync("dnsmasq answers", async () =>
        {
            if (process.HasExited)
                throw new InvalidOperationException($"dnsmasq ended: {await error}");
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, Port);
                return true;
            }
            catch (SocketException)
            {
                return false;
            }
        });
    }

    private async Task StopAsync()
    {
        if (process is null)
            return;
        process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
        process = null;
    }
}

/// <summary>A name server that does to each question what the test says: the bytes of the answer, or null for silence.</summary>
internal sealed class HostileNameServer : IDisposable
{
    private readonly UdpClient datagrams;

    public HostileNameServer(int port, Func<string, byte[], byte[]?> answer)
    {
        datagrams = new UdpClient(new IPEndPoint(IPAddress.Loopback, port));
        _ = ServeAsync(answer);
    }

    public void Dispose() => datagrams.Dispose();

    /// <summary>An answer to the question with a code and no records.</summary>
    public static byte[] Code(byte[] question, byte code)
    {
        var answer = Plain(question);
        (answer[2], answer[3]) = (0x81, (byte)(0x80 | code));
        return answer;
    }

    /// <summary>An alias for the name that was asked for.</summary>
    public static byte[] Alias(byte[] question, string target)
    {
        var answer = Plain(question);
        (answer[2], answer[3], answer[7]) = (0x81, 0x80, 1);
        byte[] name = [.. target.Split('.').SelectMany(label => (byte[])[(byte)label.Length, .. System.Text.Encoding.ASCII.GetBytes(label)]), 0];
        return [.. answer, 0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 1, 0, (byte)name.Length, .. name];
    }

    /// <summary>The head and the question alone.</summary>
    private static byte[] Plain(byte[] question)
    {
        var at = 12;
        for (; question[at] != 0; at += question[at] + 1)
        {
            // To the end of the name.
        }
        byte[] plain = question[..(at + 5)];
        plain[5] = 1;
        plain.AsSpan(6, 6).Clear();
        return plain;
    }

    private async Task ServeAsync(Func<string, byte[], byte[]?> answer)
    {
        while (true)
        {
            UdpReceiveResult got;
            try
            {
                got = await datagrams.ReceiveAsync();
            }
            catch (ObjectDisposedException)
            {
                return;
            }
            catch (SocketException)
            {
                continue;
            }
            var (name, at) = ("", 12);
            for (; got.Buffer[at] != 0; at += got.Buffer[at] + 1)
                name += (name.Length == 0 ? "" : ".") + System.Text.Encoding.ASCII.GetString(got.Buffer, at + 1, got.Buffer[at]);
            if (answer(name, got.Buffer) is { } bytes)
                await datagrams.SendAsync(bytes, got.RemoteEndPoint);
        }
    }
}
