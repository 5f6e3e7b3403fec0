namespace Miosa.Guest;

// A property with a default has a setter: the generated reader would give an init-only one that is missing in the JSON its type's default.

/// <summary>The bounds of the desktop verbs, which both sides check.</summary>
internal static class DesktopLimits
{
    public const int MinWidth = 320;
    public const int MaxWidth = 3840;
    public const int MinHeight = 240;
    public const int MaxHeight = 2160;
    public const int DefaultWidth = 1280;
    public const int DefaultHeight = 720;
    public const int DefaultLevel = 3;
    public const int MaxClicks = 3;
    public const int MaxScroll = 1000;
    public const int MaxDragMs = 5000;
    public const int MaxKeys = 16;
    public const int MaxTypeDelayMs = 1000;
    public const int MaxTextBytes = 1 << 20;
    public const int MaxWindows = 256;
    public const int MaxTitleBytes = 512;
    public const int MaxIdleMs = 86_400_000;
    public const int DefaultTreeNodes = 5000;
    public const int MaxTreeNodes = 20_000;
    public const int MaxTreeDepth = 64;
}

/// <summary>The values of <see cref="GuestDesktop.State"/>.</summary>
internal static class DesktopState
{
    public const string Stopped = "stopped";
    public const string Starting = "starting";
    public const string Running = "running";
    public const string Failed = "failed";
}

/// <summary>The words of the input verbs.</summary>
internal static class DesktopWord
{
    public const string Move = "move";
    public const string Down = "down";
    public const string Up = "up";
    public const string Click = "click";
    public const string Press = "press";
    public const string Left = "left";
    public const string Middle = "middle";
    public const string Right = "right";
    public const string Png = "png";
    public const string Raw = "raw";
    public const string Focus = "focus";
    public const string Close = "close";
    public const string Maximize = "maximize";
    public const string Minimize = "minimize";
    public const string Restore = "restore";
    public const string Resize = "resize";
}

/// <summary>Starts the desktop of the machine's image; answered at once by one that runs.</summary>
internal sealed record DesktopStartCall
{
    public string Verb { get; init; } = GuestVerb.DesktopStart;
    public int Width { get; set; } = DesktopLimits.DefaultWidth;
    public int Height { get; set; } = DesktopLimits.DefaultHeight;
}

internal sealed record DesktopResizeCall
{
    public string Verb { get; init; } = GuestVerb.DesktopResize;
    public int Width { get; init; }
    public int Height { get; init; }
}

/// <summary>A verb without arguments: <c>desktop.status</c>, <c>.cursor</c>, <c>.clipboard.get</c>, <c>.clipboard.set</c>, <c>.windows</c>,
/// <c>.apps</c> and <c>.vnc</c>.</summary>
internal sealed record DesktopCall
{
    public string? Verb { get; init; }
}

internal sealed record GuestDesktop
{
    /// <summary>One of <see cref="DesktopState"/>.</summary>
    public string? State { get; init; }

    public int Width { get; init; }
    public int Height { get; init; }

    /// <summary>The X display, ":1".</summary>
    public string? Display { get; init; }

    /// <summary>Why it cannot run.</summary>
    public string? Reason { get; init; }

    /// <summary>How many parts of it have been started again since it was started.</summary>
    public int Restarts { get; init; }
}

internal sealed record ScreenshotCall
{
    public string Verb { get; init; } = GuestVerb.DesktopScreenshot;

    /// <summary>The region, in pixels: all four or none.</summary>
    public int? X { get; init; }

    public int? Y { get; init; }
    public int? Width { get; init; }
    public int? Height { get; init; }

    /// <summary><c>png</c> or <c>raw</c>: four bytes a pixel, blue, green, red and one unused.</summary>
    public string? Format { get; init; }

    /// <summary>The effort of the PNG, 1 to 9.</summary>
    public int Level { get; set; } = DesktopLimits.DefaultLevel;

    /// <summary>Whether the pointer is drawn in.</summary>
    public bool Cursor { get; set; } = true;
}

internal sealed record ScreenshotReply
{
    public int Width { get; init; }
    public int Height { get; init; }
    public long GrabUs { get; init; }
    public long EncodeUs { get; init; }
}

internal sealed record PointerCall
{
    public string Verb { get; init; } = GuestVerb.DesktopPointer;

    /// <summary><c>move</c>, <c>down</c>, <c>up</c> or <c>click</c>.</summary>
    public string? Action { get; init; }

    public int? X { get; init; }
    public int? Y { get; init; }

    /// <summary><c>left</c> when null.</summary>
    public string? Button { get; init; }

    public int Count { get; set; } = 1;
}

internal sealed record DragCall
{
    public string Verb { get; init; } = GuestVerb.DesktopDrag;
    public int? FromX { get; init; }
    public int? FromY { get; init; }
    public int? ToX { get; init; }
    public int? ToY { get; init; }
    public string? Button { get; init; }
    public int DurationMs { get; set; } = 100;
}

internal sealed record ScrollCall
{
    public string Verb { get; init; } = GuestVerb.DesktopScroll;

    /// <summary><c>up</c>, <c>down</c>, <c>left</c> or <c>right</c>.</summary>
    public string? Direction { get; init; }

    /// <summary>Notches of the wheel.</summary>
    public int Amount { get; init; }

    public int? X { get; init; }
    public int? Y { get; init; }
}

