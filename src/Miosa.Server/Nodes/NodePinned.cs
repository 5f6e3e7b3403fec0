using Orleans.Placement;
using Orleans.Runtime.MembershipService.SiloMetadata;
using Orleans.Runtime.Placement;

namespace Miosa.Server.Nodes;

/// <summary>A machine's grain lives on the node that holds the machine, which its key names: <c>node|machine</c>.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class NodePinnedAttribute() : PlacementAttribute(NodePinned.Singleton);

[Serializable, GenerateSerializer, Immutable, SuppressReferenceTracking]
internal sealed class NodePinned : PlacementStrategy
{
    public static readonly NodePinned Singleton = new();
}

/// <summary>The node that holds the machine is not in the cluster.</summary>
[GenerateSerializer]
internal sealed class NodeLostException(string message) : Exception(message);

internal sealed class NodePinnedDirector(ISiloMetadataCache metadata) : IPlacementDirector
{
    public const string NodeName = "node.id";

    public Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        var (node, _) = GrainKeys.Split(target.GrainIdentity.Key.ToString() ?? "");
        foreach (var silo in context.GetCompatibleSilos(target))
        {
            if (metadata.GetSiloMetadata(silo).Metadata.TryGetValue(NodeName, out var name) && name == node)
                return Task.FromResult(silo);
        }
        throw new NodeLostException($"node \"{node}\" is not in the cluster");
    }
}

internal static class GrainKeys
{
    public static string Join(string node, string machine) => string.Concat(node, "|", machine);

    public static (string Node, string Machine) Split(string key)
    {
        var bar = key.IndexOf('|');
        return bar < 0 ? ("", key) : (key[..bar], key[(bar + 1)..]);
    }
}
