using System.Buffers;
using System.Text.Json;

namespace Miosa.Server.Templates;

/// <summary>
/// The log of one build: a file of one JSON event per line, so that it can be read again at any time, by anybody's position in it, and outlives
/// the server. It has an end of its own: a build that prints without end fills no disk.
/// </summary>
internal sealed class BuildLog(string path, TimeProvider time) : IDisposable
{
    public const int MaxBytes = 1024 * 1024;

    private readonly Lock turn = new();
    private readonly FileStream file = new(path, FileMode.Create, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
    private TaskCompletionSource changed = New();
    private bool isFull;

    /// <summary>Completes at the next line or at the end; take it before reading.</summary>
    public Task Changed => Volatile.Read(ref changed).Task;

    /// <summary>True once nothing will be added and the build's row tells how it ended.</summary>
    public bool IsOver { get; private set; }

    public static string PathOf(string folder, string build) => Path.Combine(folder, build + ".log");

    public void Write(string stream, string line)
    {
        lock (turn)
        {
            if (IsOver || isFull)
                return;
            isFull = file.Length > MaxBytes;
            Append(isFull ? "system" : stream, isFull ? $"the log is longer than {MaxBytes} bytes: the rest of it is dropped" : line);
        }
        Tell();
    }

    /// <summary>After the row was written.</summary>
    public void Finish()
    {
        lock (turn)
            IsOver = true;
        Tell();
    }

    public void Dispose() => file.Dispose();

    /// <summary>The lines after a position that are there now, each with the position behind it.</summary>
    public static async Task<IReadOnlyList<(long Position, ReadOnlyMemory<byte> Json)>> ReadAsync(string path, long position, CancellationToken ct)
    {
        var lines = new List<(long, ReadOnlyMemory<byte>)>();
        await using var file = Open(path);
        if (file is null || position > file.Length)
            return lines;
        file.Position = position;
        // Bounded: the file has an end, and one read takes a part of it.
        var bytes = new byte[(int)Math.Min(file.Length - position, 256 * 1024)];
        var count = await file.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, ct);
        var start = 0;
        for (int length; (length = bytes.AsSpan(start, count - start).IndexOf((byte)'\n')) >= 0; start += length + 1)
            lines.Add((position + start + length + 1, bytes.AsMemory(start, length)));
        return lines;
    }

    /// <summary>Whether a line begins at this position: what a client sends is believed only then.</summary>
    public static async Task<bool> IsLineAsync(string path, long position, CancellationToken ct)
    {
        if (position <= 0)
            return false;
        await using var file = Open(path);
        if (file is null || position > file.Length)
            return false;
        file.Position = position - 1;
        var last = new byte[1];
        return await file.ReadAsync(last, ct) == 1 && last[0] == (byte)'\n';
    }

    /// <summary>Null when it went with its template, also just now.</summary>
    private static FileStream? Open(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0, useAsync: true);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Append(string stream, string line)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            writer.WriteString("type", "log");
            writer.WriteString("stream", stream);
            writer.WriteString("line", line);
            writer.WriteString("ts", WireTime.Text(time.GetUtcNow()));
            writer.WriteEndObject();
        }
        buffer.Write("\n"u8);
        file.Write(buffer.WrittenSpan);
    }

    private void Tell() => Interlocked.Exchange(ref changed, New()).TrySetResult();
}
