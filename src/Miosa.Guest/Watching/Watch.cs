using Miosa.Guest.Linux;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Watching;

/// <summary>
/// All watchers of the machine on one thread with one inotify descriptor, of which the kernel gives a user 128. The thread waits only in poll:
/// a host that takes nothing holds up its own stream alone.
/// </summary>
internal sealed class Watch
{
    /// <summary>A connection has 1,024 streams; commands and files need some too.</summary>
    public const int MostWatchers = 900;

    private const int StackBytes = 512 * 1024;

    /// <summary>How many folders are looked into before the kernel is listened to again.</summary>
    private const int ListedAtOnce = 32;

    private static readonly Lock s_lock = new();
    private static readonly Queue<Watcher> s_new = new();
    private static int s_wake = -1;
    private static int s_count;

    private readonly int _descriptor;
    private readonly List<Watcher> _watchers = [];
    private readonly NoticeQueue _notices;
    private readonly FolderTree _tree;
    private readonly Changes _changes;
    private PollEntry[] _polled = new PollEntry[8];

    private Watch(int descriptor)
    {
        _descriptor = descriptor;
        _notices = new NoticeQueue(descriptor);
        _tree = new FolderTree(descriptor);
        _changes = new Changes(_tree, End);
    }

    /// <summary>Takes over the stream; throws what the host is told instead.</summary>
    public static void Add(Watcher watcher)
    {
        lock (s_lock)
        {
            if (s_count >= MostWatchers)
                throw new GuestFailure(GuestErrorCode.Busy, $"this machine has {MostWatchers} watches already: end one, or watch a folder above several");
            if (s_wake < 0)
                Start();
            s_count++;
            s_new.Enqueue(watcher);
            watcher.Stream.WakeBy(s_wake);
        }
        Libc.Signal(s_wake);
    }

    private static void Start()
    {
        var descriptor = Libc.WatchDescriptor();
        var wake = Libc.EventFd();
        if (!Threads.TryStart(() => new Watch(descriptor).Run(wake), StackBytes))
        {
            Libc.Close(descriptor);
            Libc.Close(wake);
            throw new GuestFailure(GuestErrorCode.Busy, "no thread to be had: the machine is at its process limit");
        }
        s_wake = wake;
    }

    private void Run(int wake)
    {
        using var buffer = new FrameBuffer();
        while (true)
        {
            try
            {
                Round(buffer);
                Wait(wake);
            }
#pragma warning disable CA1031 // The edge of a thread: PID 1 must not end, and no watcher may be left in the belief that it hears everything.
            catch (Exception e)
#pragma warning restore CA1031
            {
                var (type, payload) = StreamRun.Failure(
                    e is OutOfMemoryException ? GuestErrorCode.Busy : GuestErrorCode.Failed, e is OutOfMemoryException ? "out of memory" : e.GetType().Name + ": " + e.Message);
                foreach (var watcher in _watchers)
                    End(watcher, type, payload);
            }
        }
    }

    private void Round(FrameBuffer buffer)
    {
        _notices.Fill();
        _changes.Take(_notices);
        TakeNew();
        ListSome();
        for (var i = _watchers.Count - 1; i >= 0; i--)
        {
            var watcher = _watchers[i];
            if (watcher.Stream.IsCancelled)
            {
                watcher.Clear();
                var (type, payload) = StreamRun.Failure(GuestErrorCode.Failed, "cancelled");
                End(watcher, type, payload);
            }
            if (watcher.IsOver(buffer))
            {
                _watchers.RemoveAt(i);
                lock (s_lock)
                    s_count--;
            }
        }
    }

    private void Wait(int wake)
    {
        if (_polled.Length < 2 + _watchers.Count)
            _polled = new PollEntry[2 * (2 + _watchers.Count)];
        _polled[0] = new PollEntry { Fd = wake, Events = PollEntry.In };
        // With a full queue the rest stays in the kernel.
        _polled[1] = new PollEntry { Fd = _notices.IsKernelEmpty ? _descriptor : -1, Events = PollEntry.In };
        for (var i = 0; i < _watchers.Count; i++)
            _polled[2 + i] = new PollEntry { Fd = _watchers[i].HostIsFull ? _watchers[i].Stream.Connection.Socket : -1, Events = PollEntry.Out };
        Libc.Poll(_polled.AsSpan(0, 2 + _watchers.Count), WaitMs());
        if (_polled[0].Revents != 0)
            Libc.ClearSignal(wake);
        for (var i = 0; i < _watchers.Count; i++)
        {
            if (_polled[2 + i].Revents != 0)
                _watchers[i].HostIsFull = false;
        }
    }

    private int WaitMs()
    {
        if (_watchers.Exists(watcher => watcher.Unlisted.Count > 0 && !watcher.IsEnding))
            return 0;
        var (rename, merge) = (_notices.WaitMs(), _changes.WaitMs());
        if (rename < 0 && !_notices.IsKernelEmpty)
            return 0;
        return rename < 0 ? merge : merge < 0 ? rename : Math.Min(rename, merge);
    }

    private void TakeNew()
    {
        while (true)
        {
            Watcher? watcher;
            lock (s_lock)
            {
                if (!s_new.TryDequeue(out watcher))
                    return;
            }
            _watchers.Add(watcher);
            try
            {
                Attach(watcher);
            }
            catch (GuestFailure e)
            {
                Fail(watcher, e);
            }
            catch (LinuxException e)
            {
                Fail(watcher, GuestFailure.From(e));
            }
        }
    }

    private void Attach(Watcher watcher)
    {
        var folder = _tree.Attach(watcher);
        watcher.Root = folder;
        // All below it is watched for somebody else already.
        var isComplete = false;
        for (var at = folder; at is not null && !isComplete; at = at.Parent)
            isComplete = at.Watchers.Exists(other => other is { Recursive: true, IsLive: true, Unlisted.Count: 0 });
        if (watcher.Recursive && !isComplete)
            watcher.ListAll(folder);
        else
            watcher.GoLive();
    }

    private void ListSome()
    {
        var left = ListedAtOnce;
        foreach (var watcher in _watchers)
        {
            if (watcher.Unlisted.Count == 0 || watcher.IsEnding)
                continue;
            try
            {
                for (; left > 0 && watcher.Unlisted.TryPop(out var folder); left--)
                    List(watcher, folder);
            }
            catch (GuestFailure e)
            {
                Fail(watcher, e);
            }
            if (watcher.Unlisted.Count == 0 && !watcher.IsEnding)
                watcher.Listed();
        }
    }

    private void List(Watcher watcher, Folder folder)
    {
        if (!_tree.Has(folder))
            return;
        if (!folder.IsListed && _tree.List(folder) is null)
        {
            // Not where it was. The kernel tells of the others; nobody may watch a name that leads elsewhere.
            if (folder == watcher.Root)
                _changes.EndWatchers(folder, "moved");
            return;
        }
        foreach (var child in folder.Children.Values)
            watcher.Unlisted.Push(child);
    }

    private void Fail(Watcher watcher, GuestFailure why)
    {
        var (type, payload) = StreamRun.Failure(why.Code, why.Message);
        End(watcher, type, payload);
    }

    /// <summary>It hears nothing more; the host is told why when it has taken what was before.</summary>
    private void End(Watcher watcher, FrameType type, byte[] payload)
    {
        if (!watcher.TryEnd(type, payload))
            return;
        if (watcher.Root is { } folder)
            _tree.Detach(watcher, folder);
    }
}
