using System.Buffers;
using System.Text;
using System.Text.Json.Serialization.Metadata;
using Miosa.Guest;

namespace Miosa.Server.Guests;

/// <summary>The desktop of a machine, as its guest offers it. What comes back is checked and bounded here: the machine may send anything.</summary>
internal static class DesktopVerbs
{
    /// <summary>The longest accessibility tree that is taken: some hundreds of bytes for each of its nodes.</summary>
    private const int MaxTreeBytes = 24 * 1024 * 1024;

    public static async Task<GuestDesktop> DesktopStatusAsync(this GuestConnection guest, CancellationToken ct) =>
        await AskAsync(guest, GuestVerb.DesktopStatus, new DesktopCall { Verb = GuestVerb.DesktopStatus }, GuestJson.Wire.DesktopCall, GuestJson.Wire.GuestDesktop, ct);

    /// <summary>A picture on its way; its bytes are on the call, its facts in the reply.</summary>
    public static ValueTask<GuestCall> OpenScreenshotAsync(this GuestConnection guest, ScreenshotCall call, CancellationToken ct) =>
        guest.OpenAsync(GuestVerb.DesktopScreenshot, call, GuestJson.Wire.ScreenshotCall, takesData: true, ct);

    public static Task<PointerReply> PointerAsync(this GuestConnection guest, PointerCall call, CancellationToken ct) =>
        AskAsync(guest, GuestVerb.DesktopPointer, call, GuestJson.Wire.PointerCall, GuestJson.Wire.PointerReply, ct);

    public static Task<PointerReply> DragAsync(this GuestConnection guest, DragCall call, CancellationToken ct) =>
        AskAsync(guest, GuestVerb.DesktopDrag, call, GuestJson.Wire.DragCall, GuestJson.Wire.PointerReply, ct);

    public static Task<PointerReply> ScrollAsync(this GuestConnection guest, ScrollCall call, CancellationToken ct) =>
        AskAsync(guest, GuestVerb.DesktopScroll, call, GuestJson.Wire.ScrollCall, GuestJson.Wire.PointerReply, ct);

    public static Task<PointerReply> CursorAsync(this GuestConnection guest, CancellationToken ct) =>
        AskAsync(guest, GuestVerb.DesktopCursor, new DesktopCall { Verb = GuestVerb.DesktopCursor }, GuestJson.Wire.DesktopCall, GuestJson.Wire.PointerReply, ct);

    public static async Task TypeAsync(this GuestConnection guest, byte[] text, int delayMs, CancellationToken ct)
    {
        var call = await guest.OpenAsync(GuestVerb.DesktopType, new TypeCall { DelayMs = delayMs }, GuestJson.Wire.TypeCall, takesData: false, ct);
        await GuestBody.SendAsync(call, new MemoryStream(text, writable: false), ct);
        await call.ReplyAsync(GuestJson.Wire.TypeReply, ct);
    }

    public static Task KeysAsync(this GuestConnection guest, KeysCall call, CancellationToken ct) =>
        AskAsync(guest, GuestVerb.DesktopKeys, call, GuestJson.Wire.KeysCall, GuestJson.Wire.Done, ct);

    public static async Task SetClipboardAsync(this GuestConnection guest, byte[] text, CancellationToken ct)
    {
        var call = await guest.OpenAsync(GuestVerb.DesktopClipboardSet, new DesktopCall { Verb = GuestVerb.DesktopClipboardSet }, GuestJson.Wire.DesktopCall, takesData: false, ct);
        await GuestBody.SendAsync(call, new MemoryStream(text, writable: false), ct);
        await call.ReplyAsync(GuestJson.Wire.ClipboardReply, ct);
    }

