using System.Net;

namespace Miosa.Http;

/// <summary>A stream that is sent as it is read. It is sent again only when not a byte of it was taken, or when it can be rewound.</summary>
internal sealed class Upload(Stream source, IProgress<long>? progress)
{
    private readonly Stream source = source;
    private readonly long? start = source.CanSeek ? source.Position : null;
    private bool isTouched;

    /// <summary>What reading the caller's stream threw; it is the caller's own error and goes out as it is.</summary>
    public Exception? SourceFailure { get; private set; }

    public bool CanBeSent => !isTouched || start is not null;

    public HttpContent Content(IdleTimer timer)
    {
        if (isTouched && start is { } position)
            source.Position = position;
        return new Body(this, timer);
    }

    private async ValueTask CopyAsync(Stream target, IdleTimer timer, bool async, CancellationToken ct)
    {
        isTouched = true;
        var buffer = GC.AllocateUninitializedArray<byte>(128 * 1024);
        long sent = 0;
        while (true)
        {
            int read;
            try
            {
                // The caller's stream may be slow for its own reasons; that is not the server's silence.
                timer.Pause();
                read = async ? await source.ReadAsync(buffer, ct).ConfigureAwait(false) : source.Read(buffer);
            }
            catch (Exception e)
            {
                SourceFailure = e;
                throw;
            }
            finally
            {
                timer.Restart();
            }
            if (read == 0)
                return;
            if (async)
                await target.WriteAsync(buffer.AsMemory(0, read), ct).ConfigureAwait(false);
            else
                target.Write(buffer, 0, read);
            timer.Restart();
            sent += read;
            progress?.Report(sent);
        }
    }

    private sealed class Body(Upload upload, IdleTimer timer) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context)
            => SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
            => upload.CopyAsync(stream, timer, async: true, cancellationToken).AsTask();

        protected override void SerializeToStream(Stream stream, TransportContext? context, CancellationToken cancellationToken)
            => Pipeline.Finished(upload.CopyAsync(stream, timer, async: false, cancellationToken));

        protected override bool TryComputeLength(out long length)
        {
            length = upload.start is { } start ? upload.source.Length - start : 0;
            return upload.start is not null;
        }
    }
}
