using System.Text;

namespace Miosa.Guest.Desktop.Accessibility;

/// <summary>
/// What one application tells of itself. It is whatever the machine's user runs: it may answer late, never, or nonsense.
///   1  Cache.GetItems: everything in one answer. It says UnknownMethod until it has noticed that somebody listens
///   2  what the cache does not have (or all, without a cache) is asked for level by level, a level's calls all at once
///   3  bounds and actions of what is showing, all at once
/// </summary>
internal sealed class AccessibleApp(BusConnection bus, string name, TreeBudget budget)
{
    public const string RootPath = "/org/a11y/atspi/accessible/root";

    private const string Accessible = "org.a11y.atspi.Accessible";
    private const string Component = "org.a11y.atspi.Component";
    private const string Action = "org.a11y.atspi.Action";
    private const string Properties = "org.freedesktop.DBus.Properties";
    private const string CacheItems = "a((so)(so)(so)iiassusau)";
    private const string CacheItemsWithChildren = "a((so)(so)(so)a(so)assusau)";
    private const int MaxTextLength = 500;
    private const int MaxActions = 8;
    private const int MaxLevels = 64;
    private const int RetryMs = 20;

    /// <summary>An application that answers nothing for so long is given up; one that does answer has its share of the whole time.</summary>
    private const int SilenceMs = 1000;

    /// <summary>Calls in flight at once: the bus limits what it keeps for us.</summary>
    private const int MaxInFlight = 1000;

    private readonly HashSet<string> _known = [];

    private bool _isSilent;

    /// <summary>Something of it is missing.</summary>
    public bool IsTruncated { get; private set; }

    /// <summary>Its root with everything below that shows; null when it told nothing in time.</summary>
    /// <param name="firstAsked">The call of <see cref="AskCache"/>, sent for all applications before the first is waited for.</param>
    /// <param name="deadline">For all of it.</param>
    /// <param name="listening">Until when an application may not have noticed yet that somebody listens.</param>
    public AccessibleNode? Take(uint firstAsked, long deadline, long listening)
    {
        try
        {
            var root = Cached(firstAsked, deadline, listening) ?? Describe([RootPath], deadline).FirstOrDefault();
            if (root is null)
            {
                IsTruncated = true;
                return null;
            }
            // Without a place nothing is told: time is left for asking where things are.
            var now = Environment.TickCount64;
            Complete(root, now + ((deadline - now) * 3 / 5));
            AskBounds(root, deadline);
            return root;
        }
        catch (MessageMalformedException)
        {
            IsTruncated = true;
            return null;
        }
    }

    public uint AskCache() => bus.Send(name, "/org/a11y/atspi/cache", "org.a11y.atspi.Cache", "GetItems");

    private AccessibleNode? Cached(uint asked, long deadline, long listening)
    {
        while (true)
        {
            var reply = bus.Wait(asked, WaitUntil(deadline));
            if (reply is { Error: null })
                return Parse(reply);
            var now = Environment.TickCount64;
            _isSilent = reply is null;
            if (reply is null || now >= listening || now + RetryMs >= deadline)
                return null;
            Linux.Libc.Poll([], RetryMs);
            asked = AskCache();
        }
    }

    private static long WaitUntil(long deadline) => Math.Min(deadline, Environment.TickCount64 + SilenceMs);

    private AccessibleNode? Parse(BusReply reply)
    {
        var withChildren = reply.Signature == CacheItemsWithChildren;
        if (!withChildren && reply.Signature != CacheItems)
            return null;
        var nodes = new Dictionary<string, AccessibleNode>();
        var reader = reply.Read();
        try
        {
            var end = reader.Array(8);
            while (reader.Position < end)
            {
                if (!budget.TakeRead())
                {
                    IsTruncated = true;
                    break;
                }
                var node = ParseItem(ref reader, withChildren, nodes.Count);
                nodes[node.Path] = node;
            }
        }
        catch (BusException)
        {
            throw new MessageMalformedException();
        }
        _known.UnionWith(nodes.Keys);
        foreach (var node in nodes.Values)
        {
            if (node.Path != RootPath && nodes.TryGetValue(node.ParentPath, out var parent))
                parent.Children.Add(node);
        }
        foreach (var node in nodes.Values)
            Sort(node);
        return nodes.GetValueOrDefault(RootPath);
    }

    private static void Sort(AccessibleNode node) => node.Children.Sort(static (a, b) => a.IndexInParent.CompareTo(b.IndexInParent));

    private AccessibleNode ParseItem(ref BusReader reader, bool withChildren, int order)
    {
        reader.Align(8);
        reader.Align(8);
        reader.SkipText();
        var path = reader.ObjectPath();
        reader.Align(8);
        reader.SkipText();
        reader.SkipText();
        reader.Align(8);
        reader.SkipText();
        var parent = reader.ObjectPath();
        int index, count;
        if (withChildren)
        {
            // No index: the order in which they are told must do.
            index = order;
            count = 0;
            var end = reader.Array(8);
            while (reader.Position < end)
            {
                reader.Align(8);
                reader.SkipText();
                reader.SkipText();
                count++;
            }
        }
        else
        {
            index = reader.Int32();
            count = reader.Int32();
        }
        var (hasBounds, hasActions) = Interfaces(ref reader);
        var node = new AccessibleNode(path) { ParentPath = parent, IndexInParent = index, ChildCount = count, HasBounds = hasBounds, HasActions = hasActions };
        node.Name = TextOf(ref reader);
        node.Role = reader.UInt32();
        node.Description = TextOf(ref reader);
        node.States = StatesOf(ref reader);
        return node;
    }

