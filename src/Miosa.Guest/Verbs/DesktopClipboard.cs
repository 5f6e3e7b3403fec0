using Miosa.Guest.Desktop;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>desktop.clipboard.get</c> and <c>.set</c>.</summary>
internal static class DesktopClipboard
{
    public static byte[] Get(GuestStream stream, ReadOnlySpan<byte> open)
    {
        using var room = DesktopInput.TakeRoom();
        using var answer = DesktopSession.Order(LinkOrder.GetClipboard, new DesktopCall(), GuestJson.Wire.DesktopCall);
        if (answer.Data.Length > DesktopLimits.MaxTextBytes)
            throw new GuestFailure(GuestErrorCode.TooLarge, $"the clipboard has more than {DesktopLimits.MaxTextBytes} bytes");
        // A program may own bytes that are no text; a host is promised text.
        var text = System.Text.Unicode.Utf8.IsValid(answer.Data)
            ? answer.Data.ToArray()
            : System.Text.Encoding.UTF8.GetBytes(System.Text.Encoding.UTF8.GetString(answer.Data));
        stream.Send(FrameChannel.Body, text);
        return Desktops.Reply(new ClipboardReply { Size = text.Length }, GuestJson.Wire.ClipboardReply);
    }

    public static byte[] Set(GuestStream stream, ReadOnlySpan<byte> open)
    {
        using var room = DesktopInput.TakeRoom();
        var text = DesktopInput.ReadText(stream);
        using var answer = DesktopSession.Order(LinkOrder.SetClipboard, new DesktopCall(), GuestJson.Wire.DesktopCall, text);
        return Desktops.Reply(new ClipboardReply { Size = text.Length }, GuestJson.Wire.ClipboardReply);
    }
}
