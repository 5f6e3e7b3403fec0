namespace Miosa;

/// <summary>A position in pixels of the screen; (0, 0) is the corner at the top left.</summary>
public sealed record DesktopPoint
{
    /// <summary>Pixels from the left edge.</summary>
    public required int X { get; init; }

    /// <summary>Pixels from the top edge.</summary>
    public required int Y { get; init; }
}

/// <summary>A rectangle of the screen, in pixels.</summary>
public sealed record DesktopRegion
{
    /// <summary>Left edge.</summary>
    public required int X { get; init; }

    /// <summary>Top edge.</summary>
    public required int Y { get; init; }

    /// <summary>Width, at least 1 where a region is asked for.</summary>
    public required int Width { get; init; }

    /// <summary>Height, at least 1 where a region is asked for.</summary>
    public required int Height { get; init; }
}

/// <summary>The size of the screen in pixels.</summary>
public sealed record DesktopScreenSize
{
    /// <summary>Width.</summary>
    public required int Width { get; init; }

    /// <summary>Height.</summary>
    public required int Height { get; init; }
}

/// <summary>The size of a window's content in pixels.</summary>
public sealed record DesktopWindowSize
{
    /// <summary>Width.</summary>
    public required int Width { get; init; }

    /// <summary>Height.</summary>
    public required int Height { get; init; }
}

/// <summary>Facts about the desktop.</summary>
public sealed record DesktopEnvironment
{
    /// <summary>The window manager, such as <c>openbox</c>.</summary>
    public string? Name { get; init; }

    /// <summary>Always <c>x11</c> on this server.</summary>
    public string? SessionType { get; init; }

    /// <summary>Such as <c>1280x720</c>.</summary>
    public string? Resolution { get; init; }

    /// <summary>Width of the screen in pixels.</summary>
    public int? Width { get; init; }

    /// <summary>Height of the screen in pixels.</summary>
    public int? Height { get; init; }

    /// <summary>Bits of a pixel.</summary>
    public int? ColorDepth { get; init; }

    /// <summary>What programs inside have in <c>DISPLAY</c>.</summary>
    public string? Display { get; init; }

    /// <summary><c>running</c>, <c>starting</c>, <c>stopped</c> or <c>failed</c>.</summary>
    public string? State { get; init; }

    /// <summary>Why it is not running.</summary>
    public string? Reason { get; init; }

    /// <summary>How often a part of it (X server, window manager, panel) died and was started again since the computer was started.</summary>
    public int Restarts { get; init; }
}

/// <summary>A window on the desktop. The geometry is that of its content, without the title bar and the frame.</summary>
public sealed record DesktopWindow
{
    /// <summary>Its id, decimal digits.</summary>
    public required string Id { get; init; }

    /// <summary>Its title.</summary>
    public required string Title { get; init; }

    /// <summary>The application's own name for its windows (the class of WM_CLASS).</summary>
    public string? App { get; init; }

    /// <summary>The process inside the computer, when it told.</summary>
    public int? Pid { get; init; }

    /// <summary>Left edge; may be negative.</summary>
    public int X { get; init; }

    /// <summary>Top edge; may be negative.</summary>
    public int Y { get; init; }

    /// <summary>Width.</summary>
    public int Width { get; init; }

    /// <summary>Height.</summary>
    public int Height { get; init; }

    /// <summary>It gets what is typed.</summary>
    public bool Focused { get; init; }

    /// <summary>The same as <see cref="Focused"/>.</summary>
    public bool IsFocused { get; init; }

    /// <summary>It is only in the panel.</summary>
    public bool Minimized { get; init; }

    /// <summary>It fills the screen.</summary>
    public bool Maximized { get; init; }
}

/// <summary>One element of the visible interface, as its application tells assistive technologies (AT-SPI).</summary>
public sealed record DesktopAccessibilityNode
{
    /// <summary>What it is, such as <c>push button</c>; the root is the <c>desktop frame</c>.</summary>
    public required string Role { get; init; }

    /// <summary>Its label; may be empty.</summary>
    public required string Name { get; init; }

    /// <summary>A longer label; may be empty.</summary>
    public string? Description { get; init; }

    /// <summary>Where it is on the screen; null for what is not shown.</summary>
    public DesktopRegion? Bounds { get; init; }

    /// <summary>Such as <c>focused</c>, <c>enabled</c>, <c>showing</c>.</summary>
    public IReadOnlyList<string> States { get; init; } = [];

    /// <summary>What can be done with it, such as <c>click</c>.</summary>
    public IReadOnlyList<string> Actions { get; init; } = [];

