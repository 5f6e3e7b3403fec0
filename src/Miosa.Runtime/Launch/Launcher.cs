using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Miosa.Runtime.Gvisor;
using Miosa.Runtime.Linux;
using Miosa.Runtime.Network;

namespace Miosa.Runtime.Launch;

/// <summary>
/// The launcher process: one thread, one order at a time, in a mount namespace of its own that holds almost nothing, because
/// every machine starts as a copy of it. It ends when the daemon's end of the socket closes; machines do not notice.
/// An order comes with descriptors: the guest's listening socket (or the mount of the door), its log, the cgroup descriptors, and for a
/// machine under runsc the mount of the guest's program and the program of runsc.
/// </summary>
internal sealed unsafe class Launcher : IDisposable
{
    public const int MaxPacket = 65_536;

    private static readonly byte[] Taken = [(byte)'t'];

    private readonly Fd link;
    private readonly Fd guest;
    private readonly Fd nullDevice;
    private readonly Fd netlink;
    private readonly string guestName;
    private readonly byte[] filter = SeccompFilter.Build();

    private Launcher(Fd link, string guestPath)
    {
        this.link = link;
        guestName = Path.GetFileName(guestPath);
        guest = SealedCopy(guestPath);
        netlink = Sockets.Open(Sockets.AF_NETLINK, Sockets.SOCK_RAW);
        nullDevice = Libc.Open("/dev/null", Libc.O_RDWR);
    }

    /// <summary>The <c>launcher</c> verb: serves orders on descriptor 3 until the daemon is gone.</summary>
    public static int Run(string dataDirectory, string workDirectory, string guestPath)
    {
        using var launcher = new Launcher(new Fd(3), guestPath);
        LauncherRoot.Enter(dataDirectory, workDirectory);
        launcher.Serve();
        return 0;
    }

    public void Dispose()
    {
        link.Dispose();
        guest.Dispose();
        nullDevice.Dispose();
        netlink.Dispose();
    }

    private void Serve()
    {
        var buffer = new byte[MaxPacket];
        var descriptors = new List<Fd>();
        while (true)
        {
            descriptors.Clear();
            var length = Sockets.Receive(link, buffer, descriptors);
            if (length == 0) return;
            LaunchReply reply;
            // An order that was taken is never sent again, one that was not is: the difference between one machine and two.
            Sockets.Send(link, Taken, []);
            try
            {
                var order = JsonSerializer.Deserialize(buffer.AsSpan(0, length), LaunchJson.Default.LaunchOrder)!; // the daemon never sends "null"
                reply = Launch(order, descriptors);
            }
            finally
            {
                foreach (var descriptor in descriptors) descriptor.Dispose();
            }
            Sockets.Send(link, JsonSerializer.SerializeToUtf8Bytes(reply, LaunchJson.Default.LaunchReply), []);
        }
    }

