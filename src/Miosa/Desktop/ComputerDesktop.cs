using Miosa.Http;

namespace Miosa;

/// <summary>
/// The screen, the mouse and the keyboard of one computer. All positions are pixels; (0, 0) is the corner at the top left. What an input call did has
/// reached X when it returns; the application may take some milliseconds more to draw. Input is not sent again by itself once it may have happened.
/// Every call throws <see cref="ConflictException"/> when the computer does not run (start it) or its desktop is just being started again, and
/// <see cref="NotFoundException"/> when the tenant has no such computer any more.
/// </summary>
/// <example>
/// <code>
/// await computer.Desktop.LaunchAsync("mousepad");
/// await computer.Desktop.TypeAsync("Hello, World! 你好");
/// await computer.Desktop.KeyAsync("ctrl+s");
/// await computer.Desktop.SaveScreenshotAsync("screen.png");
/// </code>
/// </example>
public sealed class ComputerDesktop
{
    private readonly Pipeline pipeline;
    private readonly string id;

    internal ComputerDesktop(Pipeline pipeline, string id) => (this.pipeline, this.id) = (pipeline, id);

    /// <summary>The whole screen as it is now.</summary>
    /// <param name="format">One of <see cref="DesktopImageFormat"/>; default PNG.</param>
    /// <param name="quality">Quality of JPEG and WebP, 1 to 100; default: the server's, 80. Not for PNG, which has no loss.</param>
    /// <param name="scale">Factor of its size, 0.1 to 1; default 1. At 0.5 a position in the picture is half the position on the screen.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The picture's file, such as a PNG.</returns>
    /// <exception cref="ValidationException">The format is unknown, or a number out of range.</exception>
    public Task<byte[]> ScreenshotAsync(string? format = null, int? quality = null, double? scale = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Screenshot(id, format, quality, scale), cancellationToken);

    /// <inheritdoc cref="ScreenshotAsync"/>
    public byte[] Screenshot(string? format = null, int? quality = null, double? scale = null) => pipeline.Send(DesktopCalls.Screenshot(id, format, quality, scale));

    /// <summary>A part of the screen as it is now.</summary>
    /// <param name="x">Left edge in pixels.</param>
    /// <param name="y">Top edge in pixels.</param>
    /// <param name="width">Width in pixels, at least 1.</param>
    /// <param name="height">Height in pixels, at least 1.</param>
    /// <param name="format">One of <see cref="DesktopImageFormat"/>; default PNG.</param>
    /// <param name="quality">Quality of JPEG and WebP, 1 to 100; default: the server's, 80. Not for PNG, which has no loss.</param>
    /// <param name="scale">Factor of its size, 0.1 to 1; default 1. At 0.5 a position in the picture is half the position on the screen.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The picture's file, such as a PNG.</returns>
    /// <exception cref="ValidationException">The region is empty or not within the screen, the format unknown, or a number out of range.</exception>
    public Task<byte[]> ScreenshotRegionAsync(int x, int y, int width, int height, string? format = null, int? quality = null, double? scale = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Screenshot(id, new() { X = x, Y = y, Width = width, Height = height }, format, quality, scale), cancellationToken);

    /// <inheritdoc cref="ScreenshotRegionAsync"/>
    public byte[] ScreenshotRegion(int x, int y, int width, int height, string? format = null, int? quality = null, double? scale = null)
        => pipeline.Send(DesktopCalls.Screenshot(id, new() { X = x, Y = y, Width = width, Height = height }, format, quality, scale));

    /// <summary>Takes a screenshot and saves it; the file appears whole or not at all.</summary>
    /// <param name="localPath">The file to write, on this host; its folder must exist. Its extension says the format: .png, .jpg, .jpeg or .webp.</param>
    /// <param name="region">The part of the screen; default: all of it.</param>
    /// <param name="quality">Quality of JPEG and WebP, 1 to 100; default: the server's, 80.</param>
    /// <param name="scale">Factor of its size, 0.1 to 1; default 1.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is saved.</returns>
    /// <exception cref="ArgumentException">The extension is none of these.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public Task SaveScreenshotAsync(string localPath, DesktopRegion? region = null, int? quality = null, double? scale = null, CancellationToken cancellationToken = default)
        => SaveAsync(localPath, region, quality, scale, async: true, cancellationToken).AsTask();

