using Miosa.Guest;

namespace Miosa.Desktop.Tests;

public sealed class ScreenTests(DesktopFixture desktop)
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(9)]
    public async Task A_png_has_the_pixels_of_the_screen(int level)
    {
        var raw = await desktop.ScreenshotAsync(new ScreenshotCall { Format = DesktopWord.Raw, Cursor = false });
        var png = await desktop.ScreenshotAsync(new ScreenshotCall { Level = level, Cursor = false });
        Assert.Equal((1280, 720), (png.Width, png.Height));
        // The clock of the panel may have gone on between the two.
        Assert.True(png.Part(0, 0, 1280, 600).Shows(raw.Part(0, 0, 1280, 600)));
        // A desktop is not one colour.
        Assert.True(png.Pixels.Distinct().Count() > 16);
    }

    [Fact]
    public async Task An_unchanged_and_a_changed_screen_are_both_told_as_they_are()
    {
        var before = await desktop.ScreenshotAsync(new ScreenshotCall { Cursor = false });
        var again = await desktop.ScreenshotAsync(new ScreenshotCall { Cursor = false });
        Assert.True(before.Part(0, 0, 1280, 600).Shows(again.Part(0, 0, 1280, 600)));
        var window = await desktop.OpenAsync("xterm -T changed -geometry 40x10+300+200 -bg red -e sleep 1000", "changed");
        await Runtime.Tests.Eventually.TrueAsync(
            async () =>
            {
                var changed = await desktop.ScreenshotAsync(new ScreenshotCall { Cursor = false });
                var raw = await desktop.ScreenshotAsync(new ScreenshotCall { Format = DesktopWord.Raw, Cursor = false });
                var inside = raw.Part(window.X + window.Width / 2, window.Y + window.Height - 20, 8, 8);
                return changed.Part(0, 0, 1280, 600).Shows(raw.Part(0, 0, 1280, 600)) && inside.Pixels is [255, 0, 0, ..];
            },
            "the red terminal");
        await desktop.CloseAsync(window);
    }

    [Fact]
    public async Task A_region_is_a_part_of_the_whole()
    {
        var whole = await desktop.ScreenshotAsync(new ScreenshotCall { Cursor = false });
        foreach (var (x, y, width, height) in ((int, int, int, int)[])[(0, 0, 1, 1), (1279, 0, 1, 300), (10, 20, 333, 41), (0, 17, 1280, 3)])
        {
            foreach (var format in (string[])[DesktopWord.Png, DesktopWord.Raw])
            {
                var part = await desktop.ScreenshotAsync(new ScreenshotCall { X = x, Y = y, Width = width, Height = height, Format = format, Cursor = false });
                Assert.True(part.Shows(whole.Part(x, y, width, height)), $"{x},{y} {width}x{height} {format}");
            }
        }
    }

    [Fact]
    public async Task The_pointer_is_drawn_where_it_is_and_only_when_asked_for()
    {
        Assert.Equal((600, 300), await AtAsync(600, 300));
        var with = await desktop.ScreenshotAsync(new ScreenshotCall());
        var without = await desktop.ScreenshotAsync(new ScreenshotCall { Cursor = false });
        Assert.False(with.Part(570, 270, 60, 60).Shows(without.Part(570, 270, 60, 60)));
        Assert.True(with.Part(0, 0, 500, 600).Shows(without.Part(0, 0, 500, 600)));
        // Half outside the screen, it is cut.
        await AtAsync(1279, 719);
        Assert.Equal(1280, (await desktop.ScreenshotAsync(new ScreenshotCall())).Width);
        await AtAsync(0, 0);
        await desktop.ScreenshotAsync(new ScreenshotCall { X = 0, Y = 0, Width = 4, Height = 4 });
    }

    [Fact]
    public async Task The_screen_takes_other_sizes_and_programs_see_them()
    {
        foreach (var (width, height) in ((int, int)[])[(1920, 1080), (1001, 701), (3840, 2160), (320, 240), (1280, 720)])
            await ResizeAsync(width, height);
        var desktopNow = await desktop.StatusAsync();
        Assert.Equal((DesktopState.Running, 1280, 720), (desktopNow.State, desktopNow.Width, desktopNow.Height));
    }

    private async Task ResizeAsync(int width, int height)
    {
        var resized = await desktop.ResizeAsync(width, height);
        Assert.Equal((width, height), (resized.Width, resized.Height));
        var picture = await desktop.ScreenshotAsync(new ScreenshotCall { Level = 1 });
        Assert.Equal((width, height), (picture.Width, picture.Height));
        Assert.Contains($"{width}x{height} pixels", await desktop.RunAsync("xdpyinfo | grep dimensions"), StringComparison.Ordinal);
        // The corner is drawn, too: by the wallpaper, or the panel.
        Assert.Contains(picture.Part(width - 40, height / 2, 40, 40).Pixels, value => value != 0);
    }

    private async Task<(int X, int Y)> AtAsync(int x, int y)
    {
        var at = await desktop.PointAsync(new PointerCall { Action = DesktopWord.Move, X = x, Y = y });
        return (at.X, at.Y);
    }
}