    private LaunchReply Launch(LaunchOrder order, List<Fd> descriptors)
    {
        var clock = Stopwatch.StartNew();
        var phases = new Dictionary<string, long>();
        void Mark(string phase) => phases[phase] = (long)clock.Elapsed.TotalMicroseconds;

        var step = "clone";
        var pid = 0;
        Fd? overlay = null, pidfd = null;
        var (goRead, goWrite) = Libc.Pipe();
        var (reportRead, reportWrite) = Libc.Pipe();
        try
        {
            // The overlay's descriptor is only known after the clone (the id map needs the machine's namespace), so its number is reserved now.
            overlay = new Fd((int)Libc.Syscall(32, nullDevice.Value));
            using var dev = Mounts.CloneTree("/dev");
            using var empty = Mounts.CloneTree("/empty");
            var plan = order.Gvisor is null ? MachinePlan.For(order) : GvisorPlan.For(order);
            if (order.FailAt is { } failing) plan = [.. plan.Select(call => call.Step == failing ? call with { Number = 9999 } : call)];
            using var program = Compile(plan, order, descriptors, dev, empty, overlay, goRead, reportWrite);
            var cgroup = order.IsInCgroupV2 ? descriptors[2] : null;
            Mark("plan");

            Refuse(order, step);
            pid = program.Start(order.Gvisor is null ? NativeProgram.OfMachine : NativeProgram.OfGvisor, reportWrite, cgroup);
            pidfd = Processes.OpenPidfd(pid);
            Mark("clone");

            step = "ids";
            Refuse(order, step);
            using var userNamespace = order.Gvisor is null ? MapIds(pid, order.BaseId) : IdHolder.Open(order.BaseId, reportWrite);
            Mark("ids");

            step = "layers";
            Refuse(order, step);
            using (var mounted = Layers.Mount(order, userNamespace))
            {
                // dup3 onto the reserved number: the child shares our table until it is told to go.
                Libc.Check(Libc.Syscall(292, mounted.Value, overlay.Value, Libc.O_CLOEXEC), "dup3", "overlay");
            }
            Mark("layers");

            step = "veth";
            Refuse(order, step);
            if (order.Veth is { } veth) AddVeth(veth, pid);
            Mark("veth");

            step = "go";
            var errno = Libc.TryWrite(goWrite, "g"u8);
            if (errno != 0) throw new LinuxException("write", "go", errno);
            var failure = Await(reportRead, reportWrite, pidfd, plan);
            Mark("guest");
            return failure is null
                ? new LaunchReply { Pid = pid, Phases = phases }
                : failure with { Pid = pid, Phases = phases };
        }
        catch (LinuxException e)
        {
            if (pidfd is not null) Processes.Kill(pidfd, Processes.SIGKILL);
            return new LaunchReply { Pid = pid, FailedStep = step, Errno = e.Errno, Message = e.Message, Phases = phases };
        }
        finally
        {
            overlay?.Dispose();
            pidfd?.Dispose();
            goRead.Dispose();
            goWrite.Dispose();
            reportRead.Dispose();
            reportWrite.Dispose();
        }
    }

    private static void Refuse(LaunchOrder order, string step)
    {
        if (order.FailAt == step) throw new LinuxException(step, order.Machine, Errno.EINVAL);
    }

    private NativeProgram Compile(IReadOnlyList<Call> plan, LaunchOrder order, List<Fd> descriptors, Fd dev, Fd empty, Fd overlay, Fd go, Fd report)
    {
        long Resolve(NativeProgram program, string name) => name switch
        {
            "listen" => descriptors[0].Value,
            "log" => descriptors[1].Value,
            "dev" => dev.Value,
            "empty" => empty.Value,
            "root" => overlay.Value,
            "go" => go.Value,
            "report" => report.Value,
            "guest" => guest.Value,
            "null" => nullDevice.Value,
            "filter" => program.Filter(filter),
            "door" => descriptors[0].Value,
            "program" => descriptors[^2].Value,
            "runsc" => descriptors[^1].Value,
            "argv" => program.Vector(order.Gvisor?.Arguments ?? [guestName]),
            "envp" => program.Vector(order.Environment),
            _ when name.StartsWith("cgroup", StringComparison.Ordinal) => descriptors[2 + int.Parse(name.AsSpan(6), CultureInfo.InvariantCulture)].Value,
            _ => throw new ArgumentException(name),
        };
        return new NativeProgram(plan, Resolve);
    }

    /// <returns>The machine's user namespace.</returns>
    private static Fd MapIds(int pid, uint baseId)
    {
        IdHolder.Write(pid, baseId);
        // Machines go before anything of the host; raising needs no privilege, and refusal only loses the preference.
        Libc.TryWriteFile(Proc(pid, "oom_score_adj"), "500");
        return Libc.Open(Proc(pid, "ns/user"), Libc.O_RDONLY);
    }