    /// <inheritdoc cref="SaveScreenshotAsync"/>
    public void SaveScreenshot(string localPath, DesktopRegion? region = null, int? quality = null, double? scale = null)
        => Pipeline.Finished(SaveAsync(localPath, region, quality, scale, async: false, CancellationToken.None));

    /// <summary>Moves the pointer and clicks.</summary>
    /// <param name="x">Pixels from the left edge of the screen.</param>
    /// <param name="y">Pixels from the top edge of the screen.</param>
    /// <param name="button">One of <see cref="DesktopMouseButton"/>; default left.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when X has taken it: the next screenshot shows what the application has drawn by then.</returns>
    /// <exception cref="ValidationException">The position is outside the screen, or the button unknown; the message tells the bounds.</exception>
    public Task ClickAsync(int x, int y, string button = DesktopMouseButton.Left, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Click(id, "click", x, y, button), cancellationToken);

    /// <inheritdoc cref="ClickAsync(int, int, string, CancellationToken)"/>
    public void Click(int x, int y, string button = DesktopMouseButton.Left) => pipeline.Send(DesktopCalls.Click(id, "click", x, y, button));

    /// <summary>Clicks in the middle of an element of the accessibility tree.</summary>
    /// <param name="node">The element, from a tree that was read just now: windows move.</param>
    /// <param name="button">One of <see cref="DesktopMouseButton"/>; default left.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when X has taken it.</returns>
    /// <exception cref="ArgumentException">The element has no place on the screen.</exception>
    /// <exception cref="ValidationException">Its middle is outside the screen.</exception>
    public Task ClickAsync(DesktopAccessibilityNode node, string button = DesktopMouseButton.Left, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ClickCall(node, button), cancellationToken);

    /// <inheritdoc cref="ClickAsync(DesktopAccessibilityNode, string, CancellationToken)"/>
    public void Click(DesktopAccessibilityNode node, string button = DesktopMouseButton.Left) => pipeline.Send(ClickCall(node, button));

    /// <summary>Moves the pointer and clicks twice with the left button.</summary>
    /// <param name="x">Pixels from the left edge of the screen.</param>
    /// <param name="y">Pixels from the top edge of the screen.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when X has taken it.</returns>
    /// <exception cref="ValidationException">The position is outside the screen; the message tells the bounds.</exception>
    public Task DoubleClickAsync(int x, int y, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Click(id, "double-click", x, y, button: null), cancellationToken);

    /// <inheritdoc cref="DoubleClickAsync"/>
    public void DoubleClick(int x, int y) => pipeline.Send(DesktopCalls.Click(id, "double-click", x, y, button: null));

    /// <summary>Moves the pointer and clicks with the right button.</summary>
    /// <param name="x">Pixels from the left edge of the screen.</param>
    /// <param name="y">Pixels from the top edge of the screen.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when X has taken it.</returns>
    /// <exception cref="ValidationException">The position is outside the screen; the message tells the bounds.</exception>
    public Task RightClickAsync(int x, int y, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Click(id, "right-click", x, y, button: null), cancellationToken);

    /// <inheritdoc cref="RightClickAsync"/>
    public void RightClick(int x, int y) => pipeline.Send(DesktopCalls.Click(id, "right-click", x, y, button: null));

    /// <summary>Moves the pointer and clicks with the middle button.</summary>
    /// <param name="x">Pixels from the left edge of the screen.</param>
    /// <param name="y">Pixels from the top edge of the screen.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when X has taken it.</returns>
    /// <exception cref="ValidationException">The position is outside the screen; the message tells the bounds.</exception>
    public Task MiddleClickAsync(int x, int y, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Click(id, "click", x, y, DesktopMouseButton.Middle), cancellationToken);