/// <summary>Where the pointer is.</summary>
internal sealed record PointerReply
{
    public int X { get; init; }
    public int Y { get; init; }
}

internal sealed record TypeCall
{
    public string Verb { get; init; } = GuestVerb.DesktopType;

    /// <summary>Milliseconds between two characters.</summary>
    public int DelayMs { get; init; }
}

internal sealed record TypeReply
{
    /// <summary>Unicode scalar values that were typed.</summary>
    public int Characters { get; init; }
}

internal sealed record KeysCall
{
    public string Verb { get; init; } = GuestVerb.DesktopKeys;
    public string[]? Keys { get; init; }

    /// <summary><c>press</c> (default), <c>down</c> or <c>up</c>.</summary>
    public string? Action { get; init; }
}

internal sealed record ClipboardReply
{
    /// <summary>Bytes of UTF-8.</summary>
    public int Size { get; init; }
}

internal sealed record WindowsReply
{
    public GuestWindow?[]? Windows { get; init; }
}

internal sealed record GuestWindow
{
    public string? Id { get; init; }
    public string? Title { get; init; }

    /// <summary>The class of WM_CLASS.</summary>
    public string? App { get; init; }

    public int Pid { get; init; }
    public int X { get; init; }
    public int Y { get; init; }
    public int Width { get; init; }
    public int Height { get; init; }
    public bool Focused { get; init; }
    public bool Minimized { get; init; }
    public bool Maximized { get; init; }
}

internal sealed record WindowCall
{
    public string Verb { get; init; } = GuestVerb.DesktopWindow;
    public string? Id { get; init; }

    /// <summary><c>focus</c>, <c>close</c>, <c>maximize</c>, <c>minimize</c>, <c>restore</c>, <c>move</c> or <c>resize</c>.</summary>
    public string? Action { get; init; }

    public int? X { get; init; }
    public int? Y { get; init; }
    public int? Width { get; init; }
    public int? Height { get; init; }
}

internal sealed record LaunchCall
{
    public string Verb { get; init; } = GuestVerb.DesktopLaunch;

    /// <summary>The name of an installed application, or a command line.</summary>
    public string? App { get; init; }

    public string[]? Args { get; init; }
}

internal sealed record LaunchReply
{
    public int Pid { get; init; }
    public string? App { get; init; }
}

internal sealed record AppsReply
{
    public GuestApp?[]? Apps { get; init; }
}

/// <summary>An installed application, as its file in /usr/share/applications tells it.</summary>
internal sealed record GuestApp
{
    public string? Id { get; init; }
    public string? Name { get; init; }
    public string? Command { get; init; }
    public string?[]? Categories { get; init; }
    public string? Comment { get; init; }
}

internal sealed record WallpaperCall
{
    public string Verb { get; init; } = GuestVerb.DesktopWallpaper;

    /// <summary>The picture's path in the machine.</summary>
    public string? Path { get; init; }

    /// <summary><c>fill</c> (default), <c>fit</c>, <c>center</c>, <c>stretch</c> or <c>tile</c>.</summary>
    public string? Mode { get; init; }
}

internal sealed record TreeCall
{
    public string Verb { get; init; } = GuestVerb.DesktopTree;

    /// <summary>0: as deep as it goes.</summary>
    public int MaxDepth { get; init; }

    public int MaxNodes { get; set; } = DesktopLimits.DefaultTreeNodes;
}

internal sealed record TreeReply
{
    public int Nodes { get; init; }
    public bool Truncated { get; init; }
}

internal sealed record VncReply
{
    public long BytesIn { get; init; }
    public long BytesOut { get; init; }
}

internal sealed record DesktopWatchCall
{
    public string Verb { get; init; } = GuestVerb.DesktopWatch;

    /// <summary>After how many milliseconds without input <c>idle.inactive</c> is told; 0: never.</summary>
    public int IdleMs { get; init; }

    /// <summary>Whether <c>clipboard.changed</c> is told. For its size the text is read, which a program that hands long ones to one at a time may feel.</summary>
    public bool Clipboard { get; init; }
}

/// <summary>The values of <see cref="GuestDesktopEvent.Event"/>.</summary>
internal static class DesktopEvent
{
    /// <summary>The first line: from here on nothing is missed.</summary>
    public const string Watching = "watching";

    public const string WindowOpened = "window.opened";
    public const string WindowClosed = "window.closed";
    public const string WindowFocusChanged = "window.focus_changed";
    public const string ClipboardChanged = "clipboard.changed";
    public const string IdleInactive = "idle.inactive";
    public const string IdleActive = "idle.active";
    public const string Restarted = "desktop.restarted";
    public const string Failed = "desktop.failed";
    public const string Resized = "desktop.resized";
}

/// <summary>One line of <c>desktop.watch</c>.</summary>
internal sealed record GuestDesktopEvent
{
    public string? Event { get; init; }
    public long AtMs { get; init; }
    public string? WindowId { get; init; }
    public int? Pid { get; init; }
    public string? Title { get; init; }
    public string? App { get; init; }
    public int? SizeBytes { get; init; }
    public long? IdleMs { get; init; }

    /// <summary>What was started again: <c>screen</c>, <c>agent</c>, <c>bus</c>, <c>window manager</c> or <c>panel</c>.</summary>
    public string? Part { get; init; }

    public string? Reason { get; init; }
    public int? Width { get; init; }
    public int? Height { get; init; }
}