    private void AddVeth(VethOrder veth, int pid)
    {
        using var space = Libc.Open(Proc(pid, "ns/net"), Libc.O_RDONLY);
        var errno = Netlink.Exchange(netlink, Netlink.AddVeth(veth.HostInterface, space.Value));
        if (errno == Errno.EEXIST)
        {
            // The interface of a machine that is gone: its namespace is closed by a kernel worker that has not come to it yet.
            Netlink.Exchange(netlink, Netlink.DeleteLink(veth.HostInterface));
            errno = Netlink.Exchange(netlink, Netlink.AddVeth(veth.HostInterface, space.Value));
        }
        if (errno != 0) throw new LinuxException("add veth", veth.HostInterface, errno);
        var index = Interfaces.Index(netlink, veth.HostInterface);
        errno = Netlink.Exchange(netlink, Netlink.AddAddress(index, System.Net.IPAddress.Parse(veth.HostAddress), veth.PrefixLength));
        if (errno != 0) throw new LinuxException("add address", veth.HostAddress, errno);
    }

    // The child says "u" when it has its own descriptors; only then may our write end close, so that execve closing its copy is the end of the pipe.
    private static LaunchReply? Await(Fd reportRead, Fd reportWrite, Fd? pidfd, IReadOnlyList<Call> plan)
    {
        Span<byte> buffer = stackalloc byte[16];
        // One byte first: a pipe does not keep "u" and a report that follows at once apart. No step before "u" has its number.
        var length = IsReadable(reportRead, pidfd) ? Libc.Read(reportRead, buffer[..1]) : 0;
        if (length == 1 && buffer[0] == (byte)'u')
        {
            reportWrite.Dispose();
            length = Libc.Read(reportRead, buffer);
            if (length == 0) return null;
        }
        else if (length == 1)
        {
            length += Libc.Read(reportRead, buffer[1..]);
        }
        if (length < 16) return new LaunchReply { FailedStep = "report", Message = "the machine's first process died" };
        var at = (int)MemoryMarshal.Read<long>(buffer);
        var errno = (int)MemoryMarshal.Read<long>(buffer[8..]);
        return new LaunchReply
        {
            FailedStep = plan[at].Step,
            Errno = errno,
            Message = string.Create(CultureInfo.InvariantCulture, $"{plan[at]}: {LinuxException.Describe(errno)}"),
        };
    }

    // While our own write end is open a dead child does not end the pipe, so its pidfd is watched as well.
    private static bool IsReadable(Fd report, Fd? pidfd)
    {
        var polls = stackalloc int[4];
        (polls[0], polls[1]) = (report.Value, 1);
        (polls[2], polls[3]) = (pidfd?.Value ?? -1, 1);
        Libc.Check(Libc.Syscall(Sys.Poll, (nint)polls, 2, 30_000), "poll", "report");
        return (polls[1] >> 16 & 1) != 0;
    }

    private static string Proc(int pid, string name) => string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/{name}");

    /// <summary>
    /// The guest as a sealed memory file: what a machine sees as /proc/1/exe is a copy that nobody, root of the host included,
    /// can write any more, and all machines share its pages.
    /// </summary>
    private static Fd SealedCopy(string path)
    {
        const int allowSealing = 2, exec = 0x10, cloexec = 1;
        const int addSeals = 1033, sealAll = 0xF;
        var name = Encoding.ASCII.GetBytes("miosa-guest\0");
        nint fd;
        fixed (byte* text = name)
        {
            fd = Libc.Syscall(Sys.MemfdCreate, (nint)text, cloexec | allowSealing | exec);
            // MFD_EXEC is younger than memfd.
            if (fd < 0) fd = Libc.Syscall(Sys.MemfdCreate, (nint)text, cloexec | allowSealing);
        }
        Libc.Check(fd, "memfd_create", path);
        var memory = new Fd((int)fd);
        var errno = Libc.TryWrite(memory, File.ReadAllBytes(path));
        if (errno != 0) throw new LinuxException("copy guest", path, errno);
        Libc.Check(Libc.Syscall(72, memory.Value, addSeals, sealAll), "seal", path);
        return memory;
    }
}