    /// <inheritdoc cref="MiddleClickAsync"/>
    public void MiddleClick(int x, int y) => pipeline.Send(DesktopCalls.Click(id, "click", x, y, DesktopMouseButton.Middle));

    /// <summary>Moves the pointer.</summary>
    /// <param name="x">Pixels from the left edge of the screen.</param>
    /// <param name="y">Pixels from the top edge of the screen.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is there.</returns>
    /// <exception cref="ValidationException">The position is outside the screen; the message tells the bounds.</exception>
    public Task MoveAsync(int x, int y, CancellationToken cancellationToken = default) => pipeline.SendAsync(DesktopCalls.Move(id, x, y), cancellationToken);

    /// <inheritdoc cref="MoveAsync"/>
    public void Move(int x, int y) => pipeline.Send(DesktopCalls.Move(id, x, y));

    /// <summary>Presses a button, moves the pointer through points in between, and releases it.</summary>
    /// <param name="startX">Where to press, pixels from the left edge.</param>
    /// <param name="startY">Where to press, pixels from the top edge.</param>
    /// <param name="endX">Where to release, pixels from the left edge.</param>
    /// <param name="endY">Where to release, pixels from the top edge.</param>
    /// <param name="button">One of <see cref="DesktopMouseButton"/>; default left.</param>
    /// <param name="duration">Time from press to release, 0 to 5 s; default 100 ms. The pointer goes through points in between.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when the button is released.</returns>
    /// <exception cref="ValidationException">The position is outside the screen, or the button unknown; the message tells the bounds.</exception>
    public Task DragAsync(int startX, int startY, int endX, int endY, string button = DesktopMouseButton.Left, TimeSpan? duration = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Drag(id, startX, startY, endX, endY, button, duration), cancellationToken);

    /// <inheritdoc cref="DragAsync"/>
    public void Drag(int startX, int startY, int endX, int endY, string button = DesktopMouseButton.Left, TimeSpan? duration = null)
        => pipeline.Send(DesktopCalls.Drag(id, startX, startY, endX, endY, button, duration));

    /// <summary>Turns the wheel.</summary>
    /// <param name="direction">One of <see cref="DesktopScrollDirection"/>; default down.</param>
    /// <param name="amount">Notches of the wheel, 1 to 1000; default 3.</param>
    /// <param name="x">Pixels from the left edge; default: where the pointer is.</param>
    /// <param name="y">Pixels from the top edge; default: where the pointer is.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when X has taken it.</returns>
    /// <exception cref="ValidationException">The direction is unknown, the amount out of range, or the position outside the screen.</exception>
    public Task ScrollAsync(string direction = DesktopScrollDirection.Down, int amount = 3, int? x = null, int? y = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Scroll(id, direction, amount, x, y), cancellationToken);

    /// <inheritdoc cref="ScrollAsync"/>
    public void Scroll(string direction = DesktopScrollDirection.Down, int amount = 3, int? x = null, int? y = null)
        => pipeline.Send(DesktopCalls.Scroll(id, direction, amount, x, y));

    /// <summary>Presses a mouse button and holds it.</summary>
    /// <param name="button">One of <see cref="DesktopMouseButton"/>; default left.</param>
    /// <param name="x">Pixels from the left edge; default: where the pointer is.</param>
    /// <param name="y">Pixels from the top edge; default: where the pointer is.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when X has taken it.</returns>
    /// <exception cref="ValidationException">The position is outside the screen, or the button unknown; the message tells the bounds.</exception>
    public Task MouseDownAsync(string button = DesktopMouseButton.Left, int? x = null, int? y = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Click(id, "mouse-down", x, y, button), cancellationToken);

    /// <inheritdoc cref="MouseDownAsync"/>
    public void MouseDown(string button = DesktopMouseButton.Left, int? x = null, int? y = null) => pipeline.Send(DesktopCalls.Click(id, "mouse-down", x, y, button));

