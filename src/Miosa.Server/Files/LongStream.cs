using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Miosa.Server.Files;

/// <summary>
/// For routes that stream: no limit on the body, and a peer may stall for minutes. Kestrel's default ends a connection that moves fewer
/// than 240 bytes a second, and a slow reader is what back-pressure is for.
/// </summary>
internal static class LongStream
{
    private static readonly MinDataRate Patient = new(bytesPerSecond: 100, gracePeriod: TimeSpan.FromMinutes(5));

    public static void Allow(HttpContext context)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = null;
        // HTTP/2 measures whole connections and lets a request only opt out.
        var isHttp1 = HttpProtocol.IsHttp11(context.Request.Protocol) || HttpProtocol.IsHttp10(context.Request.Protocol);
        if (context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } request)
            request.MinDataRate = isHttp1 ? Patient : null;
        if (isHttp1 && context.Features.Get<IHttpMinResponseDataRateFeature>() is { } response)
            response.MinDataRate = Patient;
    }
}
