using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Miosa.Guest;

namespace Miosa.Server.Guests;

/// <summary>One chunk of what a guest sends on a call; valid until the next one is asked for.</summary>
internal readonly record struct GuestChunk(byte Channel, ReadOnlySequence<byte> Bytes)
{
    /// <summary>Nothing follows; the call's reply says how it ended.</summary>
    public bool IsEnd => Channel == byte.MaxValue;

    public static GuestChunk End => new(byte.MaxValue, default);
}

/// <summary>
/// One stream to a guest, from OPEN to RESULT or ERROR. What the guest sends waits in a pipe that cannot grow beyond the window: the read loop
/// counts, and cuts a guest that sends more than it was granted. Records in the pipe keep the order of stdout and stderr.
/// </summary>
internal sealed class GuestCall(GuestConnection connection, uint id, bool takesData)
{
    private const int GrantStep = FrameLimits.Window / 4;
    private const int RecordHeader = 4;

    /// <summary>How long a guest may take to end a cancelled call before its connection is given up.</summary>
    private static readonly TimeSpan s_cancelPatience = TimeSpan.FromSeconds(15);

    // The window bounds what the pipe holds, so the pipe itself never pauses the read loop.
    private static readonly PipeOptions s_pipeOptions = new(pauseWriterThreshold: 0, resumeWriterThreshold: 0, useSynchronizationContext: false);

    private readonly Pipe? _inbound = takesData ? new Pipe(s_pipeOptions) : null;
    private readonly TaskCompletionSource<byte[]> _reply = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _outstanding;
    private int _ungranted;
    private int _consumed;
    private int _cancelled;
    private bool _bodyEnded;

    public uint Id => id;
    public Credit Credit { get; } = new();

    /// <summary>The payload of RESULT, or the failure.</summary>
    public Task<byte[]> Reply => _reply.Task;

    public async Task<T> ReplyAsync<T>(JsonTypeInfo<T> type, CancellationToken ct)
    {
        var payload = await EndAsync(ct);
        return Parse(payload, type);
    }

    /// <summary>Waits for the end. When the caller gives up, the guest is told and its end is still awaited: what it started is then known to be over.</summary>
    public async Task<byte[]> EndAsync(CancellationToken ct)
    {
        if (!_reply.Task.IsCompleted && ct.CanBeCanceled)
        {
            try
            {
                return await _reply.Task.WaitAsync(ct);
            }
            catch (OperationCanceledException) when (ct.IsCancellationRequested)
            {
                await CancelAsync();
                throw;
            }
        }
        return await _reply.Task;
    }

    /// <summary>Stops the verb and waits until the guest says that it has.</summary>
    public async Task CancelAsync()
    {
        if (_reply.Task.IsCompleted)
            return;
        _inbound?.Reader.CancelPendingRead();
        try
        {
            if (Interlocked.Exchange(ref _cancelled, 1) == 0)
                await connection.SendAsync(FrameType.Cancel, id, 0, default, CancellationToken.None);
            await _reply.Task.WaitAsync(s_cancelPatience);
        }
        catch (GuestException)
        {
            // Over one way or the other, which is all that was wanted.
        }
        catch (TimeoutException)
        {
            connection.Cut("a cancelled call did not end", null);
        }
    }

    /// <summary>The next chunk; the one before is given back to the guest as credit.</summary>
    public async ValueTask<GuestChunk> NextAsync(CancellationToken ct)
    {
        var reader = _inbound!.Reader; // only calls that take data are read
        await ReturnConsumedAsync(reader);
        while (true)
        {
            var read = await reader.ReadAsync(ct);
            if (TryRecord(read.Buffer, out var chunk))
                return chunk;
            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            if (read.IsCompleted || read.IsCanceled)
                return GuestChunk.End;
        }
    }

    public ValueTask SendDataAsync(byte[] frame, int length, CancellationToken ct)
    {
        new FrameHeader(length, id, FrameType.Data, FrameChannel.Body).Write(frame);
        return connection.SendAsync(frame.AsMemory(0, FrameLimits.HeaderBytes + length), ct);
    }

    public ValueTask SendEndAsync(CancellationToken ct) => connection.SendAsync(FrameType.End, id, FrameChannel.Body, default, ct);

