using Miosa.Http;

namespace Miosa;

/// <summary>
/// The screen, the mouse and the keyboard of a computer by its id: the same calls as of <see cref="Computer.Desktop"/>, which has more of them.
/// </summary>
/// <example>
/// <code>
/// byte[] png = await client.Desktop.ScreenshotAsync(computerId);
/// await client.Desktop.ClickAsync(computerId, x: 500, y: 300);
/// </code>
/// </example>
public sealed class Desktop
{
    private readonly Pipeline pipeline;

    internal Desktop(Pipeline pipeline) => this.pipeline = pipeline;

    /// <inheritdoc cref="ComputerDesktop.ScreenshotAsync"/>
    /// <param name="computerId">Id of the computer.</param>
    public Task<byte[]> ScreenshotAsync(string computerId, string? format = null, int? quality = null, double? scale = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Screenshot(computerId, format, quality, scale), cancellationToken);

    /// <inheritdoc cref="ScreenshotAsync"/>
    public byte[] Screenshot(string computerId, string? format = null, int? quality = null, double? scale = null)
        => pipeline.Send(DesktopCalls.Screenshot(computerId, format, quality, scale));

    /// <inheritdoc cref="ComputerDesktop.ScreenshotRegionAsync"/>
    /// <param name="computerId">Id of the computer.</param>
    public Task<byte[]> ScreenshotRegionAsync(string computerId, int x, int y, int width, int height, string? format = null, int? quality = null, double? scale = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Screenshot(computerId, new() { X = x, Y = y, Width = width, Height = height }, format, quality, scale), cancellationToken);

    /// <inheritdoc cref="ScreenshotRegionAsync"/>
    public byte[] ScreenshotRegion(string computerId, int x, int y, int width, int height, string? format = null, int? quality = null, double? scale = null)
        => pipeline.Send(DesktopCalls.Screenshot(computerId, new() { X = x, Y = y, Width = width, Height = height }, format, quality, scale));

    /// <inheritdoc cref="ComputerDesktop.ClickAsync(int, int, string, CancellationToken)"/>
    /// <param name="computerId">Id of the computer.</param>
    public Task ClickAsync(string computerId, int x, int y, string button = DesktopMouseButton.Left, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Click(computerId, "click", x, y, button), cancellationToken);

    /// <inheritdoc cref="ClickAsync(string, int, int, string, CancellationToken)"/>
    public void Click(string computerId, int x, int y, string button = DesktopMouseButton.Left)
        => pipeline.Send(DesktopCalls.Click(computerId, "click", x, y, button));

    /// <inheritdoc cref="ComputerDesktop.DoubleClickAsync"/>
    /// <param name="computerId">Id of the computer.</param>
    public Task DoubleClickAsync(string computerId, int x, int y, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Click(computerId, "double-click", x, y, button: null), cancellationToken);

    /// <inheritdoc cref="DoubleClickAsync"/>
    public void DoubleClick(string computerId, int x, int y) => pipeline.Send(DesktopCalls.Click(computerId, "double-click", x, y, button: null));

    /// <inheritdoc cref="ComputerDesktop.MoveAsync"/>
    /// <param name="computerId">Id of the computer.</param>
    public Task MoveAsync(string computerId, int x, int y, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Move(computerId, x, y), cancellationToken);

    /// <inheritdoc cref="MoveAsync"/>
    public void Move(string computerId, int x, int y) => pipeline.Send(DesktopCalls.Move(computerId, x, y));

    /// <inheritdoc cref="ComputerDesktop.DragAsync"/>
    /// <param name="computerId">Id of the computer.</param>
    public Task DragAsync(string computerId, int startX, int startY, int endX, int endY, string button = DesktopMouseButton.Left, TimeSpan? duration = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Drag(computerId, startX, startY, endX, endY, button, duration), cancellationToken);

    /// <inheritdoc cref="DragAsync"/>
    public void Drag(string computerId, int startX, int startY, int endX, int endY, string button = DesktopMouseButton.Left, TimeSpan? duration = null)
        => pipeline.Send(DesktopCalls.Drag(computerId, startX, startY, endX, endY, button, duration));

