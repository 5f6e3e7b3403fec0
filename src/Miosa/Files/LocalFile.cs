namespace Miosa;

/// <summary>Files of the caller's own host, for uploads and downloads.</summary>
internal static class LocalFile
{
    public static FileStream Open(string path, bool async)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        // No buffer of its own: it is read in large blocks.
        return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, Mode(async));
    }

    /// <summary>Writes beside the target and renames at the end, so that a broken download leaves an older file as it was.</summary>
    public static async ValueTask<long> SaveAsync(Stream source, string path, IProgress<long>? progress, bool async, CancellationToken ct)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var partial = $"{path}.{Guid.NewGuid():N}.part";
        long received = 0;
        var isWhole = false;
        try
        {
            using (var file = new FileStream(partial, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0, Mode(async)))
            {
                var buffer = GC.AllocateUninitializedArray<byte>(128 * 1024);
                while ((async ? await source.ReadAsync(buffer, ct).ConfigureAwait(false) : source.Read(buffer)) is > 0 and var count)
                {
                    if (async)
                        await file.WriteAsync(buffer.AsMemory(0, count), ct).ConfigureAwait(false);
                    else
                        file.Write(buffer, 0, count);
                    received += count;
                    progress?.Report(received);
                }
            }
            File.Move(partial, path, overwrite: true);
            isWhole = true;
            return received;
        }
        finally
        {
            if (!isWhole)
                File.Delete(partial);
        }
    }

    private static FileOptions Mode(bool async) => FileOptions.SequentialScan | (async ? FileOptions.Asynchronous : FileOptions.None);
}
