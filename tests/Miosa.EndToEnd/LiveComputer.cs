namespace Miosa.EndToEnd;

/// <summary>One running computer that the tests of a class share; they bring their own windows and files.</summary>
public sealed class LiveComputer(LivePlatform platform) : IAsyncLifetime
{
    private MiosaClient? client;
    private Computer? computer;

    public MiosaClient Client => client ?? throw new InvalidOperationException("not started");

    public Computer Computer => computer ?? throw new InvalidOperationException("not started");

    public async ValueTask InitializeAsync()
    {
        client = platform.Client();
        computer = await client.Computers.CreateAsync(name: $"e2e-{Guid.NewGuid():N}", size: "small");
        await computer.WaitUntilRunningAsync(TimeSpan.FromMinutes(2));
    }

    /// <summary>Opens the editor on a file and waits until it is in front.</summary>
    public async Task<DesktopWindow> OpenEditorAsync(string file)
    {
        await Computer.Files.WriteAsync(file, "");
        await Computer.RunAsync($"chown user:user '{file}'");
        await Computer.Desktop.LaunchAsync("mousepad", [file]);
        return await WindowAsync(Path.GetFileName(file));
    }

    public async Task<DesktopWindow> WindowAsync(string title)
    {
        DesktopWindow? found = null;
        await Eventually.IsAsync(async () =>
        {
            found = (await Computer.Desktop.ListWindowsAsync()).FirstOrDefault(window => window.Title.Contains(title, StringComparison.Ordinal) && window.Focused);
            return found is not null;
        });
        return found!; // or the line above failed
    }

    public async ValueTask DisposeAsync()
    {
        if (computer is not null)
            await computer.DeleteAsync();
        client?.Dispose();
    }
}
