namespace Miosa;

/// <summary>How much of the network a sandbox reaches.</summary>
public static class EgressMode
{
    /// <summary>Everything public. The default.</summary>
    public const string Open = "open";

    /// <summary>Nothing; no name is resolved either.</summary>
    public const string Closed = "closed";

    /// <summary>The listed domains and address ranges, nothing else.</summary>
    public const string Listed = "listed";
}

/// <summary>
/// What a sandbox may reach from inside. In every mode private networks, the sandbox's host and other sandboxes stay out of reach, and what
/// comes to the sandbox (commands, files, previews) is not touched.
/// </summary>
/// <example><code>await sandbox.SetEgressAsync(SandboxEgress.Listed(domains: ["pypi.org", "*.pythonhosted.org"]));</code></example>
public sealed record SandboxEgress
{
    /// <summary>One of <see cref="EgressMode"/>.</summary>
    public required string Mode { get; init; }

    /// <summary>IPv4 ranges such as <c>203.0.113.0/24</c> or <c>203.0.113.7</c>, at most 256; only with the mode <c>listed</c>. The server always tells them.</summary>
    public IReadOnlyList<string>? Cidrs { get; init; }

    /// <summary>Names such as <c>example.org</c>, or <c>*.example.org</c> for every name below it but not itself; at most 256, only with the mode <c>listed</c>. The server always tells them.</summary>
    public IReadOnlyList<string>? Domains { get; init; }

    /// <summary>Everything public.</summary>
    public static SandboxEgress Open { get; } = new() { Mode = EgressMode.Open };

    /// <summary>Nothing.</summary>
    public static SandboxEgress Closed { get; } = new() { Mode = EgressMode.Closed };

    /// <summary>What is listed and nothing else.</summary>
    /// <param name="domains">Names, <c>*.</c> in front for those below; default: none.</param>
    /// <param name="cidrs">IPv4 ranges; default: none.</param>
    /// <returns>The policy.</returns>
    public static SandboxEgress Listed(IReadOnlyList<string>? domains = null, IReadOnlyList<string>? cidrs = null) =>
        new() { Mode = EgressMode.Listed, Domains = domains, Cidrs = cidrs };
}

/// <summary>Something a sandbox wanted to reach and could not; repetitions are counted.</summary>
public sealed record EgressRefusal
{
    /// <summary><c>tcp</c>, <c>udp</c>, <c>icmp</c>, <c>ip-N</c> for another protocol of IP, or <c>dns</c> for a name that was not resolved.</summary>
    public required string Protocol { get; init; }

    /// <summary>An IPv4 address; for <c>dns</c> a name.</summary>
    public required string Target { get; init; }

    /// <summary>The port; null where there is none.</summary>
    public int? Port { get; init; }

    /// <summary><c>policy</c>: not listed. <c>private</c>: a range no sandbox reaches. <c>host</c>: the sandbox's host. <c>resolver</c>: a name server other
    /// than the sandbox's own. <c>answer</c>: a name that leads to a private range.</summary>
    public required string Reason { get; init; }

    /// <summary>How often it was seen; at a high rate not every packet is counted.</summary>
    public required long Count { get; init; }

    /// <summary>When it was first seen.</summary>
    public required DateTimeOffset FirstAt { get; init; }

    /// <summary>When it was last seen.</summary>
    public required DateTimeOffset LastAt { get; init; }
}

/// <summary>What a sandbox was refused since it was started, the latest first.</summary>
public sealed record EgressRefusals
{
    /// <summary>At most 256 different ones, those seen longest ago fall out first; empty when there are none.</summary>
    public required IReadOnlyList<EgressRefusal> Data { get; init; }
}
