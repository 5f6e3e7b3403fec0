using System.Buffers.Binary;

namespace Miosa.Guest;

/// <summary>What a frame means; see docs/guest-protocol.md.</summary>
internal enum FrameType : byte
{
    Hello = 0,
    Open = 1,
    Data = 2,
    Window = 3,
    End = 4,
    Result = 5,
    Error = 6,
    Cancel = 7,
    Ping = 8,
    Pong = 9,
}

/// <summary>The channels that DATA and END name.</summary>
internal static class FrameChannel
{
    public const byte Body = 0;
    public const byte Stdout = 1;
    public const byte Stderr = 2;

    /// <summary>The entry that precedes the bytes of <c>file.read</c>; what <c>port.connect</c> is connected to.</summary>
    public const byte Entry = 3;
}

/// <summary>The bounds both sides hold each other to.</summary>
internal static class FrameLimits
{
    public const int HeaderBytes = 12;
    public const int MaxPayload = 65_536;
    public const int MaxFrame = HeaderBytes + MaxPayload;

    /// <summary>Bytes of DATA a side may have outstanding on one stream, all channels together.</summary>
    public const int Window = 262_144;

    /// <summary>The largest credit a peer can pile up; more is a broken peer, not a generous one.</summary>
    public const long MaxCredit = 1L << 31;

    public const int MaxPing = 8;
    public const int MaxStreams = 1024;
    public const int MaxJsonDepth = 8;
    public const int Generation = 1;
}

/// <summary>The 12 bytes before every payload: length, stream, type, channel and two zero bytes, little endian.</summary>
internal readonly record struct FrameHeader(int Length, uint Stream, FrameType Type, byte Channel)
{
    public void Write(Span<byte> target)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(target, (uint)Length);
        BinaryPrimitives.WriteUInt32LittleEndian(target[4..], Stream);
        target[8] = (byte)Type;
        target[9] = Channel;
        target[10] = 0;
        target[11] = 0;
    }

    /// <summary>False when the twelve bytes break a rule that holds for every frame; the connection is then closed.</summary>
    public static bool TryRead(ReadOnlySpan<byte> source, out FrameHeader header)
    {
        var length = BinaryPrimitives.ReadUInt32LittleEndian(source);
        var stream = BinaryPrimitives.ReadUInt32LittleEndian(source[4..]);
        var type = source[8];
        header = new FrameHeader((int)Math.Min(length, int.MaxValue), stream, (FrameType)type, source[9]);
        return length <= FrameLimits.MaxPayload
            && type <= (byte)FrameType.Pong
            && source[10] == 0 && source[11] == 0
            && LengthFits(header);
    }

    private static bool LengthFits(FrameHeader header) => header.Type switch
    {
        FrameType.Window => header.Length == sizeof(uint),
        FrameType.End or FrameType.Cancel => header.Length == 0,
        FrameType.Ping or FrameType.Pong => header.Length <= FrameLimits.MaxPing,
        _ => true,
    };
}
