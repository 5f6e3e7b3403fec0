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
}