    /// <summary>What is in it.</summary>
    public IReadOnlyList<DesktopAccessibilityNode> Children { get; init; } = [];
}

/// <summary>A desktop action was done.</summary>
public sealed record DesktopActionResult
{
    /// <summary>Always true: what fails is an error.</summary>
    public bool Success { get; init; } = true;

    /// <summary>Same as <see cref="Success"/>.</summary>
    public bool Ok { get; init; } = true;

    /// <summary>A remark.</summary>
    public string? Message { get; init; }
}

/// <summary>The names of mouse buttons.</summary>
public static class DesktopMouseButton
{
    /// <summary>The left one, which is the default everywhere.</summary>
    public const string Left = "left";

    /// <summary>The middle one.</summary>
    public const string Middle = "middle";

    /// <summary>The right one.</summary>
    public const string Right = "right";
}

/// <summary>The directions of <c>scroll</c>.</summary>
public static class DesktopScrollDirection
{
    /// <summary>Towards the top.</summary>
    public const string Up = "up";

    /// <summary>Towards the bottom; the default.</summary>
    public const string Down = "down";

    /// <summary>To the left.</summary>
    public const string Left = "left";

    /// <summary>To the right.</summary>
    public const string Right = "right";
}

/// <summary>The formats of screenshots.</summary>
public static class DesktopImageFormat
{
    /// <summary>Without loss; the default.</summary>
    public const string Png = "png";

    /// <summary>With loss; <c>quality</c> says how much.</summary>
    public const string Jpeg = "jpeg";

    /// <summary>With loss, smaller than JPEG and slower to make.</summary>
    public const string Webp = "webp";
}

/// <summary>How a wallpaper fills the screen.</summary>
public static class DesktopWallpaperMode
{
    /// <summary>The whole screen, cut where the shapes differ; the default.</summary>
    public const string Fill = "fill";

    /// <summary>The whole picture, with bars where the shapes differ.</summary>
    public const string Fit = "fit";

    /// <summary>In its own size, in the middle.</summary>
    public const string Center = "center";

    /// <summary>The whole screen, distorted where the shapes differ.</summary>
    public const string Stretch = "stretch";

    /// <summary>In its own size, again and again.</summary>
    public const string Tile = "tile";
}

/// <summary>The windows, under both names that clients read.</summary>
internal sealed record DesktopWindowList
{
    public required IReadOnlyList<DesktopWindow> Data { get; init; }
    public required IReadOnlyList<DesktopWindow> Windows { get; init; }
}

/// <summary>The text of the clipboard; a request and an answer.</summary>
internal sealed record DesktopClipboard
{
    public required string Text { get; init; }
}

/// <summary>What a screenshot is to be; the query of the GET has the same names. Null is the default: all of the screen as PNG.</summary>
internal sealed record DesktopScreenshotRequest
{
    public int? X { get; init; }
    public int? Y { get; init; }
    public int? Width { get; init; }
    public int? Height { get; init; }
    public string? Format { get; init; }
    public int? Quality { get; init; }
    public double? Scale { get; init; }
}

internal sealed record DesktopClickRequest
{
    public int? X { get; init; }
    public int? Y { get; init; }
    public string? Button { get; init; }
}

internal sealed record DesktopDragRequest
{
    public int StartX { get; init; }
    public int StartY { get; init; }
    public int EndX { get; init; }
    public int EndY { get; init; }
    public string? Button { get; init; }
    public int? DurationMs { get; init; }
}

internal sealed record DesktopScrollRequest
{
    public string? Direction { get; init; }
    public int? Amount { get; init; }
    public int? X { get; init; }
    public int? Y { get; init; }
}

internal sealed record DesktopTypeRequest
{
    public required string Text { get; init; }
    public int? Delay { get; init; }
}

internal sealed record DesktopKeyRequest
{
    public required string Key { get; init; }
}

internal sealed record DesktopHotkeyRequest
{
    public required IReadOnlyList<string> Keys { get; init; }
}

internal sealed record DesktopWallpaperRequest
{
    public string? Url { get; init; }
    public string? Path { get; init; }
    public string? Mode { get; init; }
}

internal sealed record DesktopLaunchRequest
{
    public required string App { get; init; }
    public IReadOnlyList<string>? Args { get; init; }
}

internal sealed record DesktopWaitRequest
{
    public double Seconds { get; init; }
}

internal sealed record DesktopWindowFocusRequest
{
    public required string WindowId { get; init; }
}
