using Miosa.Guest.Desktop;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>desktop.windows</c> and <c>desktop.window</c>.</summary>
internal static class DesktopWindows
{
    private const int MostAnswerBytes = FrameLimits.MaxPayload - 1024;

    public static byte[] List(GuestStream stream, ReadOnlySpan<byte> open)
    {
        using var answer = DesktopSession.Order(LinkOrder.Windows, new DesktopCall(), GuestJson.Wire.DesktopCall);
        var windows = answer.Read(GuestJson.Wire.WindowsReply).Windows ?? [];
        if (windows.Length > DesktopLimits.MaxWindows)
            throw new GuestFailure(GuestErrorCode.Failed, "the desktop's agent answered nonsense");
        // Two hundred windows with the longest titles do not fit a frame: then the titles are cut.
        foreach (var longest in (ReadOnlySpan<int>)[DesktopLimits.MaxTitleBytes, 100, 20, 0])
        {
            var cut = Array.ConvertAll(windows, window => window is null ? null : window with { Title = Cut(window.Title, longest), App = Cut(window.App, longest) });
            var reply = Desktops.Reply(new WindowsReply { Windows = cut }, GuestJson.Wire.WindowsReply);
            if (reply.Length <= MostAnswerBytes)
                return reply;
        }
        throw new GuestFailure(GuestErrorCode.TooLarge, "the windows do not fit the answer");
    }

    public static byte[] Control(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = Desktops.Call(open, GuestJson.Wire.WindowCall);
        if (string.IsNullOrEmpty(call.Id))
            throw GuestFailure.BadRequest("id must be the id of a window, as desktop.windows tells it");
        switch (call.Action)
        {
            case DesktopWord.Focus or DesktopWord.Close or DesktopWord.Maximize or DesktopWord.Minimize or DesktopWord.Restore:
                break;
            case DesktopWord.Move:
                if (call.X is not (>= -DesktopLimits.MaxWidth and <= DesktopLimits.MaxWidth) || call.Y is not (>= -DesktopLimits.MaxHeight and <= DesktopLimits.MaxHeight))
                    throw GuestFailure.BadRequest($"x and y must be given to move, x from {-DesktopLimits.MaxWidth} to {DesktopLimits.MaxWidth}, y from {-DesktopLimits.MaxHeight} to {DesktopLimits.MaxHeight}");
                break;
            case DesktopWord.Resize:
                if (call.Width is not (>= 1 and <= DesktopLimits.MaxWidth) || call.Height is not (>= 1 and <= DesktopLimits.MaxHeight))
                    throw GuestFailure.BadRequest($"width and height must be given to resize, width 1 to {DesktopLimits.MaxWidth}, height 1 to {DesktopLimits.MaxHeight}");
                break;
            default:
                throw GuestFailure.BadRequest("action must be focus, close, maximize, minimize, restore, move or resize, not \"" + call.Action + "\"");
        }
        using var answer = DesktopSession.Order(LinkOrder.Window, call, GuestJson.Wire.WindowCall);
        return Desktops.Reply(answer.Read(GuestJson.Wire.GuestWindow), GuestJson.Wire.GuestWindow);
    }

    private static string? Cut(string? text, int longest) => text is null || text.Length <= longest ? text : text[..longest];
}
