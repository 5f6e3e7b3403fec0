using Miosa.Server.Host;

namespace Miosa.Server.Desktop;

/// <summary>The group Desktop of the contract, but for the live view.</summary>
internal static class DesktopRoutes
{
    public static void MapDesktop(this IEndpointRouteBuilder routes)
    {
        var api = routes.MapGroup(Routes.Base);
        ScreenshotEndpoints.Map(api);
        PointerEndpoints.Map(api);
        KeyboardEndpoints.Map(api);
        ClipboardEndpoints.Map(api);
        WindowEndpoints.Map(api);
        WallpaperEndpoints.Map(api);
        ScreenEndpoints.Map(api);
    }
}
