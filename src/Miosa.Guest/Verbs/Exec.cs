using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Miosa.Guest.Commands;
using Miosa.Guest.Linux;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>exec</c>: runs a program or a shell string, streams its input and output, and leaves nothing of it alive that was to be ended.</summary>
internal static class Exec
{
    public const int TimedOutCode = 124;
    private const int NotExecutableCode = 126;
    private const int NotFoundCode = 127;
    private const int SignalBase = 128;
    public const long MaxTimeoutMs = 7L * 24 * 3600 * 1000;

    public static byte[] Run(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var began = Stopwatch.GetTimestamp();
        var call = JsonSerializer.Deserialize(open, GuestJson.Wire.ExecCall) ?? throw GuestFailure.BadRequest("OPEN is null");
        var timeoutMs = TimeoutOf(call);
        var line = CommandLineOf(call);
        var reply = RunLine(stream, call, line, timeoutMs, began);
        return JsonSerializer.SerializeToUtf8Bytes(reply, GuestJson.Wire.ExecReply);
    }

    private static ExecReply RunLine(GuestStream stream, ExecCall call, CommandLine line, long timeoutMs, long began)
    {
        using var command = RunningCommand.Start(line, call.Stdin);
        if (command.Fault == LaunchFault.Program && command.FaultErrno == Errno.ENOEXEC)
            return RunLine(stream, call, AsScript(line), timeoutMs, began);
        if (command.Fault != LaunchFault.None)
            return NotStarted(stream, command, line, call, began);
        var timedOut = CommandPump.Run(stream, command, timeoutMs, began);
        command.LeaveOutputTo(stream.Connection.Leftovers);
        return ReplyOf(command, timedOut, began);
    }

    private static ExecReply ReplyOf(RunningCommand command, bool timedOut, long began)
    {
        var signal = command.WaitStatus & 0x7f;
        return new ExecReply
        {
            Pid = command.Pid,
            ExitCode = timedOut ? TimedOutCode : ExitCodeOf(command.WaitStatus),
            Signal = signal == 0 ? null : signal,
            TimedOut = timedOut,
            DurationMs = DurationSince(began),
        };
    }

    public static int ExitCodeOf(int waitStatus) => (waitStatus & 0x7f) is not 0 and var signal ? SignalBase + signal : waitStatus >> 8 & 0xff;

    private static ExecReply NotStarted(GuestStream stream, RunningCommand command, CommandLine line, ExecCall call, long began)
    {
        var (text, code) = FaultOf(command, line, call.User);
        stream.Send(FrameChannel.Stderr, Encoding.UTF8.GetBytes(text));
        return new ExecReply { ExitCode = code, DurationMs = DurationSince(began) };
    }

    /// <summary>A program that cannot be started ends as a shell would end it; what is wrong with the call itself is thrown.</summary>
    public static (string Text, int ExitCode) FaultOf(RunningCommand command, CommandLine line, string? user)
    {
        var errno = command.FaultErrno;
        switch (command.Fault)
        {
            case LaunchFault.Busy:
                throw new GuestFailure(GuestErrorCode.Busy, "no process to be had: " + Errno.Describe(errno));
            case LaunchFault.Directory:
                throw GuestFailure.From(new LinuxException("chdir", Encoding.UTF8.GetString(line.Directory), errno));
            case LaunchFault.Account:
                throw GuestFailure.From(new LinuxException("become user", user ?? "", errno));
            case LaunchFault.Other:
                throw GuestFailure.From(new LinuxException("start", Encoding.UTF8.GetString(line.Argv[0]), errno));
        }
        var name = Encoding.UTF8.GetString(line.Argv[0]);
        var missing = errno is Errno.ENOENT or Errno.ENOTDIR;
        var why = missing && !name.Contains('/', StringComparison.Ordinal) ? "command not found" : Errno.Describe(errno);
        return (name + ": " + why + "\n", missing ? NotFoundCode : NotExecutableCode);
    }

    private static long DurationSince(long began) => Math.Max(1, (long)Stopwatch.GetElapsedTime(began).TotalMilliseconds);

