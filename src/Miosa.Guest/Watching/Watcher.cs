using System.Text.Json;
using Miosa.Guest.Linux;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Watching;

/// <summary>
/// One stream of <c>file.watch</c> and the lines it has still to send. Used by the watching thread alone. A host that reads too slowly does not
/// hold up the others: beyond a bound its lines are dropped, and one <c>rescan</c> says so when it has taken what was before.
/// </summary>
internal sealed class Watcher(GuestStream stream, string path, string realPath, bool recursive)
{
    /// <summary>The guest has 64 MiB for all it does.</summary>
    private const int MostLines = 32_768;
    private const long MostBytes = 6 << 20;
    private const long MostBytesOfAll = 16 << 20;

    // A line is shared by those who watch the same folder, but everybody has a place in a queue for it.
    private const int LineOverhead = 16;

    private static long s_bytesOfAll;

    private readonly Queue<byte[]> _lines = new();
    private int _sent;
    private long _bytes;
    private bool _lost;
    private (FrameType Type, byte[] Payload)? _end;

    public GuestStream Stream => stream;

    /// <summary>As it was asked for, in front of every path that is told.</summary>
    public string Path => path;

    public string RealPath => realPath;
    public bool Recursive => recursive;

    /// <summary>What it watches; null until then.</summary>
    public Folder? Root { get; set; }

    public bool IsLive { get; private set; }
    public bool IsEnding => _end is not null;
    public bool HostIsFull { get; set; }

    /// <summary>Folders that are still to be looked into before (again) nothing is missed.</summary>
    public Stack<Folder> Unlisted { get; } = new();

    /// <summary>Everything is watched: what happened before is the past.</summary>
    public void GoLive()
    {
        IsLive = true;
        Add(Line(new GuestChange { Event = GuestChangeEvent.Watching, Path = path, IsDir = true, AtMs = Now }));
    }

    /// <summary>Has the folder and all below it looked into.</summary>
    public void ListAll(Folder folder)
    {
        Unlisted.Clear();
        Unlisted.Push(folder);
    }

    /// <summary>All of it has been looked into: for the first time, or after changes were lost.</summary>
    public void Listed()
    {
        if (IsLive)
            Rescan();
        else
            GoLive();
    }

    public void Add(byte[] line)
    {
        if (_lost || IsEnding)
            return;
        var cost = line.Length + LineOverhead;
        if (_lines.Count >= MostLines || _bytes + cost > MostBytes || s_bytesOfAll + cost > MostBytesOfAll)
        {
            _lost = true;
            return;
        }
        _lines.Enqueue(line);
        _bytes += cost;
        s_bytesOfAll += cost;
    }

    public void Rescan() => Add(RescanLine);

    /// <summary>Sends what the host takes without waiting; true when the stream has ended and nobody has it any more.</summary>
    public bool IsOver(FrameBuffer buffer)
    {
        try
        {
            Send(buffer);
            if (_end is not { } how || _lines.Count > 0 || HostIsFull)
                return false;
            stream.WakeBy(-1);
            StreamRun.End(stream, how.Type, how.Payload);
        }
        catch (ConnectionLostException)
        {
            // The end of the connection cancels its streams; this one waits only for that.
            return false;
        }
        return true;
    }

    /// <summary>False when it was to end before.</summary>
    public bool TryEnd(FrameType type, byte[] payload)
    {
        if (_end is not null)
            return false;
        _end = (type, payload);
        Unlisted.Clear();
        return true;
    }

    private void Send(FrameBuffer buffer)
    {
        Span<PollEntry> socket = [new PollEntry { Fd = stream.Connection.Socket, Events = PollEntry.Out }];
        while (true)
        {
            if (_lines.Count == 0 && _lost)
            {
                _lost = false;
                Rescan();
            }
            if (_lines.Count == 0 && _end is null)
                return;
            HostIsFull = Libc.Poll(socket, 0) == 0;
            if (HostIsFull || _lines.Count == 0)
                return;
            var room = stream.TakeCredit(FrameLimits.MaxPayload);
            if (room == 0)
                return;
            var length = Take(buffer, room);
            stream.ReturnCredit(room - length);
            stream.Send(FrameChannel.Body, buffer, length);
        }
    }

    /// <summary>Gives back what its lines took.</summary>
    public void Clear()
    {
        s_bytesOfAll -= _bytes;
        _bytes = 0;
        _lines.Clear();
        _lost = false;
    }

    public static byte[] Line(GuestChange change) => [.. JsonSerializer.SerializeToUtf8Bytes(change, GuestJson.Wire.GuestChange), (byte)'\n'];

    public static long Now => DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();

    private byte[] RescanLine => Line(new GuestChange { Event = GuestChangeEvent.Rescan, Path = path, IsDir = true, AtMs = Now });

    // SAFETY: the buffer is native memory of a frame, and room is at most what a frame carries. NEEDED: frames are sent from native memory.
    private unsafe int Take(FrameBuffer buffer, int room)
    {
        var target = new Span<byte>(buffer.Payload, room);
        var length = 0;
        while (length < room && _lines.TryPeek(out var line))
        {
            var part = Math.Min(room - length, line.Length - _sent);
            line.AsSpan(_sent, part).CopyTo(target[length..]);
            length += part;
            _sent += part;
            if (_sent < line.Length)
                break;
            _lines.Dequeue();
            _sent = 0;
            _bytes -= line.Length + LineOverhead;
            s_bytesOfAll -= line.Length + LineOverhead;
        }
        return length;
    }
}
