using System.Buffers;
using System.Text;
using System.Text.Json;
using Miosa.Guest.Files;
using Miosa.Guest.Linux;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>file.list</c> and <c>file.tree</c>: entries as lines of JSON, parents before children, names in byte order. Links are not followed.</summary>
internal sealed class ListFiles : IDisposable
{
    private const int MaxDepth = 64;
    private const int DefaultTreeDepth = 3;
    private const int DefaultTreeLimit = 10_000;
    private const int FlushBytes = 32 * 1024;

    private readonly GuestStream _stream;
    private readonly bool _hidden;
    private readonly long _limit;
    private readonly ArrayBufferWriter<byte> _lines = new(FlushBytes);
    private readonly Utf8JsonWriter _writer;
    private long _count;
    private bool _truncated;

    private ListFiles(GuestStream stream, bool hidden, long limit)
    {
        (_stream, _hidden, _limit) = (stream, hidden, limit);
        _writer = new Utf8JsonWriter(_lines, new JsonWriterOptions { Encoder = GuestJson.Wire.Options.Encoder, SkipValidation = true });
    }

    public static byte[] List(GuestStream stream, ReadOnlySpan<byte> open) => Run(stream, open, 1, long.MaxValue);

    public static byte[] Tree(GuestStream stream, ReadOnlySpan<byte> open) => Run(stream, open, DefaultTreeDepth, DefaultTreeLimit);

    public void Dispose() => _writer.Dispose();

    private static byte[] Run(GuestStream stream, ReadOnlySpan<byte> open, int defaultDepth, long defaultLimit)
    {
        var call = JsonSerializer.Deserialize(open, GuestJson.Wire.ListFilesCall) ?? throw GuestFailure.BadRequest("OPEN is null");
        var depth = call.Depth ?? defaultDepth;
        if (depth < 1 || call.Limit < 1)
            throw GuestFailure.BadRequest("depth and limit must be positive");
        using var place = Place.ToRead(call.Path);
        var directory = place.OpenLeaf(Libc.ReadOnly | Libc.Directory | Libc.NonBlocking);
        using var walk = new ListFiles(stream, call.Hidden ?? true, call.Limit ?? defaultLimit);
        walk.Walk(directory, place.Path, Math.Min(depth, MaxDepth));
        walk.Flush();
        return JsonSerializer.SerializeToUtf8Bytes(
            new ListFilesReply { Path = place.Path, Count = walk._count, Truncated = walk._truncated }, GuestJson.Wire.ListFilesReply);
    }

    /// <summary>Closes <paramref name="directory"/>.</summary>
    private void Walk(int directory, string path, int depth)
    {
        try
        {
            foreach (var nameZ in DirectoryNames.Read(directory, path))
            {
                if (!_hidden && nameZ[0] == (byte)'.')
                    continue;
                // Gone since the directory was read: not an entry.
                if (Libc.StatAt(directory, nameZ, out var status, Libc.AtNoFollow) < 0)
                    continue;
                if (_count == _limit)
                {
                    _truncated = true;
                    return;
                }
                var name = Encoding.UTF8.GetString(nameZ.AsSpan(0, nameZ.Length - 1));
                var child = path == "/" ? "/" + name : path + "/" + name;
                Add(Entries.Of(child, name, directory, nameZ, status));
                if (!status.IsDirectory || depth == 1)
                    continue;
                var below = Libc.OpenAt(directory, nameZ, Libc.ReadOnly | Libc.Directory | Libc.NoFollow | Libc.NonBlocking);
                if (below >= 0)
                    Walk(below, child, depth - 1);
                if (_truncated)
                    return;
            }
        }
        finally
        {
            Libc.Close(directory);
        }
    }

    private void Add(GuestEntry entry)
    {
        _writer.Reset();
        JsonSerializer.Serialize(_writer, entry, GuestJson.Wire.GuestEntry);
        _writer.Flush();
        _lines.Write("\n"u8);
        _count++;
        if (_lines.WrittenCount >= FlushBytes / 2)
            Flush();
    }

    private void Flush()
    {
        _stream.Send(FrameChannel.Body, _lines.WrittenSpan);
        _lines.ResetWrittenCount();
    }
}