    private static (bool HasBounds, bool HasActions) Interfaces(ref BusReader reader)
    {
        var (hasBounds, hasActions) = (false, false);
        var end = reader.Array(4);
        while (reader.Position < end)
        {
            var iface = reader.Text(64);
            hasBounds |= iface == Component;
            hasActions |= iface == Action;
        }
        return (hasBounds, hasActions);
    }

    private static ulong StatesOf(ref BusReader reader)
    {
        var end = reader.Array(4);
        ulong states = 0;
        for (var shift = 0; reader.Position < end; shift += 32)
        {
            var word = reader.UInt32();
            if (shift < 64)
                states |= (ulong)word << shift;
        }
        return states;
    }

    /// <summary>Without control characters, and no more in all than the budget has.</summary>
    private string TextOf(ref BusReader reader)
    {
        var text = reader.Text(MaxTextLength);
        if (text.Length == 0)
            return text;
        if (!budget.TakeText(text.Length))
        {
            IsTruncated = true;
            return "";
        }
        var clean = new StringBuilder(text.Length);
        foreach (var letter in text)
            clean.Append(char.IsControl(letter) ? ' ' : letter);
        return clean.ToString().Trim();
    }

    /// <summary>
    /// Asks for the children that showing nodes say they have and the cache has not, and for theirs: Chromium's cache lacks a page until somebody
    /// has asked for it. Not those of a node that manages its
    /// descendants: a list of a million rows makes them up as it is asked.
    /// </summary>
    private void Complete(AccessibleNode root, long deadline)
    {
        var level = new List<AccessibleNode>();
        Gather(root, level, 0);
        for (var depth = 0; level.Count > 0; depth++)
        {
            if (depth == MaxLevels || Environment.TickCount64 >= deadline)
            {
                IsTruncated = true;
                return;
            }
            level = NextLevel(level, deadline);
        }
    }

    private static void Gather(AccessibleNode node, List<AccessibleNode> incomplete, int depth)
    {
        if ((node.ChildCount < 0 || node.Children.Count < node.ChildCount) && !node.Has(Words.StateManagesDescendants) && (node.Path == RootPath || node.Has(Words.StateShowing)))
            incomplete.Add(node);
        // The parents of a cache may be a circle only apart from the root: what hangs on the root is a tree, but maybe a very deep one.
        if (depth < MaxLevels * 4)
            foreach (var child in node.Children)
                Gather(child, incomplete, depth + 1);
    }

    private List<AccessibleNode> NextLevel(List<AccessibleNode> level, long deadline)
    {
        var parents = new Dictionary<string, (AccessibleNode Node, int Index)>();
        InBatches(level, node => bus.Send(name, node.Path, Accessible, "GetChildren"), deadline, (parent, reply) =>
        {
            if (reply.Signature != "a(so)")
                return;
            var reader = reply.Read();
            var end = reader.Array(8);
            var cached = parent.Children.ToDictionary(node => node.Path);
            for (var index = 0; reader.Position < end; index++)
            {
                reader.Align(8);
                var owner = reader.Text();
                var path = reader.ObjectPath();
                if (cached.TryGetValue(path, out var child))
                {
                    child.IndexInParent = index;
                    continue;
                }
                // A part of another application (an embedded plug) is found there. What is already in the tree would make it a circle.
                if (owner != name || path == RootPath || _known.Contains(path))
                    continue;
                if (!budget.TakeRead())
                {
                    IsTruncated = true;
                    return;
                }
                _known.Add(path);
                parents.Add(path, (parent, index));
            }
        });
        var found = Describe([.. parents.Keys], deadline);
        foreach (var node in found)
        {
            node.IndexInParent = parents[node.Path].Index;
            parents[node.Path].Node.Children.Add(node);
        }
        level.ForEach(Sort);
        return found.FindAll(node => node.Has(Words.StateShowing) && !node.Has(Words.StateManagesDescendants));
    }

