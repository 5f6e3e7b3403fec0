using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Miosa.Guest.Files;
using Miosa.Guest.Linux;

namespace Miosa.Guest.Processes;

/// <summary>
/// What a process has printed, in files on the machine's disk that together never grow beyond <see cref="MostBytes"/>: the oldest file goes. A
/// file is named by the position of its first byte. Records are <c>u32 (channel in the top byte, length below)</c> and that many bytes.
/// What cannot be written (a full disk) is dropped and counted, and told by a record of its own as soon as there is room: the process goes on.
/// The files are the machine's: a command may have changed them, and reading must stand it.
/// </summary>
internal sealed unsafe class ProcessLog
{
    public const int HeaderBytes = 4;

    /// <summary>Channel of a record whose content is the number of bytes that are missing here.</summary>
    public const byte LostChannel = 3;

    /// <summary>Channel of a record whose content is the time (Unix, in milliseconds) of what stands behind it, to <see cref="TimeEveryMs"/>.</summary>
    public const byte TimeChannel = 4;

    private const int TimeEveryMs = 1000;
    private const int SegmentBytes = 256 * 1024;
    private const int MaxSegments = 8;
    public const int MostBytes = SegmentBytes * MaxSegments;
    private const string Prefix = "log-";

    private readonly string _folder;
    private readonly Lock _lock = new();
    private readonly List<long> _segments;
    private readonly List<int> _followers = [];
    private long _end;
    private long _lost;
    private long _timeToldAt = long.MinValue / 2;
    private bool _closed;

    private ProcessLog(string folder, List<long> segments, long end, bool closed) =>
        (_folder, _segments, _end, _closed) = (folder, segments, end, closed);

    public static ProcessLog New(string folder) => new(folder, [], 0, closed: false);

    /// <summary>The log of a process that ended with a former guest.</summary>
    public static ProcessLog Old(string folder)
    {
        var segments = new List<long>();
        var directory = Libc.OpenAt(Libc.AtCwd, Z(folder), Libc.ReadOnly | Libc.Directory | Libc.NoFollow);
        if (directory >= 0)
        {
            foreach (var nameZ in DirectoryNames.Read(directory, folder))
            {
                var name = Encoding.UTF8.GetString(nameZ.AsSpan(0, nameZ.Length - 1));
                if (name.StartsWith(Prefix, StringComparison.Ordinal)
                    && long.TryParse(name.AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var start) && segments.Count < MaxSegments)
                    segments.Add(start);
            }
            Libc.Close(directory);
        }
        segments.Sort();
        var end = segments.Count == 0 ? 0 : segments[^1] + SizeOf(folder, segments[^1]);
        return new ProcessLog(folder, segments, end, closed: true);
    }

