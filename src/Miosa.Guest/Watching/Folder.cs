namespace Miosa.Guest.Watching;

/// <summary>
/// One folder under the kernel's eyes. The kernel has one watch per folder and descriptor, so this is shared by all who watch the folder or,
/// recursively, one above it.
/// </summary>
internal sealed class Folder(int watch)
{
    private string _top = "";

    public int Watch => watch;

    /// <summary>The folder above, when that is watched too.</summary>
    public Folder? Parent { get; private set; }

    public string Name { get; private set; } = "";

    public Dictionary<string, Folder> Children { get; } = new(0, StringComparer.Ordinal);

    /// <summary>Those who watch this very folder.</summary>
    public List<Watcher> Watchers { get; } = new(0);

    /// <summary>Its sub-folders are watched too, all of them.</summary>
    public bool IsListed { get; set; }

    /// <summary>
    /// Names that a look into the new folder has told as created. The kernel may tell the same again; cleared once it has nothing older than
    /// the look to tell.
    /// </summary>
    public HashSet<string>? Told { get; set; }

    public int ToldInRound { get; set; }

    /// <summary>Where it is, for the kernel.</summary>
    public string RealPath => Parent is null ? _top : RawName.Join(Parent.RealPath, Name);

    public void PlaceAt(string realPath)
    {
        LeaveParent();
        _top = realPath;
    }

    public void PlaceBelow(Folder parent, string name)
    {
        LeaveParent();
        (Parent, Name) = (parent, name);
        parent.Children[name] = this;
    }

    public bool IsBelowOrSame(Folder other)
    {
        for (var at = this; at is not null; at = at.Parent)
        {
            if (at == other)
                return true;
        }
        return false;
    }

    /// <summary>Somebody wants to know what is below this folder.</summary>
    public bool IsWatchedRecursively
    {
        get
        {
            for (var at = this; at is not null; at = at.Parent)
            {
                if (at.Watchers.Exists(watcher => watcher.Recursive))
                    return true;
            }
            return false;
        }
    }

    /// <summary>Who is told of a change in this folder, each with the folder that it watches.</summary>
    public void AddAudience(List<(Watcher Watcher, Folder Root)> audience)
    {
        for (var at = this; at is not null; at = at.Parent)
        {
            foreach (var watcher in at.Watchers)
            {
                if (watcher.IsLive && (at == this || watcher.Recursive))
                    audience.Add((watcher, at));
            }
        }
    }

    /// <summary>The path from a folder above to a name in this one.</summary>
    public string PathFrom(Folder root, string name)
    {
        for (var at = this; at != root && at.Parent is not null; at = at.Parent)
            name = at.Name + "/" + name;
        return name;
    }

    private void LeaveParent()
    {
        if (Parent is not null && Parent.Children.GetValueOrDefault(Name) == this)
            Parent.Children.Remove(Name);
        Parent = null;
    }
}
