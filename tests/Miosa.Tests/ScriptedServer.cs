using System.Collections.Concurrent;
using System.Text;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace Miosa.Tests;

/// <summary>What the server saw of one request.</summary>
public sealed record SeenRequest(string Method, string Target, IReadOnlyDictionary<string, string> Headers, byte[] Body)
{
    public string Text => Encoding.UTF8.GetString(Body);

    /// <summary>Path and query without the API's own prefix.</summary>
    public string Path => Target.StartsWith("/api/v1", StringComparison.Ordinal) ? Target["/api/v1".Length..] : Target;
}

/// <summary>A real Kestrel on loopback that answers what the test says, in order; the last answer is repeated.</summary>
public sealed class ScriptedServer : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly ConcurrentQueue<Func<HttpContext, Task>> steps = new();
    private readonly Channel<SeenRequest> arrivals = Channel.CreateUnbounded<SeenRequest>();
    private readonly ConcurrentQueue<SeenRequest> seen = new();
    private Func<HttpContext, Task>? last;

    private ScriptedServer(WebApplication app) => this.app = app;

    public string BaseUrl { get; private set; } = "";

    public IReadOnlyList<SeenRequest> Seen => [.. seen];

    /// <summary>False: the body is left to the step, to refuse an upload before it comes.</summary>
    public bool ReadsBodies { get; set; } = true;

    public static async Task<ScriptedServer> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0").ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = null);
        var server = new ScriptedServer(builder.Build());
        server.app.Run(server.AnswerAsync);
        await server.app.StartAsync();
        var addresses = server.app.Services.GetService(typeof(Microsoft.AspNetCore.Hosting.Server.IServer)) as Microsoft.AspNetCore.Hosting.Server.IServer;
        server.BaseUrl = addresses!.Features.Get<IServerAddressesFeature>()!.Addresses.First() + "/api/v1";
        return server;
    }

    public MiosaClient Client(TimeProvider? clock = null, int maxRetries = 3, TimeSpan? timeout = null, IReadOnlyDictionary<string, string>? headers = null)
        => new(new MiosaOptions
        {
            ApiKey = "msk_live_test",
            BaseUrl = BaseUrl,
            MaxRetries = maxRetries,
            Timeout = timeout ?? TimeSpan.FromSeconds(100),
            TimeProvider = clock ?? new TestClock(),
            DefaultHeaders = headers,
        });

    public ScriptedServer Then(Func<HttpContext, Task> step)
    {
        steps.Enqueue(step);
        return this;
    }

    public ScriptedServer Then(int status, string body = "{}", string contentType = "application/json", params (string Name, string Value)[] headers)
        => Then(Encoding.UTF8.GetBytes(body), status, contentType, headers);

    public ScriptedServer Then(byte[] body, int status = 200, string contentType = "application/octet-stream", params (string Name, string Value)[] headers)
        => Then(context =>
        {
            context.Response.StatusCode = status;
            context.Response.ContentType = contentType;
            foreach (var (name, value) in headers)
                context.Response.Headers[name] = value;
            return status == 204 ? Task.CompletedTask : context.Response.Body.WriteAsync(body).AsTask();
        });

    /// <summary>An event stream sent in exactly these pieces.</summary>
    public ScriptedServer ThenEvents(params string[] pieces) => Then(context => EventsAsync(context, pieces));

    public static async Task EventsAsync(HttpContext context, params string[] pieces)
    {
        context.Response.ContentType = "text/event-stream";
        await context.Response.Body.FlushAsync();
        foreach (var piece in pieces)
        {
            await context.Response.WriteAsync(piece);
            await context.Response.Body.FlushAsync();
        }
    }

    /// <summary>The connection is cut without an answer.</summary>
    public ScriptedServer ThenCut() => Then(context =>
    {
        context.Abort();
        return Task.CompletedTask;
    });

    /// <summary>Says nothing until the client goes away.</summary>
    public ScriptedServer ThenSilence() => Then(context => GoneAsync(context));

    public static Task GoneAsync(HttpContext context)
    {
        var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        context.RequestAborted.Register(() => gone.TrySetResult());
        return gone.Task;
    }

    public async Task<SeenRequest> ArrivalAsync() => await arrivals.Reader.ReadAsync().AsTask().WaitAsync(Deadline.Generous);

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await app.StopAsync(now.Token);
        await app.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var body = new MemoryStream();
        if (ReadsBodies)
            await context.Request.Body.CopyToAsync(body);
        var request = new SeenRequest(
            context.Request.Method,
            context.Features.Get<IHttpRequestFeature>()!.RawTarget,
            context.Request.Headers.ToDictionary(header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase),
            body.ToArray());
        seen.Enqueue(request);
        arrivals.Writer.TryWrite(request);
        if (steps.TryDequeue(out var step))
            last = step;
        await (last ?? throw new InvalidOperationException("the test did not say what to answer"))(context);
    }
}

public static class Deadline
{
    public static readonly TimeSpan Generous = TimeSpan.FromSeconds(60);
}
