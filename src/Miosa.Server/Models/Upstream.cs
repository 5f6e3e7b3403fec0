using Miosa.Server.Host;

namespace Miosa.Server.Models;

/// <summary>A provider failed while its answer was read; what the caller is told.</summary>
internal sealed class UpstreamException(Refusal refusal) : Exception(refusal.Message)
{
    public Refusal Refusal => refusal;
}

/// <summary>How long a call may be silent and last; the caller's leaving ends it at once.</summary>
internal sealed class CallLimit : IDisposable
{
    private readonly TimeSpan silence;
    private readonly CancellationTokenSource idle;
    private readonly CancellationTokenSource total;
    private readonly CancellationTokenSource all;
    private readonly CancellationToken caller;

    public CallLimit(TimeSpan silence, TimeSpan longest, TimeProvider time, CancellationToken caller)
    {
        this.silence = silence;
        this.caller = caller;
        idle = new CancellationTokenSource(silence, time);
        total = new CancellationTokenSource(longest, time);
        all = CancellationTokenSource.CreateLinkedTokenSource(idle.Token, total.Token, caller);
    }

    public CancellationToken Token => all.Token;

    /// <summary>True when a time ran out, and not the caller left.</summary>
    public bool IsOver => !caller.IsCancellationRequested && (idle.IsCancellationRequested || total.IsCancellationRequested);

    /// <summary>The caller left: whatever fails now is no fault of the provider.</summary>
    public bool IsLeft => caller.IsCancellationRequested;

    /// <summary>Something came.</summary>
    public void Restart() => idle.CancelAfter(silence);

    public void Dispose()
    {
        all.Dispose();
        idle.Dispose();
        total.Dispose();
    }
}

/// <summary>The body of a provider's good answer while it comes, and the turn that the call holds. Its first bytes are here already: nothing is repeated after them.</summary>
internal sealed class Upstream : IDisposable
{
    private readonly Provider provider;
    private readonly HttpResponseMessage response;
    private readonly Stream body;
    private readonly CallLimit limit;
    private readonly string? key;
    private ReadOnlyMemory<byte> first;
    private bool isToldOf;
    private bool isDisposed;

    public Upstream(Provider provider, HttpResponseMessage response, Stream body, CallLimit limit, string? key, ReadOnlyMemory<byte> first) =>
        (this.provider, this.response, this.body, this.limit, this.key, this.first) = (provider, response, body, limit, key, first);

    public string? MediaType => response.Content.Headers.ContentType?.MediaType;

    /// <exception cref="UpstreamException">It broke off or was silent for too long.</exception>
    public async ValueTask<int> ReadAsync(Memory<byte> buffer)
    {
        if (!first.IsEmpty)
        {
            var count = Math.Min(buffer.Length, first.Length);
            first[..count].CopyTo(buffer);
            first = first[count..];
            return count;
        }
        try
        {
            var count = await body.ReadAsync(buffer, limit.Token);
            limit.Restart();
            return count;
        }
        catch (Exception e) when (!limit.IsLeft && (limit.IsOver || e is IOException or HttpRequestException))
        {
            Tell(isGood: false);
            throw new UpstreamException(provider.Broke(limit.IsOver ? "stopped sending its answer" : "broke off in its answer"));
        }
    }

    /// <summary>The whole body.</summary>
    /// <exception cref="UpstreamException">It broke off, was silent for too long, or sends more than that.</exception>
    public async Task<ReadOnlyMemory<byte>> ReadAllAsync(int most)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>(8192);
        while (await ReadAsync(buffer.GetMemory(4096)) is > 0 and var count)
        {
            buffer.Advance(count);
            if (buffer.WrittenCount > most)
                throw Faulty($"sent an answer of more than {most} bytes");
        }
        return buffer.WrittenMemory;
    }

    /// <summary>What it sent is not what was agreed.</summary>
    public UpstreamException Faulty(string says)
    {
        Tell(isGood: false);
        return new UpstreamException(provider.Broke(says));
    }

    /// <summary>It says itself that it failed; its words are shortened, and the key does not stand in them.</summary>
    public UpstreamException Failed(string? words) => Faulty(words is null ? "failed" : $"failed: {Provider.Plain(words, key)}");

    /// <summary>The answer is complete and good.</summary>
    public void Succeeded() => Tell(isGood: true);

    public void Dispose()
    {
        if (isDisposed)
            return;
        isDisposed = true;
        if (!isToldOf)
            provider.Ended(isGood: null);
        response.Dispose();
        limit.Dispose();
        provider.Left();
    }

    private void Tell(bool isGood)
    {
        if (!isToldOf)
            provider.Ended(isGood);
        isToldOf = true;
    }
}
