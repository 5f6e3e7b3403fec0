using System.Globalization;
using Miosa.Bench;

// Measures what PROMISES.md promises, against a floor or a peer in the same run. The platform is started for each group with the settings it needs.
var groups = new Dictionary<string, Func<Report, Task>>
{
    ["create"] = CreateBench.RunAsync,
    ["exec"] = ExecBench.RunAsync,
    ["transfer"] = TransferBench.RunAsync,
    ["fork"] = ForkBench.RunAsync,
    ["watch"] = WatchBench.RunAsync,
    ["terminal"] = TerminalBench.RunAsync,
    ["preview"] = PreviewBench.RunAsync,
    ["files"] = FilesBench.RunAsync,
    ["gvisor"] = GvisorBench.RunAsync,
    ["auth"] = AuthBench.RunAsync,
    ["webhooks"] = WebhookBench.RunAsync,
    ["readers"] = ReaderBench.RunAsync,
    ["usage"] = UsageBench.RunAsync,
    ["desktop-create"] = DesktopCreateBench.RunAsync,
    ["desktop"] = DesktopBench.RunAsync,
    ["desktop-viewer"] = DesktopViewerBench.RunAsync,
    ["models"] = ModelBench.RunAsync,
    ["density"] = DensityBench.RunAsync,
};
if (args is [var wanted] && !groups.ContainsKey(wanted))
{
    Console.Error.WriteLine($"there is no group \"{wanted}\": {string.Join(", ", groups.Keys)}");
    return 2;
}

var report = new Report();
report.Line(string.Create(CultureInfo.InvariantCulture,
    $"{DateTime.UtcNow:yyyy-MM-dd HH:mm} UTC, {Environment.ProcessorCount} cores, kernel {Environment.OSVersion.Version}, {HostMemory.AvailableKb() / 1048576.0:F1} GiB free"));
foreach (var (name, run) in groups)
{
    if (args.Length > 0 && args[0] != name)
        continue;
    report.Line($"## {name}");
    await run(report);
}
report.Save();
return 0;
