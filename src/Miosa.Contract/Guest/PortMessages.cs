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
}
