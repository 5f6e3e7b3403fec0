using System.Globalization;
using System.Net.Sockets;
using Miosa.Guest;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Resources;

namespace Miosa.Server.Computers;

/// <summary>What can be asked about a computer: its addresses, applications, idle policy and figures. Asking counts as nobody's activity, but for the applications, which the machine tells.</summary>
internal sealed class ComputerFacts(Machines machines, MachineDirectory directory, ComputerView view, ComputerPorts ports, Desktops desktops, MetricsSampler sampler, ServerSettings settings, TimeProvider time)
{
    private const string Installed = "installed";
    private const string Installing = "installing";
    private const string Failed = "failed";
    private const int MaxText = 200;
    private const int MaxApps = 1000;
    private static readonly TimeSpan FineWindow = TimeSpan.FromHours(1);
    private static readonly TimeSpan MaxWindow = TimeSpan.FromDays(30);
    private static readonly TimeSpan CoarseStep = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<ComputerFacts>();
        const string One = "/computers/{computer_id}";
        api.Map("GET", $"{One}/urls", it.UrlsAsync).Needs(Scopes.ComputersRead);
        api.Map("GET", $"{One}/apps", it.AppsAsync).Needs(Scopes.ComputersRead);
        api.Map("GET", $"{One}/auto-stop", it.AutoStopAsync).Needs(Scopes.ComputersRead);
        foreach (var method in (string[])["PATCH", "PUT"])
            api.Map(method, $"{One}/auto-stop", it.SetAutoStopAsync).Needs(Scopes.ComputersWrite);
        api.Map("GET", $"{One}/metrics", it.MetricsAsync).Needs(Scopes.ComputersRead);
    }

    private Task<IResult> UrlsAsync(HttpContext context)
    {
        if (Find(context) is not { } machine)
            return Task.FromResult(NotFound());
        var urls = new List<ComputerUrl>();
        var viewer = view.ViewerOf(machine.Row);
        if (viewer is not null)
            urls.Add(new ComputerUrl { Name = "desktop", Url = viewer, Visibility = "private" });
        urls.AddRange(ports.Of(machine).Select(port => new ComputerUrl
        {
            Name = string.Create(CultureInfo.InvariantCulture, $"port-{port.Port}"),
            Url = port.Url ?? "",
            Port = port.Port,
            Visibility = port.Visibility,
        }));
        var first = view.Of(machine.Row).SandboxUrl;
        return Task.FromResult(Reply.Bare(
            new ComputerUrls { Data = urls, SandboxUrl = first, PreviewUrl = first, DesktopUrl = viewer, VncUrl = viewer }, WireJson.Default.ComputerUrls));
    }

    /// <summary>What the machine says is installed, and what was asked for and is not there (yet).</summary>
    private async Task<IResult> AppsAsync(HttpContext context)
    {
        if (Find(context) is not { } machine)
            return NotFound();
        var admitted = await machines.AdmitComputerAsync(context, machine.Row.Id, AdmitFor.FileRead);
        if (admitted.Refusal is { } refusal)
            return Reply.Refuse(refusal);
        var apps = new List<ComputerApp>();
        try
        {
            if (machine.Row.HasDesktop)
                apps.AddRange(await InstalledAsync(admitted.Guest, context.RequestAborted));
        }
        catch (Exception e) when (e is GuestException or SocketException or IOException || (e is OperationCanceledException && !context.RequestAborted.IsCancellationRequested))
        {
            return Reply.Refuse(Refusal.AgentUnavailable($"the computer does not tell its applications: {e.Message}"));
        }
        var missing = AppCatalog.ReadMissing(machine.Row.MissingApps);
        foreach (var app in AppCatalog.Read(machine.Row.SelectedApps))
        {
            var status = !missing.TryGetValue(app, out var reason) ? Installed : reason.Length == 0 || desktops.IsInstalling(machine.Row.Id) ? Installing : Failed;
            if (!apps.Any(known => known.Id == app))
                apps.Add(new ComputerApp { Id = app, Name = app, Status = status, Error = status == Failed ? reason : null });
        }
        return Reply.Bare(new ComputerAppList { Data = apps, Total = apps.Count }, WireJson.Default.ComputerAppList);
    }

    private static async Task<IEnumerable<ComputerApp>> InstalledAsync(GuestConnection guest, CancellationToken ct)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
        patience.CancelAfter(Patience);
        var call = await guest.OpenAsync(GuestVerb.DesktopApps, new DesktopCall { Verb = GuestVerb.DesktopApps }, GuestJson.Wire.DesktopCall, takesData: false, patience.Token);
        var reply = await call.ReplyAsync(GuestJson.Wire.AppsReply, patience.Token);
        return (reply.Apps ?? []).OfType<GuestApp>().Where(app => app.Id is { Length: > 0 and <= MaxText }).Take(MaxApps)
            .Select(app => new ComputerApp { Id = app.Id!, Name = Cut(app.Name) ?? app.Id!, Command = Cut(app.Command), Status = Installed }); // those without an id were left out
    }

    private Task<IResult> AutoStopAsync(HttpContext context) =>
        Task.FromResult(Find(context) is { } machine ? Reply.Bare(PolicyOf(machine, machine.Row), WireJson.Default.ComputerAutoStop) : NotFound());

    private async Task<IResult> SetAutoStopAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, ComputerFields.AutoStopAliases);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        if (Find(context) is not { } resident)
            return NotFound();
        var (change, faults) = ComputerFields.AutoStop(body);
        if (change is null)
            return Reply.Refuse(faults!); // one of the two is always there
        var (machine, no) = await machines.ChangeAsync(context.Caller(), resident.Row.Id, change, context.RequestAborted, MachineKind.Computer);
        return machine is null ? Reply.Refuse(no ?? Refusal.Internal()) : Reply.Bare(PolicyOf(resident, machine), WireJson.Default.ComputerAutoStop);
    }

    private ComputerAutoStop PolicyOf(Resident machine, Machine row) => new()
    {
        ComputerId = row.Id,
        Enabled = row.IdleTimeoutSec > 0,
        Seconds = row.IdleTimeoutSec,
        AutoStopSeconds = row.IdleTimeoutSec,
        LastActivityAt = machine.LastUsed,
        StopsAt = machine.NextDue(time.GetUtcNow()),
    };

    private async Task<IResult> MetricsAsync(HttpContext context)
    {
        var asked = Paging.Text(context.Request.Query, "window", "period", "range") ?? "1h";
        if (WindowOf(asked) is not { } window)
            return Reply.Refuse(Refusal.Invalid("window", $"must be a number and m, h or d, at most {MaxWindow.TotalDays:0}d, such as 15m or 24h; got \"{Cut(asked)}\""));
        if (Find(context) is not { } machine)
            return NotFound();
        var now = time.GetUtcNow();
        var row = machine.Row;
        var isFine = window <= FineWindow;
        var history = sampler.Find(row.Id);
        var points = history?.Since(now - window, isFine) ?? [];
        var usage = await ResourceEndpoints.MeasureAsync(machines.Runtime, row, context.RequestAborted);
        var current = new Dictionary<string, double>();
        if (usage is not null)
        {
            Put("cpu_percent", history?.PercentAt(now, usage.CpuUsec, row.Vcpus));
            Put("memory_used_mb", MetricsHistory.Mb(usage.MemoryBytes));
            Put("disk_used_mb", MetricsHistory.Mb(usage.DiskBytes));
            Put("network_rx_bytes", usage.ReceivedBytes);
            Put("network_tx_bytes", usage.SentBytes);
        }
        return Reply.Bare(
            new ComputerMetrics
            {
                ComputerId = row.Id,
                Window = asked,
                PeriodStart = now - window,
                PeriodEnd = now,
                StepSeconds = isFine ? settings.MetricsSec : (int)CoarseStep.TotalSeconds,
                Current = current,
                Series = new Dictionary<string, IReadOnlyList<ComputerMetricPoint>>
                {
                    ["cpu_percent"] = Of(point => point.CpuPercent),
                    ["memory_used_mb"] = Of(point => point.MemoryUsedMb),
                    ["disk_used_mb"] = Of(point => point.DiskUsedMb),
                    ["network_rx_bytes"] = Of(point => point.NetworkIngressBytes),
                    ["network_tx_bytes"] = Of(point => point.NetworkEgressBytes),
                },
            },
            WireJson.Default.ComputerMetrics);

        void Put(string name, double? value)
        {
            if (value is { } number)
                current[name] = number;
        }

        IReadOnlyList<ComputerMetricPoint> Of(Func<SandboxMetricsPoint, double?> pick) =>
            [.. points.Select(point => (point.Ts, Value: pick(point))).Where(pair => pair.Value is not null).Select(pair => new ComputerMetricPoint { Timestamp = pair.Ts, Value = pair.Value ?? 0 })];
    }

    private static TimeSpan? WindowOf(string text)
    {
        if (text.Length < 2 || !int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var count))
            return null;
        var unit = text[^1] switch { 'm' => 60, 'h' => 3600, 'd' => 86_400, _ => 0 };
        var seconds = (long)count * unit;
        return seconds > 0 && seconds <= MaxWindow.TotalSeconds ? TimeSpan.FromSeconds(seconds) : null;
    }

    private static string? Cut(string? text) => text is null or { Length: <= MaxText } ? text : text[..MaxText];

    private Resident? Find(HttpContext context) => directory.Find(context.Caller().TenantId, context.PathValue(MachinePaths.ComputerId), MachineKind.Computer);

    private static IResult NotFound() => Reply.Refuse(Refusal.NotFound(MachineKind.Computer));
}