    /// <summary>Releases a mouse button that is held.</summary>
    /// <param name="button">One of <see cref="DesktopMouseButton"/>; default left.</param>
    /// <param name="x">Pixels from the left edge; default: where the pointer is.</param>
    /// <param name="y">Pixels from the top edge; default: where the pointer is.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when X has taken it.</returns>
    /// <exception cref="ValidationException">The position is outside the screen, or the button unknown; the message tells the bounds.</exception>
    public Task MouseUpAsync(string button = DesktopMouseButton.Left, int? x = null, int? y = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Click(id, "mouse-up", x, y, button), cancellationToken);

    /// <inheritdoc cref="MouseUpAsync"/>
    public void MouseUp(string button = DesktopMouseButton.Left, int? x = null, int? y = null) => pipeline.Send(DesktopCalls.Click(id, "mouse-up", x, y, button));

    /// <summary>Types text at the focus.</summary>
    /// <param name="text">Any Unicode text, at most 1 MiB as UTF-8. A newline is the Return key, a tab the Tab key; other control characters are refused.</param>
    /// <param name="delay">Pause after each key, 0 to 1 s, in whole milliseconds; default: none. All of the typing may take 5 minutes.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when the last key was released.</returns>
    /// <exception cref="ValidationException">The text is too long, would be typed too slowly, or has a control character.</exception>
    public Task TypeAsync(string text, TimeSpan? delay = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Type(id, text, delay), cancellationToken);

    /// <inheritdoc cref="TypeAsync"/>
    public void Type(string text, TimeSpan? delay = null) => pipeline.Send(DesktopCalls.Type(id, text, delay));

    /// <summary>Presses a key or a combination and releases it.</summary>
    /// <param name="key">A key, or keys joined by a plus: <c>Return</c>, <c>ctrl+c</c>, <c>alt+F4</c>; X11 names work too. A single character is taken literally; the plus itself is <c>plus</c>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is released.</returns>
    /// <exception cref="ValidationException">A key is unknown; the message names it.</exception>
    public Task KeyAsync(string key, CancellationToken cancellationToken = default) => pipeline.SendAsync(DesktopCalls.Key(id, "key", key), cancellationToken);

    /// <inheritdoc cref="KeyAsync"/>
    public void Key(string key) => pipeline.Send(DesktopCalls.Key(id, "key", key));

    /// <summary>Presses several keys together.</summary>
    /// <param name="keys">The keys in the order in which they are pressed, such as <c>["ctrl", "shift", "t"]</c>; they are released in reverse order.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when they are released.</returns>
    /// <exception cref="ValidationException">A key is unknown; the message names it.</exception>
    public Task HotkeyAsync(IReadOnlyList<string> keys, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Hotkey(id, keys), cancellationToken);

    /// <inheritdoc cref="HotkeyAsync"/>
    public void Hotkey(IReadOnlyList<string> keys) => pipeline.Send(DesktopCalls.Hotkey(id, keys));

    /// <summary>Presses a key and holds it.</summary>
    /// <param name="key">A key or a combination, as of <see cref="KeyAsync"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when X has taken it.</returns>
    /// <exception cref="ValidationException">A key is unknown; the message names it.</exception>
    public Task KeyDownAsync(string key, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Key(id, "key-down", key), cancellationToken);

    /// <inheritdoc cref="KeyDownAsync"/>
    public void KeyDown(string key) => pipeline.Send(DesktopCalls.Key(id, "key-down", key));

    /// <summary>Releases a key that is held.</summary>
    /// <param name="key">A key or a combination, as of <see cref="KeyAsync"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when X has taken it.</returns>
    /// <exception cref="ValidationException">A key is unknown; the message names it.</exception>
    public Task KeyUpAsync(string key, CancellationToken cancellationToken = default) => pipeline.SendAsync(DesktopCalls.Key(id, "key-up", key), cancellationToken);

