using Miosa.Runtime.Network;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Machines;

/// <summary>What one life of a machine begins with.</summary>
internal sealed record Beginning
{
    /// <summary>The machine as it shall be; pid, ids and address are found out.</summary>
    public required MachineInfo Info { get; init; }
    public required ImageInfo Image { get; init; }
    public required string Rootfs { get; init; }
    public required string Hostname { get; init; }
    public required EgressPolicy Policy { get; init; }
    public required bool IsDurable { get; init; }

    /// <summary>Makes the disk in the machine's directory and gives its subvolume; null for an empty one.</summary>
    public Func<string, ulong>? Copy { get; init; }

    /// <summary>The machine had this subvolume before and starts again on it; whatever fails, it stays.</summary>
    public ulong? Kept { get; init; }

    /// <summary>The folder with the memory of what shall run on; null begins anew.</summary>
    public string? Memory { get; init; }

    /// <summary>The guest's program by its digest, for a machine under runsc; null is the newest.</summary>
    public string? Guest { get; init; }

    public bool IsGvisor => Info.Isolation == Isolations.Gvisor;
}
