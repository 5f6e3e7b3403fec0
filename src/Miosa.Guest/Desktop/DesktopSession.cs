using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Miosa.Guest.Commands;
using Miosa.Guest.Desktop.Agent;
using Miosa.Guest.Linux;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Desktop;

/// <summary>
/// The desktop of this machine: its programs, in the order in which they need each other, and what becomes of it when one of them dies.
/// <list type="number">
/// <item>screen: Xvnc, which is the X server and the live view's; when it dies, everything that drew on it does, and all is started anew</item>
/// <item>agent: the guest's own program as the desktop's user; sees and uses the screen</item>
/// <item>bus: a D-Bus session bus, and on it the bus of the accessibility tree</item>
/// <item>window manager: openbox</item>
/// <item>panel: tint2, once a window manager has taken over, or it would wait a second for that</item>
/// </list>
/// One thread owns the programs. Verbs ask for the state and the agent under the lock, and use the agent outside it.
/// </summary>
internal static class DesktopSession
{
    private const int StackBytes = 256 * 1024;
    private const int ScreenMs = 15_000;
    private const int AgentMs = 15_000;
    private const int ManagerMs = 10_000;
    private const int SettleMs = 12_000;
    private const int LookMs = 5;
    private const int EndsMs = 300;
    private const int OrderMs = 10_000;
    private const int MostOpenWindows = 1024;
    private const int MostIdLetters = 32;
    private const int PollsEach = 3;

    private static readonly object s_gate = new();
    private static readonly DesktopPart s_screen = new("screen");
    private static readonly DesktopPart s_agent = new("agent") { LogsOutput = false };
    private static readonly DesktopPart s_bus = new("bus");
    private static readonly DesktopPart s_accessibility = new("accessibility bus");
    private static readonly DesktopPart s_manager = new("window manager");
    private static readonly DesktopPart s_panel = new("panel");
    private static readonly DesktopPart[] s_parts = [s_screen, s_agent, s_bus, s_accessibility, s_manager, s_panel];
    private static readonly Dictionary<string, GuestDesktopEvent> s_open = [];

    private static GuestDesktop s_facts = new() { State = DesktopState.Stopped };
    private static DesktopPlace? s_place;
    private static AgentLink? s_link;
    private static int s_wake = -1;
    private static volatile bool s_isAgentReady;
    private static volatile bool s_hasManager;
    private static volatile bool s_mustPaint;

    /// <summary>What there is; never waits.</summary>
    public static GuestDesktop Facts
    {
        get
        {
            lock (s_gate)
                return s_facts;
        }
    }

    /// <summary>The place of a desktop that runs.</summary>
    public static DesktopPlace Place
    {
        get
        {
            lock (s_gate)
            {
                CheckRunning();
                return s_place!; // set before the state is "starting"
            }
        }
    }

    /// <summary>Starts it, if it is not there, and waits until it runs.</summary>
    public static GuestDesktop Start(int width, int height, GuestStream stream)
    {
        const int lookAtStreamMs = 200;
        var place = DesktopPlace.Find();
        lock (s_gate)
        {
            if (s_facts.State is DesktopState.Stopped or DesktopState.Failed)
                Begin(place, width, height);
            while (s_facts.State == DesktopState.Starting)
            {
                if (stream.IsCancelled)
                    throw new StreamCancelledException();
                Monitor.Wait(s_gate, lookAtStreamMs);
            }
            if (s_facts.State == DesktopState.Failed)
                throw new GuestFailure(GuestErrorCode.Failed, "the desktop cannot run: " + s_facts.Reason);
            if ((s_facts.Width, s_facts.Height) == (width, height))
                return s_facts;
        }
        return Resize(width, height);
    }

