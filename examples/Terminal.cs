using System.Text;

namespace Miosa.Examples;

/// <summary>Use a shell in a terminal, leave it, and come back to it with another connection.</summary>
internal static class Terminal
{
    public static async Task RunAsync()
    {
        using var client = new MiosaClient();
        await using var sandbox = await client.Sandboxes.CreateAsync(image: "miosa-sandbox");
        var session = await sandbox.Terminals.CreateAsync(new() { Cols = 100, Rows = 30 });

        await using (var terminal = await sandbox.Terminals.AttachAsync(session.Id))
            await terminal.WriteAsync("stty size; colour=blue\n"u8.ToArray());

        // The shell has lived on, and what it printed is shown again.
        await using var again = await sandbox.Terminals.AttachAsync(session.Id);
        await again.WriteAsync("echo \"my colour is $colour\"; exit 3\n"u8.ToArray());
        using var reader = new StreamReader(again, Encoding.UTF8);
        Console.WriteLine(await reader.ReadToEndAsync());
        Console.WriteLine($"the shell ended with {again.ExitCode}");
    }
}
