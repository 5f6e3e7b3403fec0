using System.Buffers;
using System.Buffers.Binary;
using Miosa.Guest;

namespace Miosa.Server.Viewer;

/// <summary>
/// What a viewer says, message by message, before the X server hears it (RFC 6143, and the extensions that noVNC uses). A viewer that may only look gets no
/// key, pointer, clipboard or size through, whatever its own software does; and nobody gets a message through whose length this filter does not know.
/// <code>
///   1. its version       12 bytes; 3.3, 3.7 or 3.8
///   2. security type      1 byte; only "none" (not in 3.3): who may connect was decided before
///   3. shared flag        1 byte; always sent on as 1, so that a viewer cannot throw the others out
///   4. messages:
///        0 SetPixelFormat 20              4 KeyEvent 8             150 EnableContinuousUpdates 10      255 QEMU, 0 extended key: 12
///        2 SetEncodings 4+4n              5 PointerEvent 6         248 Fence 9+n
///        3 UpdateRequest 10               6 ClientCutText 8+n      251 SetDesktopSize 8+16n
///      4, 5, 6, 251 and 255 are input. Of the encodings two are taken out: extended mouse buttons would change the length of message 5, and XVP
///      would offer to switch the computer off.
/// </code>
/// </summary>
internal sealed class RfbFilter(bool isViewOnly)
{
    /// <summary>The clipboard has 1 MiB at most; in its extended form it is compressed and has a head.</summary>
    public const int MaxCutText = DesktopLimits.MaxTextBytes + 1024;

    public const int MaxEncodings = 256;
    private const int MaxScreens = 16;
    private const int MaxFence = 64;
    private const int VersionBytes = 12;
    private const int ExtendedMouseButtons = -316;
    private const int Xvp = -309;

    private readonly byte[] message = new byte[4 + (4 * MaxEncodings)];
    private int have;
    private Stage stage = Stage.Version;
    private bool isOld;

    /// <summary>Bytes of a text that still pass, or are still dropped.</summary>
    private int rest;

    private enum Stage
    {
        Version,
        Security,
        Shared,
        Messages,
        Broken,
    }

    /// <summary>Why the viewer is to be cut.</summary>
    public string? Fault { get; private set; }

    /// <summary>Takes what came and writes what may go on. False: the viewer broke the protocol and must be cut.</summary>
    /// <param name="bytes">Any piece of the stream.</param>
    /// <param name="output">What goes on; never longer than what came.</param>
    /// <param name="hasInput">Somebody used the desktop.</param>
    public bool TryFeed(ReadOnlySpan<byte> bytes, IBufferWriter<byte> output, out bool hasInput)
    {
        hasInput = false;
        while (!bytes.IsEmpty && stage != Stage.Broken)
        {
            if (rest > 0)
            {
                var part = bytes[..Math.Min(rest, bytes.Length)];
                if (!isViewOnly)
                    output.Write(part);
                rest -= part.Length;
                bytes = bytes[part.Length..];
                continue;
            }
            // The length shows step by step: a head first, then what it says.
            if (Needed() is not { } needed)
                return Break(stage == Stage.Messages ? $"message {message[0]} is not known here, or has an impossible length" : "the greeting is none");
            var count = Math.Min(needed - have, bytes.Length);
            bytes[..count].CopyTo(message.AsSpan(have));
            have += count;
            bytes = bytes[count..];
            if (have < needed || Needed() is { } more && more > have)
                continue;
            if (Needed() is null)
                return Break($"message {message[0]} is not known here, or has an impossible length");
            if (!TryPass(output, ref hasInput))
                return false;
            have = 0;
        }
        return stage != Stage.Broken;
    }

    /// <summary>How long the message is, as far as its bytes tell by now; null for what may not be.</summary>
    private int? Needed() => stage switch
    {
        Stage.Version => VersionBytes,
        Stage.Security or Stage.Shared => 1,
        _ when have == 0 => 1,
        _ => message[0] switch
        {
            0 => 20,
            2 => have < 4 ? 4 : Short(2) <= MaxEncodings ? 4 + (4 * Short(2)) : null,
            3 or 150 => 10,
            4 => 8,
            5 => 6,
            6 => 8,
            248 => have < 9 ? 9 : message[8] <= MaxFence ? 9 + message[8] : null,
            251 => have < 8 ? 8 : message[6] <= MaxScreens ? 8 + (16 * message[6]) : null,
            255 => have < 2 ? 2 : message[1] == 0 ? 12 : null,
            _ => null,
        },
    };

    private bool TryPass(IBufferWriter<byte> output, ref bool hasInput)
    {
        var whole = message.AsSpan(0, have);
        switch (stage)
        {
            case Stage.Version:
                isOld = whole.SequenceEqual("RFB 003.003\n"u8);
                if (!isOld && !whole.SequenceEqual("RFB 003.007\n"u8) && !whole.SequenceEqual("RFB 003.008\n"u8))
                    return Break("the version of RFB must be 3.3, 3.7 or 3.8");
                output.Write(whole);
                stage = isOld ? Stage.Shared : Stage.Security;
                return true;
            case Stage.Security:
                if (message[0] != 1)
                    return Break("the security type must be 1, none");
                output.Write(whole);
                stage = Stage.Shared;
                return true;
            case Stage.Shared:
                output.Write([(byte)1]);
                stage = Stage.Messages;
                return true;
        }
        switch (message[0])
        {
            case 2:
                WriteEncodings(output);
                return true;
            case 6:
                return TryText(output, ref hasInput);
            case 251 when Short(2) is < DesktopLimits.MinWidth or > DesktopLimits.MaxWidth || Short(4) is < DesktopLimits.MinHeight or > DesktopLimits.MaxHeight:
                // A window that somebody made tiny is no reason to cut him.
                return true;
            case 4 or 5 or 251 or 255:
                if (!isViewOnly)
                {
                    hasInput = true;
                    output.Write(whole);
                }
                return true;
            default:
                output.Write(whole);
                return true;
        }
    }

    private bool TryText(IBufferWriter<byte> output, ref bool hasInput)
    {
        // Negative: the extended form.
        var length = Math.Abs((long)BinaryPrimitives.ReadInt32BigEndian(message.AsSpan(4)));
        if (length > MaxCutText)
            return Break($"the clipboard has at most {DesktopLimits.MaxTextBytes} bytes");
        if (!isViewOnly)
        {
            hasInput = true;
            output.Write(message.AsSpan(0, have));
        }
        rest = (int)length;
        return true;
    }

    private void WriteEncodings(IBufferWriter<byte> output)
    {
        var kept = 4;
        for (var at = 4; at < have; at += 4)
        {
            if (BinaryPrimitives.ReadInt32BigEndian(message.AsSpan(at)) is ExtendedMouseButtons or Xvp)
                continue;
            message.AsSpan(at, 4).CopyTo(message.AsSpan(kept));
            kept += 4;
        }
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(2), (ushort)((kept - 4) / 4));
        output.Write(message.AsSpan(0, kept));
    }

    private int Short(int at) => BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(at));

    private bool Break(string why)
    {
        (stage, Fault) = (Stage.Broken, why);
        return false;
    }
}
