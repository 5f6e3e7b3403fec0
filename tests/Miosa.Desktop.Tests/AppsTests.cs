using Miosa.Guest;
using Miosa.Server.Guests;

namespace Miosa.Desktop.Tests;

/// <summary>Applications are listed and started as a person would, and the wallpaper is what was set.</summary>
public sealed class AppsTests(DesktopFixture desktop)
{
    private static readonly (int, int, int) s_red = (200, 30, 40);
    private static readonly (int, int, int) s_green = (20, 160, 60);

    [Fact]
    public async Task Installed_applications_are_listed_with_their_commands()
    {
        var apps = await desktop.AppsAsync();
        Assert.Equal(["Chromium", "Editor", "Files", "Terminal", "XTerm"], apps.Select(app => app.Name));
        var browser = apps[0];
        Assert.Equal(("chromium", "/usr/bin/chromium"), (browser.Id, browser.Command));
        Assert.Contains("WebBrowser", browser.Categories!);
    }

    [Fact]
    public async Task An_entry_that_is_not_for_people_or_not_valid_is_not_listed()
    {
        await desktop.WriteAsync("/usr/local/share/applications/hidden.desktop", "[Desktop Entry]\nType=Application\nName=Hidden\nExec=true\nNoDisplay=true\n");
        await desktop.WriteAsync("/usr/local/share/applications/none.desktop", "[Desktop Entry]\nType=Application\nName=None\n");
        await desktop.WriteAsync("/usr/local/share/applications/shown.desktop", "# a comment\n[Other]\nName=Wrong\n[Desktop Entry]\nType=Application\nName=My tool\nExec=sh -c \"echo \\\\\"$1\\\\\" > /tmp/told\" sh %U\n[Desktop Action x]\nName=Wrong\nExec=false\n");
        await desktop.AsRootAsync("mkfifo /usr/local/share/applications/pipe.desktop; ln -s /dev/zero /usr/local/share/applications/zero.desktop");
        try
        {
            var names = (await desktop.AppsAsync()).Select(app => app.Name).ToArray();
            Assert.Contains("My tool", names);
            Assert.DoesNotContain("Hidden", names);
            Assert.DoesNotContain("None", names);
            await desktop.LaunchAsync("my TOOL", "one two");
            await DeskApps.PatientlyAsync(async () => (await desktop.AsRootAsync("cat /tmp/told || true")).Trim() == "one two" ? "there" : null, "the application's file");
        }
        finally
        {
            await desktop.AsRootAsync("rm -r /usr/local/share/applications");
        }
    }

    [Theory]
    [InlineData("Terminal", "lxterminal")]
    [InlineData("debian-xterm", "xterm")]
    [InlineData("mousepad", "mousepad")]
    public async Task An_application_is_started_by_name_id_or_program(string asked, string program)
    {
        var launched = await desktop.LaunchAsync(asked);
        Assert.True(launched.Pid > 0);
        await DeskApps.PatientlyAsync(async () => (await desktop.WindowsAsync()).FirstOrDefault(window => window.App!.Contains(program, StringComparison.OrdinalIgnoreCase)), $"a window of {program}");
        Assert.Equal("user\n", await desktop.AsRootAsync($"ps -o user= -p $(pgrep -o {program})"));
        await desktop.EndAsync(program);
    }

    [Fact]
    public async Task A_command_line_is_run_by_a_shell_as_the_desktops_user_in_its_session()
    {
        var launched = await desktop.LaunchAsync("id -un > /tmp/who; echo $DISPLAY $DBUS_SESSION_BUS_ADDRESS $HOME >> /tmp/who; pwd >> /tmp/who; printf '%s\\n' >> /tmp/who", "a b", "c'd");
        Assert.True(launched.Pid > 0);
        await DeskApps.PatientlyAsync(async () => (await desktop.AsRootAsync("cat /tmp/who || true")).Split('\n').Length == 6 ? "there" : null, "what it wrote");
        Assert.Equal("user\n:1 unix:path=/run/user/1000/bus /home/user\n/home/user\na b\nc'd\n", await desktop.AsRootAsync("cat /tmp/who"));
    }

