using System.Buffers;

namespace Miosa.Guest.Processes;

/// <summary>
/// Cuts one output stream of a process into records of the log: a line each, or a part of a line that is very long or does not go on. A record
/// becomes one event for the reader, so that its place in the log is enough to go on after it.
/// </summary>
internal sealed class LinePieces(byte channel)
{
    /// <summary>Twice in one event of 32 KiB, also when JSON writes every byte as six.</summary>
    public const int MaxBytes = 2600;

    /// <summary>How long the beginning of a line waits for the rest.</summary>
    public const int PatienceMs = 200;

    private readonly byte[] _open = new byte[MaxBytes];
    private int _count;
    private long _since;

    /// <summary>When the open line is to be written as it is; -1 when there is none.</summary>
    public long DueMs => _count == 0 ? -1 : _since + PatienceMs;

    public void Add(ReadOnlySpan<byte> bytes, ArrayBufferWriter<byte> into)
    {
        while (!bytes.IsEmpty)
        {
            var newline = bytes.IndexOf((byte)'\n');
            var take = Math.Min(newline < 0 ? bytes.Length : newline + 1, MaxBytes - _count);
            if (_count == 0)
                _since = Environment.TickCount64;
            bytes[..take].CopyTo(_open.AsSpan(_count));
            _count += take;
            bytes = bytes[take..];
            if (_open[_count - 1] == (byte)'\n')
                Write(_count, into);
            else if (_count == MaxBytes)
                Write(Utf8Text.WholeCharacters(_open), into);
        }
    }

    public void Flush(ArrayBufferWriter<byte> into)
    {
        if (_count > 0)
            Write(_count, into);
    }

    private void Write(int count, ArrayBufferWriter<byte> into)
    {
        ProcessLog.Compose(channel, _open.AsSpan(0, count), into);
        _open.AsSpan(count, _count - count).CopyTo(_open);
        _count -= count;
    }
}
