namespace Miosa.Guest;

internal sealed record PortConnectCall
{
    public string Verb { get; init; } = GuestVerb.PortConnect;
    public int Port { get; init; }
}

/// <summary>Sent as one DATA frame on channel 3 when the connection stands.</summary>
internal sealed record PortConnected
{
    /// <summary>The address inside the machine that answered.</summary>
    public string? Address { get; init; }
}

internal sealed record PortConnectReply
{
    public long BytesIn { get; init; }
    public long BytesOut { get; init; }
}

internal sealed record PortsCall
{
    public string Verb { get; init; } = GuestVerb.Ports;

    /// <summary>Also find the process behind each port, which reads every process of the machine.</summary>
    public bool Owners { get; init; }
}

internal sealed record PortsReply
{
    public ListeningPort?[]? Ports { get; init; }

    /// <summary>There are more than fit the answer.</summary>
    public bool Truncated { get; init; }
}

/// <summary>One listening TCP socket of the machine.</summary>
internal sealed record ListeningPort
{
    public int Port { get; init; }
    public string? Address { get; init; }

    /// <summary>Null when no process of the machine holds it, or owners were not asked for.</summary>
    public int? Pid { get; init; }

    public string? Program { get; init; }
}
