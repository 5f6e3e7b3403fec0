using System.Globalization;
using Miosa.Http;

namespace Miosa;

/// <summary>
/// The calls of the group Desktop, as values. What acts on the desktop is not sent again once it may have begun: a second click is another click.
/// What only sets something, as a move does, is.
/// </summary>
internal static class DesktopCalls
{
    private const string Images = "image/png, image/jpeg, image/webp";

    /// <summary>What a key takes at most, applications that are slow to read included.</summary>
    private static readonly TimeSpan KeyTime = TimeSpan.FromMilliseconds(0.5);

    public static Call<byte[]> Screenshot(string id, string? format, int? quality, double? scale)
    {
        CheckImage(quality, scale);
        return new(
            HttpMethod.Get,
            Call.Query(Path(id) + "/screenshot", ("format", format), ("quality", Number(quality)), ("scale", scale?.ToString("R", CultureInfo.InvariantCulture))),
            static answer => answer.Body)
        {
            Accept = Images,
        };
    }

    public static Call<byte[]> Screenshot(string id, DesktopRegion region, string? format, int? quality, double? scale)
    {
        ArgumentNullException.ThrowIfNull(region);
        CheckImage(quality, scale);
        var request = new DesktopScreenshotRequest
        {
            X = region.X,
            Y = region.Y,
            Width = region.Width,
            Height = region.Height,
            Format = format,
            Quality = quality,
            Scale = scale,
        };
        return new(HttpMethod.Post, Path(id) + "/screenshot/region", static answer => answer.Body)
        {
            Json = Call.Body(request, RequestJson.Default.DesktopScreenshotRequest),
            Accept = Images,
        };
    }

    public static Call<bool> Click(string id, string verb, int? x, int? y, string? button)
    {
        if ((x is null) != (y is null))
            throw new ArgumentException("a position has both x and y, or neither for where the pointer is", x is null ? nameof(x) : nameof(y));
        return Act(id, verb) with { Json = Call.Body(new DesktopClickRequest { X = x, Y = y, Button = button }, RequestJson.Default.DesktopClickRequest) };
    }

    public static Call<bool> Move(string id, int x, int y) => Set(id, "move") with { Json = Call.Body(new DesktopPoint { X = x, Y = y }, RequestJson.Default.DesktopPoint) };

    public static Call<bool> Drag(string id, int startX, int startY, int endX, int endY, string? button, TimeSpan? duration)
    {
        var request = new DesktopDragRequest
        {
            StartX = startX,
            StartY = startY,
            EndX = endX,
            EndY = endY,
            Button = button,
            DurationMs = Milliseconds(duration, TimeSpan.FromSeconds(5), nameof(duration)),
        };
        return Act(id, "drag") with { Json = Call.Body(request, RequestJson.Default.DesktopDragRequest) };
    }

    public static Call<bool> Scroll(string id, string direction, int amount, int? x, int? y)
    {
        ArgumentException.ThrowIfNullOrEmpty(direction);
        if ((x is null) != (y is null))
            throw new ArgumentException("a position has both x and y, or neither for where the pointer is", x is null ? nameof(x) : nameof(y));
        return Act(id, "scroll") with
        {
            Json = Call.Body(new DesktopScrollRequest { Direction = direction, Amount = amount, X = x, Y = y }, RequestJson.Default.DesktopScrollRequest),
        };
    }

    public static Call<bool> Type(string id, string text, TimeSpan? delay)
    {
        ArgumentNullException.ThrowIfNull(text);
        var request = new DesktopTypeRequest { Text = text, Delay = Milliseconds(delay, TimeSpan.FromSeconds(1), nameof(delay)) };
        return Act(id, "type") with
        {
            Json = Call.Body(request, RequestJson.Default.DesktopTypeRequest),
            Takes = text.Length * ((delay ?? TimeSpan.Zero) + KeyTime),
        };
    }

