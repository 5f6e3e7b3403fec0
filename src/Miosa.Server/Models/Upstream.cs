using Miosa.Server.Host;

namespace Miosa.Server.Models;

/// <summary>A provider failed while its answer was read; what the caller is told.</summary>
internal sealed class UpstreamException(Refusal refusal) : Exception(refusal.Message)
{
    public Refusal Refusal => refusal;
}

/// <summary>How long a call may be silent and last; the caller's leaving ends it at once. The silence is counted while the provider is waited for.</summary>
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

    /// <summary>True when it was the whole that took too long, and the provider was not silent: what it was asked, or who reads it, may be the reason.</summary>
    public bool IsTooLong => IsOver && !idle.IsCancellationRequested;

    /// <summary>The provider is waited for.</summary>
    public void Restart() => idle.CancelAfter(silence);

    /// <summary>Something came; until more is asked for, it is others who take their time.</summary>
    public void Pause() => idle.CancelAfter(Timeout.InfiniteTimeSpan);

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
    private const int FirstBuffer = 64 * 1024;

    private readonly Provider provider;
    private readonly ProviderCall call;
    private readonly HttpResponseMessage response;
    private readonly Stream body;
    private readonly CallLimit limit;
    private readonly string? key;
    private ReadOnlyMemory<byte> first;
    private bool isToldOf;
    private bool isDisposed;

    public Upstream(Provider provider, ProviderCall call, HttpResponseMessage response, Stream body, CallLimit limit, string? key, ReadOnlyMemory<byte> first) =>
        (this.provider, this.call, this.response, this.body, this.limit, this.key, this.first) = (provider, call, response, body, limit, key, first);

    public string? MediaType => response.Content.Headers.ContentType?.MediaType;

    /// <exception cref="UpstreamException">It broke off, was silent for too long, or takes too long altogether.</exception>
    /// <exception cref="OperationCanceledException">The caller left.</exception>
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
            limit.Restart();
            var count = await body.ReadAsync(buffer, limit.Token);
            limit.Pause();
            return count;
        }
        catch (Exception e) when (limit.IsLeft && e is IOException or HttpRequestException)
        {
            throw new OperationCanceledException("the caller left", e, limit.Token);
        }
        catch (Exception e) when (!limit.IsLeft && (limit.IsOver || e is IOException or HttpRequestException))
        {
            Tell(limit.IsTooLong ? null : false);
            throw new UpstreamException(provider.Broke(limit switch
            {
                { IsTooLong: true } => "did not come to the end of its answer in time",
                { IsOver: true } => "stopped sending its answer",
                _ => "broke off in its answer",
            }));
        }
    }

    /// <summary>The whole body.</summary>
    /// <exception cref="UpstreamException">It broke off, was silent for too long, or sends more than that.</exception>
    public async Task<ReadOnlyMemory<byte>> ReadAllAsync(int most)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>(FirstBuffer);
        while (await ReadAsync(buffer.GetMemory(4096)) is > 0 and var count)
        {
            buffer.Advance(count);
            if (buffer.WrittenCount > most)
                throw TooMuch($"sent an answer of more than {most} bytes");
        }
        return buffer.WrittenMemory;
    }

    /// <summary>What it sent is not what was agreed.</summary>
    public UpstreamException Faulty(string says)
    {
        Tell(isGood: false);
        return new UpstreamException(provider.Broke(says));
    }

    /// <summary>It sent more than we take: what it was asked may be the reason, so it is no failure of its own.</summary>
    public UpstreamException TooMuch(string says)
    {
        Tell(isGood: null);
        return new UpstreamException(provider.Broke(says));
    }

    /// <summary>It says itself that it failed, and may mean what it was asked; its words are shortened, and the key does not stand in them.</summary>
    public UpstreamException Failed(string? words)
    {
        call.IsSent = false;
        Tell(isGood: null);
        return new UpstreamException(provider.Broke(words is null ? "failed" : $"failed: {Provider.Plain(words, key)}"));
    }

    /// <summary>The answer is complete and good.</summary>
    public void Succeeded() => Tell(isGood: true);

    public void Dispose()
    {
        if (isDisposed)
            return;
        isDisposed = true;
        Tell(isGood: null);
        response.Dispose();
        limit.Dispose();
        provider.Left(call);
    }

    private void Tell(bool? isGood)
    {
        if (!isToldOf)
            provider.Ended(call, isGood);
        isToldOf = true;
    }
}
