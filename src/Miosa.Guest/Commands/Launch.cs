using Miosa.Guest.Linux;

namespace Miosa.Guest.Commands;

/// <summary>Why a command did not start.</summary>
internal enum LaunchFault
{
    None,

    /// <summary>The machine has no process or memory left.</summary>
    Busy,
    Directory,
    Account,
    Program,
    Other,
}

/// <summary>
/// The prepared memory of one command: the steps of supervisor and command in the order they run (launch.S, 2 and 3), and their strings.
/// It must live until the supervisor has been waited for, because both run in it.
/// </summary>
internal sealed unsafe class Launch : IDisposable
{
    private const int StackBytes = 4096;
    private const int MaxSteps = 96;
    private const int SetPdeathsig = 1;
    private const int SetChildSubreaper = 36;
    private const int SetControllingTerminal = 0x540E;

    // The kernel's struct sigaction (not glibc's): handler, flags, restorer, mask; all zero is "default".
    private const int KernelSigactionBytes = 32;

    private readonly byte* _memory;
    private readonly nuint _size;
    private readonly LaunchContext* _context;
    private readonly int _directoryStep;
    private readonly int _firstAccountStep;
    private readonly int _firstProgramStep;
    private byte* _next;
    private int _steps;

    /// <param name="isTerminal">Standard input is a terminal, which becomes the command's own.</param>
    public Launch(CommandLine command, int stdin, int stdout, int stderr, int status, bool isTerminal = false)
    {
        _size = Size(command);
        _memory = Libc.Map(_size);
        _next = _memory + StackBytes;
        _context = (LaunchContext*)Take(sizeof(LaunchContext));
        _context->AllSignals = ulong.MaxValue;
        _context->Stack = _memory + StackBytes;

        var supervisor = StartSteps();
        _context->Supervisor = supervisor;
        Step(supervisor, SystemCall.Prctl, SetChildSubreaper, 1);
        // 3 first: from here on a failure can be told. Sources are never below 4 (see FirstProcess).
        Step(supervisor, SystemCall.Dup3, status, 3, Libc.CloseOnExec);
        Step(supervisor, SystemCall.Dup3, stdin, 0);
        Step(supervisor, SystemCall.Dup3, stdout, 1);
        Step(supervisor, SystemCall.Dup3, stderr, 2);
        if (KernelFacts.HasCloseRange)
            Step(supervisor, SystemCall.CloseRange, 4, uint.MaxValue);
        else
            for (var fd = 4; fd < 64; fd++)
                MayFail(supervisor, SystemCall.Close, fd);
        EndSteps(supervisor);

        var steps = StartSteps();
        _context->Command = steps;
        var defaultAction = Take(KernelSigactionBytes);
        foreach (var signal in KernelFacts.SignalsToReset)
            MayFail(steps, SystemCall.SetSignalAction, signal, (long)defaultAction, 0, 8);
        Step(steps, SystemCall.SetSid);
        if (isTerminal)
            Step(steps, SystemCall.Ioctl, 0, SetControllingTerminal);
        if (KernelFacts.OomScoreAdjusted)
        {
            // 4 is free: the supervisor has closed everything from there on.
            MayFail(steps, SystemCall.Open, (long)Copy("/proc/self/oom_score_adj"u8), Libc.WriteOnly | Libc.CloseOnExec);
            MayFail(steps, SystemCall.Write, 4, (long)Copy("0"u8), 1);
            MayFail(steps, SystemCall.Close, 4);
        }
        _firstAccountStep = _steps;
        if (command.Account is { } account)
        {
            var groups = (uint*)Take(account.Groups.Length * sizeof(uint));
            account.Groups.CopyTo(new Span<uint>(groups, account.Groups.Length));
            Step(steps, SystemCall.SetGroups, account.Groups.Length, (long)groups);
            Step(steps, SystemCall.SetResGid, account.Gid, account.Gid, account.Gid);
            Step(steps, SystemCall.SetResUid, account.Uid, account.Uid, account.Uid);
        }
        // After the change of user, which clears it. A command whose supervisor is killed dies with it.
        Step(steps, SystemCall.Prctl, SetPdeathsig, Libc.SigKill);
        _directoryStep = _steps;
        Step(steps, SystemCall.Chdir, (long)Copy(command.Directory));
        Step(steps, SystemCall.Umask, 0b000_010_010);
        // Only now, with every disposition at its default, may a signal arrive.
        Step(steps, SystemCall.SetSignalMask, 2, (long)Take(8), 0, 8);
        _firstProgramStep = _steps;
        var argv = Pointers(command.Argv);
        var environment = Pointers(command.Environment);
        foreach (var program in command.Programs)
            MayFail(steps, SystemCall.Execve, (long)Copy(program), (long)argv, (long)environment);
        EndSteps(steps);
    }