    /// <summary>The text of the clipboard; what is no UTF-8 in it is replaced, for JSON cannot carry it.</summary>
    public static async Task<string> ClipboardAsync(this GuestConnection guest, CancellationToken ct)
    {
        var call = await guest.OpenAsync(GuestVerb.DesktopClipboardGet, new DesktopCall { Verb = GuestVerb.DesktopClipboardGet }, GuestJson.Wire.DesktopCall, takesData: true, ct);
        var text = await BodyAsync(call, DesktopLimits.MaxTextBytes, ct);
        await call.ReplyAsync(GuestJson.Wire.ClipboardReply, ct);
        return Encoding.UTF8.GetString(text.Span);
    }

    public static async Task<IReadOnlyList<GuestWindow>> WindowsAsync(this GuestConnection guest, CancellationToken ct)
    {
        var reply = await AskAsync(guest, GuestVerb.DesktopWindows, new DesktopCall { Verb = GuestVerb.DesktopWindows }, GuestJson.Wire.DesktopCall, GuestJson.Wire.WindowsReply, ct);
        return [.. (reply.Windows ?? []).OfType<GuestWindow>().Where(window => window.Id is not null).Take(DesktopLimits.MaxWindows)];
    }

    public static Task<GuestWindow> WindowAsync(this GuestConnection guest, WindowCall call, CancellationToken ct) =>
        AskAsync(guest, GuestVerb.DesktopWindow, call, GuestJson.Wire.WindowCall, GuestJson.Wire.GuestWindow, ct);

    public static Task<LaunchReply> LaunchAsync(this GuestConnection guest, LaunchCall call, CancellationToken ct) =>
        AskAsync(guest, GuestVerb.DesktopLaunch, call, GuestJson.Wire.LaunchCall, GuestJson.Wire.LaunchReply, ct);

    public static Task SetWallpaperAsync(this GuestConnection guest, WallpaperCall call, CancellationToken ct) =>
        AskAsync(guest, GuestVerb.DesktopWallpaper, call, GuestJson.Wire.WallpaperCall, GuestJson.Wire.Done, ct);

    /// <summary>The tree as JSON, as the machine sent it.</summary>
    public static async Task<(ReadOnlyMemory<byte> Json, bool IsTruncated)> TreeAsync(this GuestConnection guest, TreeCall call, CancellationToken ct)
    {
        var opened = await guest.OpenAsync(GuestVerb.DesktopTree, call, GuestJson.Wire.TreeCall, takesData: true, ct);
        var json = await BodyAsync(opened, MaxTreeBytes, ct);
        var reply = await opened.ReplyAsync(GuestJson.Wire.TreeReply, ct);
        return (json, reply.Truncated);
    }

    /// <summary>The RFB stream of the desktop. The X server speaks first.</summary>
    public static async Task<GuestPortStream> ConnectDesktopAsync(this GuestConnection guest, CancellationToken ct) =>
        new(await guest.OpenAsync(GuestVerb.DesktopVnc, new DesktopCall { Verb = GuestVerb.DesktopVnc }, GuestJson.Wire.DesktopCall, takesData: true, ct));

    private static async Task<TReply> AskAsync<TCall, TReply>(GuestConnection guest, string verb, TCall call, JsonTypeInfo<TCall> type, JsonTypeInfo<TReply> replyType, CancellationToken ct)
    {
        var opened = await guest.OpenAsync(verb, call, type, takesData: false, ct);
        return await opened.ReplyAsync(replyType, ct);
    }

    private static async Task<ReadOnlyMemory<byte>> BodyAsync(GuestCall call, int limit, CancellationToken ct)
    {
        var body = new ArrayBufferWriter<byte>();
        try
        {
            for (var chunk = await call.NextAsync(ct); !chunk.IsEnd; chunk = await call.NextAsync(ct))
            {
                if (body.WrittenCount + chunk.Bytes.Length > limit)
                {
                    await call.CancelAsync();
                    throw new GuestException(GuestErrorCode.TooLarge, $"the machine sent more than {limit} bytes");
                }
                foreach (var part in chunk.Bytes)
                    body.Write(part.Span);
            }
        }
        catch (OperationCanceledException)
        {
            await call.CancelAsync();
            throw;
        }
        return body.WrittenMemory;
    }
}