    [Fact]
    public async Task What_is_not_there_is_not_found_and_the_answer_names_what_is()
    {
        var refused = await Assert.ThrowsAsync<GuestException>(() => desktop.LaunchAsync("firefox"));
        Assert.Equal(GuestErrorCode.NotFound, refused.Code);
        Assert.Contains("Chromium", refused.Message, StringComparison.Ordinal);
        Assert.Equal(GuestErrorCode.BadRequest, (await Assert.ThrowsAsync<GuestException>(() => desktop.LaunchAsync(" "))).Code);
    }

    [Fact]
    public async Task A_wallpaper_is_on_the_screen_stays_through_a_resize_and_is_no_file_that_is_no_picture()
    {
        await PictureAsync("/workspace/red.png", s_red);
        await PictureAsync("/workspace/green.png", s_green);
        foreach (var mode in (string?[])[null, "fill", "stretch", "tile"])
        {
            await SetAsync("green.png", mode);
            Assert.Equal(s_green, await desktop.PixelAsync(1200, 100));
            await SetAsync("/workspace/red.png", mode);
            Assert.Equal(s_red, await desktop.PixelAsync(1200, 100));
        }
        await SetAsync("red.png", "center");
        Assert.Equal((s_red, false), (await desktop.PixelAsync(640, 360), await desktop.PixelAsync(1200, 100) == s_red));

        await SetAsync("red.png", "fill");
        // A copy: its file may go.
        await desktop.AsRootAsync("rm /workspace/red.png; echo text > /workspace/text.png; truncate -s 65M /workspace/large.png; mkfifo /workspace/pipe");
        // 1.6 GB when it is unpacked.
        await PictureAsync("/workspace/bomb.png", "20000, 20000, 1, 0", "bytes(2501) * 20000");
        foreach (var (path, code) in ((string, string)[])[("text.png", GuestErrorCode.BadRequest), ("large.png", GuestErrorCode.TooLarge), ("bomb.png", GuestErrorCode.BadRequest), ("pipe", GuestErrorCode.BadRequest), ("red.png", GuestErrorCode.NotFound), ("/workspace", GuestErrorCode.IsDirectory), ("", GuestErrorCode.BadRequest)])
        {
            var refused = await Assert.ThrowsAsync<GuestException>(() => SetAsync(path, null));
            Assert.Equal((path, code), (path, refused.Code));
            Assert.Equal(s_red, await desktop.PixelAsync(1200, 100));
        }
        Assert.Contains("stretch", (await Assert.ThrowsAsync<GuestException>(() => SetAsync("green.png", "zoom"))).Message, StringComparison.Ordinal);

        await desktop.ResizeAsync(1600, 900);
        Assert.Equal(s_red, await desktop.PixelAsync(1590, 100));
        await desktop.ResizeAsync(1280, 720);
        // A screen that died is started anew, with it.
        var restarts = (await desktop.StatusAsync()).Restarts;
        await desktop.AsRootAsync("pkill -9 Xvnc");
        await DeskApps.PatientlyAsync(async () => (await desktop.StatusAsync()).Restarts > restarts ? "restarted" : null, "the end of the screen");
        await DeskApps.PatientlyAsync(RedAgainAsync, "the picture on the new screen");
        // The image's own again.
        await SetAsync("/usr/share/backgrounds/miosa.png", null);
    }

    private async Task<string?> RedAgainAsync()
    {
        try
        {
            return await desktop.PixelAsync(1200, 100) == s_red ? "red" : null;
        }
        catch (GuestException e) when (e.Code == GuestErrorCode.Busy)
        {
            return null;
        }
    }

    private Task<Done> SetAsync(string path, string? mode) =>
        desktop.CallAsync(GuestVerb.DesktopWallpaper, new WallpaperCall { Path = path, Mode = mode }, GuestJson.Wire.WallpaperCall, GuestJson.Wire.Done);

    /// <summary>A PNG of one colour, as large as a postcard.</summary>
    private Task<string> PictureAsync(string path, (int Red, int Green, int Blue) colour) =>
        PictureAsync(path, "64, 64, 8, 2", $"(bytes(1) + bytes([{colour.Red}, {colour.Green}, {colour.Blue}]) * 64) * 64");

    private Task<string> PictureAsync(string path, string header, string rows) => desktop.AsRootAsync($"""
        python3 - <<'END'
        import struct, zlib
        chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        open("{path}", "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", {header}, 0, 0, 0)) + chunk(b"IDAT", zlib.compress({rows})) + chunk(b"IEND", b""))
        END
        """);
}