    /// <summary>Starts the supervisor and returns its pid; it tells the rest on the status pipe.</summary>
    public int Start()
    {
        var pid = LaunchStub.Launch(_context);
        return pid > 0 ? (int)pid : throw new GuestFailure(GuestErrorCode.Busy, "no process to be had: " + Errno.Describe((int)-pid));
    }

    /// <summary>The command's pid, or 0 while there is none.</summary>
    public int Pid => Volatile.Read(ref _context->Pid);

    /// <summary>After "failed": which step it was and its error number.</summary>
    public (LaunchFault Fault, int Errno) Fault()
    {
        if (_context->Failed < 0)
            return (LaunchFault.Busy, (int)-_context->Failed);
        for (var step = _context->Supervisor; step->Number >= 0; step++)
        {
            if (step->Errno != 0 && step->MayFail == 0)
                return (LaunchFault.Other, step->Errno);
        }
        var index = 0;
        for (var step = _context->Command; step->Number >= 0; step++, index++)
        {
            if (step->Errno != 0 && step->MayFail == 0)
                return (index == _directoryStep ? LaunchFault.Directory : index >= _firstAccountStep && index < _directoryStep ? LaunchFault.Account : LaunchFault.Other, step->Errno);
        }
        return (LaunchFault.Program, ProgramErrno());
    }

    public void Dispose() => Libc.Unmap(_memory, _size);

    /// <summary>As execvp decides: an unusual error counts first, then "permission denied", then "not found".</summary>
    private int ProgramErrno()
    {
        var found = Errno.ENOENT;
        for (var step = _context->Command + _firstProgramStep; step->Number >= 0; step++)
        {
            if (step->Errno is not (Errno.ENOENT or Errno.ENOTDIR or Errno.EACCES))
                return step->Errno;
            if (step->Errno == Errno.EACCES)
                found = Errno.EACCES;
        }
        return found;
    }

    private LaunchStep* StartSteps()
    {
        _steps = 0;
        return (LaunchStep*)Take(MaxSteps * sizeof(LaunchStep));
    }

    private void Step(LaunchStep* steps, int number, long a = 0, long b = 0, long c = 0, long d = 0) => Add(steps, number, false, a, b, c, d);

    private void MayFail(LaunchStep* steps, int number, long a = 0, long b = 0, long c = 0, long d = 0) => Add(steps, number, true, a, b, c, d);

    private void Add(LaunchStep* steps, int number, bool mayFail, long a, long b, long c, long d)
    {
        if (_steps >= MaxSteps - 1)
            throw GuestFailure.BadRequest("PATH has too many entries");
        var step = steps + _steps++;
        step->Number = number;
        step->MayFail = mayFail ? 1 : 0;
        step->Arguments[0] = a;
        step->Arguments[1] = b;
        step->Arguments[2] = c;
        step->Arguments[3] = d;
    }

    private void EndSteps(LaunchStep* steps) => steps[_steps].Number = -1;

    private byte** Pointers(byte[][] strings)
    {
        var pointers = (byte**)Take((strings.Length + 1) * sizeof(byte*));
        for (var i = 0; i < strings.Length; i++)
            pointers[i] = Copy(strings[i]);
        return pointers;
    }

    private byte* Copy(ReadOnlySpan<byte> text)
    {
        var copy = Take(text.Length + 1);
        text.CopyTo(new Span<byte>(copy, text.Length));
        return copy;
    }

    /// <summary>Zeroed, aligned to eight; <see cref="Size"/> has counted it.</summary>
    private byte* Take(int bytes)
    {
        var taken = _next;
        _next += (bytes + 7) & ~7;
        return _next <= _memory + _size ? taken : throw new InvalidOperationException("launch memory miscounted");
    }

    private static nuint Size(CommandLine command)
    {
        const int fixedPart = StackBytes + 4096 + 2 * MaxSteps * 72;
        long size = fixedPart + command.Directory.Length + (command.Account?.Groups.Length ?? 0) * sizeof(uint);
        foreach (var strings in (ReadOnlySpan<byte[][]>)[command.Argv, command.Environment, command.Programs])
        {
            size += sizeof(byte*);
            foreach (var text in strings)
                size += text.Length + 8 + 2 * sizeof(byte*);
        }
        return (nuint)size;
    }
}
