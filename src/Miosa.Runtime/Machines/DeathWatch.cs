using System.Collections.Concurrent;
using Miosa.Runtime.Host;
using Miosa.Runtime.Linux;

namespace Miosa.Runtime.Machines;

/// <summary>One thread that waits for any guest to end: a pidfd becomes readable when its process is gone.</summary>
internal sealed unsafe class DeathWatch : IDisposable
{
    private const int EpollCreate1 = 291;
    private const int EpollCtl = 233;
    private const int EpollWait = 232;
    private const int Add = 1;
    private const int Remove = 2;
    private const int EventSize = 12;
    private const int Batch = 32;

    private readonly Fd epoll;
    private readonly ConcurrentDictionary<long, (Fd Pidfd, Action<ProcessEnd> Ended)> watched = [];
    private long last;

    public DeathWatch()
    {
        var fd = Libc.Syscall(EpollCreate1, Libc.O_CLOEXEC);
        Libc.Check(fd, "epoll_create1", "");
        epoll = new Fd((int)fd);
        new Thread(Wait) { IsBackground = true, Name = "death watch" }.Start();
    }

    /// <summary>Takes the pidfd over; <paramref name="ended"/> is called once, on the watch's thread.</summary>
    public void Watch(Fd pidfd, Action<ProcessEnd> ended)
    {
        var id = Interlocked.Increment(ref last);
        watched[id] = (pidfd, ended);
        // struct epoll_event is packed on x86_64: 4 bytes of events, 8 of data.
        var record = stackalloc byte[EventSize];
        *(uint*)record = 1;
        *(long*)(record + 4) = id;
        Libc.Check(Libc.Syscall(EpollCtl, epoll.Value, Add, pidfd.Value, (nint)record), "epoll_ctl", "pidfd");
    }

    /// <remarks>The thread stays in its wait and ends with the process.</remarks>
    public void Dispose() => epoll.Dispose();

    private void Wait()
    {
        var records = stackalloc byte[EventSize * Batch];
        while (true)
        {
            var count = Libc.Syscall(EpollWait, epoll.Value, (nint)records, Batch, -1);
            for (var i = 0; i < count; i++)
            {
                if (!watched.TryRemove(*(long*)(records + EventSize * i + 4), out var entry)) continue;
                Libc.Syscall(EpollCtl, epoll.Value, Remove, entry.Pidfd.Value);
                var end = Processes.Reap(entry.Pidfd);
                try
                {
                    entry.Ended(end);
                }
                catch (Exception e) when (e is IOException or InvalidOperationException)
                {
                    // One machine's trouble must not stop the watch over the others.
                    Log.Line($"death watch: {e.Message}");
                }
            }
        }
    }
}
