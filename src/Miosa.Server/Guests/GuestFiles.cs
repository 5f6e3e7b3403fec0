using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text.Json.Serialization.Metadata;
using Miosa.Guest;

namespace Miosa.Server.Guests;

/// <summary>The files of a machine. Every path is the machine's; the guest decides what may be changed.</summary>
internal static class GuestFiles
{
    /// <summary>The longest line a listing may have: a path of 4 KiB, written in JSON escapes, twice, with room.</summary>
    private const int MaxLine = 64 * 1024;

    /// <summary>The entry and the content. Dispose the file to end the transfer early.</summary>
    public static async Task<GuestFile> OpenReadAsync(this GuestConnection guest, string path, long offset, long? length, CancellationToken ct)
    {
        var call = await guest.OpenAsync(
            GuestVerb.FileRead, new ReadFileCall { Path = path, Offset = offset, Length = length }, GuestJson.Wire.ReadFileCall, takesData: true, ct);
        try
        {
            var first = await call.NextAsync(ct);
            if (first.IsEnd)
                await call.EndAsync(ct); // throws: nothing succeeds without an entry
            if (first.Channel != FrameChannel.Entry)
                throw call.Broken("the guest sent no entry before the file");
            var entry = EntryIn(call, first.Bytes.ToArray());
            return new GuestFile(entry, call);
        }
        catch
        {
            await call.CancelAsync();
            throw;
        }
    }

    /// <summary>Writes a whole file in one step, of any size with the memory of one frame.</summary>
    public static async Task<WriteFileReply> WriteAsync(this GuestConnection guest, WriteFileCall file, Stream content, CancellationToken ct)
    {
        var call = await guest.OpenAsync(GuestVerb.FileWrite, file, GuestJson.Wire.WriteFileCall, takesData: false, ct);
        await GuestBody.SendAsync(call, content, ct);
        return await call.ReplyAsync(GuestJson.Wire.WriteFileReply, ct);
    }

    /// <summary>The entries of a directory, or with <paramref name="tree"/> of what is below it as well, parents first.</summary>
    public static async IAsyncEnumerable<GuestEntry> ListAsync(
        this GuestConnection guest, ListFilesCall list, bool tree, [EnumeratorCancellation] CancellationToken ct)
    {
        var verb = tree ? GuestVerb.FileTree : GuestVerb.FileList;
        var call = await guest.OpenAsync(verb, list with { Verb = verb }, GuestJson.Wire.ListFilesCall, takesData: true, ct);
        var line = new ArrayBufferWriter<byte>(1024);
        try
        {
            for (var chunk = await call.NextAsync(ct); !chunk.IsEnd; chunk = await call.NextAsync(ct))
            {
                var rest = chunk.Bytes;
                while (rest.PositionOf((byte)'\n') is { } newline)
                {
                    Append(call, line, rest.Slice(0, newline));
                    rest = rest.Slice(rest.GetPosition(1, newline));
                    yield return EntryIn(call, line.WrittenSpan);
                    line.ResetWrittenCount();
                }
                Append(call, line, rest);
            }
            await call.EndAsync(ct);
        }
        finally
        {
            await call.CancelAsync();
        }
    }

    public static async Task<GuestEntry> StatAsync(this GuestConnection guest, string path, CancellationToken ct)
    {
        var call = await guest.OpenAsync(GuestVerb.FileStat, new StatCall { Path = path }, GuestJson.Wire.StatCall, takesData: false, ct);
        return EntryIn(call, await call.EndAsync(ct));
    }

    public static Task DeleteAsync(this GuestConnection guest, string path, bool recursive, CancellationToken ct) =>
        guest.CallAsync(GuestVerb.FileDelete, new DeleteCall { Path = path, Recursive = recursive }, GuestJson.Wire.DeleteCall, GuestJson.Wire.Done, ct);

    public static Task MkdirAsync(this GuestConnection guest, string path, bool parents, string? mode, CancellationToken ct) =>
        guest.CallAsync(
            GuestVerb.FileMkdir, new MkdirCall { Path = path, Parents = parents, Mode = mode }, GuestJson.Wire.MkdirCall, GuestJson.Wire.Done, ct);

    public static Task MoveAsync(this GuestConnection guest, string from, string to, bool overwrite, CancellationToken ct) =>
        guest.CallAsync(
            GuestVerb.FileMove, new MoveCall { From = from, To = to, Overwrite = overwrite }, GuestJson.Wire.MoveCall, GuestJson.Wire.Done, ct);

    public static Task CopyAsync(this GuestConnection guest, string from, string to, bool overwrite, bool recursive, CancellationToken ct) =>
        guest.CallAsync(
            GuestVerb.FileCopy,
            new CopyCall { From = from, To = to, Overwrite = overwrite, Recursive = recursive },
            GuestJson.Wire.CopyCall, GuestJson.Wire.Done, ct);

    public static Task ChmodAsync(this GuestConnection guest, string path, string mode, CancellationToken ct) =>
        guest.CallAsync(GuestVerb.FileChmod, new ChmodCall { Path = path, Mode = mode }, GuestJson.Wire.ChmodCall, GuestJson.Wire.Done, ct);

    public static Task<InfoReply> InfoAsync(this GuestConnection guest, CancellationToken ct) =>
        guest.CallAsync(GuestVerb.Info, new InfoCall(), GuestJson.Wire.InfoCall, GuestJson.Wire.InfoReply, ct);

    private static async Task<TReply> CallAsync<TCall, TReply>(
        this GuestConnection guest, string verb, TCall call, JsonTypeInfo<TCall> callType, JsonTypeInfo<TReply> replyType, CancellationToken ct)
    {
        var opened = await guest.OpenAsync(verb, call, callType, takesData: false, ct);
        return await opened.ReplyAsync(replyType, ct);
    }

    private static void Append(GuestCall call, ArrayBufferWriter<byte> line, ReadOnlySequence<byte> bytes)
    {
        if (line.WrittenCount + bytes.Length > MaxLine)
            throw call.Broken("the guest sent an entry without end");
        foreach (var part in bytes)
            line.Write(part.Span);
    }

    /// <summary>Nothing above here has to ask whether a guest left out a name.</summary>
    private static GuestEntry EntryIn(GuestCall call, ReadOnlySpan<byte> json)
    {
        var entry = call.Parse(json, GuestJson.Wire.GuestEntry);
        return entry is { Path: not null, Name: not null, Type: not null, Mode: not null, Size: >= 0 }
            ? entry
            : throw call.Broken("the guest sent an entry with a part missing");
    }
}
