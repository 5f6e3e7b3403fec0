using System.Text.Json;
using Miosa.Guest.Files;
using Miosa.Guest.Linux;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>file.read</c>: the entry on channel 3, then the bytes.</summary>
internal static unsafe class ReadFile
{
    public static byte[] Run(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = JsonSerializer.Deserialize(open, GuestJson.Wire.ReadFileCall) ?? throw GuestFailure.BadRequest("OPEN is null");
        if (call.Offset < 0 || call.Length < 0)
            throw GuestFailure.BadRequest("offset and length must not be negative");
        using var place = Place.ToRead(call.Path);
        var fd = OpenRegular(place, out var status);
        try
        {
            var entry = Entries.Of(place.Path, place.Name, place.Directory, place.LeafZ, status);
            stream.Send(FrameChannel.Entry, JsonSerializer.SerializeToUtf8Bytes(entry, GuestJson.Wire.GuestEntry));
            var size = Send(stream, fd, place.Path, call, status.Size);
            return JsonSerializer.SerializeToUtf8Bytes(new ReadFileReply { Size = size }, GuestJson.Wire.ReadFileReply);
        }
        finally
        {
            Libc.Close(fd);
        }
    }

    /// <summary>
    /// Looked at before it is opened for reading: opening a pipe waits for a writer, opening a device may do anything.
    /// </summary>
    public static int OpenRegular(Place place, out FileStatus status)
    {
        var handle = place.OpenLeaf(Libc.PathOnly);
        try
        {
            Libc.Check(Libc.Stat(handle, out status), "stat", place.Path);
            if (status.IsDirectory)
                throw new LinuxException("read", place.Path, Errno.EISDIR);
            if (!status.IsRegular)
                throw GuestFailure.BadRequest("\"" + place.Path + "\" is not a regular file");
            return Libc.Check(
                Libc.OpenAt(Libc.AtCwd, Place.DescriptorZ(handle), Libc.ReadOnly | Libc.NonBlocking | Libc.NoControllingTerminal), "open", place.Path);
        }
        finally
        {
            Libc.Close(handle);
        }
    }

    private static long Send(GuestStream stream, int fd, string path, ReadFileCall call, long statedSize)
    {
        if (call.Offset > 0)
            Libc.Check(Libc.Seek(fd, call.Offset, 0), "seek", path);
        // A file that grows is sent as long as it was; one of /proc states 0 and is read to its end.
        var left = statedSize > 0 ? Math.Max(0, statedSize - call.Offset) : long.MaxValue;
        left = Math.Min(left, call.Length ?? long.MaxValue);
        long sent = 0;
        using var buffer = new FrameBuffer();
        while (left > 0)
        {
            var room = stream.WaitForCredit((int)Math.Min(left, FrameLimits.MaxPayload));
            var read = Libc.Read(fd, buffer.Payload, (nuint)room);
            stream.ReturnCredit(room - Math.Max(0, (int)read));
            // Some files of /proc would wait for more: there is none now.
            if (read == 0 || (read < 0 && Libc.LastErrno == Errno.EAGAIN))
                break;
            Libc.Check((long)read, "read", path);
            stream.Send(FrameChannel.Body, buffer, (int)read);
            sent += read;
            left -= read;
        }
        return sent;
    }
}