    /// <summary>Read loop: false when the guest broke the rules.</summary>
    public bool Deliver(byte channel, ReadOnlySpan<byte> bytes)
    {
        if (_inbound is null || _bodyEnded || channel is 0xFF || Interlocked.Add(ref _outstanding, bytes.Length) > FrameLimits.Window)
            return false;
        // An empty record would cost memory that no window counts.
        if (bytes.IsEmpty || Volatile.Read(ref _cancelled) != 0)
            return true;
        var span = _inbound.Writer.GetSpan(RecordHeader);
        BinaryPrimitives.WriteUInt32LittleEndian(span, (uint)bytes.Length << 8 | channel);
        _inbound.Writer.Advance(RecordHeader);
        _inbound.Writer.Write(bytes);
        // Completes at once: the pipe has no pause threshold.
        var flushed = _inbound.Writer.FlushAsync(CancellationToken.None);
        return flushed.IsCompleted;
    }

    /// <summary>Read loop: the guest sends no more on the body channel; what has come is still to be read. The call itself goes on.</summary>
    public void EndBody()
    {
        _bodyEnded = true;
        _inbound?.Writer.Complete();
    }

    /// <summary>Tells the guest to stop and does not wait: for a call that nobody looks at any more, also while its machine is frozen.</summary>
    public void Abandon()
    {
        _inbound?.Reader.CancelPendingRead();
        if (_reply.Task.IsCompleted || Interlocked.Exchange(ref _cancelled, 1) != 0)
            return;
        _ = SendCancelAsync();
    }

    /// <summary>Read loop: RESULT.</summary>
    public void Succeed(byte[] payload)
    {
        _inbound?.Writer.Complete();
        _reply.TrySetResult(payload);
    }

    /// <summary>Read loop: ERROR, or the end of the connection.</summary>
    public void Fail(GuestException e)
    {
        _inbound?.Writer.Complete();
        _reply.TrySetException(e);
        // A call whose owner has given up has nobody who looks.
        _ = _reply.Task.Exception;
    }

    public T Parse<T>(ReadOnlySpan<byte> payload, JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(payload, type) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw Broken("the guest's answer cannot be read", e);
        }
    }

    /// <summary>The guest sent what it may not: ends the connection and is to be thrown.</summary>
    public GuestException Broken(string why, Exception? cause = null)
    {
        connection.Cut(why, cause);
        return new GuestException(GuestException.Protocol, why, cause);
    }

    private async Task SendCancelAsync()
    {
        try
        {
            await connection.SendAsync(FrameType.Cancel, id, 0, default, CancellationToken.None);
        }
        catch (GuestException)
        {
            // The connection is gone, and the call with it.
        }
    }

    private async ValueTask ReturnConsumedAsync(PipeReader reader)
    {
        if (_consumed == 0)
            return;
        // The record handed out last is still the first in the pipe.
        var read = await reader.ReadAsync(CancellationToken.None);
        reader.AdvanceTo(read.Buffer.GetPosition(RecordHeader + _consumed));
        _ungranted += _consumed;
        _consumed = 0;
        if (_ungranted < GrantStep || _reply.Task.IsCompleted)
            return;
        var grant = _ungranted;
        _ungranted = 0;
        Interlocked.Add(ref _outstanding, -grant);
        await connection.SendWindowAsync(id, (uint)grant);
    }

    private bool TryRecord(ReadOnlySequence<byte> buffer, out GuestChunk chunk)
    {
        chunk = default;
        if (buffer.Length < RecordHeader)
            return false;
        Span<byte> header = stackalloc byte[RecordHeader];
        buffer.Slice(0, RecordHeader).CopyTo(header);
        var word = BinaryPrimitives.ReadUInt32LittleEndian(header);
        var length = (int)(word >> 8);
        if (buffer.Length < RecordHeader + length)
            return false;
        _consumed = length;
        // AdvanceTo comes with the next call; until then the bytes stay where they are. The read is given back unexamined.
        chunk = new GuestChunk((byte)word, buffer.Slice(RecordHeader, length));
        _inbound!.Reader.AdvanceTo(buffer.Start, buffer.Start);
        return true;
    }
}
