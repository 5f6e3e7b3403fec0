using Miosa.Guest.Desktop;
using Miosa.Guest.Ports;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>desktop.vnc</c>: joins the stream to the screen's VNC server, which listens on a unix socket alone.</summary>
internal static class DesktopVnc
{
    public static byte[]? Run(GuestStream stream, ReadOnlySpan<byte> open)
    {
        if (!Relay.TryAdd(new RelayedConnection(stream, DesktopSession.Place.VncSocket)))
            throw new GuestFailure(GuestErrorCode.Busy, "no thread to be had: the machine is at its process limit");
        return null;
    }
}
