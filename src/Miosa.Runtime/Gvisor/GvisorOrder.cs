namespace Miosa.Runtime.Gvisor;

/// <summary>What the launcher needs besides for a machine under runsc: how to call it. The descriptors are those of any launch, with the mount of the door in place of the socket, the mount of the guest's program and the program of runsc last.</summary>
internal sealed record GvisorOrder
{
    public required IReadOnlyList<string> Arguments { get; init; }
}
