using System.Security.Cryptography;
using System.Text;

namespace Miosa.EndToEnd;

public sealed class FileTests(LivePlatform platform)
{
    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Text_comes_back_as_text_and_bytes_as_bytes(bool async)
    {
        using var client = platform.Client();
        await using var sandbox = await LivePlatform.CreateAsync(client);
        var files = sandbox.Files;
        byte[] binary = [0, 255, 10, 13, 128];

        await Twins.CallAsync(async, () => files.Write("/app/main.py", "print('hällo')\n"), () => files.WriteAsync("/app/main.py", "print('hällo')\n"));
        await Twins.CallAsync(async, () => files.Write("/app/data.bin", binary), () => files.WriteAsync("/app/data.bin", binary));
        await Twins.CallAsync(async, () => files.Write("/app/empty.txt", ""), () => files.WriteAsync("/app/empty.txt", ""));
        await Twins.CallAsync(async, () => files.Write("/app/package.json", "{}"), () => files.WriteAsync("/app/package.json", "{}"));

        Assert.Equal("print('hällo')\n", (await Twins.CallAsync(async, () => files.Read("/app/main.py"), () => files.ReadAsync("/app/main.py"))).Text);
        var data = await Twins.CallAsync(async, () => files.Read("/app/data.bin"), () => files.ReadAsync("/app/data.bin"));
        Assert.Null(data.Text);
        Assert.Equal(binary, data.Bytes.ToArray());
        Assert.Equal("", (await files.ReadAsync("/app/empty.txt")).Text);
        Assert.Equal("{}", (await files.ReadAsync("/app/package.json")).Text);
        Assert.Equal(5, (await files.ReadBytesAsync("/app/data.bin")).Length);
        Assert.Equal("print('hällo')\n", (await sandbox.RunAsync("cat /app/main.py")).Stdout);
    }

    [Theory]
    [InlineData("/workspace/a b.txt")]
    [InlineData("/workspace/line\nbreak")]
    [InlineData("/workspace/ünïcödé-日本-🙂")]
    [InlineData("/workspace/100%25?a=b&c#d")]
    [InlineData("/workspace/tree")]
    [InlineData("/workspace/sub/../up.txt")]
    [InlineData("/workspace/-rf")]
    [InlineData("/workspace/quote'\"$(id)")]
    [InlineData("relative/inside/workspace.txt")]
    public async Task Any_name_can_be_written_read_and_deleted(string path)
    {
        using var client = platform.Client();
        await using var sandbox = await LivePlatform.CreateAsync(client);
        await sandbox.Files.MkdirAsync("/workspace/sub");

        await sandbox.Files.WriteAsync(path, "json road");
        Assert.Equal("json road", await sandbox.Files.ReadTextAsync(path));
        await sandbox.Files.WriteAsync(path, new MemoryStream("raw road"u8.ToArray()));
        Assert.Equal("raw road", await sandbox.Files.ReadTextAsync(path));
        Assert.Equal(8, (await sandbox.Files.StatAsync(path)).Size);
        await sandbox.Files.DeleteAsync(path);
        await Assert.ThrowsAsync<NotFoundException>(() => sandbox.Files.ReadAsync(path));
    }

    [Fact]
    public async Task File_can_be_replaced_again_and_again()
    {
        using var client = platform.Client();
        await using var sandbox = await LivePlatform.CreateAsync(client);

        for (var round = 0; round < 30; round++)
        {
            await sandbox.Files.WriteAsync("/workspace/f", $"round {round}");
            Assert.Equal($"round {round}", await sandbox.Files.ReadTextAsync("/workspace/f"));
        }
    }

