using System.Buffers;

namespace Miosa.Server.Exec;

/// <summary>
/// The head of one output stream of a command, at most <c>limit</c> bytes. What comes after the limit is counted as cut and dropped, so a
/// command that prints a gigabyte costs no more than the limit. Kept in rented chunks: one growing array would be copied at every doubling
/// and would end in the large object heap.
/// </summary>
internal sealed class CapturedOutput(int limit) : IDisposable
{
    // Most commands print little: the first chunk is small.
    private const int FirstChunkBytes = 4 * 1024;
    private const int ChunkBytes = 64 * 1024;

    private readonly List<byte[]> chunks = [];
    private int usedInLast;

    public int Length { get; private set; }

    public bool IsCut { get; private set; }

    public void Add(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > limit - Length)
        {
            IsCut = true;
            bytes = bytes[..(limit - Length)];
        }
        while (!bytes.IsEmpty)
        {
            if (chunks.Count == 0 || usedInLast == chunks[^1].Length)
            {
                chunks.Add(ArrayPool<byte>.Shared.Rent(chunks.Count == 0 ? FirstChunkBytes : ChunkBytes));
                usedInLast = 0;
            }
            var room = chunks[^1].AsSpan(usedInLast);
            var count = Math.Min(room.Length, bytes.Length);
            bytes[..count].CopyTo(room);
            bytes = bytes[count..];
            usedInLast += count;
            Length += count;
        }
    }

    public IEnumerable<ReadOnlyMemory<byte>> Chunks()
    {
        for (var i = 0; i < chunks.Count; i++)
            yield return chunks[i].AsMemory(0, i == chunks.Count - 1 ? usedInLast : chunks[i].Length);
    }

    public void Dispose()
    {
        foreach (var chunk in chunks)
            ArrayPool<byte>.Shared.Return(chunk);
        chunks.Clear();
        Length = 0;
    }
}