    /// <inheritdoc cref="ComputerDesktop.ScrollAsync"/>
    /// <param name="computerId">Id of the computer.</param>
    public Task ScrollAsync(string computerId, string direction = DesktopScrollDirection.Down, int amount = 3, int? x = null, int? y = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Scroll(computerId, direction, amount, x, y), cancellationToken);

    /// <inheritdoc cref="ScrollAsync"/>
    public void Scroll(string computerId, string direction = DesktopScrollDirection.Down, int amount = 3, int? x = null, int? y = null)
        => pipeline.Send(DesktopCalls.Scroll(computerId, direction, amount, x, y));

    /// <inheritdoc cref="ComputerDesktop.TypeAsync"/>
    /// <param name="computerId">Id of the computer.</param>
    public Task TypeAsync(string computerId, string text, TimeSpan? delay = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Type(computerId, text, delay), cancellationToken);

    /// <inheritdoc cref="TypeAsync"/>
    public void Type(string computerId, string text, TimeSpan? delay = null) => pipeline.Send(DesktopCalls.Type(computerId, text, delay));

    /// <inheritdoc cref="ComputerDesktop.KeyAsync"/>
    /// <param name="computerId">Id of the computer.</param>
    public Task KeyAsync(string computerId, string key, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Key(computerId, "key", key), cancellationToken);

    /// <inheritdoc cref="KeyAsync"/>
    public void Key(string computerId, string key) => pipeline.Send(DesktopCalls.Key(computerId, "key", key));

    /// <inheritdoc cref="ComputerDesktop.HotkeyAsync"/>
    /// <param name="computerId">Id of the computer.</param>
    public Task HotkeyAsync(string computerId, IReadOnlyList<string> keys, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.Hotkey(computerId, keys), cancellationToken);

    /// <inheritdoc cref="HotkeyAsync"/>
    public void Hotkey(string computerId, IReadOnlyList<string> keys) => pipeline.Send(DesktopCalls.Hotkey(computerId, keys));

    /// <inheritdoc cref="ComputerDesktop.GetClipboardAsync"/>
    /// <param name="computerId">Id of the computer.</param>
    public Task<string> GetClipboardAsync(string computerId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.GetClipboard(computerId), cancellationToken);

    /// <inheritdoc cref="GetClipboardAsync"/>
    public string GetClipboard(string computerId) => pipeline.Send(DesktopCalls.GetClipboard(computerId));

    /// <inheritdoc cref="ComputerDesktop.SetClipboardAsync"/>
    /// <param name="computerId">Id of the computer.</param>
    public Task SetClipboardAsync(string computerId, string text, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.SetClipboard(computerId, text), cancellationToken);

    /// <inheritdoc cref="SetClipboardAsync"/>
    public void SetClipboard(string computerId, string text) => pipeline.Send(DesktopCalls.SetClipboard(computerId, text));

    /// <inheritdoc cref="ComputerDesktop.SetWallpaperAsync"/>
    /// <param name="computerId">Id of the computer.</param>
    public Task SetWallpaperAsync(string computerId, string url, string? mode = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.SetWallpaper(computerId, url, mode), cancellationToken);

    /// <inheritdoc cref="SetWallpaperAsync"/>
    public void SetWallpaper(string computerId, string url, string? mode = null) => pipeline.Send(DesktopCalls.SetWallpaper(computerId, url, mode));

    /// <inheritdoc cref="ComputerDesktop.AccessibilityTreeAsync"/>
    /// <param name="computerId">Id of the computer.</param>
    public Task<DesktopAccessibilityNode> AccessibilityTreeAsync(string computerId, int? maxDepth = null, int? maxNodes = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(DesktopCalls.AccessibilityTree(computerId, maxDepth, maxNodes), cancellationToken);

    /// <inheritdoc cref="AccessibilityTreeAsync"/>
    public DesktopAccessibilityNode AccessibilityTree(string computerId, int? maxDepth = null, int? maxNodes = null)
        => pipeline.Send(DesktopCalls.AccessibilityTree(computerId, maxDepth, maxNodes));
}