    public static void Compose(byte channel, ReadOnlySpan<byte> content, ArrayBufferWriter<byte> into)
    {
        var record = into.GetSpan(HeaderBytes + content.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(record, (uint)channel << 24 | (uint)content.Length);
        content.CopyTo(record[HeaderBytes..]);
        into.Advance(HeaderBytes + content.Length);
    }

    /// <summary>Signals the eventfd whenever there is more to read or the log is closed; once at once.</summary>
    public void Follow(int eventFd)
    {
        lock (_lock)
            _followers.Add(eventFd);
        Libc.Signal(eventFd);
    }

    public void Unfollow(int eventFd)
    {
        lock (_lock)
            _followers.Remove(eventFd);
    }

    /// <summary>The first position that is kept, the position behind the last, and whether nothing follows.</summary>
    public (long Start, long End, bool Closed) Bounds()
    {
        lock (_lock)
            return (_segments.Count == 0 ? _end : _segments[0], _end, _closed);
    }

    /// <summary>Appends whole records. After one that could not be written nothing is, until the gap has been told.</summary>
    public void Append(ReadOnlySpan<byte> records)
    {
        lock (_lock)
        {
            TellLost();
            TellTime();
            while (!records.IsEmpty)
            {
                var fits = WholeRecords(records, Room);
                if (fits == 0)
                {
                    Roll();
                    fits = WholeRecords(records, SegmentBytes);
                }
                if (_lost > 0 || !TryWrite(records[..fits]))
                    _lost += fits;
                records = records[fits..];
            }
            Wake();
        }
    }

    public void Close()
    {
        lock (_lock)
        {
            TellLost();
            _closed = true;
            Wake();
        }
    }

    /// <summary>
    /// Whole records from <paramref name="position"/> on into <paramref name="buffer"/>; <paramref name="position"/> is moved to where they begin
    /// when what was asked for is gone. 0 at the end.
    /// </summary>
    public int Read(ref long position, byte* buffer, int size)
    {
        while (true)
        {
            long segment;
            long until;
            lock (_lock)
            {
                if (_segments.Count == 0 || position >= _end)
                    return 0;
                var at = Math.Max(0, _segments.FindLastIndex(IsAtOrBefore(position)));
                segment = _segments[at];
                position = Math.Max(position, segment);
                until = at + 1 < _segments.Count ? _segments[at + 1] : _end;
            }
            var read = ReadAt(segment, position - segment, buffer, (int)Math.Min(size, until - position));
            var whole = WholeRecords(new ReadOnlySpan<byte>(buffer, Math.Max(0, read)), read);
            if (whole > 0)
                return whole;
            // The file is gone or not as it was written: the next one, if there is one.
            position = until;
        }
    }

    /// <summary>The first border of records at or behind a position somebody else has named.</summary>
    public long Align(long position)
    {
        var (start, end, _) = Bounds();
        if (position <= start || position >= end)
            return Math.Clamp(position, start, end);
        var buffer = Libc.Map(SegmentBytes);
        try
        {
            long at;
            lock (_lock)
                at = _segments.FindLast(IsAtOrBefore(position));
            while (at < position)
            {
                var read = Read(ref at, buffer, SegmentBytes);
                if (read == 0)
                    return end;
                var records = new ReadOnlySpan<byte>(buffer, read);
                while (!records.IsEmpty && at < position)
                {
                    var length = HeaderBytes + LengthOf(records);
                    at += length;
                    records = records[length..];
                }
            }
            return at;
        }
        finally
        {
            Libc.Unmap(buffer, SegmentBytes);
        }
    }

    public static (byte Channel, int Length) Header(ReadOnlySpan<byte> record) => (record[3], LengthOf(record));

    private static int LengthOf(ReadOnlySpan<byte> record) => (int)(BinaryPrimitives.ReadUInt32LittleEndian(record) & 0xFFFFFF);

    /// <summary>How many bytes at the beginning are records that fit <paramref name="room"/>; a length no record has ends them.</summary>
    private static int WholeRecords(ReadOnlySpan<byte> records, int room)
    {
        var whole = 0;
        while (records.Length - whole >= HeaderBytes)
        {
            var length = LengthOf(records[whole..]);
            if (length > LinePieces.MaxBytes || length > records.Length - whole - HeaderBytes || whole + HeaderBytes + length > room)
                break;
            whole += HeaderBytes + length;
        }
        return whole;
    }

    private static Predicate<long> IsAtOrBefore(long position) => start => start <= position;

    private int Room => _segments.Count == 0 ? 0 : (int)(_segments[^1] + SegmentBytes - _end);

    private void Roll()
    {
        // A file that took nothing yet serves on: where nothing can be written, nothing old is given up for it.
        if (_segments.Count > 0 && _segments[^1] == _end)
            return;
        if (_segments.Count == MaxSegments)
        {
            _ = Libc.UnlinkAt(Libc.AtCwd, PathZ(_segments[0]), 0);
            _segments.RemoveAt(0);
        }
        _segments.Add(_end);
    }

    private void TellLost()
    {
        if (_lost != 0 && TryTell(LostChannel, _lost))
            _lost = 0;
    }

    private void TellTime()
    {
        var now = Environment.TickCount64;
        if (_lost == 0 && now - _timeToldAt >= TimeEveryMs && TryTell(TimeChannel, BackgroundProcess.Now))
            _timeToldAt = now;
    }

    private bool TryTell(byte channel, long number)
    {
        var record = new ArrayBufferWriter<byte>(HeaderBytes + sizeof(long));
        Span<byte> content = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(content, number);
        Compose(channel, content, record);
        if (Room < record.WrittenCount)
            Roll();
        return TryWrite(record.WrittenSpan);
    }

    private bool TryWrite(ReadOnlySpan<byte> records)
    {
        var fd = Libc.OpenAt(Libc.AtCwd, PathZ(_segments[^1]), Libc.WriteOnly | Libc.Create | Libc.Append | Libc.NoFollow | Libc.NonBlocking, 0b110_000_000);
        if (fd < 0)
            return false;
        var whole = true;
        fixed (byte* first = records)
        {
            for (var at = 0; at < records.Length && whole;)
            {
                var written = Libc.Write(fd, first + at, (nuint)(records.Length - at));
                whole = written > 0;
                at += Math.Max(0, (int)written);
            }
        }
        if (whole)
            _end += records.Length;
        else
            _ = Libc.Truncate(fd, _end - _segments[^1]);
        Libc.Close(fd);
        return whole;
    }

    private int ReadAt(long segment, long offset, byte* buffer, int size)
    {
        var fd = Libc.OpenAt(Libc.AtCwd, PathZ(segment), Libc.ReadOnly | Libc.NoFollow | Libc.NonBlocking);
        if (fd < 0 || Libc.Seek(fd, offset, 0) < 0)
        {
            Libc.Close(fd);
            return -1;
        }
        var total = 0;
        while (total < size)
        {
            var read = Libc.Read(fd, buffer + total, (nuint)(size - total));
            if (read <= 0)
                break;
            total += (int)read;
        }
        Libc.Close(fd);
        return total;
    }

    private static long SizeOf(string folder, long segment) =>
        Libc.StatAt(Libc.AtCwd, Z(folder + "/" + Prefix + segment), out var status, Libc.AtNoFollow) == 0 && status.IsRegular ? Math.Min(status.Size, SegmentBytes) : 0;

    private byte[] PathZ(long segment) => Z(_folder + "/" + Prefix + segment);

    private static byte[] Z(string path) => Encoding.UTF8.GetBytes(path + "\0");

    private void Wake()
    {
        foreach (var eventFd in _followers)
            Libc.Signal(eventFd);
    }
}
