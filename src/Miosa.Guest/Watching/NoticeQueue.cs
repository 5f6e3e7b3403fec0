using Miosa.Guest.Linux;

namespace Miosa.Guest.Watching;

/// <summary>
/// What inotify has said and nobody has dealt with yet, in its order. Bounded: what does not fit stays in the kernel, whose own bound ends in a
/// notice of overflow.
/// </summary>
internal sealed unsafe class NoticeQueue(int descriptor)
{
    private const int Most = 4096;
    private const int BufferBytes = 32 * 1024;
    private const int RecordBytes = 16;

    /// <summary>How long the first half of a rename is held for the second. The kernel writes them one after the other.</summary>
    private const int PairingMs = 10;

    private readonly Queue<Notice> _notices = new();
    private readonly Dictionary<uint, Notice> _arrivals = [];
    // For the life of the guest, as the descriptor.
    private readonly byte* _buffer = Libc.Map(BufferBytes);

    public bool IsEmpty => _notices.Count == 0;

    /// <summary>True when the kernel had nothing more at the last look.</summary>
    public bool IsKernelEmpty { get; private set; }

    public void Fill()
    {
        IsKernelEmpty = false;
        while (_notices.Count < Most)
        {
            var read = Libc.Read(descriptor, _buffer, BufferBytes);
            if (read <= 0)
            {
                IsKernelEmpty = true;
                return;
            }
            Parse(new ReadOnlySpan<byte>(_buffer, (int)read), Environment.TickCount64);
        }
    }

    /// <summary>The next to deal with; null when there is none, or when it waits for its other half.</summary>
    public Notice? Next(out Notice? arrival)
    {
        arrival = null;
        while (_notices.TryPeek(out var notice))
        {
            if (notice.Is(ChangeMask.MovedFrom) && !_arrivals.Remove(notice.Cookie, out arrival) && WaitMs() > 0)
                return null;
            _notices.Dequeue();
            if (notice.IsTold)
                continue;
            if (arrival is not null)
                arrival.IsTold = true;
            else if (notice.Is(ChangeMask.MovedTo))
                _arrivals.Remove(notice.Cookie);
            return notice;
        }
        return null;
    }

    /// <summary>How long the first one may still be held; -1 when there is none.</summary>
    public int WaitMs() => _notices.TryPeek(out var first) ? (int)Math.Clamp(first.ReadAtMs + PairingMs - Environment.TickCount64, 0, PairingMs) : -1;

    private void Parse(ReadOnlySpan<byte> records, long now)
    {
        while (records.Length >= RecordBytes)
        {
            // struct inotify_event: int wd; uint32 mask, cookie, len; char name[len], padded with zeros.
            var length = (int)BitConverter.ToUInt32(records[12..]);
            var name = records.Slice(RecordBytes, length);
            var end = name.IndexOf((byte)0);
            var notice = new Notice
            {
                Watch = BitConverter.ToInt32(records),
                Mask = BitConverter.ToUInt32(records[4..]),
                Cookie = BitConverter.ToUInt32(records[8..]),
                Name = RawName.Of(end < 0 ? name : name[..end]),
                ReadAtMs = now,
            };
            _notices.Enqueue(notice);
            if (notice.Is(ChangeMask.MovedTo))
                _arrivals[notice.Cookie] = notice;
            records = records[(RecordBytes + length)..];
        }
    }
}
