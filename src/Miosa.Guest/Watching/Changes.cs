using Miosa.Guest.Files;
using Miosa.Guest.Linux;

namespace Miosa.Guest.Watching;

/// <summary>
/// Makes of the kernel's notices what the watchers are told.
/// <list type="number">
/// <item>A new folder is watched first and looked into then, so nothing in it is missed; what the look has told, the kernel's notice does not tell again.</item>
/// <item>Both halves of a rename are one event for who watches both places, else a creation or a deletion.</item>
/// <item>Modifications are held for 20 ms, or until anything else happens, so that a file written in pieces is told once; order is kept.</item>
/// <item>Files the guest itself is still writing have names that are not told: they appear when they are whole.</item>
/// </list>
/// </summary>
internal sealed class Changes(FolderTree tree, Action<Watcher, FrameType, byte[]> end)
{
    private const int MergeMs = 20;

    /// <summary>Names told by looks and not yet by the kernel; without a place here a name may be told twice.</summary>
    private const int MostTold = 20_000;

    private const int LongestPath = 4095;

    private readonly List<(Folder Folder, string Name)> _modified = [];
    private readonly HashSet<(Folder, string)> _isModified = [];
    private readonly List<Folder> _withTold = [];
    private readonly List<(Folder Folder, string? Name, List<Watcher> Audience)> _unreached = [];
    private readonly List<(Watcher Watcher, Folder Root)> _audience = [];
    private long _modifiedSinceMs;
    private int _told;
    private int _round;

    /// <summary>How long modifications may still be held; -1 when there are none.</summary>
    public int WaitMs() => _modified.Count == 0 ? -1 : (int)Math.Clamp(_modifiedSinceMs + MergeMs - Environment.TickCount64, 0, MergeMs);

    /// <summary>Deals with what the queue has just been filled with.</summary>
    public void Take(NoticeQueue notices)
    {
        _round++;
        while (notices.Next(out var arrival) is { } notice)
            Take(notice, arrival);
        if (WaitMs() == 0)
            TellModified();
        if (!notices.IsEmpty || !notices.IsKernelEmpty)
            return;
        ForgetTold();
        ReachAgain();
    }

    /// <summary>Ends all who watch this very folder.</summary>
    public void EndWatchers(Folder folder, string reason)
    {
        foreach (var watcher in folder.Watchers.ToArray())
            end(watcher, FrameType.Result, System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(new WatchReply { Path = watcher.Path, Reason = reason }, GuestJson.Wire.WatchReply));
    }

    private void Take(Notice notice, Notice? arrival)
    {
        if (notice.Is(ChangeMask.Overflow))
        {
            TellModified();
            Overflow();
            return;
        }
        var folder = tree.Find(notice.Watch);
        var target = arrival is null ? null : tree.Find(arrival.Watch);
        if (folder is null)
        {
            TellModified();
            if (target is not null)
                Appeared(target, arrival!.Name, notice.IsFolder); // a target is the arrival's
            return;
        }
        if (notice.Name.Length == 0)
        {
            TellModified();
            OfItself(folder, notice);
            return;
        }
        if (notice.Is(ChangeMask.Modified | ChangeMask.Attributes | ChangeMask.WrittenAndClosed))
        {
            TakeModified(folder, notice);
            return;
        }
        TellModified();
        if (notice.Is(ChangeMask.MovedFrom) && target is not null)
            Moved(folder, notice.Name, target, arrival!.Name, notice.IsFolder); // as above
        else if (notice.Is(ChangeMask.Created | ChangeMask.MovedTo))
            Appeared(folder, notice.Name, notice.IsFolder);
        else if (notice.Is(ChangeMask.Deleted | ChangeMask.MovedFrom))
            Vanished(folder, notice.Name, notice.IsFolder, notice.Is(ChangeMask.Deleted) ? "deleted" : "moved");
    }

    private void OfItself(Folder folder, Notice notice)
    {
        if (notice.Is(ChangeMask.SelfMoved))
            EndWatchers(folder, "moved");
        else if (notice.Is(ChangeMask.SelfDeleted))
            EndWatchers(folder, "deleted");
        else if (notice.Is(ChangeMask.Unmounted))
            EndWatchers(folder, "unmounted");
        else if (notice.Is(ChangeMask.Ignored))
        {
            EndWatchers(folder, "deleted");
            if (tree.Has(folder))
                tree.Forget(folder);
        }
    }

