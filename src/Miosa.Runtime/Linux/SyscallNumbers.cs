namespace Miosa.Runtime.Linux;

/// <summary>System call numbers of x86_64 (arch/x86/entry/syscalls/syscall_64.tbl).</summary>
internal static class Sys
{
    public const int Read = 0;
    public const int Write = 1;
    public const int Close = 3;
    public const int Poll = 7;
    public const int Dup2 = 33;
    public const int Socket = 41;
    public const int SendTo = 44;
    public const int RecvFrom = 45;
    public const int Clone = 56;
    public const int Execve = 59;
    public const int Chdir = 80;
    public const int Mkdir = 83;
    public const int Symlink = 88;
    public const int Umask = 95;
    public const int Setsid = 112;
    public const int Setgroups = 116;
    public const int Setresuid = 117;
    public const int Setresgid = 119;
    public const int Capset = 126;
    public const int PivotRoot = 155;
    public const int Prctl = 157;
    public const int Mount = 165;
    public const int Umount2 = 166;
    public const int Sethostname = 170;
    public const int Getdents64 = 217;
    public const int ExitGroup = 231;
    public const int Waitid = 247;
    public const int Openat = 257;
    public const int Unshare = 272;
    public const int Prlimit64 = 302;
    public const int Setns = 308;
    public const int Seccomp = 317;
    public const int GetRandom = 318;
    public const int MemfdCreate = 319;
    public const int Execveat = 322;
    public const int PidfdSendSignal = 424;
    public const int OpenTree = 428;
    public const int MoveMount = 429;
    public const int Fsopen = 430;
    public const int Fsconfig = 431;
    public const int Fsmount = 432;
    public const int PidfdOpen = 434;
    public const int Clone3 = 435;
    public const int CloseRange = 436;
    public const int Openat2 = 437;
    public const int MountSetattr = 442;
}
