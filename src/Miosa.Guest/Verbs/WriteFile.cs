using System.Text.Json;
using Miosa.Guest.Files;
using Miosa.Guest.Linux;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>file.write</c>: the body becomes the file in one step at its end, or is appended.</summary>
internal static unsafe class WriteFile
{
    public static byte[] Run(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = JsonSerializer.Deserialize(open, GuestJson.Wire.WriteFileCall) ?? throw GuestFailure.BadRequest("OPEN is null");
        var mode = GuestPath.ModeOf(call.Mode);
        using var place = Place.ToChange(call.Path, createParents: true, followLeaf: true);
        var size = call.Append ? Append(stream, place, call, mode) : Replace(stream, place, call, mode);
        return JsonSerializer.SerializeToUtf8Bytes(new WriteFileReply { Path = place.Path, Size = size }, GuestJson.Wire.WriteFileReply);
    }

    private static long Replace(GuestStream stream, Place place, WriteFileCall call, uint? mode)
    {
        using var file = new NewFile(place, overwrite: !call.Exclusive);
        var size = Receive(stream, file.Fd, place.Path);
        file.Commit(mode, overwrite: !call.Exclusive, call.Sync);
        return size;
    }

    /// <summary>In place, because a copy of a large log for every line would be absurd; taken back when it fails.</summary>
    private static long Append(GuestStream stream, Place place, WriteFileCall call, uint? mode)
    {
        var old = place.Status();
        if (old is { IsDirectory: true })
            throw new LinuxException("append", place.Path, Errno.EISDIR);
        if (old is { IsRegular: false })
            throw GuestFailure.BadRequest("\"" + place.Path + "\" is not a regular file");
        var flags = Libc.WriteOnly | Libc.Append | Libc.Create | Libc.NoFollow | (call.Exclusive ? Libc.Exclusive : 0);
        var fd = place.OpenLeaf(flags, 0x1A4);
        var before = Libc.Seek(fd, 0, 2);
        try
        {
            if (mode is { } wanted)
                Libc.Check(Libc.ChmodFile(fd, wanted), "chmod", place.Path);
            var added = Receive(stream, fd, place.Path);
            if (call.Sync)
                Libc.Check(Libc.Sync(fd), "sync", place.Path);
            return before + added;
        }
        catch
        {
            _ = Libc.Truncate(fd, before);
            throw;
        }
        finally
        {
            Libc.Close(fd);
        }
    }

    private static long Receive(GuestStream stream, int fd, string path)
    {
        long size = 0;
        while (true)
        {
            var bytes = stream.WaitForBytes();
            if (bytes.IsEmpty)
                return size;
            nint written;
            fixed (byte* first = bytes)
                written = Libc.Write(fd, first, (nuint)bytes.Length);
            Libc.Check((long)written, "write", path);
            stream.Consume((int)written);
            size += written;
        }
    }
}