    /// <inheritdoc cref="KeyUpAsync"/>
    public void KeyUp(string key) => pipeline.Send(DesktopCalls.Key(id, "key-up", key));

    /// <summary>The text of the clipboard.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The text, at most 1 MiB; empty when there is none.</returns>
    /// <exception cref="ConflictException">The clipboard holds more than 1 MiB.</exception>
    public Task<string> GetClipboardAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(DesktopCalls.GetClipboard(id), cancellationToken);

    /// <inheritdoc cref="GetClipboardAsync"/>
    public string GetClipboard() => pipeline.Send(DesktopCalls.GetClipboard(id));

    /// <summary>Puts text on the clipboard.</summary>
    /// <param name="text">Any Unicode text, at most 1 MiB as UTF-8.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when applications can paste it.</returns>
    /// <exception cref="ValidationException">The text is too long.</exception>
    public Task SetClipboardAsync(string text, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.SetClipboard(id, text), cancellationToken);

    /// <inheritdoc cref="SetClipboardAsync"/>
    public void SetClipboard(string text) => pipeline.Send(DesktopCalls.SetClipboard(id, text));

    /// <summary>Sets the background of the desktop; it is kept over a restart.</summary>
    /// <param name="url">An http or https address of an image, fetched by the server, or the absolute path of one inside the computer.</param>
    /// <param name="mode">One of <see cref="DesktopWallpaperMode"/>; default: the whole screen is filled.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is shown.</returns>
    /// <exception cref="ValidationException">It is no image, too large, or its address may not be fetched (private networks).</exception>
    public Task SetWallpaperAsync(string url, string? mode = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.SetWallpaper(id, url, mode), cancellationToken);

    /// <inheritdoc cref="SetWallpaperAsync"/>
    public void SetWallpaper(string url, string? mode = null) => pipeline.Send(DesktopCalls.SetWallpaper(id, url, mode));

    /// <summary>What is on the screen as its applications tell it to assistive technologies (AT-SPI): windows, buttons, fields, the text of web pages. <see cref="DesktopAccessibility.Find"/> finds things in it.</summary>
    /// <param name="maxDepth">Levels below the root, 1 to 64; default 64.</param>
    /// <param name="maxNodes">Elements at most, 1 to 20,000; default 5000. The rest is left out.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The root, with the applications as children.</returns>
    /// <exception cref="ValidationException">A number is out of range.</exception>
    public Task<DesktopAccessibilityNode> AccessibilityTreeAsync(int? maxDepth = null, int? maxNodes = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.AccessibilityTree(id, maxDepth, maxNodes), cancellationToken);

    /// <inheritdoc cref="AccessibilityTreeAsync"/>
    public DesktopAccessibilityNode AccessibilityTree(int? maxDepth = null, int? maxNodes = null)
        => pipeline.Send(DesktopCalls.AccessibilityTree(id, maxDepth, maxNodes));

    /// <summary>Where the pointer is.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The position in pixels.</returns>
    public Task<DesktopPoint> GetCursorAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(DesktopCalls.Cursor(id), cancellationToken);

    /// <inheritdoc cref="GetCursorAsync"/>
    public DesktopPoint GetCursor() => pipeline.Send(DesktopCalls.Cursor(id));

    /// <summary>The size of the screen.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Width and height in pixels.</returns>
    public Task<DesktopScreenSize> GetScreenSizeAsync(CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.ScreenSize(id), cancellationToken);

    /// <inheritdoc cref="GetScreenSizeAsync"/>
    public DesktopScreenSize GetScreenSize() => pipeline.Send(DesktopCalls.ScreenSize(id));

    /// <summary>What kind of desktop it is and how it is: window manager, display, state, restarts.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The facts.</returns>
    public Task<DesktopEnvironment> GetEnvironmentAsync(CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Environment(id), cancellationToken);

    /// <inheritdoc cref="GetEnvironmentAsync"/>
    public DesktopEnvironment GetEnvironment() => pipeline.Send(DesktopCalls.Environment(id));

