using Miosa.Server.Host;

namespace Miosa.Server.Viewer;

/// <summary>The addresses of a computer's live view, on the host that the caller reached.</summary>
internal static class ViewerAddress
{
    public const string TokenParameter = "token";

    /// <summary>The page that shows the desktop; without a token it asks for the viewer password.</summary>
    public static string Page(HttpRequest request, string computer, string? token = null) => $"{request.Scheme}://{request.Host}{PathOf(computer)}{Query(token)}";

    /// <summary>RFB over WebSocket.</summary>
    public static string Socket(HttpRequest request, string computer, string? token = null) => $"{(request.IsHttps ? "wss" : "ws")}://{request.Host}{SocketPathOf(computer)}{Query(token)}";

    public static string PathOf(string computer) => $"{Routes.Base}/computers/{Uri.EscapeDataString(computer)}/desktop/vnc";

    public static string SocketPathOf(string computer) => PathOf(computer) + "/ws";

    private static string Query(string? token) => token is null ? "" : $"?{TokenParameter}={token}";
}
