using Miosa.Guest.Commands;

namespace Miosa.Guest.Desktop;

/// <summary>What lies behind the windows: drawn when the screen is new or has changed its size.</summary>
internal static class Background
{
    private const string Painter = "/usr/bin/feh";
    private const string Picture = "/usr/share/backgrounds/miosa.png";
    private const int PaintMs = 5000;
    private const int MostOutput = 4096;

    /// <summary>False when the image has no picture, or the painter does not take it.</summary>
    public static bool TryPaint(DesktopPlace place) =>
        DesktopPlace.Exists(Painter) && DesktopPlace.Exists(Picture)
        && CommandOutput.Take(place.Program(Painter, "--no-fehbg", "--bg-fill", Picture), MostOutput, PaintMs) is not null;
}