    private void TakeModified(Folder folder, Notice notice)
    {
        // Of a folder only its permissions can have changed, and what is in it is told by itself.
        if (notice.IsFolder || TemporaryNames.Is(notice.Name))
            return;
        var isKnown = _isModified.Contains((folder, notice.Name));
        if (notice.Is(ChangeMask.WrittenAndClosed))
        {
            // Whole now; and opening a file for writing changes nothing.
            if (isKnown)
                TellModified();
            return;
        }
        if (isKnown)
            return;
        if (_modified.Count == 0)
            _modifiedSinceMs = Environment.TickCount64;
        _modified.Add((folder, notice.Name));
        _isModified.Add((folder, notice.Name));
    }

    private void TellModified()
    {
        foreach (var (folder, name) in _modified)
            Tell(GuestChangeEvent.Modified, folder, name, isFolder: false, Audience(folder));
        _modified.Clear();
        _isModified.Clear();
    }

    private void Appeared(Folder folder, string name, bool isFolder)
    {
        if (TemporaryNames.Is(name) || folder.Told?.Remove(name) is true)
            return;
        var audience = Audience(folder);
        Tell(GuestChangeEvent.Created, folder, name, isFolder, audience);
        if (isFolder)
            EnterNew(folder, name, Recursive(audience));
    }

    private void Vanished(Folder folder, string name, bool isFolder, string reason)
    {
        folder.Told?.Remove(name);
        if (isFolder && folder.Children.TryGetValue(name, out var child))
        {
            EndWatchers(child, reason);
            if (tree.Has(child))
                tree.Unhook(child);
        }
        if (!TemporaryNames.Is(name))
            Tell(GuestChangeEvent.Deleted, folder, name, isFolder, Audience(folder));
    }

    private void Moved(Folder from, string oldName, Folder to, string newName, bool isFolder)
    {
        if (TemporaryNames.Is(newName))
        {
            Vanished(from, oldName, isFolder, "deleted");
            return;
        }
        if (TemporaryNames.Is(oldName))
        {
            if (TemporaryNames.Replaces(oldName))
                Tell(GuestChangeEvent.Modified, to, newName, isFolder, Audience(to));
            else
                Appeared(to, newName, isFolder);
            return;
        }
        from.Told?.Remove(oldName);
        var wasTold = to.Told?.Remove(newName) is true;
        var before = Audience(from);
        var after = Audience(to);
        var both = after.FindAll(member => before.Exists(other => other.Watcher == member.Watcher));
        Tell(GuestChangeEvent.Deleted, from, oldName, isFolder, before.FindAll(member => !both.Exists(other => other.Watcher == member.Watcher)));
        Tell(GuestChangeEvent.Renamed, to, newName, isFolder, both, from, oldName);
        var newcomers = after.FindAll(member => !both.Contains(member));
        if (!wasTold)
            Tell(GuestChangeEvent.Created, to, newName, isFolder, newcomers);
        if (!isFolder)
            return;
        if (from.Children.TryGetValue(oldName, out var moved))
        {
            EndWatchers(moved, "moved");
            if (tree.Has(moved) && to.IsWatchedRecursively && !to.IsBelowOrSame(moved))
                moved.PlaceBelow(to, newName);
            else if (tree.Has(moved))
                tree.Unhook(moved);
        }
        // A folder that was renamed before we could look into it is new to everybody.
        if (!wasTold && (moved is null || newcomers.Count > 0))
            EnterNew(to, newName, Recursive(moved is null ? after : newcomers));
    }

    private void Overflow()
    {
        foreach (var folder in tree.All)
            folder.IsListed = false;
        foreach (var folder in tree.All.ToArray())
        {
            foreach (var watcher in folder.Watchers)
            {
                if (watcher.Recursive)
                    watcher.ListAll(folder);
                else if (watcher.IsLive)
                    watcher.Rescan();
            }
        }
    }

    /// <summary>Watches a folder that has appeared and tells what is in it already.</summary>
    private void EnterNew(Folder folder, string name, List<Watcher> audience)
    {
        if (!folder.IsWatchedRecursively)
            return;
        try
        {
            var fd = tree.Open(folder);
            if (fd < 0)
            {
                _unreached.Add((folder, name, audience));
                return;
            }
            Folder? entered;
            try
            {
                entered = tree.Enter(fd, folder, name);
            }
            finally
            {
                Libc.Close(fd);
            }
            if (entered is not null)
                TellContent(entered, audience);
        }
        catch (GuestFailure e)
        {
            EndAllAbove(folder, e);
        }
    }

    private void TellContent(Folder top, List<Watcher> watchers)
    {
        var unlisted = new Stack<Folder>([top]);
        while (unlisted.TryPop(out var folder))
        {
            if (!tree.Has(folder))
                continue;
            if (tree.List(folder) is not { } entries)
            {
                _unreached.Add((folder, null, watchers));
                continue;
            }
            var audience = Audience(folder).FindAll(member => watchers.Contains(member.Watcher));
            foreach (var (name, isFolder, entered) in entries)
            {
                if (TemporaryNames.Is(name))
                    continue;
                Tell(GuestChangeEvent.Created, folder, name, isFolder, audience);
                Remember(folder, name);
                if (entered is not null)
                    unlisted.Push(entered);
            }
        }
    }

