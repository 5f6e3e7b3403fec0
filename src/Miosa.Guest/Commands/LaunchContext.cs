using System.Runtime.InteropServices;

namespace Miosa.Guest.Commands;

/// <summary>The context of launch.S, field for field.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct LaunchContext
{
    public ulong AllSignals;
    public ulong OldSignals;
    public byte* Stack;
    public LaunchStep* Supervisor;
    public LaunchStep* Command;
    public long Failed;
    public int Kind;
    public int Value;

    /// <summary>The command's pid, there before the command runs: it may kill its supervisor before that has told anything.</summary>
    public int Pid;
}

/// <summary>One system call of launch.S, with room for its result.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct LaunchStep
{
    public long Number;
    public long MayFail;
    public fixed long Arguments[6];
    public long Result;

    public readonly int Errno => Result is < 0 and >= -4095 ? (int)-Result : 0;
}

/// <summary>What a supervisor writes to the status pipe: eight bytes, kind and value.</summary>
internal static class LaunchMessage
{
    public const int Started = 1;
    public const int Ended = 2;
    public const int Failed = 3;
    public const int Bytes = 8;
}

/// <summary>The numbers of the system calls that a launch makes (x86-64).</summary>
internal static class SystemCall
{
    public const int Open = 2;
    public const int Write = 1;
    public const int Close = 3;
    public const int SetSignalAction = 13;
    public const int SetSignalMask = 14;
    public const int Ioctl = 16;
    public const int Execve = 59;
    public const int Chdir = 80;
    public const int Umask = 95;
    public const int SetSid = 112;
    public const int SetGroups = 116;
    public const int SetResUid = 117;
    public const int SetResGid = 119;
    public const int Prctl = 157;
    public const int Dup3 = 292;
    public const int CloseRange = 436;
}