    /// <summary>The windows of the applications; not the panel and not the desktop itself.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The windows; empty when there are none.</returns>
    public Task<IReadOnlyList<DesktopWindow>> ListWindowsAsync(CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Windows(id), cancellationToken);

    /// <inheritdoc cref="ListWindowsAsync"/>
    public IReadOnlyList<DesktopWindow> ListWindows() => pipeline.Send(DesktopCalls.Windows(id));

    /// <summary>Brings a window to the front and gives it the focus.</summary>
    /// <param name="windowId">Id of the window, from <see cref="ListWindowsAsync"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it has the focus.</returns>
    /// <exception cref="NotFoundException">There is no such window.</exception>
    public Task FocusWindowAsync(string windowId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Focus(id, windowId), cancellationToken);

    /// <inheritdoc cref="FocusWindowAsync"/>
    public void FocusWindow(string windowId) => pipeline.Send(DesktopCalls.Focus(id, windowId));

    /// <summary>The size of a window's content.</summary>
    /// <param name="windowId">Id of the window, from <see cref="ListWindowsAsync"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Width and height in pixels.</returns>
    /// <exception cref="NotFoundException">There is no such window.</exception>
    public Task<DesktopWindowSize> GetWindowSizeAsync(string windowId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.WindowSize(id, windowId), cancellationToken);

    /// <inheritdoc cref="GetWindowSizeAsync"/>
    public DesktopWindowSize GetWindowSize(string windowId) => pipeline.Send(DesktopCalls.WindowSize(id, windowId));

    /// <summary>Where the content of a window is.</summary>
    /// <param name="windowId">Id of the window, from <see cref="ListWindowsAsync"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Its corner at the top left, in pixels of the screen; may be negative.</returns>
    /// <exception cref="NotFoundException">There is no such window.</exception>
    public Task<DesktopPoint> GetWindowPositionAsync(string windowId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.WindowPosition(id, windowId), cancellationToken);

    /// <inheritdoc cref="GetWindowPositionAsync"/>
    public DesktopPoint GetWindowPosition(string windowId) => pipeline.Send(DesktopCalls.WindowPosition(id, windowId));

    /// <summary>Moves a window.</summary>
    /// <param name="windowId">Id of the window, from <see cref="ListWindowsAsync"/>.</param>
    /// <param name="x">Left edge of its content.</param>
    /// <param name="y">Top edge of its content.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when the window manager has done it.</returns>
    /// <exception cref="NotFoundException">There is no such window.</exception>
    /// <exception cref="ValidationException">The position is out of bounds.</exception>
    public Task MoveWindowAsync(string windowId, int x, int y, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.MoveWindow(id, windowId, x, y), cancellationToken);

    /// <inheritdoc cref="MoveWindowAsync"/>
    public void MoveWindow(string windowId, int x, int y) => pipeline.Send(DesktopCalls.MoveWindow(id, windowId, x, y));

    /// <summary>Gives a window another size; the window manager or the application may round it.</summary>
    /// <param name="windowId">Id of the window, from <see cref="ListWindowsAsync"/>.</param>
    /// <param name="width">Width of its content in pixels, at least 1.</param>
    /// <param name="height">Height of its content in pixels, at least 1.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when the window manager has done it.</returns>
    /// <exception cref="NotFoundException">There is no such window.</exception>
    /// <exception cref="ValidationException">The size is out of bounds.</exception>
    public Task ResizeWindowAsync(string windowId, int width, int height, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.ResizeWindow(id, windowId, width, height), cancellationToken);

    /// <inheritdoc cref="ResizeWindowAsync"/>
    public void ResizeWindow(string windowId, int width, int height) => pipeline.Send(DesktopCalls.ResizeWindow(id, windowId, width, height));

    /// <summary>Lets a window fill the screen.</summary>
    /// <param name="windowId">Id of the window, from <see cref="ListWindowsAsync"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when the window manager has done it.</returns>
    /// <exception cref="NotFoundException">There is no such window.</exception>
    public Task MaximizeWindowAsync(string windowId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.MaximizeWindow(id, windowId), cancellationToken);

