using System.Buffers;
using Miosa.Guest;

namespace Miosa.Server.Guests;

/// <summary>A file being read: its entry, and its bytes as they come. Reading slowly slows the guest; disposing stops it.</summary>
internal sealed class GuestFile(GuestEntry entry, GuestCall call) : IAsyncDisposable
{
    private ReadOnlySequence<byte> _rest;

    public GuestEntry Entry => entry;

    /// <summary>0 at the end; throws what the guest failed with when the file broke off.</summary>
    public async ValueTask<int> ReadAsync(Memory<byte> target, CancellationToken ct)
    {
        while (_rest.IsEmpty)
        {
            var chunk = await call.NextAsync(ct);
            if (chunk.IsEnd)
            {
                await call.EndAsync(ct);
                return 0;
            }
            if (chunk.Channel == FrameChannel.Body)
                _rest = chunk.Bytes;
        }
        var count = (int)Math.Min(_rest.Length, target.Length);
        _rest.Slice(0, count).CopyTo(target.Span);
        _rest = _rest.Slice(count);
        return count;
    }

    /// <summary>What has not been read yet, chunk by chunk, without a copy of ours.</summary>
    public async Task CopyToAsync(Stream target, CancellationToken ct)
    {
        foreach (var part in _rest)
            await target.WriteAsync(part, ct);
        _rest = default;
        for (var chunk = await call.NextAsync(ct); !chunk.IsEnd; chunk = await call.NextAsync(ct))
        {
            foreach (var part in chunk.Bytes)
                await target.WriteAsync(part, ct);
        }
        await call.EndAsync(ct);
    }

    public async ValueTask DisposeAsync() => await call.CancelAsync();
}