    [Fact]
    public async Task Name_of_255_bytes_works_and_of_256_is_refused()
    {
        using var client = platform.Client();
        await using var sandbox = await LivePlatform.CreateAsync(client);

        await sandbox.Files.WriteAsync("/workspace/" + new string('n', 255), "x");
        var failure = await Assert.ThrowsAnyAsync<MiosaException>(() => sandbox.Files.WriteAsync("/workspace/" + new string('n', 256), "x"));

        Assert.InRange(failure.StatusCode ?? 0, 400, 499);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Large_file_goes_up_and_comes_down_unchanged(bool async)
    {
        using var client = platform.Client();
        await using var sandbox = await LivePlatform.CreateAsync(client);
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            var (up, down) = (Path.Combine(folder.FullName, "up"), Path.Combine(folder.FullName, "down"));
            var content = RandomNumberGenerator.GetBytes(64_000_000);
            await File.WriteAllBytesAsync(up, content);
            var progress = new LastReport();

            await Twins.CallAsync(async, () => sandbox.Files.Upload(up, "big.bin", progress), () => sandbox.Files.UploadAsync(up, "big.bin", progress));
            Assert.Equal(content.Length, progress.Value);
            var length = await Twins.CallAsync(async, () => sandbox.Files.Download("big.bin", down, progress), () => sandbox.Files.DownloadAsync("big.bin", down, progress));

            Assert.Equal(content.Length, length);
            Assert.Equal(content.Length, progress.Value);
            var received = await File.ReadAllBytesAsync(down);
            Assert.True(content.SequenceEqual(received));
            var sum = await sandbox.RunAsync("sha256sum < big.bin");
            Assert.StartsWith(Convert.ToHexStringLower(SHA256.HashData(content)), sum.Stdout, StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Folders_are_made_listed_moved_copied_and_deleted(bool async)
    {
        using var client = platform.Client();
        await using var sandbox = await LivePlatform.CreateAsync(client);
        var files = sandbox.Files;

        await Twins.CallAsync(async, () => files.Mkdir("/app/a/b"), () => files.MkdirAsync("/app/a/b"));
        var outcome = await Twins.CallAsync(
            async,
            () => files.WriteFiles([new("/app/a/one.txt", "1"), new("/app/a/b/two.sh", "echo 2", "0755")]),
            () => files.WriteFilesAsync([new("/app/a/one.txt", "1"), new("/app/a/b/two.sh", "echo 2", "0755")]));
        Assert.Equal(2, outcome.Written.Count);
        Assert.Empty(outcome.Failed);

        var entries = await Twins.CallAsync(async, () => files.List("/app/a"), () => files.ListAsync("/app/a"));
        Assert.Equal(["/app/a/b dir", "/app/a/one.txt file"], entries.Select(entry => $"{entry.Path} {(entry.IsDir ? "dir" : "file")}"));
        var tree = await Twins.CallAsync(async, () => files.Tree("/app/a", recursive: true), () => files.TreeAsync("/app/a", recursive: true));
        Assert.Equal(["b", "one.txt"], tree.Children!.Select(node => node.Name));
        Assert.Equal("two.sh", tree.Children![0].Children!.Single().Name);
        Assert.Equal("2\n", (await sandbox.RunAsync("/app/a/b/two.sh")).Stdout);

        await Twins.CallAsync(async, () => files.Move("/app/a/one.txt", "/app/moved.txt"), () => files.MoveAsync("/app/a/one.txt", "/app/moved.txt"));
        await Twins.CallAsync(async, () => files.Copy("/app/moved.txt", "/app/copy.txt"), () => files.CopyAsync("/app/moved.txt", "/app/copy.txt"));
        await Twins.CallAsync(async, () => files.Chmod("/app/copy.txt", "0600"), () => files.ChmodAsync("/app/copy.txt", "0600"));
        Assert.Equal("0600", (await Twins.CallAsync(async, () => files.Stat("/app/copy.txt"), () => files.StatAsync("/app/copy.txt"))).Mode);
        Assert.Equal("1", await files.ReadTextAsync("/app/moved.txt"));

        await Twins.CallAsync(async, () => files.Delete("/app/a"), () => files.DeleteAsync("/app/a"));
        await Assert.ThrowsAsync<NotFoundException>(() => files.ListAsync("/app/a"));
    }

    [Fact]
    public async Task Streamed_write_sets_the_mode_and_reads_back()
    {
        using var client = platform.Client();
        await using var sandbox = await LivePlatform.CreateAsync(client);
        var script = new MemoryStream("#!/bin/sh\necho ran\n"u8.ToArray());

        await sandbox.Files.WriteAsync("/workspace/run", script, "0755");

        Assert.Equal("ran\n", (await sandbox.ExecAsync(["/workspace/run"])).Stdout);
        using var reader = new StreamReader(await sandbox.Files.OpenReadAsync("/workspace/run"), Encoding.UTF8);
        Assert.Equal("#!/bin/sh\necho ran\n", await reader.ReadToEndAsync());
    }

    [Fact]
    public async Task Faulty_paths_have_their_exceptions()
    {
        using var client = platform.Client();
        await using var sandbox = await LivePlatform.CreateAsync(client);
        var files = sandbox.Files;

        await Assert.ThrowsAsync<NotFoundException>(() => files.ReadAsync("/workspace/nothing"));
        await Assert.ThrowsAsync<NotFoundException>(() => files.OpenReadAsync("/workspace/nothing"));
        await Assert.ThrowsAsync<ValidationException>(() => files.ReadAsync("/workspace"));
        await Assert.ThrowsAsync<PermissionException>(() => files.WriteAsync("/proc/sys/kernel/hostname", "x"));
        await Assert.ThrowsAsync<NotFoundException>(() => files.MoveAsync("/workspace/nothing", "/workspace/x"));
    }

    private sealed class LastReport : IProgress<long>
    {
        public long Value { get; private set; }

        public void Report(long value) => Value = value;
    }
}
