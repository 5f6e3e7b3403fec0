using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using Miosa.Guest;
using Miosa.Server.Guests;
using Miosa.Server.Host;

namespace Miosa.Server.Desktop;

/// <summary>
/// Pictures of the screen. A PNG goes through as the machine made it; other formats and smaller pictures are made here of the raw pixels, no more than
/// <see cref="PictureEncoder.AtOnce"/> at a time, so that neither the memory nor the cores of the server are the callers'.
/// </summary>
internal sealed class ScreenshotEndpoints(DesktopTurns turns) : IDisposable
{
    /// <summary>Up to here a picture is held until it is whole: then its length, and how long it took, stand in the head, and what fails is an error body.</summary>
    private const int HeldBytes = 2 * 1024 * 1024;

    /// <summary>Screens received at the same time, of all tenants: 33 MB each at most.</summary>
    private const int ReceivedAtOnce = 6;

    /// <summary>How long a machine may take to send its picture.</summary>
    private static readonly TimeSpan PixelPatience = TimeSpan.FromSeconds(15);

    private readonly SemaphoreSlim places = new(ReceivedAtOnce);
    private readonly SemaphoreSlim encoders = new(PictureEncoder.AtOnce);

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<ScreenshotEndpoints>();
        api.Map("GET", $"{DesktopOperation.Root}/screenshot", context => it.ByQueryAsync(context, needsRegion: false)).Needs(Scopes.ComputersRead);
        foreach (var spelling in (string[])[$"{DesktopOperation.Root}/screenshot/region", $"{DesktopOperation.Computer}/screenshot"])
            api.Map("GET", spelling, context => it.ByQueryAsync(context, needsRegion: true)).Needs(Scopes.ComputersRead);
        foreach (var spelling in (string[])[$"{DesktopOperation.Root}/screenshot/region", $"{DesktopOperation.Computer}/screenshot-region"])
            api.Map("POST", spelling, it.ByBodyAsync).Needs(Scopes.ComputersRead);
    }

    public void Dispose()
    {
        places.Dispose();
        encoders.Dispose();
    }

    private Task<IResult> ByQueryAsync(HttpContext context, bool needsRegion) => TakeAsync(context, PictureWish.FieldsOf(context.Request.Query), needsRegion);

    private async Task<IResult> ByBodyAsync(HttpContext context)
    {
        var (fields, refusal) = await Body.ReadAsync(context, Aliases.None);
        return refusal is null ? await TakeAsync(context, fields, needsRegion: true) : Reply.Refuse(refusal);
    }

    private async Task<IResult> TakeAsync(HttpContext context, Fields fields, bool needsRegion)
    {
        var wish = PictureWish.Read(fields, needsRegion);
        if (fields.Errors() is { } faulty)
            return Reply.Refuse(faulty);
        return await DesktopOperation.RunAsync(context, "region", (guest, ct) => wish.IsAsItComes
            ? PassAsync(guest, wish, ct)
            : turns.RunAsync(context, PixelPatience, "send its screen", limit => MakeAsync(guest, wish, limit)));
    }

    private static ScreenshotCall CallOf(PictureWish wish, string format) =>
        new() { X = wish.Region?.X, Y = wish.Region?.Y, Width = wish.Region?.Width, Height = wish.Region?.Height, Format = format };

    private static async Task<IResult> PassAsync(GuestConnection guest, PictureWish wish, CancellationToken ct)
    {
        var call = await guest.OpenScreenshotAsync(CallOf(wish, DesktopWord.Png), ct);
        var held = new ArrayBufferWriter<byte>(256 * 1024);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
        patience.CancelAfter(PixelPatience);
        try
        {
            while (true)
            {
                var chunk = await call.NextAsync(patience.Token);
                if (chunk.IsEnd)
                {
                    var facts = await call.ReplyAsync(GuestJson.Wire.ScreenshotReply, patience.Token);
                    return held.WrittenCount > 0
                        ? new PictureReply(held.WrittenMemory, wish.ContentType, Timing(facts.GrabUs, facts.EncodeUs))
                        : throw call.Broken("the guest sent no picture");
                }
                foreach (var part in chunk.Bytes)
                    held.Write(part.Span);
                if (held.WrittenCount > HeldBytes)
                    return new PictureStream(call, held, wish.ContentType);
            }
        }
        catch (OperationCanceledException)
        {
            await call.CancelAsync();
            ct.ThrowIfCancellationRequested();
            throw new GuestException(GuestErrorCode.Failed, $"the computer did not send its screen within {PixelPatience.TotalSeconds:0} s");
        }
    }

    private async Task<IResult> MakeAsync(GuestConnection guest, PictureWish wish, CancellationToken ct)
    {
        await places.WaitAsync(ct);
        byte[]? pixels = null;
        try
        {
            var (width, height) = wish.Region is { } region ? (region.Width, region.Height) : await SizeAsync(guest, ct);
            pixels = ArrayPool<byte>.Shared.Rent(width * height * 4);
            var facts = await PixelsAsync(guest, wish, pixels, width * height * 4, ct);
            await encoders.WaitAsync(ct);
            try
            {
                var begun = Stopwatch.GetTimestamp();
                using var made = await Task.Run(() => PictureEncoder.Encode(pixels, width, height, wish), CancellationToken.None);
                return new PictureReply(made.ToArray(), wish.ContentType, Timing(facts.GrabUs, (long)Stopwatch.GetElapsedTime(begun).TotalMicroseconds));
            }
            finally
            {
                encoders.Release();
            }
        }
        finally
        {
            if (pixels is not null)
                ArrayPool<byte>.Shared.Return(pixels);
            places.Release();
        }
    }

    private static async Task<(int Width, int Height)> SizeAsync(GuestConnection guest, CancellationToken ct)
    {
        var desktop = await guest.DesktopStatusAsync(ct);
        return desktop is { Width: > 0 and <= DesktopLimits.MaxWidth, Height: > 0 and <= DesktopLimits.MaxHeight }
            ? (desktop.Width, desktop.Height)
            : throw new GuestException(GuestErrorCode.Failed, desktop.Reason ?? $"the desktop is {desktop.State}");
    }

    private static async Task<ScreenshotReply> PixelsAsync(GuestConnection guest, PictureWish wish, byte[] pixels, int length, CancellationToken ct)
    {
        var call = await guest.OpenScreenshotAsync(CallOf(wish, DesktopWord.Raw), ct);
        var count = 0;
        try
        {
            for (var chunk = await call.NextAsync(ct); !chunk.IsEnd; chunk = await call.NextAsync(ct))
            {
                if (count + chunk.Bytes.Length > length)
                {
                    await call.CancelAsync();
                    throw Resized();
                }
                chunk.Bytes.CopyTo(pixels.AsSpan(count));
                count += (int)chunk.Bytes.Length;
            }
        }
        catch (OperationCanceledException)
        {
            await call.CancelAsync();
            throw;
        }
        var facts = await call.ReplyAsync(GuestJson.Wire.ScreenshotReply, ct);
        return count == length ? facts : throw Resized();
    }

    private static GuestException Resized() => new(GuestErrorCode.Busy, "the screen changed its size at this moment: take the screenshot again");

    private static string Timing(long grabUs, long encodeUs) =>
        string.Create(CultureInfo.InvariantCulture, $"grab;dur={grabUs / 1000.0:0.###}, encode;dur={encodeUs / 1000.0:0.###}");

    private static void Head(HttpContext context, string contentType)
    {
        context.Response.ContentType = contentType;
        context.Response.Headers.CacheControl = "no-store";
        // What it is was said by a machine that may send anything.
        context.Response.Headers.XContentTypeOptions = "nosniff";
    }

    private sealed class PictureReply(ReadOnlyMemory<byte> picture, string contentType, string timing) : IResult
    {
        public async Task ExecuteAsync(HttpContext httpContext)
        {
            Head(httpContext, contentType);
            httpContext.Response.Headers["Server-Timing"] = timing;
            httpContext.Response.ContentLength = picture.Length;
            if (!HttpMethods.IsHead(httpContext.Request.Method))
                await httpContext.Response.Body.WriteAsync(picture, httpContext.RequestAborted);
        }
    }

    /// <summary>A large one, on its way to the end.</summary>
    private sealed class PictureStream(GuestCall call, ArrayBufferWriter<byte> held, string contentType) : IResult
    {
        public async Task ExecuteAsync(HttpContext httpContext)
        {
            var ct = httpContext.RequestAborted;
            try
            {
                Head(httpContext, contentType);
                await httpContext.Response.Body.WriteAsync(held.WrittenMemory, ct);
                held.Clear();
                for (var chunk = await call.NextAsync(ct); !chunk.IsEnd; chunk = await call.NextAsync(ct))
                {
                    foreach (var part in chunk.Bytes)
                        await httpContext.Response.Body.WriteAsync(part, ct);
                }
                await call.EndAsync(ct);
            }
            catch (GuestException)
            {
                // The head is out: half a picture must not look like a whole one.
                httpContext.Abort();
            }
            finally
            {
                call.Abandon();
            }
        }
    }
}