    private static long TimeoutOf(ExecCall call) => call.TimeoutMs switch
    {
        null => MaxTimeoutMs,
        <= 0 => throw GuestFailure.BadRequest("timeout_ms must be positive"),
        { } given => Math.Min(given, MaxTimeoutMs),
    };

    public static CommandLine CommandLineOf(ExecCall call)
    {
        var account = AccountOf(call.User);
        var environment = LoginEnvironment.For(account);
        foreach (var (name, value) in call.Env ?? [])
        {
            if (name.Length == 0 || name.Contains('=', StringComparison.Ordinal) || HasZero(name) || value is null || HasZero(value))
                throw GuestFailure.BadRequest("env has a name or value that no environment can hold: \"" + name + "\"");
            environment[name] = value;
        }
        var directory = DirectoryOf(call.Cwd);
        environment["PWD"] = directory;
        var (argv, programs) = ProgramOf(call, environment.GetValueOrDefault("PATH") ?? "");
        return new CommandLine
        {
            Argv = argv,
            Programs = programs,
            Environment = LoginEnvironment.Pack(environment),
            Directory = Encoding.UTF8.GetBytes(directory),
            Account = account is { Uid: 0 } ? null : account,
        };
    }

    private static Account? AccountOf(string? asked)
    {
        var user = string.IsNullOrEmpty(asked) ? ImageDefaults.User : asked;
        if (string.IsNullOrEmpty(user) || user == "root")
            return null;
        return Account.Find(user) ?? throw new GuestFailure(GuestErrorCode.NotFound, "user \"" + user + "\" is not in /etc/passwd");
    }

    private static string DirectoryOf(string? cwd)
    {
        if (string.IsNullOrEmpty(cwd))
            return ImageDefaults.Directory();
        if (HasZero(cwd))
            throw GuestFailure.BadRequest("cwd has a zero byte");
        return cwd[0] == '/' ? cwd : ImageDefaults.Base + "/" + cwd;
    }

    private static (byte[][] Argv, byte[][] Programs) ProgramOf(ExecCall call, string path)
    {
        if (call.Shell is not null == call.Argv is not null)
            throw GuestFailure.BadRequest("exec takes argv or shell, one of them");
        if (call.Shell is { } script)
        {
            if (HasZero(script))
                throw GuestFailure.BadRequest("shell has a zero byte");
            var shell = Shell.Find();
            return ([shell.Name, "-c"u8.ToArray(), Encoding.UTF8.GetBytes(script)], [shell.Path]);
        }
        var argv = call.Argv!; // one of the two is there, and it is not Shell
        if (argv.Length == 0 || Array.Exists(argv, argument => argument is null || HasZero(argument)))
            throw GuestFailure.BadRequest("argv is empty, or has an argument that is null or has a zero byte");
        return (Array.ConvertAll(argv, Encoding.UTF8.GetBytes), Candidates(argv[0], path));
    }

    private static byte[][] Candidates(string program, string path)
    {
        if (program.Length == 0)
            return [];
        if (program.Contains('/', StringComparison.Ordinal))
            return [Encoding.UTF8.GetBytes(program)];
        return Array.ConvertAll(
            path.Split(':', StringSplitOptions.RemoveEmptyEntries),
            directory => Encoding.UTF8.GetBytes(directory + "/" + program));
    }

    /// <summary>A file without a known format is a script for sh, as execvp has it.</summary>
    public static CommandLine AsScript(CommandLine line)
    {
        // The one that was found; the candidates before it do not exist.
        var script = line.Programs.FirstOrDefault(IsFile) ?? line.Programs[0];
        return line with { Argv = ["sh"u8.ToArray(), script, .. line.Argv[1..]], Programs = ["/bin/sh"u8.ToArray()] };
    }

    private static bool IsFile(byte[] path) => Libc.StatAt(Libc.AtCwd, [.. path, 0], out var status, 0) == 0 && status.IsRegular;

    private static bool HasZero(string text) => text.Contains('\0', StringComparison.Ordinal);
}