    public static GuestDesktop Resize(int width, int height)
    {
        var place = Place;
        var call = new DesktopResizeCall { Width = width, Height = height };
        using (var answer = Order(LinkOrder.Resize, call, GuestJson.Wire.DesktopResizeCall))
        {
            var size = answer.Read(GuestJson.Wire.GuestDesktop);
            if ((size.Width, size.Height) != (width, height))
                throw new GuestFailure(GuestErrorCode.Failed, "the screen has another size than was asked for");
        }
        lock (s_gate)
            s_facts = s_facts with { Width = width, Height = height };
        s_mustPaint = false;
        Background.TryPaint(place);
        Order(LinkOrder.Settle, new DesktopCall(), GuestJson.Wire.DesktopCall).Dispose();
        return Facts;
    }

    /// <summary>Has the agent do something; its answer is to be disposed of.</summary>
    public static AgentAnswer Order<T>(LinkOrder order, T call, JsonTypeInfo<T> type, ReadOnlySpan<byte> data = default, int timeoutMs = OrderMs)
    {
        AgentLink link;
        lock (s_gate)
        {
            CheckRunning();
            link = s_link is { IsBroken: false } there ? there : throw Restarting();
        }
        return link.Order(order, JsonSerializer.SerializeToUtf8Bytes(call, type), data, timeoutMs);
    }

    private static GuestFailure Restarting() => new(GuestErrorCode.Busy, "the desktop is restarting");

    private static void CheckRunning()
    {
        switch (s_facts.State)
        {
            case DesktopState.Stopped:
                DesktopPlace.Find();
                throw new GuestFailure(GuestErrorCode.Failed, "the desktop is not started: desktop.start starts it");
            case DesktopState.Failed:
                throw new GuestFailure(GuestErrorCode.Failed, "the desktop cannot run: " + s_facts.Reason);
            case DesktopState.Starting:
                throw new GuestFailure(GuestErrorCode.Busy, s_facts.Restarts > 0 ? "the desktop is restarting" : "the desktop is starting");
        }
    }

    private static void Begin(DesktopPlace place, int width, int height)
    {
        if (s_wake < 0)
            s_wake = Libc.EventFd();
        s_place = place;
        s_facts = new GuestDesktop { State = DesktopState.Starting, Width = width, Height = height, Display = DesktopPlace.DisplayName };
        if (Threads.TryStart(Run, StackBytes))
            return;
        s_facts = new GuestDesktop { State = DesktopState.Stopped };
        throw new GuestFailure(GuestErrorCode.Busy, "no thread to be had: the machine is at its process limit");
    }

    private static void Set(Func<GuestDesktop, GuestDesktop> change)
    {
        lock (s_gate)
        {
            s_facts = change(s_facts);
            Monitor.PulseAll(s_gate);
        }
    }

    /// <summary>The thread of the session, until it fails.</summary>
    private static void Run()
    {
        foreach (var part in s_parts)
            part.ForgetStarts();
        var reason = "";
        try
        {
            while (s_screen.MayStart())
            {
                try
                {
                    BringUp();
                    Set(facts => facts with { State = DesktopState.Running });
                    if (reason.Length > 0)
                        DesktopWatchers.Tell(new GuestDesktopEvent { Event = DesktopEvent.Restarted, Part = s_screen.Name, Reason = reason });
                    Tend();
                }
                catch (ScreenDownException e)
                {
                    reason = e.Message;
                }
                TearDown();
                if (s_screen.MayStart())
                    Set(facts => facts with { State = DesktopState.Starting, Restarts = facts.Restarts + 1 });
            }
            reason = "it died too often: " + reason;
        }
        catch (GuestFailure e)
        {
            reason = e.Message;
        }
#pragma warning disable CA1031 // The machine must not end because its desktop has a bug.
        catch (Exception e)
#pragma warning restore CA1031
        {
            reason = e.GetType().Name + ": " + e.Message;
        }
        TearDown();
        Set(facts => facts with { State = DesktopState.Failed, Reason = reason });
        DesktopWatchers.Tell(new GuestDesktopEvent { Event = DesktopEvent.Failed, Reason = reason });
    }

