namespace Miosa.Server.Models;

/// <summary>The data lines of a provider's event stream. A line has a bound: the memory that a stream takes is not the provider's to choose.</summary>
internal sealed class EventLines(Upstream upstream)
{
    private const int MaxLine = 1024 * 1024;

    private byte[] buffer = new byte[16 * 1024];
    private int start;
    private int end;
    private bool isOver;

    /// <summary>The content of the next data line, good until the next call; null at the end of the stream.</summary>
    /// <exception cref="UpstreamException">The stream broke off, or has a line longer than 1 MiB.</exception>
    public async ValueTask<ReadOnlyMemory<byte>?> NextAsync()
    {
        while (await LineAsync() is { } line)
        {
            if (line.Span.StartsWith("data:"u8))
                return line["data:".Length..].Trim(" "u8.ToArray());
        }
        return null;
    }

    private async ValueTask<ReadOnlyMemory<byte>?> LineAsync()
    {
        var looked = start;
        while (true)
        {
            var at = buffer.AsSpan(looked, end - looked).IndexOf((byte)'\n');
            if (at >= 0)
            {
                var line = buffer.AsMemory(start, looked + at - start);
                start = looked + at + 1;
                return line.TrimEnd((byte)'\r');
            }
            if (isOver)
            {
                // The last line may lack its end.
                if (start == end)
                    return null;
                var rest = buffer.AsMemory(start, end - start);
                start = end;
                return rest;
            }
            looked = end;
            if (start > 0)
            {
                buffer.AsSpan(start, end - start).CopyTo(buffer);
                (looked, end, start) = (looked - start, end - start, 0);
            }
            if (end == buffer.Length)
                Array.Resize(ref buffer, buffer.Length < MaxLine ? buffer.Length * 2 : throw upstream.TooMuch($"sent a line of more than {MaxLine} bytes"));
            var count = await upstream.ReadAsync(buffer.AsMemory(end));
            end += count;
            isOver = count == 0;
        }
    }
}
