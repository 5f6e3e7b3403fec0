using Miosa;
using Miosa.Examples;

// One story per file; they read MIOSA_API_KEY and MIOSA_BASE_URL:  dotnet run --project examples -- files
var stories = new Dictionary<string, Func<Task>>
{
    ["first"] = FirstSandbox.RunAsync,
    ["files"] = Files.RunAsync,
    ["streaming"] = Streaming.RunAsync,
    ["watch"] = Watch.RunAsync,
    ["fork"] = Fork.RunAsync,
    ["snapshots"] = Snapshots.RunAsync,
    ["memory"] = Memory.RunAsync,
    ["template"] = Template.RunAsync,
    ["processes"] = Processes.RunAsync,
    ["terminal"] = Terminal.RunAsync,
    ["egress"] = Egress.RunAsync,
    ["preview"] = Previews.RunAsync,
    ["quotas"] = UsersAndLimits.RunAsync,
    ["white-label"] = WhiteLabel.RunAsync,
    ["desktop"] = DesktopAgent.RunAsync,
    ["lifecycle"] = Lifecycle.RunAsync,
};

var chosen = args.Length == 0 ? ["first"] : args;
foreach (var name in chosen)
{
    if (!stories.TryGetValue(name, out var run))
    {
        Console.Error.WriteLine($"no story '{name}'; there are: {string.Join(", ", stories.Keys)}");
        return 2;
    }
    try
    {
        await run();
    }
    catch (Exception failure) when (failure is MiosaException or ArgumentException or TimeoutException)
    {
        Console.Error.WriteLine($"{name}: {failure.Message}");
        return 1;
    }
}
return 0;
