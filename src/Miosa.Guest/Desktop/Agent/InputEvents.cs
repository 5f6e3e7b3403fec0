using Miosa.Guest.Desktop.X;

namespace Miosa.Guest.Desktop.Agent;

/// <summary>Input as a person's devices would send it, by the XTEST extension.</summary>
internal sealed class InputEvents
{
    private const byte KeyPress = 2;
    private const byte KeyRelease = 3;
    private const byte ButtonPress = 4;
    private const byte ButtonRelease = 5;
    private const byte Motion = 6;

    private readonly XConnection _x;
    private readonly byte _test;
    private readonly byte? _saver;

    public InputEvents(XConnection x)
    {
        const byte grabControl = 3;
        _x = x;
        _test = x.Extension("XTEST")?.Opcode ?? throw new XLostException("the X server has no XTEST");
        _saver = x.Extension("MIT-SCREEN-SAVER")?.Opcode;
        // An application that grabs the server must not stop our requests.
        x.Begin(_test, grabControl).Byte(1).Byte(0).Short(0);
        x.End();
    }

    public void Key(byte keycode, bool isDown) => Fake(isDown ? KeyPress : KeyRelease, keycode, 0, 0);

    public void Button(byte button, bool isDown) => Fake(isDown ? ButtonPress : ButtonRelease, button, 0, 0);

    public void Move(int x, int y) => Fake(Motion, 0, x, y);

    public (int X, int Y, int Modifiers) Pointer()
    {
        const byte queryPointer = 38;
        _x.Begin(queryPointer).Int(_x.Root);
        var reply = _x.Reply(_x.End());
        return (XConnection.S16(reply, 16), XConnection.S16(reply, 18), XConnection.U16(reply, 24));
    }

    /// <summary>Milliseconds since anybody used mouse or keyboard.</summary>
    public long IdleMs()
    {
        const byte queryInfo = 1;
        if (_saver is not { } saver)
            return 0;
        _x.Begin(saver, queryInfo).Int(_x.Root);
        return XConnection.U32(_x.Reply(_x.End()), 16);
    }

    private void Fake(byte type, byte detail, int x, int y)
    {
        const byte fakeInput = 2;
        _x.Begin(_test, fakeInput).Byte(type).Byte(detail).Short(0).Int(0).Int(type == Motion ? _x.Root : 0).Int(0).Int(0).Short(x).Short(y)
            .Int(0).Short(0).Byte(0).Byte(0);
        _x.End();
    }
}
