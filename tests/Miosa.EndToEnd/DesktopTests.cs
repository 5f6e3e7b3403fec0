namespace Miosa.EndToEnd;

/// <summary>The desktop of a real computer through the SDK: what is done shows on the screen and reaches the applications.</summary>
public sealed class DesktopTests(LiveComputer live) : IClassFixture<LiveComputer>
{
    private readonly ComputerDesktop desktop = live.Computer.Desktop;

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Screenshot_is_a_picture_of_the_whole_screen(bool async)
    {
        var size = await Twins.CallAsync(async, desktop.GetScreenSize, () => desktop.GetScreenSizeAsync());
        var whole = Picture.Read(await Twins.CallAsync(async, () => desktop.Screenshot(), () => desktop.ScreenshotAsync()));
        var part = Picture.Read(await Twins.CallAsync(async, () => desktop.ScreenshotRegion(10, 20, 300, 200), () => desktop.ScreenshotRegionAsync(10, 20, 300, 200)));
        var half = Picture.Read(await Twins.CallAsync(async, () => desktop.Screenshot(scale: 0.5), () => desktop.ScreenshotAsync(scale: 0.5)));
        var jpeg = await Twins.CallAsync(async, () => desktop.Screenshot(DesktopImageFormat.Jpeg, 60), () => desktop.ScreenshotAsync(DesktopImageFormat.Jpeg, 60));
        var flat = Picture.Read(await Twins.CallAsync(async, () => live.Client.Desktop.Screenshot(live.Computer.Id), () => live.Client.Desktop.ScreenshotAsync(live.Computer.Id)));

        Assert.Equal((size.Width, size.Height), (whole.Width, whole.Height));
        Assert.Equal((size.Width, size.Height), (flat.Width, flat.Height));
        Assert.Equal((300, 200), (part.Width, part.Height));
        Assert.Equal((size.Width / 2, size.Height / 2), (half.Width, half.Height));
        Assert.True(whole.Colours > 20, $"the screen has {whole.Colours} colours");
        Assert.True(jpeg.AsSpan().StartsWith((byte[])[0xFF, 0xD8, 0xFF]), "no JPEG");
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Text_typed_into_an_editor_is_in_the_file_it_saves(bool async)
    {
        const string text = "Héllo, 你好 🙂\n\tsecond line, 100 % {}[]\\";
        var file = $"/home/user/typed-{async}.txt";
        var window = await live.OpenEditorAsync(file);

        await Twins.CallAsync(async, () => desktop.Type(text), () => desktop.TypeAsync(text));
        await Twins.CallAsync(async, () => desktop.Key("ctrl+s"), () => desktop.KeyAsync("ctrl+s"));

        await Eventually.IsAsync(async () => (await live.Computer.Files.ReadTextAsync(file)).Length > 0);
        Assert.Equal(text, (await live.Computer.Files.ReadTextAsync(file)).TrimEnd('\n'));

        await Twins.CallAsync(async, () => desktop.Hotkey(["ctrl", "a"]), () => desktop.HotkeyAsync(["ctrl", "a"]));
        await Twins.CallAsync(async, () => desktop.Key("ctrl+c"), () => desktop.KeyAsync("ctrl+c"));
        await Eventually.IsAsync(async () => (await desktop.GetClipboardAsync()).StartsWith("Héllo", StringComparison.Ordinal));
        await Twins.CallAsync(async, () => desktop.CloseWindow(window.Id), () => desktop.CloseWindowAsync(window.Id));
        await Eventually.IsAsync(async () => (await desktop.ListWindowsAsync()).All(other => other.Id != window.Id));
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Clipboard_holds_what_was_put_there(bool async)
    {
        var text = $"{async} 剪贴板 🙂\n" + new string('x', 100_000);

        await Twins.CallAsync(async, () => desktop.SetClipboard(text), () => desktop.SetClipboardAsync(text));

        Assert.Equal(text, await Twins.CallAsync(async, desktop.GetClipboard, () => desktop.GetClipboardAsync()));
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Pointer_is_where_it_was_moved_to(bool async)
    {
        await Twins.CallAsync(async, () => desktop.Move(321, 123), () => desktop.MoveAsync(321, 123));
        Assert.Equal(new DesktopPoint { X = 321, Y = 123 }, await Twins.CallAsync(async, desktop.GetCursor, () => desktop.GetCursorAsync()));
        await Twins.CallAsync(async, () => desktop.Drag(300, 300, 400, 350), () => desktop.DragAsync(300, 300, 400, 350));
        Assert.Equal(new DesktopPoint { X = 400, Y = 350 }, await desktop.GetCursorAsync());
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Windows_are_listed_moved_sized_and_closed(bool async)
    {
        var window = await live.OpenEditorAsync($"/home/user/window-{async}.txt");

        await Twins.CallAsync(async, () => desktop.ResizeWindow(window.Id, 500, 400), () => desktop.ResizeWindowAsync(window.Id, 500, 400));
        await Twins.CallAsync(async, () => desktop.MoveWindow(window.Id, 200, 150), () => desktop.MoveWindowAsync(window.Id, 200, 150));
        var size = await Twins.CallAsync(async, () => desktop.GetWindowSize(window.Id), () => desktop.GetWindowSizeAsync(window.Id));
        var position = await Twins.CallAsync(async, () => desktop.GetWindowPosition(window.Id), () => desktop.GetWindowPositionAsync(window.Id));
        // A window manager may keep a frame or a step of the application's.
        Assert.InRange(size.Width, 490, 510);
        Assert.InRange(position.X, 180, 220);

        await Twins.CallAsync(async, () => desktop.MaximizeWindow(window.Id), () => desktop.MaximizeWindowAsync(window.Id));
        Assert.True((await OfAsync(window.Id)).Maximized);
        await Twins.CallAsync(async, () => desktop.MinimizeWindow(window.Id), () => desktop.MinimizeWindowAsync(window.Id));
        Assert.True((await OfAsync(window.Id)).Minimized);
        await Twins.CallAsync(async, () => desktop.FocusWindow(window.Id), () => desktop.FocusWindowAsync(window.Id));
        Assert.True((await OfAsync(window.Id)).Focused);
        await Twins.CallAsync(async, () => desktop.CloseWindow(window.Id), () => desktop.CloseWindowAsync(window.Id));
        await Eventually.IsAsync(async () => (await desktop.ListWindowsAsync()).All(other => other.Id != window.Id));
        await Assert.ThrowsAsync<NotFoundException>(() => desktop.FocusWindowAsync(window.Id));
    }

    [Fact]
    public async Task Tree_knows_the_menu_of_the_editor_and_a_click_opens_it()
    {
        var window = await live.OpenEditorAsync("/home/user/tree.txt");
        DesktopAccessibilityNode? menu = null;
        await Eventually.IsAsync(async () => (menu = (await desktop.AccessibilityTreeAsync()).Find("menu", "File")) is not null);

        await desktop.ClickAsync(menu!); // found above

        await Eventually.IsAsync(async () => (await desktop.AccessibilityTreeAsync()).Find("menu item", "Save As") is { } item && item.Center() is not null);
        await desktop.KeyAsync("Escape");
        await desktop.KeyAsync("Escape");
        await desktop.CloseWindowAsync(window.Id);
    }

    [Fact]
    public async Task Faulty_input_is_refused_with_its_field_and_its_bounds()
    {
        var outside = await Assert.ThrowsAsync<ValidationException>(() => desktop.ClickAsync(100_000, 5));
        Assert.Contains("x", outside.Errors.Keys);
        await Assert.ThrowsAsync<ValidationException>(() => desktop.ClickAsync(5, 5, "fourth"));
        await Assert.ThrowsAsync<ValidationException>(() => desktop.KeyAsync("NoSuchKey"));
        await Assert.ThrowsAsync<ValidationException>(() => desktop.ScrollAsync("sideways"));
        await Assert.ThrowsAsync<ValidationException>(() => desktop.ScreenshotRegionAsync(0, 0, 5000, 5000));
        await Assert.ThrowsAsync<ValidationException>(() => desktop.LaunchAsync("no-such-program"));
        await Assert.ThrowsAsync<ValidationException>(() => desktop.TypeAsync("bell \a"));
        await Assert.ThrowsAsync<ValidationException>(() => desktop.SetWallpaperAsync("http://127.0.0.1/secret.png"));
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Environment_apps_and_wait_answer(bool async)
    {
        var environment = await Twins.CallAsync(async, desktop.GetEnvironment, () => desktop.GetEnvironmentAsync());
        var apps = await Twins.CallAsync(async, live.Computer.ListApps, () => live.Computer.ListAppsAsync());
        await Twins.CallAsync(async, () => desktop.Wait(TimeSpan.FromMilliseconds(10)), () => desktop.WaitAsync(TimeSpan.FromMilliseconds(10)));

        Assert.Equal(("x11", "running"), (environment.SessionType, environment.State));
        Assert.Contains(apps, app => app.Id.Contains("chromium", StringComparison.Ordinal));
    }

    private async Task<DesktopWindow> OfAsync(string id) => (await desktop.ListWindowsAsync()).Single(window => window.Id == id);
}
