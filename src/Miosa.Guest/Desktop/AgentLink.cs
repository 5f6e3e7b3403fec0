using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Miosa.Guest.Linux;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Desktop;

/// <summary>The agent's answer: JSON, and bytes outside the collector's heap, which go back with it.</summary>
internal sealed unsafe class AgentAnswer(LinkKind kind, byte[] json, byte* data, int dataBytes) : IDisposable
{
    private byte* _data = data;

    public LinkKind Kind => kind;
    public byte[] Json => json;
    public ReadOnlySpan<byte> Data => new(_data, dataBytes);

    public T Read<T>(JsonTypeInfo<T> type) where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(json, type) ?? throw new JsonException("null");
        }
        catch (JsonException)
        {
            throw new GuestFailure(GuestErrorCode.Failed, "the desktop's agent answered nonsense");
        }
    }

    public void Dispose()
    {
        Libc.Unmap(_data, (nuint)dataBytes);
        _data = null;
    }
}

/// <summary>
/// PID 1's side of the link to one agent: one order at a time, a thread that reads what comes. The agent runs with a user's rights, so nothing of
/// it is believed: lengths are bounded, an answer that does not come breaks the link, and then the session starts another agent.
/// </summary>
internal sealed unsafe class AgentLink
{
    private const int StackBytes = 256 * 1024;
    private const int WriteMs = 5000;
    private const int MaxEvent = 8192;

    private readonly int _input;
    private readonly int _output;
    private readonly Action<GuestDesktopEvent> _told;
    private readonly Action _broken;
    private readonly Turn _turn = new();
    private readonly object _gate = new();
    private readonly ManualEvent _readerEnded = new();
    private readonly int _stop = Libc.EventFd();
    private AgentAnswer? _answer;
    private bool _isWaiting;
    private bool _isBroken;
    private LinkOrder _asked;

    /// <param name="told">On the reader's thread: what the agent tells by itself.</param>
    /// <param name="broken">On any thread, perhaps more than once: the link is of no use any more.</param>
    public AgentLink(int input, int output, Action<GuestDesktopEvent> told, Action broken)
    {
        const int pipeBytes = 1 << 20;
        (_input, _output, _told, _broken) = (input, output, told, broken);
        Libc.EnlargePipe(output, pipeBytes);
        if (!Threads.TryStart(Read, StackBytes))
            throw new GuestFailure(GuestErrorCode.Busy, "no thread to be had: the machine is at its process limit");
    }

    public bool IsBroken
    {
        get
        {
            lock (_gate)
                return _isBroken;
        }
    }

    /// <summary>Why it broke when the agent did not answer; null when the agent went by itself.</summary>
    public string? Silence { get; private set; }

    /// <summary>To be disposed of by the caller; the agent's refusal is an exception.</summary>
    public AgentAnswer Order(LinkOrder order, byte[] json, ReadOnlySpan<byte> data, int timeoutMs)
    {
        if (!_turn.TryTake(timeoutMs))
            throw new GuestFailure(GuestErrorCode.Busy, "the desktop is busy with another call");
        try
        {
            var message = new byte[LinkHeader.Bytes + json.Length + data.Length];
            new LinkHeader(LinkKind.Request, order, json.Length, data.Length).Write(message);
            json.CopyTo(message.AsSpan(LinkHeader.Bytes));
            data.CopyTo(message.AsSpan(LinkHeader.Bytes + json.Length));
            lock (_gate)
                (_isWaiting, _asked) = (!_isBroken, order);
            if (!IsBroken && !LinkPipe.TryWrite(_input, message, Environment.TickCount64 + WriteMs))
                Break("it took no order for " + WriteMs / 1000 + " s");
            return Await(timeoutMs);
        }
        finally
        {
            _turn.Give();
        }
    }

    /// <summary>Waits for the reader, after the agent was ended. Once.</summary>
    public void Join()
    {
        Break(null);
        _readerEnded.Wait();
        Libc.Close(_stop);
    }

    private AgentAnswer Await(int timeoutMs)
    {
        var until = Environment.TickCount64 + timeoutMs;
        AgentAnswer? answer;
        lock (_gate)
        {
            while (_answer is null && !_isBroken)
            {
                var left = until - Environment.TickCount64;
                if (left <= 0)
                    break;
                Monitor.Wait(_gate, (int)left);
            }
            answer = _answer;
            _answer = null;
            _isWaiting = false;
        }
        if (answer is null)
        {
            Break("it did not answer for " + timeoutMs / 1000 + " s");
            throw new GuestFailure(GuestErrorCode.Busy, "the desktop is restarting");
        }
        if (answer.Kind == LinkKind.Reply)
            return answer;
        using (answer)
        {
            var error = answer.Read(GuestJson.Wire.GuestError);
            throw new GuestFailure(AgentWords.Code(error), AgentWords.Message(error, "the desktop's agent refused"));
        }
    }

    private void Break(string? silence)
    {
        lock (_gate)
        {
            if (_isBroken)
                return;
            _isBroken = true;
            Silence = silence;
            Monitor.PulseAll(_gate);
        }
        Libc.Signal(_stop);
        _broken();
    }

    private void Read()
    {
        try
        {
            while (!IsBroken && TryReadOne())
            {
            }
        }
#pragma warning disable CA1031 // On a thread of PID 1 an exception that nobody takes ends the machine.
        catch (Exception)
#pragma warning restore CA1031
        {
            // What it sent is nonsense or too large for the machine: the same as no agent.
        }
        Break(null);
        lock (_gate)
        {
            _answer?.Dispose();
            _answer = null;
        }
        _readerEnded.Set();
    }

    private bool TakesData()
    {
        lock (_gate)
            return _isWaiting && _answer is null && (_asked is LinkOrder.Screenshot or LinkOrder.GetClipboard);
    }

    private bool TryReadOne()
    {
        var head = stackalloc byte[LinkHeader.Bytes];
        if (!LinkPipe.TryRead(_output, head, LinkHeader.Bytes, _stop) || !LinkHeader.TryRead(new ReadOnlySpan<byte>(head, LinkHeader.Bytes), out var header))
            return false;
        // Events wait in memory for hosts that read slowly: they must be small.
        if (header.Kind == LinkKind.Event && (header.JsonBytes > MaxEvent || header.DataBytes != 0))
            return false;
        var json = new byte[header.JsonBytes];
        fixed (byte* first = json)
        {
            if (!LinkPipe.TryRead(_output, first, json.Length, _stop))
                return false;
        }
        if (header.Kind == LinkKind.Event)
        {
            if (JsonSerializer.Deserialize(json, GuestJson.Wire.GuestDesktopEvent) is not { } told)
                return false;
            _told(told);
            return true;
        }
        // Bytes that nobody asked for are not taken in.
        if (header.DataBytes != 0 && !TakesData())
            return false;
        var data = header.DataBytes == 0 ? null : Libc.Map((nuint)header.DataBytes);
        var answer = new AgentAnswer(header.Kind, json, data, header.DataBytes);
        if (!LinkPipe.TryRead(_output, data, header.DataBytes, _stop))
        {
            answer.Dispose();
            return false;
        }
        lock (_gate)
        {
            // An answer that nobody asked for.
            if (!_isWaiting || _answer is not null || header.Kind == LinkKind.Request)
            {
                answer.Dispose();
                return false;
            }
            _answer = answer;
            Monitor.PulseAll(_gate);
        }
        return true;
    }
}