    private static void BringUp()
    {
        var place = s_place!; // set before the thread is started
        place.Prepare();
        // Only the screen's own deaths count against it, and what dies with it is not to blame.
        foreach (var part in s_parts)
        {
            if (part != s_screen)
                part.ForgetStarts();
        }
        var facts = Facts;
        StartBus(place);
        // No GLX: it would load a compiler of 100 MB. No reset: the wallpaper and the keyboard would go with the last client.
        Start(
            s_screen,
            place.Program(
                "/usr/bin/Xvnc", DesktopPlace.DisplayName, "-geometry", $"{facts.Width}x{facts.Height}", "-depth", "24", "-dpi", "96",
                "-SecurityTypes", "None", "-rfbunixpath", place.VncSocket, "-rfbunixmode", "0600", "-rfbport", "-1", "-AlwaysShared",
                "-extension", "GLX", "-noreset", "-nolisten", "tcp", "-desktop", "miosa"));
        WaitFor(IsScreenThere, ScreenMs, "the X server did not listen");
        StartManager(place);
        StartAgent(place);
        Background.TryPaint(place);
        WaitFor(() => s_hasManager, ManagerMs, "no window manager took over");
        StartPanel(place);
        Settle();
    }

    private static void Settle()
    {
        try
        {
            s_link?.Order(LinkOrder.Settle, "{}"u8.ToArray(), default, SettleMs).Dispose();
        }
        catch (GuestFailure e)
        {
            throw new ScreenDownException(e.Message);
        }
    }

    private static void Start(DesktopPart part, CommandLine line, bool withStdin = false)
    {
        if (!part.TryStart(line, withStdin))
            throw new ScreenDownException(part.End);
    }

    private static void StartBus(DesktopPlace place)
    {
        const string daemon = "/usr/bin/dbus-daemon";
        if (DesktopPlace.Exists(daemon))
            s_bus.TryStart(place.Program(daemon, "--session", "--nofork", "--nopidfile", "--nosyslog", "--address=unix:path=" + place.BusSocket));
    }

    /// <summary>After the screen, whose root window names its address.</summary>
    private static void StartAccessibility(DesktopPlace place)
    {
        const string launcher = "/usr/libexec/at-spi-bus-launcher";
        if (s_bus.IsRunning && DesktopPlace.Exists(launcher))
            s_accessibility.TryStart(place.Program(launcher, "--launch-immediately"));
    }

    private static void StartManager(DesktopPlace place) => Start(s_manager, place.Program("/usr/bin/openbox"));

    private static void StartPanel(DesktopPlace place)
    {
        const string panel = "/usr/bin/tint2";
        if (DesktopPlace.Exists(panel))
            s_panel.TryStart(place.Program(panel));
        StartAccessibility(place);
    }

    private static void StartAgent(DesktopPlace place)
    {
        s_isAgentReady = false;
        // By this link the kernel finds the program of the process that executes it, wherever that lies outside of the machine.
        var line = place.Program("miosa-desktop", DesktopAgent.Mode, DesktopPlace.ScreenSocket) with { Programs = ["/proc/self/exe"u8.ToArray()] };
        Start(s_agent, line, withStdin: true);
        var command = s_agent.Command!; // it was started
        lock (s_gate)
            s_link = new AgentLink(command.Stdin, command.Stdout, Hear, () => Libc.Signal(s_wake));
        WaitFor(() => s_isAgentReady, AgentMs, "the agent did not come up");
    }

    /// <summary>On the thread of a link's reader.</summary>
    private static void Hear(GuestDesktopEvent said)
    {
        if (said.WindowId?.Length > MostIdLetters || said.Title?.Length > DesktopLimits.MaxTitleBytes || said.App?.Length > DesktopLimits.MaxTitleBytes)
            return;
        // What an agent has to say and nothing else: it is kept, and told to every watcher.
        var told = new GuestDesktopEvent
        {
            Event = said.Event, AtMs = said.AtMs, WindowId = said.WindowId, Pid = said.Pid, Title = said.Title, App = said.App, Width = said.Width, Height = said.Height,
        };
        switch (told.Event)
        {
            case LinkEvent.Ready:
                s_isAgentReady = true;
                break;
            case LinkEvent.WindowManager:
                s_hasManager = true;
                break;
            case DesktopEvent.Resized when told.Width is >= 1 and <= DesktopLimits.MaxWidth && told.Height is >= 1 and <= DesktopLimits.MaxHeight:
                Set(facts => facts with { Width = told.Width.Value, Height = told.Height.Value });
                s_mustPaint = true;
                DesktopWatchers.Tell(told);
                break;
            case DesktopEvent.WindowOpened or DesktopEvent.WindowClosed or DesktopEvent.WindowFocusChanged or DesktopEvent.ClipboardChanged:
                if (IsNews(told))
                    DesktopWatchers.Tell(told);
                return;
            default:
                return;
        }
        Libc.Signal(s_wake);
    }