    /// <summary>What was told by looks of earlier rounds: the kernel had nothing older than this round to tell, and it has been dealt with.</summary>
    private void ForgetTold()
    {
        _withTold.RemoveAll(folder =>
        {
            if (folder.ToldInRound == _round)
                return false;
            _told -= folder.Told?.Count ?? 0;
            folder.Told = null;
            return true;
        });
        if (_withTold.Count == 0)
            _told = 0;
    }

    private void Remember(Folder folder, string name)
    {
        folder.ToldInRound = _round;
        if (_told >= MostTold)
            return;
        if (folder.Told is null)
        {
            folder.Told = new(StringComparer.Ordinal);
            _withTold.Add(folder);
        }
        if (folder.Told.Add(name))
            _told++;
    }

    /// <summary>Folders that had been moved when they were to be looked into: by now we have been told where to.</summary>
    private void ReachAgain()
    {
        if (_unreached.Count == 0)
            return;
        var again = _unreached.ToArray();
        _unreached.Clear();
        foreach (var (folder, name, audience) in again)
        {
            // Not a second time: who is gone now has a notice of that under way, or nobody cares.
            if (!tree.Has(folder) || !IsThere(folder))
                continue;
            if (name is not null)
                EnterNew(folder, name, audience);
            else
                Guarded(folder, () => TellContent(folder, audience));
        }
    }

    private bool IsThere(Folder folder)
    {
        var isThere = false;
        Guarded(folder, () =>
        {
            var fd = tree.Open(folder);
            isThere = fd >= 0;
            Libc.Close(fd);
        });
        return isThere;
    }

    private void Guarded(Folder folder, Action act)
    {
        try
        {
            act();
        }
        catch (GuestFailure e)
        {
            EndAllAbove(folder, e);
        }
    }

    /// <summary>A folder cannot be watched: nobody who should hear of it is left in the belief that he does.</summary>
    private void EndAllAbove(Folder folder, GuestFailure why)
    {
        var (type, payload) = Wire.StreamRun.Failure(why.Code, why.Message);
        foreach (var (watcher, _) in Audience(folder).FindAll(member => member.Watcher.Recursive))
            end(watcher, type, payload);
    }

    private List<(Watcher Watcher, Folder Root)> Audience(Folder folder)
    {
        _audience.Clear();
        folder.AddAudience(_audience);
        return [.. _audience];
    }

    private static List<Watcher> Recursive(List<(Watcher Watcher, Folder Root)> audience) =>
        audience.FindAll(member => member.Watcher.Recursive).ConvertAll(member => member.Watcher);

    /// <summary>What the kernel calls a file that was made without a name (O_TMPFILE) and has none yet.</summary>
    private static bool IsNameless(string name) => name.Length > 1 && name[0] == '#' && name.Skip(1).All(char.IsAsciiDigit);

    private static void Tell(
        string what, Folder folder, string name, bool isFolder, List<(Watcher Watcher, Folder Root)> audience, Folder? oldFolder = null, string oldName = "")
    {
        if (audience.Count == 0)
            return;
        long? size = null;
        if (what != GuestChangeEvent.Deleted && !isFolder)
        {
            var path = RawName.Join(folder.RealPath, name);
            if (path.Length > LongestPath)
                size = null;
            else if (Libc.StatAt(Libc.AtCwd, RawName.WithZero(path), out var status, Libc.AtNoFollow) == 0)
                size = status.Size;
            else if (what == GuestChangeEvent.Modified && IsNameless(name))
                return;
        }
        var now = Watcher.Now;
        (Folder? Root, string? Path, byte[]? Line) last = default;
        foreach (var (watcher, root) in audience)
        {
            // A thousand may watch the same folder.
            if (last.Root != root || last.Path != watcher.Path)
                last = (root, watcher.Path, LineOf(watcher, root));
            if (last.Line is { } line)
                watcher.Add(line);
            else
                watcher.Rescan();
        }

        byte[]? LineOf(Watcher watcher, Folder root)
        {
            var path = folder.PathFrom(root, name);
            var oldPath = oldFolder?.PathFrom(root, oldName);
            if (path.Length > LongestPath || oldPath?.Length > LongestPath)
                return null;
            return Watcher.Line(new GuestChange
            {
                Event = what,
                Path = RawName.Join(watcher.Path, RawName.Text(path)),
                OldPath = oldPath is null ? null : RawName.Join(watcher.Path, RawName.Text(oldPath)),
                IsDir = isFolder,
                Size = size,
                AtMs = now,
            });
        }
    }
}
