using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Miosa.Runtime.Linux;

namespace Miosa.Runtime.Launch;

/// <summary>
/// A plan compiled to native memory, and the clone that runs it.
/// SAFETY: after the clone the child is a copy of one thread of a managed process. It walks an array of ready system calls in memory
/// that no collector owns, allocates nothing, calls only <c>syscall</c> and <c>__errno_location</c> without a GC transition, and ends in
/// execve or exit. The launcher has no other managed thread that could have a collection under way (no concurrent GC, no pool).
/// NEEDED: namespaces are entered by a process before it has run any code of the machine; posix_spawn cannot do it.
/// </summary>
internal sealed unsafe partial class NativeProgram : IDisposable
{
    private const int MaxArgs = 6;

    [StructLayout(LayoutKind.Sequential)]
    private struct Op
    {
        public nint Number;
        public fixed long Args[MaxArgs];
        public long AtLeast;
        public int SavedArg;
        public int Tolerated;
        public int Saves;
        public int IsNetlinkReply;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct CloneArgs
    {
        public ulong Flags, Pidfd, ChildTid, ParentTid, ExitSignal, Stack, StackSize, Tls, SetTid, SetTidSize, Cgroup;
    }

    private const ulong CLONE_FILES = 0x400;
    private const ulong CLONE_PARENT = 0x8000;
    private const ulong CLONE_INTO_CGROUP = 0x200000000;

    private const ulong CLONE_NEWNS = 0x00020000;
    private const ulong CLONE_NEWUTS = 0x04000000;
    private const ulong CLONE_NEWIPC = 0x08000000;
    public const ulong CLONE_NEWUSER = 0x10000000;
    private const ulong CLONE_NEWPID = 0x20000000;
    private const ulong CLONE_NEWNET = 0x40000000;

    /// <summary>For what becomes a machine, a child of our parent, who outlives us; the other is for runsc, which makes the remaining namespaces.</summary>
    public const ulong OfMachine = CLONE_FILES | CLONE_PARENT | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
    public const ulong OfGvisor = CLONE_FILES | CLONE_PARENT | CLONE_NEWNS | CLONE_NEWNET;

    private readonly List<nint> memory = [];
    private readonly Op* ops;
    private readonly int count;

    public NativeProgram(IReadOnlyList<Call> plan, Func<NativeProgram, string, long> descriptor)
    {
        count = plan.Count;
        ops = (Op*)Allocate(sizeof(Op) * count);
        for (var i = 0; i < count; i++)
        {
            var call = plan[i];
            var op = &ops[i];
            op->Number = call.Number;
            op->AtLeast = call.AtLeast;
            op->Tolerated = call.Tolerated;
            op->Saves = call.IsSaved ? 1 : 0;
            op->IsNetlinkReply = call.IsNetlinkReply ? 1 : 0;
            op->SavedArg = -1;
            for (var a = 0; a < call.Args.Count; a++)
            {
                if (call.Args[a].IsSaved) op->SavedArg = a;
                else op->Args[a] = Resolve(call.Args[a], descriptor);
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "syscall")]
    [SuppressGCTransition]
    private static partial nint RawSyscall(nint number, long a, long b, long c, long d, long e, long f);

    [LibraryImport("libc", EntryPoint = "__errno_location")]
    [SuppressGCTransition]
    private static partial int* RawErrno();

    /// <summary>Native memory that lives as long as the program.</summary>
    public nint Allocate(int size)
    {
        var block = (nint)NativeMemory.AllocZeroed((nuint)Math.Max(size, 8));
        memory.Add(block);
        return block;
    }

    public nint Copy(ReadOnlySpan<byte> bytes)
    {
        var block = Allocate(bytes.Length);
        bytes.CopyTo(new Span<byte>((void*)block, bytes.Length));
        return block;
    }

    public nint Text(string value) => Copy(Encoding.UTF8.GetBytes(value + "\0"));

    /// <summary>A <c>struct sock_fprog</c> over the instructions of a filter.</summary>
    public nint Filter(byte[] instructions)
    {
        var program = (nint*)Allocate(2 * sizeof(nint));
        program[0] = instructions.Length / 8;
        program[1] = Copy(instructions);
        return (nint)program;
    }

    /// <summary>A null-terminated vector of strings, as execve takes them.</summary>
    public nint Vector(IReadOnlyList<string> values)
    {
        var block = (nint*)Allocate(sizeof(nint) * (values.Count + 1));
        for (var i = 0; i < values.Count; i++) block[i] = Text(values[i]);
        return (nint)block;
    }

    /// <summary>Clones into new namespaces and lets the child run the program.</summary>
    /// <returns>The pid on the host.</returns>
    public int Start(ulong flags, Fd report, Fd? cgroup)
    {
        var args = (CloneArgs*)Allocate(sizeof(CloneArgs));
        args->Flags = flags;
        if (cgroup is not null)
        {
            args->Flags |= CLONE_INTO_CGROUP;
            args->Cgroup = (ulong)cgroup.Value;
        }
        var failure = (long*)Allocate(2 * sizeof(long));
        var pid = CloneAndRun(args, ops, count, report.Value, failure);
        return pid < 0 ? throw new LinuxException("clone", string.Create(CultureInfo.InvariantCulture, $"0x{args->Flags:x}"), (int)-pid) : (int)pid;
    }

    public void Dispose()
    {
        foreach (var block in memory) NativeMemory.Free((void*)block);
        memory.Clear();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint CloneAndRun(CloneArgs* args, Op* ops, int count, int report, long* failure)
    {
        var pid = RawSyscall(Sys.Clone3, (long)args, sizeof(CloneArgs), 0, 0, 0, 0);
        if (pid > 0) return pid;
        if (pid < 0) return -*RawErrno();

        // From here on this is the machine's first process.
        long saved = 0;
        for (var i = 0; i < count; i++)
        {
            var op = &ops[i];
            if (op->SavedArg >= 0) op->Args[op->SavedArg] = saved;
            long result = RawSyscall(op->Number, op->Args[0], op->Args[1], op->Args[2], op->Args[3], op->Args[4], op->Args[5]);
            long errno = 0;
            if (result < 0)
            {
                errno = *RawErrno();
                if (errno == op->Tolerated) continue;
            }
            else if (op->IsNetlinkReply != 0)
            {
                // nlmsghdr is 16 bytes, the errno of the acknowledgement follows it, negative.
                errno = -*(int*)(op->Args[1] + 16);
            }
            if (errno != 0 || result < op->AtLeast)
            {
                failure[0] = i;
                failure[1] = errno;
                RawSyscall(Sys.Write, report, (long)failure, 16, 0, 0, 0);
                RawSyscall(Sys.ExitGroup, 125, 0, 0, 0, 0, 0);
            }
            if (op->Saves != 0) saved = result;
        }
        RawSyscall(Sys.ExitGroup, 126, 0, 0, 0, 0, 0);
        return 0;
    }

    private long Resolve(Arg arg, Func<NativeProgram, string, long> descriptor) => arg switch
    {
        { Text: { } text } => Text(text),
        { Bytes: { } bytes } => Copy(bytes),
        { Descriptor: { } name } when name.StartsWith("poll:", StringComparison.Ordinal) => Copy(MachinePlan.PollRecord((int)descriptor(this, name[5..]))),
        { Descriptor: { } name } => descriptor(this, name),
        _ => arg.Number,
    };
}
