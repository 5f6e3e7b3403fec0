namespace Miosa.EndToEnd;

/// <summary>One running computer that the tests of a class share; they bring their own windows and files.</summary>
public sealed class LiveComputer(LivePlatform platform) : IAsyncLifetime
{
    /// <summary>The first program of a new machine reads everything from the disk, beside whatever else the host does.</summary>
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(90);

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
        // By a command, which runs as the user of the desktop: the file must be his to be saved.
        Assert.True((await Computer.RunAsync($"touch '{file}'")).Success);
        // A process of its own: one that is about to end would take the file and forget it.
        await Computer.Desktop.LaunchAsync("mousepad", ["--disable-server", file]);
        return await WindowAsync(Path.GetFileName(file));
    }

    private async Task<DesktopWindow> WindowAsync(string title)
    {
        DesktopWindow? found = null;
        await Eventually.IsAsync(async () => (found = (await Computer.Desktop.ListWindowsAsync()).FirstOrDefault(window => window.Title.Contains(title, StringComparison.Ordinal))) is not null, StartPatience);
        await Computer.Desktop.FocusWindowAsync(found!.Id); // or the line above failed
        return found;
    }

    public async ValueTask DisposeAsync()
    {
        if (computer is not null)
            await computer.DeleteAsync();
        client?.Dispose();
    }
}
