using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Net.Sockets;
using System.Text;
using Miosa.Guest;
using Miosa.Server.ComputerServices;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Nodes;

namespace Miosa.Server.Computers;

/// <summary>
/// What follows the boot of a computer, outside its grain: 1. its desktop is started and 2. looked at once, for a computer runs when a picture of its screen has
/// been taken; 3. the applications that were asked for are installed while it already runs; 4. it is watched for parts that had to be started again. Each step
/// can be repeated: one that a crash cut off is begun again by <see cref="Reconciliation"/>.
/// </summary>
internal sealed partial class Desktops(MachineDirectory directory, IServiceProvider services, ServerSettings settings, TimeProvider time, ILogger<Desktops> log) : BackgroundService
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    /// <summary>All of starting a desktop, retries included.</summary>
    public static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(90);

    /// <summary>Packages of an office suite, over a slow line.</summary>
    private static readonly TimeSpan InstallLimit = TimeSpan.FromMinutes(15);

    private static readonly TimeSpan InstallGrace = TimeSpan.FromMinutes(1);

    /// <summary>Between two watches of one desktop, and between two of its news.</summary>
    private static readonly TimeSpan WatchAgainAfter = TimeSpan.FromSeconds(2);

    private const int MaxPicture = 64 * 1024 * 1024;
    private const int MaxReason = 500;

    private readonly ConcurrentDictionary<string, Work> starting = [];
    private readonly ConcurrentDictionary<string, Work> installing = [];
    private readonly ConcurrentDictionary<string, Work> watching = [];

    /// <summary>Whether any desktop is being started.</summary>
    public bool IsStarting => !starting.IsEmpty;

    /// <summary>Whether somebody works at the desktop of this computer.</summary>
    public bool IsAt(string machine) => starting.ContainsKey(machine);

    /// <summary>Starts the desktop and tells the grain how it went. Called by the grain, which does not wait.</summary>
    public void Begin(Resident resident, long boot)
    {
        Leave(resident.Row.Id);
        var work = new Work();
        starting[resident.Row.Id] = work;
        work.Task = StartAsync(resident, boot, work);
    }

    /// <summary>What is begun for the computer is given up: it is stopped, started anew or deleted.</summary>
    public void Leave(string machine)
    {
        if (starting.TryRemove(machine, out var start))
            start.Stop();
        if (installing.TryRemove(machine, out var install))
            install.Stop();
        if (watching.TryRemove(machine, out var watch))
            watch.Stop();
    }

    /// <summary>The computer runs: its services and what is missing on it come next.</summary>
    public void AfterStart(Resident resident, Machine row)
    {
        services.GetRequiredService<ServiceKeeper>().Begin(resident);
        if (row.MissingApps is not null)
            InstallApps(resident.Row.Id);
        Watch(resident);
    }

    /// <summary>Installs what is missing, unless that is under way. A computer that does not run gets it after its next start.</summary>
    public void InstallApps(string machine)
    {
        if (directory.Find(machine) is not { Row: { IsComputer: true, State: MachineState.Running, MissingApps: not null } } resident)
            return;
        var work = new Work();
        if (installing.TryAdd(machine, work))
            work.Task = InstallAsync(resident, work);
    }

    public bool IsInstalling(string machine) => installing.ContainsKey(machine);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // What a former process left to be installed; desktops that it left half started are found by the reconciliation.
        foreach (var resident in directory.All)
        {
            InstallApps(resident.Row.Id);
            Watch(resident);
        }
        await Task.Delay(Timeout.InfiniteTimeSpan, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var work in starting.Values.Concat(installing.Values).Concat(watching.Values))
            work.Stop();
        await Task.WhenAll(starting.Values.Concat(installing.Values).Concat(watching.Values).Select(work => work.Task));
    }

    private IMachineGrain GrainOf(string machine) => services.GetRequiredService<IGrainFactory>().GetGrain<IMachineGrain>(GrainKeys.Join(settings.Node, machine));

    private async Task StartAsync(Resident resident, long boot, Work work)
    {
        // Not on the grain's stack: it answers its caller while this goes on.
        await Task.Yield();
        var id = resident.Row.Id;
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(work.Ended);
            limit.CancelAfter(StartLimit);
            var (hasDesktop, failure) = await TryStartAsync(resident, limit.Token);
            if (work.Ended.IsCancellationRequested)
                return;
            if (failure is null)
                await GrainOf(id).DesktopSeen(boot, hasDesktop);
            else
                await GrainOf(id).DesktopFailed(boot, failure);
        }
#pragma warning disable CA1031 // The edge of a work of its own: the reconciliation finds the computer starting and begins again.
        catch (Exception e) when (e is not OperationCanceledException)
