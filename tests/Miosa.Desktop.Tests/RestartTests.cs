using Miosa.Guest;
using Miosa.Runtime.Tests;
using Miosa.Server.Guests;

namespace Miosa.Desktop.Tests;

/// <summary>Whatever of the desktop dies comes back, and somebody hears of it.</summary>
public sealed class RestartTests(DesktopFixture desktop)
{
    [Theory]
    [InlineData("agent", "pkill -KILL -f '[m]iosa-desktop desktop-agent'")]
    [InlineData("panel", "pkill -KILL -x tint2")]
    [InlineData("window manager", "pkill -KILL -x openbox")]
    [InlineData("bus", "pkill -KILL -f '[d]bus-daemon --session'")]
    [InlineData("screen", "pkill -KILL -x Xvnc")]
    [InlineData("screen", "pkill -STOP -x Xvnc")]
    [InlineData("agent", "pkill -STOP -f '[m]iosa-desktop desktop-agent'")]
    public async Task A_part_that_dies_or_hangs_is_started_again(string part, string command)
    {
        // A part that is started a fifth time within a minute ends the desktop, and all tests share one: every case counts anew.
        await FailAsync();
        await StartAsync();
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(90));
        var before = await desktop.StatusAsync();
        var watch = await desktop.Guest.OpenAsync(GuestVerb.DesktopWatch, new DesktopWatchCall(), GuestJson.Wire.DesktopWatchCall, takesData: true, deadline.Token);
        var events = new Events(watch);
        await events.NextAsync(one => one.Event == DesktopEvent.Watching, deadline.Token);
        await desktop.RunAsync(command, user: "root");
        // Also what makes a hang be noticed.
        await WorksAsync();
        var restarted = await events.NextAsync(one => one.Event == DesktopEvent.Restarted && one.Part == part, deadline.Token);
        Assert.False(string.IsNullOrEmpty(restarted.Reason));
        await WorksAsync();
        var after = await desktop.StatusAsync();
        Assert.Equal((DesktopState.Running, 1280, 720), (after.State, after.Width, after.Height));
        Assert.True(after.Restarts > before.Restarts);
        await watch.CancelAsync();
        // A window manager, and a way to type into what it manages.
        var window = await desktop.OpenRecorderAsync("after");
        await desktop.TypeAsync("works é");
        Assert.Equal("works é", await desktop.ReadAsync("/tmp/after", 8));
        await desktop.CloseAsync(window);
    }

    [Fact]
    public async Task One_that_dies_again_and_again_fails_with_the_reason_and_can_be_started_anew()
    {
        await FailAsync();
        Assert.Contains("screen was ended by signal 9", (await desktop.StatusAsync()).Reason, StringComparison.Ordinal);
        var refused = await desktop.RefusedAsync(GuestVerb.DesktopScreenshot, "{}");
        Assert.Equal(GuestErrorCode.Failed, refused.Code);
        await StartAsync();
        await WorksAsync();
    }

    private Task FailAsync() => Eventually.TrueAsync(
        async () =>
        {
            await desktop.RunAsync("pkill -KILL -x Xvnc || true", user: "root");
            return (await desktop.StatusAsync()).State == DesktopState.Failed;
        },
        "the failure");

    private async Task StartAsync()
    {
        var started = await desktop.CallAsync(GuestVerb.DesktopStart, new DesktopStartCall(), GuestJson.Wire.DesktopStartCall, GuestJson.Wire.GuestDesktop);
        Assert.Equal((DesktopState.Running, 0), (started.State, started.Restarts));
    }

    private async Task WorksAsync() => await Eventually.TrueAsync(
        async () =>
        {
            try
            {
                return (await desktop.ScreenshotAsync(new ScreenshotCall { Level = 1 })).Width == 1280;
            }
            catch (GuestException e) when (e.Code == GuestErrorCode.Busy)
            {
                return false;
            }
        },
        "a screenshot");
}
