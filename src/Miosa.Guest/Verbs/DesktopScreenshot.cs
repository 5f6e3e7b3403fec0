using Miosa.Guest.Desktop;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>desktop.screenshot</c>: the screen or a part of it.</summary>
internal static class DesktopScreenshot
{
    public static byte[] Run(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = Desktops.Call(open, GuestJson.Wire.ScreenshotCall);
        Check(call);
        using var answer = DesktopSession.Order(LinkOrder.Screenshot, call, GuestJson.Wire.ScreenshotCall);
        var reply = answer.Read(GuestJson.Wire.ScreenshotReply);
        if (reply.Width is < 1 or > DesktopLimits.MaxWidth || reply.Height is < 1 or > DesktopLimits.MaxHeight || answer.Data.IsEmpty)
            throw new GuestFailure(GuestErrorCode.Failed, "the desktop's agent answered nonsense");
        using (new Waiting(answer.Data.Length))
            stream.Send(FrameChannel.Body, answer.Data);
        return Desktops.Reply(reply, GuestJson.Wire.ScreenshotReply);
    }

    private static void Check(ScreenshotCall call)
    {
        if (call.Format is not (null or DesktopWord.Png or DesktopWord.Raw))
            throw GuestFailure.BadRequest("format must be png or raw, not \"" + call.Format + "\"");
        if (call.Level is < 1 or > 9)
            throw GuestFailure.BadRequest("level must be 1 to 9, not " + call.Level);
        var isWhole = call is { X: null, Y: null, Width: null, Height: null };
        if (!isWhole && (call.X ?? call.Y ?? call.Width ?? call.Height) is not null
            && (call.X is null || call.Y is null || call.Width is null || call.Height is null))
            throw GuestFailure.BadRequest("x, y, width and height must be given together or not at all");
        if (isWhole)
            return;
        var screen = DesktopSession.Facts;
        int x = call.X!.Value, y = call.Y!.Value, width = call.Width!.Value, height = call.Height!.Value; // all four are there, as just checked
        if (width < 1 || height < 1)
            throw GuestFailure.BadRequest($"width and height must be at least 1, not {width} and {height}");
        if (screen.Width > 0 && (x < 0 || y < 0 || x > screen.Width - width || y > screen.Height - height))
            throw GuestFailure.BadRequest($"the region {x},{y} {width}x{height} is not inside the screen, which is {screen.Width}x{screen.Height}");
    }
}