#pragma warning restore CA1031
        {
            StartFailed(log, id, e);
        }
        catch (OperationCanceledException)
        {
            // Given up.
        }
        finally
        {
            starting.TryRemove(KeyValuePair.Create(id, work));
        }
    }

    private async Task<(bool HasDesktop, string? Failure)> TryStartAsync(Resident resident, CancellationToken ct)
    {
        var row = resident.Row;
        var last = "its guest did not answer";
        try
        {
            while (true)
            {
                ct.ThrowIfCancellationRequested();
                try
                {
                    if (resident.Road is not { } road)
                        return (false, "the machine has no guest");
                    await StartOnAsync(await road.ConnectAsync(ct), row.ScreenWidth ?? DesktopLimits.DefaultWidth, row.ScreenHeight ?? DesktopLimits.DefaultHeight, ct);
                    return (true, null);
                }
                catch (GuestException e) when (e.Code == GuestErrorCode.Unsupported)
                {
                    return row.HasDesktop || row.Image == ComputerFields.DefaultImage ? (false, $"the desktop could not be started: {Cut(e.Message)}") : (false, null);
                }
                catch (GuestException e) when (e.Code == GuestErrorCode.Busy)
                {
                    last = e.Message;
                }
                catch (GuestException e) when (e.Code is not (GuestException.Disconnected or GuestException.Protocol))
                {
                    return (false, $"the desktop could not be started: {Cut(e.Message)}");
                }
                catch (Exception e) when (e is GuestException or SocketException or IOException)
                {
                    // The machine has just booted, or it died: its end is told by the runtime.
                    last = e.Message;
                }
                await Task.Delay(Pause, time, ct);
            }
        }
        catch (OperationCanceledException)
        {
            return (false, $"the desktop was not there after {StartLimit.TotalSeconds:0} s: {Cut(last)}");
        }
    }

    /// <summary>Starts the desktop, or gives one that runs this size, and looks at it.</summary>
    public static async Task StartOnAsync(GuestConnection guest, int width, int height, CancellationToken ct)
    {
        var call = await guest.OpenAsync(
            GuestVerb.DesktopStart, new DesktopStartCall { Width = width, Height = height }, GuestJson.Wire.DesktopStartCall, takesData: false, ct);
        await call.ReplyAsync(GuestJson.Wire.GuestDesktop, ct);
        await LookAsync(guest, ct);
    }

    /// <summary>Takes one picture and throws it away.</summary>
    private static async Task LookAsync(GuestConnection guest, CancellationToken ct)
    {
        var call = await guest.OpenAsync(GuestVerb.DesktopScreenshot, new ScreenshotCall { Level = 1 }, GuestJson.Wire.ScreenshotCall, takesData: true, ct);
        try
        {
            var bytes = 0L;
            for (var chunk = await call.NextAsync(ct); !chunk.IsEnd; chunk = await call.NextAsync(ct))
            {
                bytes += chunk.Bytes.Length;
                if (bytes > MaxPicture)
                    throw call.Broken("the guest's picture is larger than any screen", null);
            }
            var reply = await call.ReplyAsync(GuestJson.Wire.ScreenshotReply, ct);
            if (bytes == 0 || reply.Width <= 0 || reply.Height <= 0)
                throw new GuestException(GuestErrorCode.Failed, "the first screenshot is empty");
        }
        catch
        {
            await call.CancelAsync();
            throw;
        }
    }

    private async Task InstallAsync(Resident resident, Work work)
    {
        await Task.Yield();
        var id = resident.Row.Id;
        var isThrough = false;
        try
        {
            var tried = new HashSet<string>(StringComparer.Ordinal);
            // The row is read again for each: what is selected can be changed meanwhile.
            while (AppCatalog.ReadMissing(resident.Row.MissingApps).Keys.Order(StringComparer.Ordinal).FirstOrDefault(app => !tried.Contains(app)) is { } app)
            {
                tried.Add(app);
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(work.Ended);
                // The machine itself ends the command at the limit; this is for one that does not.
                limit.CancelAfter(InstallLimit + InstallGrace);
                var reason = await InstallOneAsync(resident, app, limit.Token);
                if (work.Ended.IsCancellationRequested)
                    return;
                await GrainOf(id).AppDone(app, reason);
                AppDone(log, id, app, reason ?? "installed");
            }
            isThrough = true;
        }
#pragma warning disable CA1031 // The edge of a work of its own: the next start of the computer begins it again.
        catch (Exception e) when (e is not OperationCanceledException)
#pragma warning restore CA1031
        {
            InstallFailed(log, id, e);
        }
        catch (OperationCanceledException)
        {
            // Given up.
        }
        finally
        {
            installing.TryRemove(KeyValuePair.Create(id, work));
        }
        // Selected after the last look, by a call that found this one still at work; or selected once more after it had been tried.
        if (isThrough && !work.Ended.IsCancellationRequested && AppCatalog.ReadMissing(resident.Row.MissingApps).Values.Any(reason => reason.Length == 0))
            InstallApps(id);
    }

    /// <summary>Null when it is there, else why not.</summary>
    private async Task<string?> InstallOneAsync(Resident resident, string app, CancellationToken ct)
    {
        if (AppCatalog.PackagesOf(app) is not { } packages)
            return "this server does not know it any more";
        var names = string.Join(' ', packages);
        var shell = $$"""
            missing=
            for p in {{names}}; do [ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing=1; done
            [ -n "$missing" ] || exit 0
            export DEBIAN_FRONTEND=noninteractive
            dpkg --configure -a >/dev/null 2>&1 # a stop may have cut off an installation
            apt-get -q update && apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=600 install {{names}}
            """;
        using var lease = resident.Enter(time);
        try
        {
            if (resident.Road is not { } road)
                return "the machine has no guest";
            var guest = await road.ConnectAsync(ct);
            var tail = new Tail();
            var reply = await guest.ExecAsync(new ExecCall { Shell = shell, User = "root", TimeoutMs = (long)InstallLimit.TotalMilliseconds }, tail.TakeAsync, stdin: null, ct);
            return reply.ExitCode == 0 ? null : reply.TimedOut ? $"was not installed in {InstallLimit.TotalMinutes:0} minutes" : $"apt-get ended with {reply.ExitCode}: {Cut(tail.Text)}";
        }
        catch (Exception e) when (e is GuestException or SocketException or IOException)
        {
            // Never empty: that is one still to be tried.
            return $"was not installed: {Cut(e.Message)}";
        }
    }

    private void Watch(Resident resident)
    {
        if (resident.Row is not { IsComputer: true, HasDesktop: true, State: MachineState.Running })
            return;
        var work = new Work();
        if (watching.TryAdd(resident.Row.Id, work))
            work.Task = WatchAsync(resident, work);
    }

    /// <summary>Until the computer stops running. It counts as nobody's use.</summary>
    private async Task WatchAsync(Resident resident, Work work)
    {
        await Task.Yield();
        var id = resident.Row.Id;
        try
        {
            while (resident.Row.State == MachineState.Running)
            {
                try
                {
                    if (resident.Road is { } road)
                        await ListenAsync(resident, await road.ConnectAsync(work.Ended), work.Ended);
                }
                catch (Exception e) when (e is GuestException or SocketException or IOException)
                {
                    // It is over, or the machine is: the runtime tells that. Nothing is known meanwhile.
                }
                await Task.Delay(WatchAgainAfter, time, work.Ended);
            }
        }
#pragma warning disable CA1031 // The edge of a work of its own: it only tells, and begins again with the next start.
        catch (Exception e) when (e is not OperationCanceledException)
#pragma warning restore CA1031
        {
            WatchFailed(log, id, e);
        }
        catch (OperationCanceledException)
        {
            // Given up.
        }
        finally
        {
            watching.TryRemove(KeyValuePair.Create(id, work));
        }
    }

    private async Task ListenAsync(Resident resident, GuestConnection guest, CancellationToken ct)
    {
        using var watch = await GuestDesktopWatch.StartAsync(guest, idleMs: 0, clipboard: false, ct);
        while (await watch.NextAsync(ct) is { } told)
        {
            var reason = told.Event switch
            {
                DesktopEvent.Restarted => $"the desktop's {Cut(told.Part ?? "part")} was started again: {Cut(told.Reason ?? "it ended")}",
                DesktopEvent.Failed => $"the desktop does not work any more: {Cut(told.Reason ?? "it ended")}; restart the computer",
                _ => null,
            };
            if (reason is null)
                continue;
            DesktopTold(log, resident.Row.Id, reason);
            await GrainOf(resident.Row.Id).DesktopErred(reason);
            // Or a machine sets the pace of the server's writes. What it tells meanwhile waits with it: the watch has flow control.
            await Task.Delay(WatchAgainAfter, time, ct);
        }
    }

    /// <summary>Bounded and on one line: it comes from a machine and stands in an answer.</summary>
    private static string Cut(string text)
    {
        var line = new string([.. text.Trim().Select(c => char.IsControl(c) ? ' ' : c)]);
        return line.Length <= MaxReason ? line : "…" + line[^MaxReason..];
    }

    /// <summary>The last of what a command wrote.</summary>
    private sealed class Tail
    {
        private const int Kept = 4096;
        private byte[] bytes = [];

        public string Text => Encoding.UTF8.GetString(bytes);

        public ValueTask TakeAsync(bool isStderr, ReadOnlySequence<byte> more, CancellationToken ct)
        {
            byte[] all = [.. bytes, .. more.ToArray()];
            bytes = all.Length <= Kept ? all : all[^Kept..];
            return ValueTask.CompletedTask;
        }
    }

    [SuppressMessage("Design", "CA1001", Justification = "without a timer or a wait handle there is nothing to dispose, and whoever stops it may come after its end")]
    private sealed class Work
    {
        private readonly CancellationTokenSource ended = new();

        public CancellationToken Ended => ended.Token;

        public Task Task { get; set; } = Task.CompletedTask;

        public void Stop() => ended.Cancel();
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "starting the desktop of {Machine} failed; it is begun again")]
    private static partial void StartFailed(ILogger log, string machine, Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "installing applications on {Machine} failed; it is begun again with its next start")]
    private static partial void InstallFailed(ILogger log, string machine, Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "watching the desktop of {Machine} failed; it begins again with its next start")]
    private static partial void WatchFailed(ILogger log, string machine, Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "computer {Machine}: {Reason}")]
    private static partial void DesktopTold(ILogger log, string machine, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "computer {Machine}, application {App}: {Outcome}")]
    private static partial void AppDone(ILogger log, string machine, string app, string outcome);
}