    /// <summary>A new agent tells of windows that the one before has told of.</summary>
    private static bool IsNews(GuestDesktopEvent told)
    {
        if (told.WindowId is not { } id)
            return told.Event == DesktopEvent.ClipboardChanged;
        lock (s_open)
        {
            return told.Event switch
            {
                DesktopEvent.WindowOpened => s_open.Count < MostOpenWindows && s_open.TryAdd(id, told),
                DesktopEvent.WindowClosed => s_open.Remove(id),
                _ => true,
            };
        }
    }

    /// <summary>Looks after the programs; by an exception when the screen has to be started anew.</summary>
    private static void Tend()
    {
        var place = s_place!; // as above
        var brokenUntil = 0L;
        while (true)
        {
            foreach (var ended in Pump(brokenUntil == 0 ? -1 : LookMs))
            {
                // It may have been started again along with another.
                if (!ended.IsRunning)
                    Replace(ended, place);
            }
            if (s_mustPaint)
            {
                s_mustPaint = false;
                Background.TryPaint(place);
            }
            if (s_link is not { IsBroken: true } link || !s_agent.IsRunning)
            {
                brokenUntil = 0;
                continue;
            }
            // Of an agent that has ended, the end of its pipes is seen first and its exit code a moment later.
            var now = Environment.TickCount64;
            brokenUntil = brokenUntil != 0 ? brokenUntil : now + (link.Silence is null ? EndsMs : 0);
            if (now >= brokenUntil)
                ReplaceAgent(place, link.Silence is { } silence ? "the agent was ended: " + silence : "the agent closed its link");
        }
    }

    private static void Replace(DesktopPart part, DesktopPlace place)
    {
        var reason = part.Reason;
        if (part == s_screen)
            throw new ScreenDownException(reason);
        // Everything that draws dies with the screen, and may be seen to before it.
        if (!IsScreenThere())
            WaitFor(() => false, EndsMs, reason);
        if (part == s_agent)
        {
            ReplaceAgent(place, reason);
            return;
        }
        // Without a bus of its own it ends with the session's; it comes back with that.
        if (part == s_accessibility && !s_bus.IsRunning)
            return;
        // The session's bus starts it when somebody asks for it.
        if (part == s_accessibility && !part.MayStart())
            return;
        if (!part.MayStart())
            throw new GuestFailure(GuestErrorCode.Failed, "the " + part.Name + " died too often: " + reason);
        if (part == s_manager)
            StartManager(place);
        else if (part == s_panel)
            StartPanel(place);
        else if (part == s_accessibility)
            StartAccessibility(place);
        else
        {
            StartBus(place);
            s_accessibility.Kill();
            StartAccessibility(place);
        }
        Replaced(part, reason);
    }

    private static void ReplaceAgent(DesktopPlace place, string reason)
    {
        var blamesScreen = !s_agent.IsRunning && s_agent.ExitCode == DesktopAgent.ScreenLostCode;
        DropAgent();
        if (blamesScreen)
        {
            // It may be about to be reaped; when it still lives after that, it does not answer.
            WaitFor(() => false, EndsMs, reason);
        }
        if (!s_agent.MayStart())
            throw new GuestFailure(GuestErrorCode.Failed, "the agent died too often: " + reason);
        StartAgent(place);
        TellClosed();
        Replaced(s_agent, reason);
    }

