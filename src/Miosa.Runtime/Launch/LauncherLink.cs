using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Miosa.Runtime.Host;
using Miosa.Runtime.Linux;

namespace Miosa.Runtime.Launch;

/// <summary>The daemon's end: starts the launcher when it is needed and again when it has died; one order at a time.</summary>
internal sealed unsafe partial class LauncherLink(RuntimeSettings settings, string guest) : IDisposable
{
    private const short POSIX_SPAWN_SETSID = 0x80;

    private readonly Lock turn = new();
    private readonly byte[] buffer = new byte[Launcher.MaxPacket];
    private Fd? link;
    private Fd? process;

    [LibraryImport("libc")]
    private static partial int posix_spawn(int* pid, byte* path, void* actions, void* attributes, byte** argv, byte** envp);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_init(void* actions);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_adddup2(void* actions, int from, int to);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_destroy(void* actions);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_init(void* attributes);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_setflags(void* attributes, short flags);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_destroy(void* attributes);

    public void Start()
    {
        lock (turn) Ensure();
    }

    public LaunchReply Launch(LaunchOrder order, IReadOnlyList<Fd> descriptors)
    {
        var packet = JsonSerializer.SerializeToUtf8Bytes(order, LaunchJson.Default.LaunchOrder);
        int[] numbers = [.. descriptors.Select(fd => fd.Value)];
        lock (turn)
        {
            // An order that was not taken can be repeated; one whose answer is missing cannot.
            for (var attempt = 0; attempt < 2; attempt++)
            {
                if (Deliver(Ensure(), packet, numbers)) break;
                Drop();
            }
            var length = link is null ? 0 : Receive(link);
            if (length > 0) return JsonSerializer.Deserialize(buffer.AsSpan(0, length), LaunchJson.Default.LaunchReply)!; // never "null"
            Drop();
            return new LaunchReply { FailedStep = "launcher", Message = "the launcher died and will be started again" };
        }
    }

    public void Dispose() => Drop();

    /// <returns>True when the launcher has said that it took the order.</returns>
    private bool Deliver(Fd socket, byte[] packet, int[] descriptors)
    {
        try
        {
            Sockets.Send(socket, packet, descriptors);
        }
        catch (LinuxException e)
        {
            Log.Line($"launcher: {e.Message}");
            return false;
        }
        return Receive(socket) == 1;
    }

    private int Receive(Fd socket)
    {
        try
        {
            return Sockets.Receive(socket, buffer, []);
        }
        catch (LinuxException e)
        {
            Log.Line($"launcher: {e.Message}");
            return 0;
        }
    }

    private Fd Ensure()
    {
        if (link is not null) return link;
        var (ours, theirs) = Sockets.Pair();
        using (theirs)
        using (var nothing = Libc.Open("/dev/null", Libc.O_RDWR))
        {
            var pid = Spawn(theirs, nothing);
            process = Processes.OpenPidfd(pid);
        }
        return link = ours;
    }

    private void Drop()
    {
        link?.Dispose();
        link = null;
        if (process is null) return;
        Processes.Kill(process, Processes.SIGKILL);
        var poll = stackalloc int[2] { process.Value, 1 };
        Libc.Syscall(Sys.Poll, (nint)poll, 1, 5000);
        Processes.Reap(process);
        process.Dispose();
        process = null;
    }

    // posix_spawn and not Process: descriptor 3 has to arrive, and nothing else may.
    private int Spawn(Fd socket, Fd nothing)
    {
        string[] arguments = ["miosa-launcher", "launcher", settings.Data, settings.Run, guest];
        var actions = stackalloc byte[256];
        var attributes = stackalloc byte[512];
        var argv = stackalloc byte*[arguments.Length + 1];
        var envp = stackalloc byte*[1];
        envp[0] = null;
        for (var i = 0; i < arguments.Length; i++) argv[i] = (byte*)Marshal.StringToCoTaskMemUTF8(arguments[i]);
        argv[arguments.Length] = null;
        var pid = 0;
        var errno = posix_spawn_file_actions_init(actions) | posix_spawnattr_init(attributes);
        // 3 last: it might be the number of one of the others.
        errno |= posix_spawn_file_actions_adddup2(actions, nothing.Value, 0) | posix_spawn_file_actions_adddup2(actions, nothing.Value, 1);
        errno |= posix_spawn_file_actions_adddup2(actions, socket.Value, 3);
        errno |= posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID);
        fixed (byte* self = Encoding.UTF8.GetBytes("/proc/self/exe\0"))
            if (errno == 0) errno = posix_spawn(&pid, self, actions, attributes, argv, envp);
        _ = posix_spawn_file_actions_destroy(actions);
        _ = posix_spawnattr_destroy(attributes);
        for (var i = 0; i < arguments.Length; i++) Marshal.FreeCoTaskMem((nint)argv[i]);
        return errno == 0 ? pid : throw new LinuxException("start", "launcher", errno);
    }
}
