using System.Formats.Tar;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Miosa.Runtime.Host;
using Miosa.Runtime.Linux;

namespace Miosa.Runtime.Images;

/// <summary>
/// What a machine has written, as the tar of an OCI layer. Walks the overlay's upper directory by descriptor and follows nothing: the machine's
/// owner chose every name and link in it. Whiteouts and opaque folders become the marks of OCI; devices, sockets and pipes are left out.
/// The machine must not run meanwhile.
/// </summary>
/// <param name="baseId">What the ids on disk are shifted by.</param>
internal sealed class LayerTar(TarWriter tar, uint baseId)
{
    /// <summary>No path of Linux has more folders than this in it that could be opened again.</summary>
    private const int MaxDepth = 512;
    private const int Fgetxattr = 193;
    private const int NonBlocking = 0x800;

    // Made for each machine anew: they tell nothing of the image.
    private static readonly HashSet<string> OwnOfMachine = ["etc/hostname", "etc/hosts", "etc/resolv.conf"];
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly Dictionary<(ulong Device, ulong Inode), string> seen = [];

    public void Write(string upper)
    {
        using var root = Libc.Open(upper, Libc.O_RDONLY | Libc.O_DIRECTORY | Libc.O_NOFOLLOW);
        Children(root, "", 0);
    }

    private void Children(Fd folder, string path, int depth)
    {
        if (depth > MaxDepth) throw new CommandFailure($"\"{path[..Math.Min(path.Length, 80)]}…\" is more than {MaxDepth} folders deep: such a tree does not become an image");
        foreach (var (name, _) in Tree.Entries(folder)) Entry(folder, name, path, depth);
    }

    private void Entry(Fd parent, byte[] rawName, string folderPath, int depth)
    {
        var name = NameOf(rawName, folderPath);
        var path = folderPath.Length == 0 ? name : folderPath + "/" + name;
        if (OwnOfMachine.Contains(path)) return;
        var facts = FileFacts.Of(parent, rawName);
        switch (facts.Kind)
        {
            case FileFacts.Folder:
                Folder(parent, rawName, path, facts, depth);
                break;
            case FileFacts.CharacterDevice when facts.Rdev == 0:
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, folderPath.Length == 0 ? ".wh." + name : folderPath + "/.wh." + name));
                break;
            case FileFacts.Regular or FileFacts.Link when facts.Links > 1 && !seen.TryAdd((facts.Device, facts.Inode), path):
                tar.WriteEntry(new PaxTarEntry(TarEntryType.HardLink, path) { LinkName = seen[(facts.Device, facts.Inode)] });
                break;
            case FileFacts.Link:
                tar.WriteEntry(Owned(new PaxTarEntry(TarEntryType.SymbolicLink, path) { LinkName = TargetOf(parent, rawName, path) }, facts));
                break;
            case FileFacts.Regular:
                using (var file = Tree.Open(parent, rawName, Libc.O_RDONLY | NonBlocking))
                using (var handle = new SafeFileHandle((nint)file.Value, ownsHandle: false))
                using (var bytes = new FileStream(handle, FileAccess.Read, 0))
                    tar.WriteEntry(Owned(new PaxTarEntry(TarEntryType.RegularFile, path) { DataStream = bytes }, facts));
                break;
        }
    }

    private void Folder(Fd parent, byte[] rawName, string path, FileFacts facts, int depth)
    {
        using var folder = Tree.Open(parent, rawName, Libc.O_RDONLY | Libc.O_DIRECTORY);
        if (Has(folder, "trusted.overlay.redirect") || Has(folder, "user.overlay.redirect"))
            throw new CommandFailure($"the folder \"{path}\" was moved by reference, which a layer cannot hold: copy it instead");
        tar.WriteEntry(Owned(new PaxTarEntry(TarEntryType.Directory, path + "/"), facts));
        if (Has(folder, "trusted.overlay.opaque") || Has(folder, "user.overlay.opaque"))
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, path + "/.wh..wh..opq"));
        Children(folder, path, depth + 1);
    }

    private PaxTarEntry Owned(PaxTarEntry entry, FileFacts facts)
    {
        entry.Uid = (int)(facts.Uid - baseId);
        entry.Gid = (int)(facts.Gid - baseId);
        entry.Mode = (UnixFileMode)(facts.Mode & 0xfff);
        entry.ModificationTime = DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(facts.ModifiedSeconds, 0, uint.MaxValue));
        return entry;
    }

    private static string NameOf(byte[] raw, string folderPath)
    {
        try
        {
            var name = Strict.GetString(raw);
            // It would be taken for a mark of the layer and remove a file.
            return !name.StartsWith(".wh.", StringComparison.Ordinal)
                ? name
                : throw new CommandFailure($"\"{folderPath}/{name}\": a name that begins with .wh. means a removed file in a layer; rename it");
        }
        catch (DecoderFallbackException e)
        {
            throw new CommandFailure($"\"{folderPath}\" has a file whose name is not UTF-8: such a tree does not become an image", e);
        }
    }

    private static unsafe string TargetOf(Fd parent, byte[] rawName, string path)
    {
        const int readlinkat = 267;
        var buffer = new byte[4097];
        nint length;
        fixed (byte* text = Tree.Terminated(rawName), into = buffer) length = Libc.Syscall(readlinkat, parent.Value, (nint)text, (nint)into, buffer.Length);
        Libc.Check(length, "readlink", path);
        try
        {
            return Strict.GetString(buffer, 0, (int)length);
        }
        catch (DecoderFallbackException e)
        {
            throw new CommandFailure($"the link \"{path}\" leads to a name that is not UTF-8: such a tree does not become an image", e);
        }
    }

    private static unsafe bool Has(Fd file, string attribute)
    {
        fixed (byte* name = Tree.Terminated(Encoding.UTF8.GetBytes(attribute))) return Libc.Syscall(Fgetxattr, file.Value, (nint)name, 0, 0) > 0;
    }
}

/// <summary>Passes bytes on, and knows their number and digest. Ends at its limit: a sparse file is longer than the disk it lies on.</summary>
internal sealed class MeasuredStream(Stream inner, long limit) : Stream
{
    private readonly Sha256 hash = new();

    public long BytesWritten { get; private set; }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => BytesWritten; set => throw new NotSupportedException(); }

    public string Digest() => "sha256:" + hash.Finish();

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        BytesWritten += buffer.Length;
        if (BytesWritten > limit) throw new CommandFailure($"what the machine wrote is larger than {limit >> 20} MiB: it does not become an image");
        hash.Append(buffer);
        inner.Write(buffer);
    }

    public override void Flush() => inner.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
