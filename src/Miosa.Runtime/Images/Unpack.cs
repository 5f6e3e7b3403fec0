using System.Formats.Tar;
using System.Globalization;
using Miosa.Runtime.Host;
using Miosa.Runtime.Linux;

namespace Miosa.Runtime.Images;

/// <summary>
/// Unpacks a layer that nobody vouches for. It runs in a process of its own (<c>miosa-runtime unpack ROOT ENTRIES</c>, the tar on standard input)
/// whose root directory is the target: links and <c>..</c> in the archive can lead nowhere else, whatever they say.
/// Devices are left out (a machine gets its own), as is everything but files, folders and links.
/// </summary>
internal static class Unpack
{
    private const int ChrootNumber = 161;
    private const string WhiteoutPrefix = ".wh.";
    private const string OpaqueWhiteout = ".wh..wh..opq";
    private const int MaxId = 65535;
    private const int MaxComplaint = 4096;

    /// <summary>Feeds an archive to an unpacker on <paramref name="root"/>, to its end.</summary>
    /// <param name="entries">The most entries it may have.</param>
    public static void Into(string root, Archive archive, int entries) => Into(
        root,
        entries,
        input =>
        {
            archive.Stream.CopyTo(input);
            archive.Finish();
        });

    /// <param name="feed">Writes the tar.</param>
    public static void Into(string root, int entries, Action<Stream> feed)
    {
        var start = new System.Diagnostics.ProcessStartInfo("/proc/self/exe", ["unpack", root, entries.ToString(CultureInfo.InvariantCulture)]) { RedirectStandardInput = true, RedirectStandardError = true };
        using var process = System.Diagnostics.Process.Start(start) ?? throw new CommandFailure("the unpacker did not start");
        var complaint = "";
        process.ErrorDataReceived += (_, e) => complaint += e.Data is { Length: > 0 } text && complaint.Length < MaxComplaint ? text + "\n" : "";
        process.BeginErrorReadLine();
        IOException? failure = null;
        try
        {
            feed(process.StandardInput.BaseStream);
            process.StandardInput.Close();
        }
        catch (Exception e) when (e is CommandFailure or LinuxException)
        {
            process.Kill();
            process.WaitForExit();
            throw;
        }
        catch (IOException e)
        {
            // Most likely the unpacker has refused the archive and gone; then it says why.
            failure = e;
            process.StandardInput.Close();
        }
        process.WaitForExit();
        if (process.ExitCode != 0) throw new CommandFailure(complaint.Trim() is { Length: > 0 } why ? why : $"the unpacker ended with status {process.ExitCode}");
        if (failure is not null) throw new CommandFailure($"the archive could not be fed: {failure.Message}", failure);
    }

    /// <summary>The child: enters <paramref name="root"/> for good and unpacks standard input.</summary>
    public static void Run(string root, int entries)
    {
        Libc.Chdir(root);
        unsafe
        {
            fixed (byte* here = ".\0"u8) Libc.Check(Libc.Syscall(ChrootNumber, (nint)here), "chroot", root);
        }
        Libc.Chdir("/");
        using var input = Console.OpenStandardInput();
        using var reader = new TarReader(input);
        var made = new HashSet<string>(StringComparer.Ordinal);
        var folders = new List<(string Path, DateTime Modified)>();
        try
        {
            for (var count = 0; reader.GetNextEntry() is { } entry; count++)
            {
                if (count == entries) throw new CommandFailure($"the archive has more than {entries} entries: it is not taken (--image-files)");
                Place(entry, made, folders);
            }
            // What follows the last entry is padding, which whoever feeds may still want to write.
            input.CopyTo(Stream.Null);
            // Children change a folder's time, so folders get theirs last, deepest first.
            for (var i = folders.Count - 1; i >= 0; i--)
                if (Directory.Exists(folders[i].Path)) Directory.SetLastWriteTimeUtc(folders[i].Path, folders[i].Modified);
        }
        // What a damaged header or a path that cannot be made comes out as.
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException or FormatException or ArgumentException or OverflowException)
        {
            throw new CommandFailure($"the archive cannot be unpacked: {e.Message}", e);
        }
    }

    private static void Place(TarEntry entry, HashSet<string> made, List<(string Path, DateTime Modified)> folders)
    {
        var path = Clean(entry.Name);
        var name = Path.GetFileName(path);
        var parent = Path.GetDirectoryName(path) ?? "/";
        if (name == OpaqueWhiteout)
        {
            Clear(parent, made);
            return;
        }
        if (name.StartsWith(WhiteoutPrefix, StringComparison.Ordinal))
        {
            var removed = name[WhiteoutPrefix.Length..];
            if (removed is "" or "." or "..") throw new CommandFailure($"the archive names \"{entry.Name}\": that removes no file of a folder");
            Tree.Delete(Path.Combine(parent, removed));
            return;
        }
        if (entry.Uid is < 0 or > MaxId || entry.Gid is < 0 or > MaxId)
            throw new CommandFailure($"\"{path}\" belongs to {entry.Uid}:{entry.Gid}: a machine has the ids 0 to {MaxId}");
        switch (entry.EntryType)
        {
            case TarEntryType.Directory:
                MakeFolder(path);
                folders.Add((path, entry.ModificationTime.UtcDateTime));
                break;
            case TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile:
                MakeRoom(path, parent);
                WriteFile(path, entry);
                break;
            case TarEntryType.SymbolicLink:
                MakeRoom(path, parent);
                Libc.Symlink(entry.LinkName, path);
                break;
            case TarEntryType.HardLink:
                MakeRoom(path, parent);
                Libc.HardLink(Clean(entry.LinkName), path);
                made.Add(path);
                return;
            default:
                return;
        }
        made.Add(path);
        Libc.ChangeOwner(path, (uint)entry.Uid, (uint)entry.Gid);
        if (entry.EntryType == TarEntryType.SymbolicLink) return;
        // After the owner: changing the owner clears set-id bits.
        Libc.Chmod(path, (uint)entry.Mode & 0xfff);
        if (entry.EntryType != TarEntryType.Directory) File.SetLastWriteTimeUtc(path, entry.ModificationTime.UtcDateTime);
    }

    private static string Clean(string name)
    {
        var parts = name.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(part => part != ".").ToArray();
        if (parts.Contains("..")) throw new CommandFailure($"the archive names \"{name}\": a path with \"..\" is refused");
        return "/" + string.Join('/', parts);
    }

    private static void MakeFolder(string path)
    {
        if (path == "/" || (Directory.Exists(path) && new FileInfo(path).LinkTarget is null)) return;
        MakeRoom(path, Path.GetDirectoryName(path) ?? "/");
        Libc.Mkdir(path, 0x1ed);
    }

    private static void MakeRoom(string path, string parent)
    {
        Directory.CreateDirectory(parent);
        Tree.Delete(path);
    }

    private static void WriteFile(string path, TarEntry entry)
    {
        using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 0);
        entry.DataStream?.CopyTo(file, 256 * 1024);
    }

    /// <summary>Removes what lower layers put into a folder and keeps what this one has put there, in whatever order they came.</summary>
    private static void Clear(string folder, HashSet<string> made)
    {
        if (!Directory.Exists(folder)) return;
        foreach (var child in Directory.EnumerateFileSystemEntries(folder).ToList())
        {
            if (!made.Any(path => path == child || path.StartsWith(child + "/", StringComparison.Ordinal))) Tree.Delete(child);
            else if (!made.Contains(child)) Clear(child, made);
        }
    }
}
