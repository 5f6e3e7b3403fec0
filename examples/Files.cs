using System.Security.Cryptography;

namespace Miosa.Examples;

/// <summary>Write, read, list, move and delete files; send and fetch one that is too large for memory.</summary>
internal static class Files
{
    public static async Task RunAsync()
    {
        using var client = new MiosaClient();
        await using var sandbox = await client.Sandboxes.CreateAsync(image: "miosa-sandbox");
        var files = sandbox.Files;

        await files.WriteAsync("/app/main.py", "print('hello')\n");
        await files.WriteFilesAsync([new("/app/config.json", """{"debug": true}"""), new("/app/data.bin", new byte[] { 0, 1, 255 })]);
        foreach (var entry in await files.ListAsync("/app"))
            Console.WriteLine($"{entry.Mode} {entry.Size,6} {entry.Path}");

        var config = await files.ReadAsync("/app/config.json");
        Console.WriteLine(config.IsText ? config.Text : $"{config.Bytes.Length} bytes");

        await files.MkdirAsync("/app/old");
        await files.MoveAsync("/app/main.py", "/app/old/main.py");
        await files.DeleteAsync("/app/data.bin");
        try
        {
            await files.StatAsync("/app/data.bin");
        }
        catch (NotFoundException)
        {
            Console.WriteLine("data.bin is gone");
        }

        // Any size: neither this process nor the server holds it in memory.
        var local = Path.GetTempFileName();
        var back = Path.GetTempFileName();
        try
        {
            await File.WriteAllBytesAsync(local, RandomNumberGenerator.GetBytes(5_000_000));
            await files.UploadAsync(local, "/workspace/model.bin");
            var length = await files.DownloadAsync("/workspace/model.bin", back);
            byte[] sent = await File.ReadAllBytesAsync(local), received = await File.ReadAllBytesAsync(back);
            Console.WriteLine($"{length} bytes there and back, {(sent.SequenceEqual(received) ? "the same" : "NOT the same")}");
        }
        finally
        {
            File.Delete(local);
            File.Delete(back);
        }
    }
}
