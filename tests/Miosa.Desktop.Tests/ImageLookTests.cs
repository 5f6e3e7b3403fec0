namespace Miosa.Desktop.Tests;

/// <summary>What the image promises of its look and its programs.</summary>
public sealed class ImageLookTests(DesktopFixture desktop)
{
    [Fact]
    public async Task The_first_picture_has_the_wallpaper_and_the_panel_with_its_launchers()
    {
        // Night above, light above the hills.
        var top = await desktop.PixelAsync(640, 5);
        var horizon = await desktop.PixelAsync(870, 490);
        Assert.True(top.Red < 40 && top.Blue < 90, $"the top is {top}");
        Assert.True(horizon.Red > 200, $"the horizon is {horizon}");
        // A dark bar at the bottom, over the whole width.
        foreach (var x in (int[])[700, 1000, 1150])
        {
            var bar = await desktop.PixelAsync(x, 700);
            Assert.True(bar is { Red: < 60, Green: < 60, Blue: < 90 }, $"the panel at {x} is {bar}");
        }
        // Four icons and a clock: pixels far brighter than the bar.
        foreach (var x in (int[])[8, 48, 88, 128, 1200])
            Assert.True(Brightest(await desktop.RegionAsync(x, 680, 34, 36)) > 150, $"nothing is drawn at {x} of the panel");
    }

    [Fact]
    public async Task A_launcher_of_the_panel_starts_its_application()
    {
        await desktop.ClickAsync(145, 698);
        await desktop.TitledAsync("Mousepad");
        await desktop.EndAsync("mousepad");
    }

    [Fact]
    public async Task Chromium_starts_without_a_warning_as_a_normal_user()
    {
        await desktop.WriteAsync("/tmp/plain.html", "<!doctype html><title>plain</title><body style='margin:0;background:#00ff00'>");
        await desktop.LaunchAsync("Chromium", "--start-maximized", "file:///tmp/plain.html");
        await desktop.TitledAsync("plain");
        // A bar that warns would lie between the address and the page.
        await DeskApps.PatientlyAsync(async () => await desktop.PixelAsync(640, 110) == (0, 255, 0) ? "there" : null, "the page right below the address");
        Assert.Equal("user\n", await desktop.AsRootAsync("ps -o user= -C chromium | sort -u"));
        await desktop.EndAsync("chromium");
    }

    [Fact]
    public async Task Fonts_draw_emoji_and_chinese_and_pages_get_the_ones_that_were_chosen()
    {
        foreach (var (asked, found) in ((string, string)[])[("sans-serif", "Inter"), ("monospace", "DejaVu Sans Mono"), ("emoji", "Noto Color Emoji"), (":charset=4f60", "WenQuanYi Micro Hei"), ("Arial", "Liberation Sans")])
            Assert.StartsWith(found, await desktop.AsRootAsync($"fc-match -f '%{{family}}' '{asked}'"), StringComparison.Ordinal);
        // Made at the build: nothing is left for the first window to do. (Folders of character maps are links, which fontconfig does not take; nothing is in them.)
        Assert.Equal("", await desktop.RunAsync("XDG_CACHE_HOME=/tmp/no-cache FC_DEBUG=16 fc-match Inter | grep FcDirCacheWriteDir | grep -v /cmap/ || true"));
    }

    [Fact]
    public async Task The_image_has_what_tools_of_others_expect_and_nothing_that_asks_for_rights()
    {
        await desktop.AsRootAsync("for tool in python3 git curl xdotool xclip scrot feh thunar mousepad lxterminal xterm chromium jq unzip; do command -v $tool >/dev/null || { echo $tool; exit 1; }; done");
        Assert.Equal("uid=1000(user) gid=1000(user) groups=1000(user)\n", await desktop.AsRootAsync("id user"));
        Assert.Equal("1777 user\n", await desktop.AsRootAsync("stat -c '%a %U' /workspace"));
    }

    private static int Brightest(Picture picture)
    {
        var brightest = 0;
        for (var i = 0; i < picture.Pixels.Length; i += 3)
            brightest = Math.Max(brightest, picture.Pixels.AsSpan(i, 3).ToArray().Min());
        return brightest;
    }
}
