using System.Buffers;
using System.Globalization;
using System.Text;
using Miosa.Guest.Commands;
using Miosa.Guest.Files;
using Miosa.Guest.Linux;
using Miosa.Guest.Verbs;

namespace Miosa.Guest.Processes;

/// <summary>
/// The background processes of the machine and the one thread that reads what all of them print. It outlives connections: a server that is
/// killed and started again finds them as they are.
/// </summary>
internal static unsafe class ProcessSet
{
    public const int GraceMs = 5000;
    public const int StackBytes = 256 * 1024;

    private const int MaxRunning = 256;
    private const int MaxEnded = 256;
    private const int BufferBytes = 64 * 1024;
    private const int MaxShown = 2048;

    /// <summary>The kernel's limit of process ids: adding it makes a number that no process can have.</summary>
    public const int PidRange = 1 << 22;

    private const string Home = "/var/lib/miosa/processes";

    private static readonly Lock s_lock = new();
    private static readonly List<BackgroundProcess> s_all = [];
    private static readonly int s_wake = Libc.EventFd();
    private static bool s_recalled;
    private static bool s_pumping;

    public static void Wake() => Libc.Signal(s_wake);

    public static BackgroundProcess[] All()
    {
        lock (s_lock)
        {
            Recall();
            return [.. s_all];
        }
    }

    public static BackgroundProcess Find(int number) => Array.Find(All(), process => process.Number == number)
        ?? throw new GuestFailure(GuestErrorCode.NotFound, "process " + number.ToString(CultureInfo.InvariantCulture) + " is not known");

    public static BackgroundProcess Start(ExecCall call, string? name, LeftoverPipes leftovers)
    {
        var line = Exec.CommandLineOf(call);
        lock (s_lock)
        {
            Recall();
            if (s_all.Count(process => !process.HasEnded) >= MaxRunning)
                throw new GuestFailure(GuestErrorCode.Busy, $"{MaxRunning} background processes run already: stop one first");
            if (!s_pumping && !Threads.TryStart(() => Pump(leftovers), StackBytes))
                throw new GuestFailure(GuestErrorCode.Busy, "no thread to be had: the machine is at its process limit");
            s_pumping = true;
            MakeHome();
            var command = RunningCommand.Start(line, withStdin: true);
            try
            {
                if (command.Fault == LaunchFault.Program && command.FaultErrno == Errno.ENOEXEC)
                {
                    command.Dispose();
                    command = RunningCommand.Start(Exec.AsScript(line), withStdin: true);
                }
                var process = Register(command, line, call, name);
                s_all.Add(process);
                Wake();
                return process;
            }
            catch
            {
                command.Dispose();
                throw;
            }
        }
    }

    private static BackgroundProcess Register(RunningCommand command, CommandLine line, ExecCall call, string? name)
    {
        var facts = new GuestProcess
        {
            Name = name,
            Command = Shown(call),
            Cwd = Encoding.UTF8.GetString(line.Directory),
            State = GuestProcessState.Running,
            StartedMs = BackgroundProcess.Now,
        };
        if (command.Fault == LaunchFault.None)
        {
            facts = facts with { Pid = NumberFor(command.Pid) };
            return BackgroundProcess.Begin(FolderOf(facts.Pid), facts, command, Math.Min(call.TimeoutMs ?? 0, Exec.MaxTimeoutMs));
        }
        var (text, code) = Exec.FaultOf(command, line, call.User);
        // It has had a process for a moment, but one that is gone.
        facts = facts with { Pid = NumberFor(PidRange + Math.Max(1, command.Pid)), State = GuestProcessState.Failed, ExitCode = code, EndedMs = facts.StartedMs };
        command.Dispose();
        return BackgroundProcess.Failed(FolderOf(facts.Pid), facts, text);
    }

