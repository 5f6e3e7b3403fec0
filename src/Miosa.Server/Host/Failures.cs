using Microsoft.AspNetCore.Http.Features;
using Miosa.Server.Limits;

namespace Miosa.Server.Host;

/// <summary>
/// The outermost layer: whatever goes wrong, the answer is the contract's error body. Unhandled exceptions are logged here, once, with
/// the request id. ASP.NET's own empty 404, 405, 413 and 415 answers get a body.
/// </summary>
internal sealed partial class Failures(ILogger<Failures> log)
{
    /// <summary>Headers that are true whatever the answer is.</summary>
    private static readonly string[] Kept = [RequestIds.Header, Microsoft.Net.Http.Headers.HeaderNames.Allow, .. RateHeaders.All];

    public async Task HandleAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
            if (!context.Response.HasStarted && context.Response.StatusCode >= 400 && context.Response.ContentType is null)
                await WriteAsync(context, ForStatus(context, context.Response.StatusCode));
        }
        catch (BadHttpRequestException e)
        {
            await WriteAsync(context, e.StatusCode == 413
                ? Refusal.TooLarge("the body is larger than this route takes")
                : Refusal.BadRequest(e.Message.TrimEnd('.')));
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client is gone: nobody reads an answer. 499 only shows in access logs.
            if (!context.Response.HasStarted)
                context.Response.StatusCode = 499;
        }
        catch (IOException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The same, noticed while writing.
        }
        catch (Nodes.RuntimeDownException e)
        {
            await WriteAsync(context, Refusal.Unavailable(e.Message));
        }
#pragma warning disable CA1031 // The edge of the process: one request fails, the others go on.
        catch (Exception e)
#pragma warning restore CA1031
        {
            RequestFailed(log, context.Request.Method, context.Request.Path, context.RequestId(), e);
            await WriteAsync(context, Refusal.Internal());
        }
    }

    private static Refusal ForStatus(HttpContext context, int status) => status switch
    {
        404 => Refusal.NotFound($"the route \"{context.Request.Method} {context.Request.Path}\""),
        405 => new Refusal(ErrorCodes.MethodNotAllowed, $"\"{context.Request.Path}\" does not take {context.Request.Method}; it takes {context.Response.Headers.Allow}"),
        413 => Refusal.TooLarge("the body is larger than this route takes"),
        >= 500 => Refusal.Internal(),
        _ => Refusal.BadRequest($"the request cannot be answered (status {status})"),
    };

    private static async Task WriteAsync(HttpContext context, Refusal refusal)
    {
        if (context.Response.HasStarted)
        {
            // The head is out: cutting the connection is the only way left to say that the body is not complete.
            context.Abort();
            return;
        }
        var kept = Kept.Select(name => (name, context.Response.Headers[name])).ToList();
        context.Response.Clear();
        foreach (var (name, value) in kept)
            context.Response.Headers[name] = value;
        if (context.Features.Get<IHttpResponseBodyFeature>() is { } body)
            body.DisableBuffering();
        await Reply.Refuse(refusal).ExecuteAsync(context);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path} failed, request {RequestId}")]
    private static partial void RequestFailed(ILogger log, string method, string path, string requestId, Exception exception);
}