    /// <summary>Nodes of these paths without their children, asked for all at once.</summary>
    private List<AccessibleNode> Describe(List<string> paths, long deadline)
    {
        var nodes = paths.ConvertAll(path => new AccessibleNode(path) { ChildCount = -1 });
        InBatches(nodes, node => GetProperty(node.Path, "Name"), deadline, (node, reply) => node.Name = PropertyText(reply));
        InBatches(nodes, node => GetProperty(node.Path, "Description"), deadline, (node, reply) => node.Description = PropertyText(reply));
        InBatches(nodes, node => bus.Send(name, node.Path, Accessible, "GetRole"), deadline, (node, reply) =>
        {
            if (reply.Signature == "u")
                node.Role = reply.Read().UInt32();
        });
        InBatches(nodes, node => bus.Send(name, node.Path, Accessible, "GetInterfaces"), deadline, (node, reply) =>
        {
            var reader = reply.Read();
            if (reply.Signature == "as")
                (node.HasBounds, node.HasActions) = Interfaces(ref reader);
        });
        var answered = new HashSet<AccessibleNode>();
        InBatches(nodes, node => bus.Send(name, node.Path, Accessible, "GetState"), deadline, (node, reply) =>
        {
            var reader = reply.Read();
            if (reply.Signature == "au")
                node.States = StatesOf(ref reader);
            answered.Add(node);
        });
        nodes.RemoveAll(node => !answered.Contains(node));
        return nodes;
    }

    private uint GetProperty(string path, string property) => bus.Send(name, path, Properties, "Get", "ss", arguments =>
    {
        arguments.Text(Accessible);
        arguments.Text(property);
    });

    private string PropertyText(BusReply reply)
    {
        var reader = reply.Read();
        return reply.Signature == "v" && reader.Signature() == "s" ? TextOf(ref reader) : "";
    }

    private void AskBounds(AccessibleNode root, long deadline)
    {
        var showing = new List<AccessibleNode>();
        GatherShowing(root, showing, 0);
        const uint ofScreen = 0;
        InBatches(showing.FindAll(node => node.HasBounds), node => bus.Send(name, node.Path, Component, "GetExtents", "u", arguments => arguments.UInt32(ofScreen)), deadline, (node, reply) =>
        {
            if (reply.Signature != "(iiii)")
                return;
            var reader = reply.Read();
            reader.Align(8);
            var area = new ScreenArea(reader.Int32(), reader.Int32(), reader.Int32(), reader.Int32());
            // Something that has no place says -1.
            if (area is { Width: >= 0, Height: >= 0 })
                node.Bounds = area;
        });
        InBatches(showing.FindAll(node => node.HasActions), node => bus.Send(name, node.Path, Action, "GetActions"), deadline, (node, reply) =>
        {
            if (reply.Signature != "a(sss)")
                return;
            var names = new List<string>();
            var reader = reply.Read();
            var end = reader.Array(8);
            while (reader.Position < end && names.Count < MaxActions)
            {
                reader.Align(8);
                names.Add(TextOf(ref reader));
                reader.SkipText();
                reader.SkipText();
            }
            node.Actions = [.. names];
        });
        // Chromium tells the names of its actions only one by one. The first is what a click does.
        const uint first = 0;
        InBatches(showing.FindAll(node => node.Actions is ["", ..]), node => bus.Send(name, node.Path, Action, "GetName", "i", arguments => arguments.UInt32(first)), deadline, (node, reply) =>
        {
            var reader = reply.Read();
            if (reply.Signature == "s")
                node.Actions[0] = TextOf(ref reader);
        });
        foreach (var node in showing)
            // "doDefault" is what Chromium calls it where a click does nothing of its own.
            node.Actions = Array.FindAll(node.Actions, action => action is not ("" or "doDefault"));
    }

    private static void GatherShowing(AccessibleNode node, List<AccessibleNode> showing, int depth)
    {
        if (node.Has(Words.StateShowing) && !node.Has(Words.StateDefunct) && node.Role != Words.RoleApplication)
            showing.Add(node);
        if (depth < MaxLevels * 4)
            foreach (var child in node.Children)
                GatherShowing(child, showing, depth + 1);
    }

    /// <summary>Sends a call for each, then takes the answers; those that are an error or nonsense are left out, late ones make the tree truncated.</summary>
    private void InBatches(List<AccessibleNode> nodes, Func<AccessibleNode, uint> send, long deadline, Action<AccessibleNode, BusReply> take)
    {
        for (var start = 0; start < nodes.Count && !_isSilent; start += MaxInFlight)
        {
            var batch = nodes.GetRange(start, Math.Min(MaxInFlight, nodes.Count - start));
            var serials = batch.ConvertAll(node => send(node));
            for (var i = 0; i < batch.Count; i++)
            {
                if (bus.Wait(serials[i], WaitUntil(deadline)) is not { } reply)
                {
                    IsTruncated = true;
                    // Once is enough: the next batch would wait as long.
                    _isSilent = Environment.TickCount64 < deadline;
                    serials.ForEach(bus.Forget);
                    return;
                }
                if (reply.Error is not null)
                    continue;
                try
                {
                    take(batch[i], reply);
                }
                catch (BusException)
                {
                    IsTruncated = true;
                }
            }
        }
    }

    /// <summary>The application's fault, unlike a <see cref="BusException"/>, which is the end of the connection.</summary>
    private sealed class MessageMalformedException : Exception;
}

/// <summary>What one tree may cost: nodes read from applications and text kept of them.</summary>
internal sealed class TreeBudget
{
    private int _nodes = 60_000;
    private int _text = 1 << 20;

    public bool TakeRead() => _nodes-- > 0;

    public bool TakeText(int length) => (_text -= length) >= 0;
}
