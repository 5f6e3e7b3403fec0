using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Miosa.Guest.Desktop;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>desktop.start</c>, <c>.status</c> and <c>.resize</c>, and what all the desktop's verbs need.</summary>
internal static class Desktops
{
    public static byte[] Start(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = Call(open, GuestJson.Wire.DesktopStartCall);
        CheckSize(call.Width, call.Height);
        return Reply(DesktopSession.Start(call.Width, call.Height, stream), GuestJson.Wire.GuestDesktop);
    }

    public static byte[] Status(GuestStream stream, ReadOnlySpan<byte> open)
    {
        if (DesktopSession.Facts is { State: not DesktopState.Stopped } facts)
            return Reply(facts, GuestJson.Wire.GuestDesktop);
        DesktopPlace.Find();
        return Reply(DesktopSession.Facts, GuestJson.Wire.GuestDesktop);
    }

    public static byte[] Resize(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = Call(open, GuestJson.Wire.DesktopResizeCall);
        CheckSize(call.Width, call.Height);
        return Reply(DesktopSession.Resize(call.Width, call.Height), GuestJson.Wire.GuestDesktop);
    }

    public static T Call<T>(ReadOnlySpan<byte> open, JsonTypeInfo<T> type) where T : class =>
        JsonSerializer.Deserialize(open, type) ?? throw GuestFailure.BadRequest("OPEN is null");

    public static byte[] Reply<T>(T reply, JsonTypeInfo<T> type) => JsonSerializer.SerializeToUtf8Bytes(reply, type);

    private static void CheckSize(int width, int height)
    {
        if (width is < DesktopLimits.MinWidth or > DesktopLimits.MaxWidth)
            throw GuestFailure.BadRequest($"width must be {DesktopLimits.MinWidth} to {DesktopLimits.MaxWidth}, not {width}");
        if (height is < DesktopLimits.MinHeight or > DesktopLimits.MaxHeight)
            throw GuestFailure.BadRequest($"height must be {DesktopLimits.MinHeight} to {DesktopLimits.MaxHeight}, not {height}");
    }
}