    private static int NumberFor(int pid)
    {
        var ended = s_all.FindAll(process => process.HasEnded);
        for (var i = 0; i <= ended.Count - MaxEnded; i++)
        {
            ended[i].Forget();
            s_all.Remove(ended[i]);
        }
        while (s_all.Exists(process => process.Number == pid))
            pid += PidRange;
        return pid;
    }

    private static string Shown(ExecCall call)
    {
        // One of the two is there: CommandLineOf has checked it.
        var text = call.Shell ?? string.Join(' ', call.Argv!.Select(Quoted));
        return text.Length <= MaxShown ? text : text[..MaxShown] + "…";
    }

    private static string Quoted(string word)
    {
        const string plain = "_-./:=@%+,";
        return word.Length > 0 && word.All(c => char.IsAsciiLetterOrDigit(c) || plain.Contains(c, StringComparison.Ordinal))
            ? word
            : "'" + word.Replace("'", "'\\''", StringComparison.Ordinal) + "'";
    }

    private static string FolderOf(int number) => Home + "/" + number.ToString(CultureInfo.InvariantCulture);

    private static void MakeHome()
    {
        for (var slash = Home.IndexOf('/', 1); ; slash = Home.IndexOf('/', slash + 1))
        {
            var part = slash < 0 ? Home : Home[..slash];
            _ = Libc.MkdirAt(Libc.AtCwd, Encoding.UTF8.GetBytes(part + "\0"), slash < 0 ? 0b111_000_000u : 0b111_101_101u);
            if (slash < 0)
                return;
        }
    }

    /// <summary>Once: what a former guest of this machine has left.</summary>
    private static void Recall()
    {
        if (s_recalled)
            return;
        s_recalled = true;
        var directory = Libc.OpenAt(Libc.AtCwd, Encoding.UTF8.GetBytes(Home + "\0"), Libc.ReadOnly | Libc.Directory | Libc.NoFollow);
        if (directory < 0)
            return;
        foreach (var nameZ in DirectoryNames.Read(directory, Home).Take(2 * MaxEnded))
        {
            var name = Encoding.UTF8.GetString(nameZ.AsSpan(0, nameZ.Length - 1));
            if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                && BackgroundProcess.Recall(FolderOf(number)) is { } process && process.Number == number)
                s_all.Add(process);
        }
        Libc.Close(directory);
        s_all.Sort(static (a, b) => a.Facts.StartedMs.CompareTo(b.Facts.StartedMs));
    }

    private static void Pump(LeftoverPipes leftovers)
    {
        var polled = new PollEntry[1 + 3 * MaxRunning];
        var running = new List<BackgroundProcess>();
        var buffer = Libc.Map(BufferBytes);
        var records = new ArrayBufferWriter<byte>(BufferBytes);
        var isOver = false;
        while (true)
        {
            lock (s_lock)
            {
                running.Clear();
                running.AddRange(s_all.Where(process => !process.HasEnded));
            }
            // At most MaxRunning: Start sees to it.
            polled[0] = new PollEntry { Fd = s_wake, Events = PollEntry.In };
            var due = long.MaxValue;
            for (var i = 0; i < running.Count; i++)
            {
                running[i].AddTo(polled.AsSpan(1 + 3 * i, 3));
                if (running[i].DueMs() is >= 0 and var at)
                    due = Math.Min(due, at);
            }
            // What has just ended may have been waited for by the last round's poll: no wait then.
            var wait = due == long.MaxValue ? -1 : (int)Math.Clamp(due - Environment.TickCount64, 0, int.MaxValue);
            Libc.Poll(polled.AsSpan(0, 1 + 3 * running.Count), isOver ? 0 : wait);
            if (polled[0].Revents != 0)
                Libc.ClearSignal(s_wake);
            isOver = false;
            for (var i = 0; i < running.Count; i++)
                isOver |= running[i].Pump(polled.AsSpan(1 + 3 * i, 3), buffer, BufferBytes, records, leftovers);
        }
    }
}
