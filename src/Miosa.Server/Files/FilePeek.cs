using System.Buffers;
using Miosa.Server.Guests;

namespace Miosa.Server.Files;

/// <summary>
/// Decides the content type of a file before its first byte is sent (common.md, section 15). Exact up to <see cref="MaxScanBytes"/>: a
/// file of up to 1 MiB is held, a longer one that still looks like text is read through once and then opened again. Binary files show
/// themselves early and cost nothing. Beyond the limit a file is octet-stream: a client that takes it for text would have to hold it anyway.
/// </summary>
internal readonly record struct FilePeek(ReadOnlyMemory<byte> Bytes, bool IsText, bool IsWhole, bool MustReopen)
{
    public const int MaxHeldBytes = 1024 * 1024;
    public const long MaxScanBytes = 64 * 1024 * 1024;

    private const int FirstBytes = 64 * 1024;

    private static readonly HashSet<string> TextExtensions = new(StringComparer.OrdinalIgnoreCase)
    {
        ".txt", ".md", ".markdown", ".rst", ".log", ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".xml", ".html", ".htm", ".css", ".scss", ".less", ".svg",
        ".js", ".mjs", ".cjs", ".ts", ".tsx", ".jsx", ".py", ".pyi", ".rb", ".go", ".rs", ".java", ".kt", ".c", ".h", ".cc", ".cpp", ".hpp", ".cs", ".fs",
        ".php", ".pl", ".lua", ".r", ".swift", ".scala", ".sh", ".bash", ".zsh", ".fish", ".ps1", ".sql", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf",
        ".env", ".properties", ".lock", ".gitignore", ".dockerfile", ".vue", ".svelte", ".tex",
    };

    public static async Task<FilePeek> ReadAsync(GuestFile file, string path, CancellationToken ct)
    {
        var size = file.Entry.Size;
        var scan = new TextScan();
        var held = new ArrayBufferWriter<byte>((int)Math.Clamp(size + 1, 256, FirstBytes));
        while (held.WrittenCount < MaxHeldBytes)
        {
            var memory = held.GetMemory(256);
            var count = await file.ReadAsync(memory[..Math.Min(memory.Length, MaxHeldBytes - held.WrittenCount)], ct);
            if (count == 0)
                return Whole(held.WrittenMemory, scan, path);
            scan.Add(memory.Span[..count]);
            held.Advance(count);
            if (!scan.IsText || size > MaxScanBytes)
                return new FilePeek(held.WrittenMemory, IsText: false, IsWhole: false, MustReopen: false);
        }
        return await ScanRestAsync(file, scan, held.WrittenMemory, ct);
    }

    private static FilePeek Whole(ReadOnlyMemory<byte> bytes, TextScan scan, string path) => new(
        bytes,
        IsText: bytes.IsEmpty ? TextExtensions.Contains(Path.GetExtension(path)) : scan.Finish(),
        IsWhole: true,
        MustReopen: false);

    private static async Task<FilePeek> ScanRestAsync(GuestFile file, TextScan scan, ReadOnlyMemory<byte> held, CancellationToken ct)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(FirstBytes);
        try
        {
            long read = held.Length;
            while (scan.IsText && read <= MaxScanBytes)
            {
                var count = await file.ReadAsync(buffer, ct);
                if (count == 0)
                    return new FilePeek(default, scan.Finish(), IsWhole: false, MustReopen: true);
                scan.Add(buffer.AsSpan(0, count));
                read += count;
            }
            return new FilePeek(default, IsText: false, IsWhole: false, MustReopen: true);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
