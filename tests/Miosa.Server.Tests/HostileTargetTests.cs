using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Http;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>Targets of webhooks that want something of the server.</summary>
public sealed class HostileTargetTests(Tenant tenant) : IClassFixture<Tenant>, IAsyncLifetime
{
    private Receiver? receiver;

    private Api Api => tenant.Api;

    private Receiver Target => receiver ?? throw new InvalidOperationException("not started");

    public async ValueTask InitializeAsync() => receiver = await Receiver.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await Hooks.ClearAsync(Api);
        await Target.DisposeAsync();
    }

    [Theory]
    [InlineData("redirect")]
    [InlineData("redirect to metadata")]
    [InlineData("headers that never come")]
    [InlineData("close at once")]
    [InlineData("no HTTP")]
    [InlineData("headers without end")]
    public async Task A_hostile_target_gets_a_failed_attempt_and_nothing_else(string kind)
    {
        await using var other = await Receiver.StartAsync();
        using var raw = new RawTarget(kind switch
        {
            "close at once" => (_, _) => Task.CompletedTask,
            "no HTTP" => async (socket, _) => await socket.SendAsync("SSH-2.0-OpenSSH_9.2\r\n"u8.ToArray()),
            "headers without end" => async (socket, _) =>
            {
                await socket.SendAsync("HTTP/1.1 200 OK\r\n"u8.ToArray());
                for (var i = 0; i < 10_000; i++)
                    await socket.SendAsync(Encoding.ASCII.GetBytes($"X-{i}: {new string('x', 100)}\r\n"));
            },
            _ => async (_, ended) => await ended,
        });
        Target.Answer = (context, _) =>
        {
            context.Response.Redirect(kind == "redirect" ? other.Url : "http://169.254.169.254/latest/meta-data", permanent: false, preserveMethod: true);
            return Task.CompletedTask;
        };
        var (id, _) = await Hooks.CreateAsync(Api, kind.StartsWith("redirect", StringComparison.Ordinal) ? Target.Url : raw.Url);
        var clock = Stopwatch.StartNew();
        var answer = (await Api.PostAsync($"webhooks/{id}/test")).Expect(200);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(5), $"took {clock.Elapsed}");
        Assert.Equal("failed", answer.Text("state"));
        Assert.Matches(
            kind switch
            {
                "redirect" or "redirect to metadata" => "redirects are not followed",
                "headers that never come" => "no answer within 2 s",
                "close at once" => "closed the connection|broke",
                "no HTTP" => "no HTTP",
                _ => "too long|broke",
            },
            answer.Text("error"));
        Assert.Empty(other.All);
    }

    [Fact]
    public async Task An_answer_without_end_counts_by_its_status_and_is_not_read()
    {
        var written = 0L;
        var ended = new TaskCompletionSource();
        Target.Answer = async (context, _) =>
        {
            try
            {
                var piece = Encoding.UTF8.GetBytes(new string('a', 64 * 1024));
                for (var i = 0; i < 10_000 && !context.RequestAborted.IsCancellationRequested; i++)
                {
                    // Behind the end of the connection writes go nowhere, and say so only here.
                    if ((await context.Response.BodyWriter.WriteAsync(piece, context.RequestAborted)).IsCompleted)
                        break;
                    written += piece.Length;
                    // It says so in a turn of its own, which writes that go nowhere would never let come.
                    if (i % 16 == 15)
                        await Task.Delay(20);
                }
            }
            catch (Exception e) when (e is OperationCanceledException or IOException)
            {
                // Cut, as it should be.
            }
            ended.SetResult();
        };
        var (id, _) = await Hooks.CreateAsync(Api, Target.Url);
        var answer = (await Api.PostAsync($"webhooks/{id}/test")).Expect(200);
        Assert.Equal(("delivered", 4096), (answer.Text("state"), answer.Text("response_body").Length));
        await ended.Task.WaitAsync(TimeSpan.FromSeconds(30));
        // What was written beyond 64 KiB lies in buffers of the two systems.
        Assert.True(written < 20_000_000, $"{written} bytes were taken");

        // One that dribbles for ever takes no longer than the time limit.
        Target.Answer = async (context, _) =>
        {
            while (!context.RequestAborted.IsCancellationRequested)
            {
                await context.Response.WriteAsync("x", context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
                await Task.Delay(100);
            }
        };
        var clock = Stopwatch.StartNew();
        answer = (await Api.PostAsync($"webhooks/{id}/test")).Expect(200);
        Assert.Equal("delivered", answer.Text("state"));
        Assert.InRange(clock.Elapsed, TimeSpan.FromSeconds(1.5), TimeSpan.FromSeconds(5));
    }

    /// <summary>A target below HTTP: what it does with each connection, whose end it is told.</summary>
    private sealed class RawTarget : IDisposable
    {
        private readonly TcpListener listener = new(IPAddress.Parse(Receiver.Host), 0);

        public RawTarget(Func<Socket, Task, Task> act)
        {
            listener.Start();
            _ = Task.Run(() => ServeAsync(act));
        }

        public string Url => $"http://{listener.LocalEndpoint}/";

        public void Dispose() => listener.Dispose();

        private async Task ServeAsync(Func<Socket, Task, Task> act)
        {
            try
            {
                while (true)
                {
                    using var socket = await listener.AcceptSocketAsync();
                    var buffer = new byte[65_536];
                    await socket.ReceiveAsync(buffer);
                    await act(socket, socket.ReceiveAsync(buffer));
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // The test is over, or the server hung up.
            }
        }
    }
}