    public static Call<bool> Key(string id, string verb, string key)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        return Act(id, verb) with { Json = Call.Body(new DesktopKeyRequest { Key = key }, RequestJson.Default.DesktopKeyRequest) };
    }

    public static Call<bool> Hotkey(string id, IReadOnlyList<string> keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        if (keys.Count == 0)
            throw new ArgumentException("a combination has at least one key", nameof(keys));
        return Act(id, "hotkey") with { Json = Call.Body(new DesktopHotkeyRequest { Keys = keys }, RequestJson.Default.DesktopHotkeyRequest) };
    }

    public static Call<string> GetClipboard(string id) => new(HttpMethod.Get, Path(id) + "/clipboard", static answer => answer.Whole(WireJson.Default.DesktopClipboard).Text);

    public static Call<bool> SetClipboard(string id, string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Set(id, "clipboard") with { Json = Call.Body(new DesktopClipboard { Text = text }, RequestJson.Default.DesktopClipboard) };
    }

    public static Call<bool> SetWallpaper(string id, string url, string? mode)
    {
        ArgumentException.ThrowIfNullOrEmpty(url);
        var isPath = url[0] == '/';
        var request = new DesktopWallpaperRequest { Url = isPath ? null : url, Path = isPath ? url : null, Mode = mode };
        return Set(id, "wallpaper") with { Json = Call.Body(request, RequestJson.Default.DesktopWallpaperRequest) };
    }

    public static Call<DesktopAccessibilityNode> AccessibilityTree(string id, int? maxDepth, int? maxNodes)
    {
        if (maxDepth is { } depth)
            ArgumentOutOfRangeException.ThrowIfLessThan(depth, 1, nameof(maxDepth));
        if (maxNodes is { } nodes)
            ArgumentOutOfRangeException.ThrowIfLessThan(nodes, 1, nameof(maxNodes));
        var path = Call.Query(Path(id) + "/accessibility-tree", ("max_depth", Number(maxDepth)), ("max_nodes", Number(maxNodes)));
        return new(HttpMethod.Get, path, static answer => answer.Whole(WireJson.Default.DesktopAccessibilityNode));
    }

    public static Call<DesktopPoint> Cursor(string id) => new(HttpMethod.Get, Path(id) + "/cursor", static answer => answer.Whole(WireJson.Default.DesktopPoint));

    public static Call<DesktopScreenSize> ScreenSize(string id) => new(HttpMethod.Get, Path(id) + "/screen-size", static answer => answer.Whole(WireJson.Default.DesktopScreenSize));

    public static Call<DesktopEnvironment> Environment(string id)
        => new(HttpMethod.Get, Path(id) + "/environment", static answer => answer.Whole(WireJson.Default.DesktopEnvironment));

    public static Call<IReadOnlyList<DesktopWindow>> Windows(string id)
        => new(HttpMethod.Get, Path(id) + "/windows", static answer => answer.Whole(WireJson.Default.DesktopWindowList).Data);

    public static Call<bool> Focus(string id, string windowId)
    {
        ArgumentException.ThrowIfNullOrEmpty(windowId);
        return Set(id, "window/focus") with { Json = Call.Body(new DesktopWindowFocusRequest { WindowId = windowId }, RequestJson.Default.DesktopWindowFocusRequest) };
    }

    public static Call<DesktopWindowSize> WindowSize(string id, string windowId)
        => new(HttpMethod.Get, WindowPath(id, windowId) + "/size", static answer => answer.Whole(WireJson.Default.DesktopWindowSize));

    public static Call<DesktopPoint> WindowPosition(string id, string windowId)
        => new(HttpMethod.Get, WindowPath(id, windowId) + "/position", static answer => answer.Whole(WireJson.Default.DesktopPoint));

    public static Call<bool> MoveWindow(string id, string windowId, int x, int y) => new(HttpMethod.Post, WindowPath(id, windowId) + "/move", Answer.Nothing)
    {
        Json = Call.Body(new DesktopPoint { X = x, Y = y }, RequestJson.Default.DesktopPoint),
    };

    public static Call<bool> ResizeWindow(string id, string windowId, int width, int height)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        return new(HttpMethod.Post, WindowPath(id, windowId) + "/resize", Answer.Nothing)
        {
            Json = Call.Body(new DesktopWindowSize { Width = width, Height = height }, RequestJson.Default.DesktopWindowSize),
        };
    }

    public static Call<bool> MaximizeWindow(string id, string windowId) => new(HttpMethod.Post, WindowPath(id, windowId) + "/maximize", Answer.Nothing);

    public static Call<bool> MinimizeWindow(string id, string windowId) => new(HttpMethod.Post, WindowPath(id, windowId) + "/minimize", Answer.Nothing);

    public static Call<bool> CloseWindow(string id, string windowId) => new(HttpMethod.Post, WindowPath(id, windowId) + "/close", Answer.Nothing)
    {
        Repeat = Repeat.UnlessBegun,
    };

    public static Call<bool> Launch(string id, string app, IReadOnlyList<string>? args)
    {
        ArgumentException.ThrowIfNullOrEmpty(app);
        return Act(id, "launch") with { Json = Call.Body(new DesktopLaunchRequest { App = app, Args = args }, RequestJson.Default.DesktopLaunchRequest) };
    }

    public static Call<bool> Wait(string id, TimeSpan time)
    {
        if (time < TimeSpan.Zero || time > TimeSpan.FromMinutes(1))
            throw new ArgumentOutOfRangeException(nameof(time), $"a wait has 0 to 60 seconds, not '{time.TotalSeconds:0.###}'");
        return Set(id, "wait") with { Json = Call.Body(new DesktopWaitRequest { Seconds = time.TotalSeconds }, RequestJson.Default.DesktopWaitRequest), Takes = time };
    }

    private static string Path(string id) => ComputerCalls.Path(id) + "/desktop";

    private static string WindowPath(string id, string windowId) => Call.Item(Path(id) + "/window", windowId);

    private static Call<bool> Act(string id, string verb) => Set(id, verb) with { Repeat = Repeat.UnlessBegun };

    private static Call<bool> Set(string id, string verb) => new(HttpMethod.Post, Path(id) + "/" + verb, Answer.Nothing);

    private static string? Number(int? value) => value?.ToString(CultureInfo.InvariantCulture);

    private static void CheckImage(int? quality, double? scale)
    {
        if (quality is < 1 or > 100)
            throw new ArgumentOutOfRangeException(nameof(quality), $"the quality is 1 to 100, not '{quality}'");
        if (scale is { } factor && !(factor >= 0.1 && factor <= 1))
            throw new ArgumentOutOfRangeException(nameof(scale), $"the scale is 0.1 to 1, not '{factor}'");
    }

    private static int? Milliseconds(TimeSpan? time, TimeSpan most, string name)
    {
        if (time is not { } value)
            return null;
        if (value < TimeSpan.Zero || value > most)
            throw new ArgumentOutOfRangeException(name, $"the time is 0 to {most.TotalSeconds:0} s, not '{value}'");
        return (int)Math.Round(value.TotalMilliseconds);
    }
}
