using System.Diagnostics;
using System.Text;
using Miosa.Guest;

namespace Miosa.Desktop.Tests;

/// <summary>The verbs that are about applications, as tests say them.</summary>
internal static class DeskApps
{
    /// <summary>A browser's first start on a busy host takes long.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(90);

    public static Task<LaunchReply> LaunchAsync(this DesktopFixture desktop, string app, params string[] args) =>
        desktop.CallAsync(GuestVerb.DesktopLaunch, new LaunchCall { App = app, Args = args }, GuestJson.Wire.LaunchCall, GuestJson.Wire.LaunchReply);

    public static async Task<GuestApp[]> AppsAsync(this DesktopFixture desktop)
    {
        var reply = await desktop.CallAsync(GuestVerb.DesktopApps, new DesktopCall { Verb = GuestVerb.DesktopApps }, GuestJson.Wire.DesktopCall, GuestJson.Wire.AppsReply);
        return [.. reply.Apps!.Select(app => app!)]; // the guest's own
    }

    public static Task<PointerReply> ClickAsync(this DesktopFixture desktop, int x, int y) => desktop.PointAsync(new PointerCall { Action = DesktopWord.Click, X = x, Y = y });

    public static Task<string> AsRootAsync(this DesktopFixture desktop, string shell) => desktop.RunAsync(shell, "root");

    /// <summary>A file of the machine's root, with the folders above it.</summary>
    public static Task<string> WriteAsync(this DesktopFixture desktop, string path, string text) =>
        desktop.AsRootAsync($"mkdir -p $(dirname {path}) && base64 -d > {path} <<'END'\n{Convert.ToBase64String(Encoding.UTF8.GetBytes(text))}\nEND");

    public static Task<Picture> RegionAsync(this DesktopFixture desktop, int x, int y, int width, int height) =>
        desktop.ScreenshotAsync(new ScreenshotCall { X = x, Y = y, Width = width, Height = height, Format = DesktopWord.Raw, Cursor = false });

    public static async Task<(int Red, int Green, int Blue)> PixelAsync(this DesktopFixture desktop, int x, int y) =>
        await desktop.RegionAsync(x, y, 1, 1) is { Pixels: [var red, var green, var blue] } ? (red, green, blue) : throw new InvalidOperationException("a pixel has three colours");

    public static async Task<GuestWindow> TitledAsync(this DesktopFixture desktop, string part) =>
        await PatientlyAsync(async () => (await desktop.WindowsAsync()).FirstOrDefault(window => window.Title!.Contains(part, StringComparison.Ordinal)), $"a window titled \"{part}\"");

    /// <summary>Ends a program and waits until no window of it is left.</summary>
    public static async Task EndAsync(this DesktopFixture desktop, string program)
    {
        await desktop.AsRootAsync($"pkill {program} || true");
        await PatientlyAsync(async () => (await desktop.AsRootAsync($"pgrep {program} || true")).Length == 0 ? "gone" : null, $"the end of {program}");
        await PatientlyAsync(async () => (await desktop.WindowsAsync()).All(window => !window.App!.Contains(program, StringComparison.OrdinalIgnoreCase)) ? "gone" : null, $"a screen without {program}");
    }

    /// <summary>The first value that is not null.</summary>
    public static async Task<T> PatientlyAsync<T>(Func<Task<T?>> look, string what)
        where T : class
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            if (await look() is { } found)
                return found;
            Assert.True(clock.Elapsed < s_patience, $"{what} did not come");
            await Task.Delay(20);
        }
    }
}
