using System.Text;
using Miosa.Guest.Commands;
using Miosa.Guest.Linux;
using Miosa.Guest.Processes;
using Miosa.Guest.Verbs;

namespace Miosa.Guest.Terminals;

/// <summary>The terminals of the machine and the one thread that reads what is printed in them. It outlives connections.</summary>
internal static class TerminalSet
{
    private const int MaxOpen = 32;

    /// <summary>Ended ones whose exit code and last output can still be had.</summary>
    private const int MaxEnded = 16;

    private const int MaxIdLength = 100;

    private static readonly Lock s_lock = new();
    private static readonly List<Terminal> s_all = [];
    private static readonly int s_wake = Libc.EventFd();
    private static bool s_pumping;

    public static void Wake() => Libc.Signal(s_wake);

    public static Terminal[] All()
    {
        lock (s_lock)
            return [.. s_all];
    }

    public static Terminal Find(string? id) => Array.Find(All(), terminal => terminal.Facts.Id == id)
        ?? throw new GuestFailure(GuestErrorCode.NotFound, "terminal \"" + id + "\" is not known");

    public static Terminal Open(TerminalOpenCall call)
    {
        if (call.Id is not { Length: > 0 and <= MaxIdLength })
            throw GuestFailure.BadRequest("id must have 1 to 100 characters");
        var isShell = call.Argv is null && call.Shell is null;
        var exec = new ExecCall { Argv = isShell ? [Encoding.UTF8.GetString(Shell.Path)] : call.Argv, Shell = call.Shell, Cwd = call.Cwd, Env = call.Env, User = call.User };
        var line = Exec.CommandLineOf(exec);
        lock (s_lock)
        {
            if (s_all.Find(terminal => terminal.Facts.Id == call.Id) is { } known)
                return known;
            if (s_all.Count(terminal => !terminal.HasEnded) >= MaxOpen)
                throw new GuestFailure(GuestErrorCode.Busy, $"{MaxOpen} terminals are open already: close one first");
            if (!s_pumping && !Threads.TryStart(Pump, ProcessSet.StackBytes))
                throw new GuestFailure(GuestErrorCode.Busy, "no thread to be had: the machine is at its process limit");
            s_pumping = true;
            var command = RunningCommand.StartTerminal(line, call.Cols, call.Rows);
            try
            {
                if (command.Fault != LaunchFault.None)
                    throw GuestFailure.BadRequest(Exec.FaultOf(command, line, call.User).Text.TrimEnd());
                var facts = new GuestTerminal
                {
                    Id = call.Id,
                    Cols = call.Cols,
                    Rows = call.Rows,
                    Shell = Encoding.UTF8.GetString(line.Argv[0]),
                    StartedMs = BackgroundProcess.Now,
                };
                var terminal = new Terminal(facts, command);
                ForgetEnded();
                s_all.Add(terminal);
                Wake();
                return terminal;
            }
            catch
            {
                command.Dispose();
                throw;
            }
        }
    }

    private static void ForgetEnded()
    {
        var ended = s_all.FindAll(terminal => terminal.HasEnded);
        for (var i = 0; i <= ended.Count - MaxEnded; i++)
        {
            s_all.Remove(ended[i]);
            ended[i].Free();
        }
    }

    private static void Pump()
    {
        var polled = new PollEntry[1 + 2 * MaxOpen];
        var open = new List<Terminal>();
        while (true)
        {
            lock (s_lock)
            {
                open.Clear();
                open.AddRange(s_all.Where(terminal => !terminal.HasEnded));
            }
            polled[0] = new PollEntry { Fd = s_wake, Events = PollEntry.In };
            for (var i = 0; i < open.Count; i++)
                open[i].AddTo(polled.AsSpan(1 + 2 * i, 2));
            Libc.Poll(polled.AsSpan(0, 1 + 2 * open.Count), -1);
            if (polled[0].Revents != 0)
                Libc.ClearSignal(s_wake);
            for (var i = 0; i < open.Count; i++)
                open[i].Pump(polled.AsSpan(1 + 2 * i, 2));
        }
    }
}
