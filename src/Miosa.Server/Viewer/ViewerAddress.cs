using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Viewer;

/// <summary>The addresses of a computer's live view, on the host that the caller of this moment reached.</summary>
internal sealed class ViewerAddress(IHttpContextAccessor current)
{
    public const string TokenParameter = "token";

    /// <summary>The page that shows the desktop; without a token it asks for the viewer password. Null for a computer without a desktop, and outside of requests.</summary>
    public string? PageOf(Machine computer) => computer.HasDesktop && current.HttpContext is { } context ? Page(context.Request, computer.Id) : null;

    public static string Page(HttpRequest request, string computer, string? token = null) => $"{request.Scheme}://{request.Host}{PathOf(computer)}{Query(token)}";

    /// <summary>RFB over WebSocket.</summary>
    public static string Socket(HttpRequest request, string computer, string? token = null) => $"{(request.IsHttps ? "wss" : "ws")}://{request.Host}{SocketPathOf(computer)}{Query(token)}";

    public static string PathOf(string computer) => $"{Routes.Base}/computers/{Uri.EscapeDataString(computer)}/desktop/vnc";

    public static string SocketPathOf(string computer) => PathOf(computer) + "/ws";

    private static string Query(string? token) => token is null ? "" : $"?{TokenParameter}={token}";
}
