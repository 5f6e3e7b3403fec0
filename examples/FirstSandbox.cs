namespace Miosa.Examples;

/// <summary>Create a sandbox, run a command, destroy it: the first example of the README, word for word.</summary>
internal static class FirstSandbox
{
    public static async Task RunAsync()
    {
        #region first
        using var client = new MiosaClient();                       // MIOSA_API_KEY, MIOSA_BASE_URL
        var sandbox = await client.Sandboxes.CreateAsync(image: "miosa-sandbox");
        var result = await sandbox.RunAsync("python3 -c 'print(1 + 1)'");
        Console.WriteLine(result.Stdout);                           // 2
        await sandbox.DestroyAsync();
        #endregion
    }
}
