using Miosa.Guest.Linux;

namespace Miosa.Guest.Commands;

/// <summary>
/// Ends everything a command has started, whatever it did to get away: a new session, a double fork, a cleared environment, SIGTERM ignored.
/// The supervisor is a child subreaper, so all of it stays below the supervisor.
///
///   1  stop the supervisor: it stays the reaper of orphans but cannot see its command end and go away
///   2  stop what is below it, again and again until a look at /proc finds nothing new; a fork bomb keeps its slots but cannot grow
///   3  kill all of it, and look until nothing lives
///   4  kill the supervisor; PID 1 reaps what is left of it
/// </summary>
internal static class ProcessTree
{
    /// <summary>A process in an uninterruptible call dies when that call ends; nobody has to wait longer than this for it.</summary>
    private const int MostMs = 5000;

    private const int TermLookMs = 10;

    public static void Kill(int supervisor)
    {
        var until = Environment.TickCount64 + MostMs;
        Libc.Kill(supervisor, Libc.SigStop);
        while (ProcessTable.TryRow(supervisor, out var row) && row.State is (byte)'R' or (byte)'S' && Environment.TickCount64 < until)
            Pause();
        StopBelow(supervisor, until);
        KillAll(() => Below(supervisor), until);
        Libc.Kill(supervisor, Libc.SigKill);
    }

    /// <summary>
    /// Asks everything below the supervisor to end and gives it time. The supervisor is stopped meanwhile, or what outlives the command would
    /// leave its tree; when all has ended it goes on and tells the command's status. False: something still lives, and the supervisor is stopped.
    /// </summary>
    public static bool Terminate(int supervisor, int signal, int graceMs)
    {
        var until = Environment.TickCount64 + graceMs;
        Libc.Kill(supervisor, Libc.SigStop);
        var asked = new HashSet<int>();
        while (true)
        {
            var alive = false;
            foreach (var row in Below(supervisor))
            {
                if (row.IsDead)
                    continue;
                alive = true;
                if (!asked.Add(row.Pid))
                    continue;
                Libc.Kill(row.Pid, signal);
                // A stopped one would not hear it.
                Libc.Kill(row.Pid, Libc.SigContinue);
            }
            if (!alive)
                break;
            if (Environment.TickCount64 >= until)
                return false;
            Libc.Poll([], TermLookMs);
        }
        Libc.Kill(supervisor, Libc.SigContinue);
        return true;
    }

    /// <summary>
    /// For a supervisor that something else has killed: what is left of its command is known by the command's session and by descent.
    /// </summary>
    public static void KillSession(int command) => KillAll(() => InSession(command), Environment.TickCount64 + MostMs);

    private static void StopBelow(int supervisor, long until)
    {
        var stopped = new HashSet<int>();
        var grew = true;
        while (grew && Environment.TickCount64 < until)
        {
            grew = false;
            foreach (var row in Below(supervisor))
            {
                if (!row.IsDead && stopped.Add(row.Pid))
                {
                    Libc.Kill(row.Pid, Libc.SigStop);
                    grew = true;
                }
            }
        }
    }

    private static void KillAll(Func<List<ProcessRow>> look, long until)
    {
        while (true)
        {
            var alive = false;
            foreach (var row in look())
            {
                if (row.IsDead)
                    continue;
                alive = true;
                Libc.Kill(row.Pid, Libc.SigKill);
            }
            if (!alive || Environment.TickCount64 >= until)
                return;
            Pause();
        }
    }

    private static List<ProcessRow> Below(int root) => Closure(row => row.Parent == root);

    private static List<ProcessRow> InSession(int command) => Closure(row => row.Pid == command || row.Session == command);

    private static List<ProcessRow> Closure(Func<ProcessRow, bool> starts)
    {
        var rows = ProcessTable.Read();
        var found = new HashSet<int>();
        var result = new List<ProcessRow>();
        var grew = true;
        while (grew)
        {
            grew = false;
            foreach (var row in rows)
            {
                if ((found.Contains(row.Parent) || starts(row)) && found.Add(row.Pid))
                {
                    result.Add(row);
                    grew = true;
                }
            }
        }
        return result;
    }

    private static void Pause() => Libc.Poll([], 1);
}
