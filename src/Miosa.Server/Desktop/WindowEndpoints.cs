using System.Text.Json;
using Miosa.Guest;
using Miosa.Server.Guests;
using Miosa.Server.Host;

namespace Miosa.Server.Desktop;

/// <summary>The windows of the desktop.</summary>
internal static class WindowEndpoints
{
    /// <summary>Decodes the list as a bare array and nothing else: the one place where the server looks at a User-Agent (common.md, section 0).</summary>
    private const string GoClient = "miosa-go/";

    /// <summary>A window may stick out of the screen, and by how much is the window manager's business.</summary>
    private const int Far = 16_384;

    private static readonly Aliases FocusNames = new Aliases().Add("window_id", "id");

    public static void Map(IEndpointRouteBuilder api)
    {
        const string One = $"{DesktopOperation.Root}/window/{{window_id}}";
        api.Map("GET", $"{DesktopOperation.Root}/windows", ListAsync).Needs(Scopes.ComputersRead);
        api.Map("GET", $"{One}/size", context => ReadAsync(context, window =>
            Reply.Bare(new DesktopWindowSize { Width = window.Width, Height = window.Height }, WireJson.Default.DesktopWindowSize))).Needs(Scopes.ComputersRead);
        api.Map("GET", $"{One}/position", context => ReadAsync(context, window =>
            Reply.Bare(new DesktopPoint { X = window.X, Y = window.Y }, WireJson.Default.DesktopPoint))).Needs(Scopes.ComputersRead);
        api.Map("POST", $"{DesktopOperation.Root}/window/focus", FocusAsync).Needs(Scopes.ComputersWrite);
        foreach (var action in (string[])[DesktopWord.Focus, DesktopWord.Maximize, DesktopWord.Minimize, DesktopWord.Close])
            api.Map("POST", $"{One}/{action}", context => ChangeAsync(context, new WindowCall { Id = context.PathValue("window_id"), Action = action })).Needs(Scopes.ComputersWrite);
        api.Map("POST", $"{One}/move", MoveAsync).Needs(Scopes.ComputersWrite);
        api.Map("POST", $"{One}/resize", ResizeAsync).Needs(Scopes.ComputersWrite);
    }

    private static Task<IResult> ListAsync(HttpContext context) => DesktopOperation.RunAsync(context, "window_id", async (guest, ct) =>
    {
        IReadOnlyList<DesktopWindow> windows = [.. (await guest.WindowsAsync(ct)).Select(Of)];
        return context.Request.Headers.UserAgent.ToString().StartsWith(GoClient, StringComparison.Ordinal)
            ? Reply.Bare(windows, WireJson.Default.IReadOnlyListDesktopWindow)
            : Reply.Bare(new DesktopWindowList { Data = windows, Windows = windows }, WireJson.Default.DesktopWindowList);
    });

    private static Task<IResult> ReadAsync(HttpContext context, Func<GuestWindow, IResult> tell) => DesktopOperation.RunAsync(context, "window_id", async (guest, ct) =>
        (await guest.WindowsAsync(ct)).FirstOrDefault(window => window.Id == context.PathValue("window_id")) is { } found ? tell(found) : Reply.Refuse(Refusal.NotFound("window")));

    private static async Task<IResult> FocusAsync(HttpContext context)
    {
        var (fields, refusal) = await Body.ReadAsync(context, FocusNames);
        // Elixir sends a number, the others text.
        if (fields.Body["window_id"] is { } node && node.GetValueKind() == JsonValueKind.Number)
            fields.Body["window_id"] = node.ToJsonString();
        if (!fields.Has("window_id"))
            fields.Fail("window_id", "is required: the id of a window as the list of windows tells it");
        var id = fields.Text("window_id", 32);
        if ((refusal ?? fields.Errors()) is { } faulty)
            return Reply.Refuse(faulty);
        return await ChangeAsync(context, new WindowCall { Id = id, Action = DesktopWord.Focus });
    }

    private static async Task<IResult> MoveAsync(HttpContext context)
    {
        var (fields, refusal) = await Body.ReadAsync(context, Aliases.None);
        var (x, y) = (fields.Int("x", -Far, Far), fields.Int("y", -Far, Far));
        DesktopOperation.Require(fields, "where the window's content begins, in pixels of the screen", "x", "y");
        if ((refusal ?? fields.Errors()) is { } faulty)
            return Reply.Refuse(faulty);
        return await ChangeAsync(context, new WindowCall { Id = context.PathValue("window_id"), Action = DesktopWord.Move, X = x, Y = y });
    }

    private static async Task<IResult> ResizeAsync(HttpContext context)
    {
        var (fields, refusal) = await Body.ReadAsync(context, Aliases.None);
        var (width, height) = (fields.Int("width", 1, Far), fields.Int("height", 1, Far));
        DesktopOperation.Require(fields, "the size of the window's content, in pixels", "width", "height");
        if ((refusal ?? fields.Errors()) is { } faulty)
            return Reply.Refuse(faulty);
        return await ChangeAsync(context, new WindowCall { Id = context.PathValue("window_id"), Action = DesktopWord.Resize, Width = width, Height = height });
    }

    private static Task<IResult> ChangeAsync(HttpContext context, WindowCall call) => DesktopOperation.RunAsync(context, "window_id", async (guest, ct) =>
    {
        // What is no number names no window, and is not the guest's to read.
        if (call.Id is not { Length: > 0 and <= 20 } id || !id.All(char.IsAsciiDigit))
            return Reply.Refuse(Refusal.NotFound("window"));
        try
        {
            await guest.WindowAsync(call, ct);
            return DesktopOperation.Done();
        }
        catch (GuestException e) when (e.Code == GuestErrorCode.NotFound)
        {
            return Reply.Refuse(Refusal.NotFound("window"));
        }
    });

    private static DesktopWindow Of(GuestWindow window) => new()
    {
        Id = window.Id ?? "", // the list has none without
        Title = window.Title ?? "",
        App = window.App,
        Pid = window.Pid > 0 ? window.Pid : null,
        X = window.X,
        Y = window.Y,
        Width = window.Width,
        Height = window.Height,
        Focused = window.Focused,
        IsFocused = window.Focused,
        Minimized = window.Minimized,
        Maximized = window.Maximized,
    };
}