    /// <inheritdoc cref="MaximizeWindowAsync"/>
    public void MaximizeWindow(string windowId) => pipeline.Send(DesktopCalls.MaximizeWindow(id, windowId));

    /// <summary>Leaves only its place in the panel.</summary>
    /// <param name="windowId">Id of the window, from <see cref="ListWindowsAsync"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when the window manager has done it.</returns>
    /// <exception cref="NotFoundException">There is no such window.</exception>
    public Task MinimizeWindowAsync(string windowId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.MinimizeWindow(id, windowId), cancellationToken);

    /// <inheritdoc cref="MinimizeWindowAsync"/>
    public void MinimizeWindow(string windowId) => pipeline.Send(DesktopCalls.MinimizeWindow(id, windowId));

    /// <summary>Asks a window to close; its application may ask back, to save for example.</summary>
    /// <param name="windowId">Id of the window, from <see cref="ListWindowsAsync"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it was asked.</returns>
    /// <exception cref="NotFoundException">There is no such window.</exception>
    public Task CloseWindowAsync(string windowId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.CloseWindow(id, windowId), cancellationToken);

    /// <inheritdoc cref="CloseWindowAsync"/>
    public void CloseWindow(string windowId) => pipeline.Send(DesktopCalls.CloseWindow(id, windowId));

    /// <summary>Starts a program on the desktop.</summary>
    /// <param name="app">Id of an installed application (<see cref="Computer.ListAppsAsync"/>), or a command line.</param>
    /// <param name="args">Its arguments; default: none.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it was started; its window comes later.</returns>
    /// <exception cref="ValidationException">There is no such program; the message names the installed applications.</exception>
    public Task LaunchAsync(string app, IReadOnlyList<string>? args = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Launch(id, app, args), cancellationToken);

    /// <inheritdoc cref="LaunchAsync"/>
    public void Launch(string app, IReadOnlyList<string>? args = null) => pipeline.Send(DesktopCalls.Launch(id, app, args));

    /// <summary>Waits on the server, not for anything.</summary>
    /// <param name="time">0 to 60 s.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when the time is over.</returns>
    public Task WaitAsync(TimeSpan time, CancellationToken cancellationToken = default) => pipeline.SendAsync(DesktopCalls.Wait(id, time), cancellationToken);

    /// <inheritdoc cref="WaitAsync"/>
    public void Wait(TimeSpan time) => pipeline.Send(DesktopCalls.Wait(id, time));

    private Call<bool> ClickCall(DesktopAccessibilityNode node, string button)
    {
        var point = node.Center() ?? throw new ArgumentException($"the {node.Role} '{node.Name}' has no place on the screen", nameof(node));
        return DesktopCalls.Click(id, "click", point.X, point.Y, button);
    }

    private async ValueTask SaveAsync(string localPath, DesktopRegion? region, int? quality, double? scale, bool async, CancellationToken ct)
    {
        ArgumentException.ThrowIfNullOrEmpty(localPath);
        var format = Path.GetExtension(localPath).ToLowerInvariant() switch
        {
            ".png" => DesktopImageFormat.Png,
            ".jpg" or ".jpeg" => DesktopImageFormat.Jpeg,
            ".webp" => DesktopImageFormat.Webp,
            var other => throw new ArgumentException($"a screenshot is saved as .png, .jpg, .jpeg or .webp, not as '{other}'", nameof(localPath)),
        };
        var call = region is null ? DesktopCalls.Screenshot(id, format, quality, scale) : DesktopCalls.Screenshot(id, region, format, quality, scale);
        using var picture = new MemoryStream(await pipeline.SendAsync(call, async, ct).ConfigureAwait(false));
        await LocalFile.SaveAsync(picture, localPath, progress: null, async, ct).ConfigureAwait(false);
    }
}
