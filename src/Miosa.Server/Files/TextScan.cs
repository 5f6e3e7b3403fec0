using System.Text;

namespace Miosa.Server.Files;

/// <summary>Tells, chunk by chunk, whether bytes are UTF-8 without NUL; characters may lie across chunks.</summary>
internal sealed class TextScan
{
    private readonly byte[] cut = new byte[4];
    private int cutLength;

    public bool IsText { get; private set; } = true;

    public void Add(ReadOnlySpan<byte> chunk)
    {
        if (!IsText)
            return;
        if (chunk.Contains((byte)0))
        {
            IsText = false;
            return;
        }
        // 1. the character that the last chunk left open, byte by byte until it is whole or wrong
        while (cutLength > 0 && !chunk.IsEmpty)
        {
            cut[cutLength++] = chunk[0];
            chunk = chunk[1..];
            var status = Rune.DecodeFromUtf8(cut.AsSpan(0, cutLength), out _, out _);
            if (status == System.Buffers.OperationStatus.InvalidData)
            {
                IsText = false;
                return;
            }
            if (status == System.Buffers.OperationStatus.Done)
                cutLength = 0;
        }
        // 2. keep back a character that the chunk's end cuts
        var open = OpenBytes(chunk);
        if (open > 0)
        {
            chunk[^open..].CopyTo(cut);
            cutLength = open;
            chunk = chunk[..^open];
        }
        // 3. the rest
        IsText = System.Text.Unicode.Utf8.IsValid(chunk);
    }

    /// <summary>No more bytes: an open character is an error.</summary>
    public bool Finish() => IsText && cutLength == 0;

    private static int OpenBytes(ReadOnlySpan<byte> chunk)
    {
        for (var back = 1; back <= Math.Min(3, chunk.Length); back++)
        {
            if ((chunk[^back] & 0xC0) == 0x80)
                continue;
            return Rune.DecodeFromUtf8(chunk[^back..], out _, out _) == System.Buffers.OperationStatus.NeedMoreData ? back : 0;
        }
        return 0;
    }
}
