using System.Net;

namespace Miosa.Server.Models;

/// <summary>One call of a provider: what it is sent, for whom, and whether it was.</summary>
/// <param name="operation">Such as <c>chat/completions</c>.</param>
/// <param name="model">The provider's own name of it.</param>
internal sealed class ProviderCall(string operation, string model, byte[] body, string tenant)
{
    public string Operation => operation;

    public string Model => model;

    public string Tenant => tenant;

    /// <summary>The provider has the whole request and did not refuse it: it works on it or did, and so it is charged, whoever cuts its answer.</summary>
    public bool IsSent { get; set; }

    public HttpContent Content() => new Sending(body, this);

    /// <summary>The body, which notes when all of it went out.</summary>
    private sealed class Sending(byte[] body, ProviderCall call) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            await stream.WriteAsync(body, cancellationToken);
            call.IsSent = true;
        }

        protected override bool TryComputeLength(out long length)
        {
            length = body.Length;
            return true;
        }
    }
}
