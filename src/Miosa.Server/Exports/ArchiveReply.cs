using System.Formats.Tar;
using System.IO.Compression;
using Miosa.Guest;
using Miosa.Server.Files;
using Miosa.Server.Guests;
using Miosa.Server.Host;

namespace Miosa.Server.Exports;

/// <summary>
/// Files and folders as one tar.gz, written while it is read: the memory is that of one file's frames, whatever the size. Once the headers
/// are out a failure can only cut the connection, so that no half archive looks whole.
/// </summary>
internal sealed partial class ArchiveReply(GuestConnection guest, IReadOnlyList<GuestEntry> roots, string fileName) : IResult
{
    private const int MaxDepth = 64;

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        LongStream.Allow(httpContext);
        new FileHead(fileName, roots.Max(FolderListing.ModifiedAt)).Write(httpContext.Response);
        httpContext.Response.ContentType = "application/gzip";
        httpContext.Response.Headers.Remove("Accept-Ranges");
        var ct = httpContext.RequestAborted;
        try
        {
            await using var gzip = new GZipStream(httpContext.Response.Body, CompressionLevel.Fastest, leaveOpen: true);
            await using var tar = new TarWriter(gzip, TarEntryFormat.Pax, leaveOpen: true);
            foreach (var root in roots)
                await AddRootAsync(tar, root, ct);
        }
        catch (Exception e) when (e is GuestException or IOException)
        {
            Log.Cut(httpContext.RequestServices.GetRequiredService<ILogger<ArchiveReply>>(), httpContext.RequestId(), e.Message);
            httpContext.Abort();
        }
    }

    private async Task AddRootAsync(TarWriter tar, GuestEntry root, CancellationToken ct)
    {
        var path = root.Path ?? "";
        // Names in the archive begin with the last part of what was asked for.
        var above = path.LastIndexOf('/') + 1;
        await AddAsync(tar, root, path, path[above..], ct);
        if (root.Type != GuestEntryType.Directory)
            return;
        var call = new ListFilesCall { Path = path, Depth = MaxDepth, Hidden = true, Limit = FolderListing.MaxEntries + 1 };
        // Listed first: an entry is read on the connection that would still be sending the list.
        var entries = new List<GuestEntry>();
        await foreach (var entry in guest.ListAsync(call, tree: true, ct))
            entries.Add(entry);
        if (entries.Count > FolderListing.MaxEntries)
            throw new IOException($"\"{path}\" has more than {FolderListing.MaxEntries} entries");
        foreach (var entry in entries)
        {
            var inner = entry.Path ?? "";
            if (!inner.StartsWith(path, StringComparison.Ordinal))
                throw new IOException("the guest listed an entry outside of the folder");
            await AddAsync(tar, entry, inner, inner[above..], ct);
        }
    }

    private async Task AddAsync(TarWriter tar, GuestEntry entry, string path, string name, CancellationToken ct)
    {
        var type = entry.Type switch
        {
            GuestEntryType.Directory => TarEntryType.Directory,
            GuestEntryType.File => TarEntryType.RegularFile,
            GuestEntryType.Symlink when entry.SymlinkTarget is { Length: > 0 } => TarEntryType.SymbolicLink,
            _ => (TarEntryType?)null,
        };
        name = name.Trim('/');
        // Sockets, pipes and devices have no content to hand out; the root folder itself has no name.
        if (type is not { } kind || name.Length == 0)
            return;
        var made = new PaxTarEntry(kind, name) { ModificationTime = FolderListing.ModifiedAt(entry), Mode = ModeOf(entry) };
        if (kind == TarEntryType.SymbolicLink)
            made.LinkName = entry.SymlinkTarget!;
        if (kind != TarEntryType.RegularFile)
        {
            await tar.WriteEntryAsync(made, ct);
            return;
        }
        await using var file = await guest.OpenReadAsync(path, 0, null, ct);
        await using var content = new SizedFile(file);
        made.DataStream = content;
        await tar.WriteEntryAsync(made, ct);
    }

    private static UnixFileMode ModeOf(GuestEntry entry)
    {
        try
        {
            return (UnixFileMode)(Convert.ToInt32(entry.Mode, 8) & 0x1FF);
        }
        catch (Exception e) when (e is FormatException or OverflowException or ArgumentException)
        {
            return UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }
    }

    /// <summary>
    /// A file of the machine with the size it had when it was opened, which the archive has promised in the entry's header. One that grows is
    /// cut there; one that shrinks breaks the archive. It claims to seek because the writer asks for length and position; it never moves.
    /// </summary>
    private sealed class SizedFile(GuestFile file) : Stream
    {
        private long position;

        public override bool CanRead => true;
        public override bool CanSeek => true;
        public override bool CanWrite => false;
        public override long Length => file.Entry.Size;

        public override long Position
        {
            get => position;
            set
            {
                if (value != position)
                    throw new NotSupportedException();
            }
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var wanted = (int)Math.Min(buffer.Length, Length - position);
            if (wanted == 0)
                return 0;
            var count = await file.ReadAsync(buffer[..wanted], cancellationToken);
            if (count == 0)
                throw new IOException($"the file became {Length - position} bytes shorter while it was read");
            position += count;
            return count;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush()
        {
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "{RequestId}: archive cut: {Reason}")]
        public static partial void Cut(ILogger logger, string requestId, string reason);
    }
}
