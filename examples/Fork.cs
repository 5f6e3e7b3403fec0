namespace Miosa.Examples;

/// <summary>Prepare once, then try several things from the same point, each in a copy of its own.</summary>
internal static class Fork
{
    public static async Task RunAsync()
    {
        using var client = new MiosaClient();
        await using var prepared = await client.Sandboxes.CreateAsync(image: "miosa-sandbox");
        await prepared.RunAsync("mkdir -p /workspace/app && echo 'print(6 * 7)' > /workspace/app/main.py");

        foreach (var change in (string[])["s/6/7/", "s/7/9/"])
        {
            await using var attempt = await prepared.ForkAsync();
            var result = await attempt.RunAsync($"sed -i '{change}' app/main.py && python3 app/main.py");
            Console.WriteLine($"{change}: {result.Stdout.Trim()}");
        }
        Console.WriteLine($"untouched: {(await prepared.RunAsync("python3 app/main.py")).Stdout.Trim()}");
    }
}