    /// <summary>A new agent knows nothing of the windows that went while there was none.</summary>
    private static void TellClosed()
    {
        if (s_link is not { } link)
            return;
        // Before the question: what opens while it is answered is not gone.
        List<GuestDesktopEvent> before;
        lock (s_open)
            before = [.. s_open.Values];
        HashSet<string?> there;
        try
        {
            using var answer = link.Order(LinkOrder.Windows, "{}"u8.ToArray(), default, SettleMs);
            there = [.. (answer.Read(GuestJson.Wire.WindowsReply).Windows ?? []).Select(window => window?.Id)];
        }
        catch (GuestFailure e)
        {
            throw new ScreenDownException(e.Message);
        }
        foreach (var window in before.Where(window => !there.Contains(window.WindowId)))
        {
            bool isNews;
            lock (s_open)
                isNews = s_open.Remove(window.WindowId ?? "");
            if (isNews)
                DesktopWatchers.Tell(window with { Event = DesktopEvent.WindowClosed, AtMs = 0 });
        }
    }

    private static void Replaced(DesktopPart part, string reason)
    {
        Set(facts => facts with { Restarts = facts.Restarts + 1 });
        DesktopWatchers.Tell(new GuestDesktopEvent { Event = DesktopEvent.Restarted, Part = part.Name, Reason = reason });
    }

    private static void DropAgent()
    {
        AgentLink? link;
        lock (s_gate)
        {
            link = s_link;
            s_link = null;
        }
        // Its pipes are closed only when nobody reads from them any more.
        s_agent.Command?.Kill();
        link?.Join();
        s_agent.Kill();
    }

    private static void TearDown()
    {
        DropAgent();
        foreach (var part in s_parts)
            part.Kill();
        s_hasManager = false;
        GuestDesktopEvent[] open;
        lock (s_open)
        {
            open = [.. s_open.Values];
            s_open.Clear();
        }
        foreach (var window in open)
            DesktopWatchers.Tell(window with { Event = DesktopEvent.WindowClosed, AtMs = 0 });
    }

    /// <summary>Waits for a fact while the programs are looked after; the end of one of the screen, agent or window manager is an exception.</summary>
    private static void WaitFor(Func<bool> isThere, int timeoutMs, string otherwise)
    {
        var until = Environment.TickCount64 + timeoutMs;
        while (!isThere())
        {
            if (Environment.TickCount64 >= until)
                throw new ScreenDownException(otherwise);
            foreach (var ended in Pump(LookMs))
            {
                if (ended == s_screen || ended == s_agent || ended == s_manager)
                    throw new ScreenDownException(ended.Reason);
            }
        }
    }

    /// <summary>The programs that have ended meanwhile.</summary>
    private static List<DesktopPart> Pump(int timeoutMs)
    {
        var polled = new PollEntry[1 + PollsEach * s_parts.Length];
        polled[0] = new PollEntry { Fd = s_wake, Events = PollEntry.In };
        for (var i = 0; i < s_parts.Length; i++)
            s_parts[i].AddTo(polled.AsSpan(1 + PollsEach * i, PollsEach));
        Libc.Poll(polled, timeoutMs);
        if (polled[0].Revents != 0)
            Libc.ClearSignal(s_wake);
        var ended = new List<DesktopPart>();
        for (var i = 0; i < s_parts.Length; i++)
        {
            if (s_parts[i].Pump(polled.AsSpan(1 + PollsEach * i, PollsEach)))
                ended.Add(s_parts[i]);
        }
        return ended;
    }

    private static bool IsScreenThere()
    {
        var socket = Libc.ConnectUnix(System.Text.Encoding.UTF8.GetBytes(DesktopPlace.ScreenSocket), isNonBlocking: true);
        Libc.Close(socket);
        return socket >= 0;
    }

    /// <summary>The screen is gone, or did not come up: all is started anew.</summary>
    private sealed class ScreenDownException(string reason) : Exception(reason);
}
