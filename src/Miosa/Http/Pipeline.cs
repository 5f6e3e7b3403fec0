using System.Net;
using System.Net.Http.Headers;
using System.Net.WebSockets;
using System.Reflection;
using System.Runtime.ExceptionServices;

namespace Miosa.Http;

/// <summary>
/// The one road of every call. Each body is written once with <c>bool async</c>: the flag is looked at only where bytes move or time passes, so with
/// <c>async: false</c> the task is complete when it is returned, and <see cref="Finished{T}"/> may take its result.
/// </summary>
internal sealed class Pipeline : IDisposable
{
    private const string TenantHeader = "X-MIOSA-Tenant";

    private static readonly string UserAgent = "miosa-dotnet/"
        + (typeof(Pipeline).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0");

    /// <summary>A WebSocket is asked this often whether it is alive, and given up when it does not answer as long.</summary>
    private static readonly TimeSpan SocketKeepAlive = TimeSpan.FromSeconds(20);

    private readonly MiosaOptions options;
    private readonly HttpClient http;
    private readonly string apiKey;
    private readonly string? tenant;
    private readonly string baseUrl;
    private volatile bool isDisposed;

    public Pipeline(MiosaOptions options)
    {
        options.Check();
        this.options = options;
        apiKey = options.RequireApiKey();
        tenant = options.TenantToName();
        baseUrl = options.RequireBaseUrl();
        http = options.HttpClient ?? new HttpClient(options.Handler ?? DefaultHandler(), disposeHandler: options.Handler is null)
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    public TimeProvider Clock => options.TimeProvider;

    public int MaxRetries => options.MaxRetries;

    public T Send<T>(Call<T> call) => Finished(SendAsync(call, async: false, CancellationToken.None));

    public Task<T> SendAsync<T>(Call<T> call, CancellationToken ct) => SendAsync(call, async: true, ct).AsTask();

    public ValueTask<T> SendAsync<T>(Call<T> call, bool async, CancellationToken ct)
        => RunAsync(call, async (stream, contentType) => call.Read(new Answer(contentType, await ReadAllAsync(stream, async, ct).ConfigureAwait(false))), async, ct, ct);

    /// <summary>Sends and hands over the body as it comes; the caller disposes it.</summary>
    /// <param name="call">The call.</param>
    /// <param name="async">Whether it may suspend.</param>
    /// <param name="ct">Ends the wait for the answer.</param>
    /// <param name="lifetime">Ends reads of the body as well.</param>
    public ValueTask<AnswerStream> OpenAsync(Call call, bool async, CancellationToken ct, CancellationToken lifetime)
        => RunAsync(call, static (stream, _) => ValueTask.FromResult(stream), async, ct, lifetime);

    public async ValueTask PauseAsync(TimeSpan wait, bool async, CancellationToken ct)
    {
        if (wait <= TimeSpan.Zero)
            return;
        if (async)
        {
            await Task.Delay(wait, Clock, ct).ConfigureAwait(false);
            return;
        }
        using var timer = new CancellationTokenSource(wait, Clock);
        WaitHandle.WaitAny([timer.Token.WaitHandle, ct.WaitHandle]);
        ct.ThrowIfCancellationRequested();
    }

    /// <summary>The result of a body that ran with <c>async: false</c>. This is the only place where the SDK takes a task's result without awaiting it.</summary>
    public static T Finished<T>(ValueTask<T> task)
    {
        if (!task.IsCompleted)
            throw new InvalidOperationException("a synchronous call suspended; this is a bug in the SDK");
#pragma warning disable VSTHRD002 // The task is complete, as checked above: nothing waits here.
        return task.GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
    }

    public static void Finished(ValueTask task) => Finished(AsValueAsync(task));

    /// <summary>Opens a WebSocket; what the server answers instead becomes the exception of its status.</summary>
    public async Task<ClientWebSocket> ConnectAsync(string path, CancellationToken ct)
    {
        ObjectDisposedException.ThrowIf(isDisposed, typeof(MiosaClient));
        var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        socket.Options.KeepAliveInterval = SocketKeepAlive;
        socket.Options.KeepAliveTimeout = SocketKeepAlive;
        socket.Options.SetRequestHeader("Authorization", "Bearer " + apiKey);
        socket.Options.SetRequestHeader("User-Agent", UserAgent);
        if (tenant is not null)
            socket.Options.SetRequestHeader(TenantHeader, tenant);
        foreach (var (name, value) in options.DefaultHeaders ?? new Dictionary<string, string>())
            socket.Options.SetRequestHeader(name, value);
        using var limit = new IdleTimer(options.Timeout, Clock, ct);
        try
        {
            await socket.ConnectAsync(new Uri("ws" + (baseUrl + path)["http".Length..]), http, limit.Token).ConfigureAwait(false);
            return socket;
        }
        catch (WebSocketException) when (socket.HttpStatusCode is not (0 or HttpStatusCode.SwitchingProtocols))
        {
            using var answer = new HttpResponseMessage(socket.HttpStatusCode);
            socket.Dispose();
            throw ErrorAnswer.Exception(answer, [], Clock);
        }
        catch (Exception e) when (e is WebSocketException or HttpRequestException or OperationCanceledException)
        {
            socket.Dispose();
            throw limit.Explain("GET " + path.Split('?')[0], e);
        }
    }

    public void Dispose()
    {
        isDisposed = true;
        if (options.HttpClient is null)
            http.Dispose();
    }

    private static async ValueTask<bool> AsValueAsync(ValueTask task)
    {
        await task.ConfigureAwait(false);
        return true;
    }

    private static SocketsHttpHandler DefaultHandler() => new()
    {
        // A redirect would turn a POST into a GET and leave the key behind: better an error that names the status.
        AllowAutoRedirect = false,
        UseCookies = false,
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        // A stream that is left early closes its connection at once instead of reading on; the timer relies on that to end a blocking read.
        MaxResponseDrainSize = 0,
    };

    private async ValueTask<T> RunAsync<T>(
        Call call, Func<AnswerStream, string?, ValueTask<T>> take, bool async, CancellationToken ct, CancellationToken lifetime)
    {
        for (var retries = 0; ; retries++)
        {
            ObjectDisposedException.ThrowIf(isDisposed, typeof(MiosaClient));
            ct.ThrowIfCancellationRequested();
            TimeSpan wait;
            try
            {
                return await TryAsync(call, take, async, ct, lifetime).ConfigureAwait(false);
            }
            catch (MiosaException failure) when (retries < options.MaxRetries && Retry.Wait(call, failure, retries) is { } pause)
            {
                wait = pause;
            }
            await PauseAsync(wait, async, ct).ConfigureAwait(false);
        }
    }

    private async ValueTask<T> TryAsync<T>(
        Call call, Func<AnswerStream, string?, ValueTask<T>> take, bool async, CancellationToken ct, CancellationToken lifetime)
    {
        var limit = options.Timeout;
        if (call.IsKeptAlive && limit != Timeout.InfiniteTimeSpan && limit < Call.KeepAliveSilence)
            limit = Call.KeepAliveSilence;
        if (limit != Timeout.InfiniteTimeSpan)
            limit += call.Takes;
        // The path without its query: query values are paths and names of the caller's, and messages end up in logs.
        var operation = $"{call.Method} {call.Path.Split('?')[0]}";

        HttpResponseMessage response;
        using (var sending = new IdleTimer(limit, Clock, ct))
        using (var request = Request(call, sending))
            response = await SendOnceAsync(call, request, sending, operation, async).ConfigureAwait(false);

        AnswerStream? stream = null;
        var isHandedOver = false;
        try
        {
            var contentType = response.Content.Headers.ContentType?.ToString();
            var body = async
                ? await response.Content.ReadAsStreamAsync(ct).ConfigureAwait(false)
                : response.Content.ReadAsStream(ct);
            stream = new AnswerStream(response, body, new IdleTimer(limit, Clock, lifetime), operation);
            if (!response.IsSuccessStatusCode)
                throw ErrorAnswer.Exception(response, await ReadAllAsync(stream, async, ct).ConfigureAwait(false), Clock);
            var result = await take(stream, contentType).ConfigureAwait(false);
            isHandedOver = result is AnswerStream;
            return result;
        }
        finally
        {
            if (!isHandedOver)
            {
                stream?.Dispose();
                response.Dispose();
            }
        }
    }

    private async ValueTask<HttpResponseMessage> SendOnceAsync(Call call, HttpRequestMessage request, IdleTimer sending, string operation, bool async)
    {
        try
        {
            return async
                ? await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, sending.Token).ConfigureAwait(false)
                : http.Send(request, HttpCompletionOption.ResponseHeadersRead, sending.Token);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
        {
            // The HttpClient wraps what the caller's stream threw; it goes out as it was.
            if (!sending.Token.IsCancellationRequested && call.Upload?.SourceFailure is { } own)
                ExceptionDispatchInfo.Throw(own);
            throw sending.Explain(operation, e);
        }
    }

    private HttpRequestMessage Request(Call call, IdleTimer sending)
    {
        var request = new HttpRequestMessage(call.Method, baseUrl + call.Path) { Content = Content(call, sending) };
        var headers = request.Headers;
        headers.Authorization = new AuthenticationHeaderValue("Bearer", apiKey);
        headers.TryAddWithoutValidation("User-Agent", UserAgent);
        headers.TryAddWithoutValidation("Accept", call.Accept);
        if (tenant is not null)
            headers.TryAddWithoutValidation(TenantHeader, tenant);
        if (call.IdempotencyKey is { } key)
            headers.TryAddWithoutValidation("Idempotency-Key", key);
        if (call.LastEventId is { } id)
            headers.TryAddWithoutValidation("Last-Event-ID", id);
        // The server can refuse before a byte of the file is sent; that keeps a stream that cannot be rewound usable for the next try.
        if (call.Upload is not null)
            headers.ExpectContinue = true;
        foreach (var (name, value) in options.DefaultHeaders ?? new Dictionary<string, string>())
        {
            headers.Remove(name);
            if (!headers.TryAddWithoutValidation(name, value) && request.Content is { } content)
            {
                content.Headers.Remove(name);
                content.Headers.TryAddWithoutValidation(name, value);
            }
        }
        return request;
    }

    private static HttpContent? Content(Call call, IdleTimer sending)
    {
        var (content, type) = call switch
        {
            { Json: { } json } => ((HttpContent)new ByteArrayContent(json), "application/json"),
            { Bytes: { } bytes } => (new ReadOnlyMemoryContent(bytes), "application/octet-stream"),
            { Upload: { } upload } => (upload.Content(sending), "application/octet-stream"),
            _ => (null, ""),
        };
        if (content is not null)
            content.Headers.ContentType = new MediaTypeHeaderValue(type);
        return content is not null && call.IsForm ? new MultipartFormDataContent { { content, "file", "file" } } : content;
    }

    private static async ValueTask<byte[]> ReadAllAsync(AnswerStream stream, bool async, CancellationToken ct)
    {
        if (stream.ExpectedLength is 0)
            return [];
        using var all = new MemoryStream((int)Math.Clamp(stream.ExpectedLength ?? 4096, 256, Array.MaxLength));
        if (async)
            await stream.CopyToAsync(all, ct).ConfigureAwait(false);
        else
            stream.CopyTo(all);
        // Exact when the length was known, which spares a second copy of the file.
        return all.Length == all.Capacity ? all.GetBuffer() : all.ToArray();
    }
}
