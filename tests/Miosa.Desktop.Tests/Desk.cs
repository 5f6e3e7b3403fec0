using System.Text;
using System.Text.Json;
using Miosa.Guest;
using Miosa.Runtime.Tests;
using Miosa.Server.Guests;

namespace Miosa.Desktop.Tests;

/// <summary>The verbs as tests say them.</summary>
internal static class Desk
{
    public static Task<GuestDesktop> StatusAsync(this DesktopFixture desktop) => desktop.CallAsync(
        GuestVerb.DesktopStatus, new DesktopCall { Verb = GuestVerb.DesktopStatus }, GuestJson.Wire.DesktopCall, GuestJson.Wire.GuestDesktop);

    public static async Task<Picture> ScreenshotAsync(this DesktopFixture desktop, ScreenshotCall call)
    {
        var (reply, data) = await desktop.CallWithDataAsync(GuestVerb.DesktopScreenshot, call, GuestJson.Wire.ScreenshotCall, GuestJson.Wire.ScreenshotReply);
        var picture = call.Format == DesktopWord.Raw ? Picture.FromRaw(data, reply.Width) : Picture.FromPng(data);
        Assert.Equal((reply.Width, reply.Height), (picture.Width, picture.Height));
        return picture;
    }

    public static Task<PointerReply> PointAsync(this DesktopFixture desktop, PointerCall call) =>
        desktop.CallAsync(GuestVerb.DesktopPointer, call, GuestJson.Wire.PointerCall, GuestJson.Wire.PointerReply);

    public static Task<PointerReply> ScrollAsync(this DesktopFixture desktop, ScrollCall call) =>
        desktop.CallAsync(GuestVerb.DesktopScroll, call, GuestJson.Wire.ScrollCall, GuestJson.Wire.PointerReply);

    public static Task<PointerReply> DragAsync(this DesktopFixture desktop, DragCall call) =>
        desktop.CallAsync(GuestVerb.DesktopDrag, call, GuestJson.Wire.DragCall, GuestJson.Wire.PointerReply);

    public static Task<TypeReply> TypeAsync(this DesktopFixture desktop, string text, int delayMs = 0) => desktop.TypeAsync(Encoding.UTF8.GetBytes(text), delayMs);

    public static Task<TypeReply> TypeAsync(this DesktopFixture desktop, byte[] text, int delayMs = 0) =>
        desktop.CallAsync(GuestVerb.DesktopType, new TypeCall { DelayMs = delayMs }, GuestJson.Wire.TypeCall, GuestJson.Wire.TypeReply, text);

    public static Task<Done> KeysAsync(this DesktopFixture desktop, params string[] keys) =>
        desktop.CallAsync(GuestVerb.DesktopKeys, new KeysCall { Keys = keys }, GuestJson.Wire.KeysCall, GuestJson.Wire.Done);

    public static async Task<string> GetClipboardAsync(this DesktopFixture desktop)
    {
        var (reply, data) = await desktop.CallWithDataAsync(
            GuestVerb.DesktopClipboardGet, new DesktopCall { Verb = GuestVerb.DesktopClipboardGet }, GuestJson.Wire.DesktopCall, GuestJson.Wire.ClipboardReply);
        Assert.Equal(reply.Size, data.Length);
        return Encoding.UTF8.GetString(data);
    }

    public static Task<ClipboardReply> SetClipboardAsync(this DesktopFixture desktop, string text) => desktop.CallAsync(
        GuestVerb.DesktopClipboardSet, new DesktopCall { Verb = GuestVerb.DesktopClipboardSet }, GuestJson.Wire.DesktopCall, GuestJson.Wire.ClipboardReply,
        Encoding.UTF8.GetBytes(text));

    public static async Task<GuestWindow[]> WindowsAsync(this DesktopFixture desktop)
    {
        var reply = await desktop.CallAsync(
            GuestVerb.DesktopWindows, new DesktopCall { Verb = GuestVerb.DesktopWindows }, GuestJson.Wire.DesktopCall, GuestJson.Wire.WindowsReply);
        return [.. reply.Windows!.Select(window => window!)];
    }

    public static Task<GuestWindow> WindowAsync(this DesktopFixture desktop, WindowCall call) =>
        desktop.CallAsync(GuestVerb.DesktopWindow, call, GuestJson.Wire.WindowCall, GuestJson.Wire.GuestWindow);

    public static Task<GuestDesktop> ResizeAsync(this DesktopFixture desktop, int width, int height) => desktop.CallAsync(
        GuestVerb.DesktopResize, new DesktopResizeCall { Width = width, Height = height }, GuestJson.Wire.DesktopResizeCall, GuestJson.Wire.GuestDesktop);

    /// <summary>Starts a program and waits for its window, which has the focus then.</summary>
    public static async Task<GuestWindow> OpenAsync(this DesktopFixture desktop, string command, string title)
    {
        await desktop.RunAsync($"setsid {command} </dev/null >/tmp/{title}.log 2>&1 & echo $! > /tmp/{title}.pid");
        GuestWindow? opened = null;
        await Eventually.TrueAsync(async () => (opened = (await desktop.WindowsAsync()).FirstOrDefault(window => window.Title == title)) is not null, title);
        return await desktop.WindowAsync(new WindowCall { Id = opened!.Id, Action = DesktopWord.Focus });
    }

    /// <summary>A terminal whose keys all go into a file, as they come.</summary>
    public static async Task<GuestWindow> OpenRecorderAsync(this DesktopFixture desktop, string title)
    {
        await desktop.RunAsync($"rm -f /tmp/{title}; printf 'stty raw -echo; touch /tmp/{title}; exec cat > /tmp/{title}' > /tmp/{title}.sh");
        var window = await desktop.OpenAsync($"xterm -geometry 90x24+100+100 -T {title} -e sh /tmp/{title}.sh", title);
        await Eventually.TrueAsync(async () => await desktop.RunAsync($"[ -e /tmp/{title} ] && echo yes || true") == "yes\n", "the recorder");
        return window;
    }

    public static async Task CloseAsync(this DesktopFixture desktop, GuestWindow window)
    {
        await desktop.WindowAsync(new WindowCall { Id = window.Id, Action = DesktopWord.Close });
        await Eventually.TrueAsync(async () => (await desktop.WindowsAsync()).All(one => one.Id != window.Id), "the end of the window");
    }

    /// <summary>Waits until a file of the machine has so many bytes, and gives them.</summary>
    public static async Task<string> ReadAsync(this DesktopFixture desktop, string path, int bytes)
    {
        await Eventually.TrueAsync(async () => int.Parse(await desktop.RunAsync($"wc -c < {path}"), null) >= bytes, $"{bytes} bytes in {path}");
        return await desktop.RunAsync("cat " + path);
    }

    public static async Task<GuestException> RefusedAsync(this DesktopFixture desktop, string verb, string json, byte[]? body = null)
    {
        using var arguments = JsonDocument.Parse(json);
        var whole = new Dictionary<string, JsonElement>();
        foreach (var property in arguments.RootElement.EnumerateObject())
            whole[property.Name] = property.Value;
        whole["verb"] = JsonDocument.Parse($"\"{verb}\"").RootElement;
        var type = (System.Text.Json.Serialization.Metadata.JsonTypeInfo<Dictionary<string, JsonElement>>)JsonSerializerOptions.Default.GetTypeInfo(typeof(Dictionary<string, JsonElement>));
        return await Assert.ThrowsAsync<GuestException>(() => desktop.CallAsync(verb, whole, type, GuestJson.Wire.Done, body));
    }
}
