namespace Miosa.Runtime.Linux;

/// <summary>Files that are there after a power cut, whole or not at all.</summary>
internal static class Durable
{
    private const int Fsync = 74;

    public static void Write(string path, byte[] content)
    {
        var partial = path + ".new";
        using (var file = new FileStream(partial, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            file.Write(content);
            file.Flush(flushToDisk: true);
        }
        Libc.Rename(partial, path);
        using var folder = Libc.Open(Path.GetDirectoryName(path) ?? "/", Libc.O_RDONLY | Libc.O_DIRECTORY);
        Libc.Check(Libc.Syscall(Fsync, folder.Value), "fsync", path);
    }

    /// <summary>Syncs the files of a folder, which has no folders.</summary>
    /// <returns>How many bytes they are.</returns>
    public static long Sync(string folder)
    {
        long bytes = 0;
        foreach (var path in Directory.EnumerateFiles(folder))
        {
            using var file = Libc.Open(path, Libc.O_RDONLY);
            Libc.Check(Libc.Syscall(Fsync, file.Value), "fsync", path);
            bytes += new FileInfo(path).Length;
        }
        Libc.SyncDirectory(folder);
        return bytes;
    }
}
