using System.Text;
using Miosa.Guest.Desktop.X;

namespace Miosa.Guest.Desktop.Agent;

/// <summary>Changes the size of the screen by RANDR: to a mode of that size, which is made when the server has none.</summary>
internal sealed class ScreenSize(XConnection x)
{
    private const byte SetScreenSize = 7;
    private const byte CreateMode = 16;
    private const byte AddOutputMode = 18;
    private const byte SetCrtcConfig = 21;
    private const byte GetScreenResources = 25;
    private const byte GetOutputInfo = 9;
    private const int ModeBytes = 32;
    private const double MillimetresPerPixel = 25.4 / 96;

    private readonly byte _randr = x.Extension("RANDR")?.Opcode ?? throw new GuestFailure(GuestErrorCode.Unsupported, "the X server cannot change its size");

    public void Set(int width, int height)
    {
        const byte grabServer = 36;
        const byte ungrabServer = 37;
        const byte queryVersion = 0;
        x.Begin(_randr, queryVersion).Int(1).Int(4);
        x.Reply(x.End());
        // Nobody is to see the states between.
        x.Begin(grabServer);
        x.End();
        try
        {
            Change(width, height);
        }
        finally
        {
            x.Begin(ungrabServer);
            x.End();
            x.Sync();
        }
    }

    private void Change(int width, int height)
    {
        x.Begin(_randr, GetScreenResources).Int(x.Root);
        var resources = x.Reply(x.End());
        int crtcs = XConnection.U16(resources, 16), outputs = XConnection.U16(resources, 18), modes = XConnection.U16(resources, 20);
        var time = XConnection.U32(resources, 12);
        var at = XConnection.PacketBytes;
        if (crtcs == 0 || outputs == 0 || resources.Length < at + 4 * (crtcs + outputs) + ModeBytes * modes)
            throw new GuestFailure(GuestErrorCode.Failed, "the X server has no output to change the size of");
        var crtc = XConnection.U32(resources, at);
        var output = XConnection.U32(resources, at + 4 * crtcs);
        var mode = 0u;
        for (var i = 0; i < modes && mode == 0; i++)
        {
            var place = at + 4 * (crtcs + outputs) + ModeBytes * i;
            if (XConnection.U16(resources, place + 4) == width && XConnection.U16(resources, place + 6) == height && Has(output, XConnection.U32(resources, place), time))
                mode = XConnection.U32(resources, place);
        }
        if (mode == 0)
            mode = MakeMode(output, width, height);
        Configure(crtc, 0, 0, time);
        x.Begin(_randr, SetScreenSize).Int(x.Root).Short(width).Short(height).Int((uint)(width * MillimetresPerPixel)).Int((uint)(height * MillimetresPerPixel));
        var sized = x.End();
        Configure(crtc, mode, output, time);
        x.SyncChecked(sized);
    }

    private bool Has(uint output, uint mode, uint time)
    {
        x.Begin(_randr, GetOutputInfo).Int(output).Int(time);
        var info = x.TryReply(x.End());
        if (info is null || info.Length < 36)
            return false;
        int crtcs = XConnection.U16(info, 26), modes = XConnection.U16(info, 28);
        for (var i = 0; i < modes && 36 + 4 * (crtcs + i) + 4 <= info.Length; i++)
        {
            if (XConnection.U32(info, 36 + 4 * (crtcs + i)) == mode)
                return true;
        }
        return false;
    }

    private uint MakeMode(uint output, int width, int height)
    {
        var name = Encoding.ASCII.GetBytes($"{width}x{height}");
        // Sixty pictures a second, without the pauses that a tube needed.
        x.Begin(_randr, CreateMode).Int(x.Root)
            .Int(0).Short(width).Short(height).Int((uint)(width * height * 60)).Short(width).Short(width).Short(width).Short(0)
            .Short(height).Short(height).Short(height).Short(name.Length).Int(0).Bytes(name);
        var mode = XConnection.U32(x.Reply(x.End()), 8);
        x.Begin(_randr, AddOutputMode).Int(output).Int(mode);
        x.SyncChecked(x.End());
        return mode;
    }

    private void Configure(uint crtc, uint mode, uint output, uint time)
    {
        const int noRotation = 1;
        x.Begin(_randr, SetCrtcConfig).Int(crtc).Int(0).Int(time).Short(0).Short(0).Int(mode).Short(noRotation).Short(0);
        if (mode != 0)
            x.Int(output);
        var reply = x.Reply(x.End());
        if (reply[1] != 0)
            throw new GuestFailure(GuestErrorCode.Failed, "the X server refused the size");
    }
}
