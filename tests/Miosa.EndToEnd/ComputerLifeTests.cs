namespace Miosa.EndToEnd;

/// <summary>Computers that begin, stop, come back and end.</summary>
public sealed class ComputerLifeTests(LivePlatform platform)
{
    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Stopped_computer_keeps_its_disk_and_its_desktop_comes_back(bool async)
    {
        using var client = platform.Client();
        var computer = await Twins.CallAsync(async, () => client.Computers.Create(size: "xs", autoStopSeconds: 0), () => client.Computers.CreateAsync(size: "xs", autoStopSeconds: 0));
        try
        {
            await Twins.CallAsync(async, () => computer.WaitUntilRunning(), () => computer.WaitUntilRunningAsync());
            await computer.Files.WriteAsync("/home/user/kept.txt", "kept");

            await Twins.CallAsync(async, computer.Stop, () => computer.StopAsync());
            await Twins.CallAsync(async, () => computer.WaitUntilStopped(), () => computer.WaitUntilStoppedAsync());
            Assert.Equal("stopped", (await computer.StopAsync()).Status);
            var refused = await Assert.ThrowsAsync<ConflictException>(() => Twins.CallAsync(async, () => computer.Desktop.Click(5, 5), () => computer.Desktop.ClickAsync(5, 5)));
            Assert.Contains("start", refused.Message, StringComparison.Ordinal);

            await Twins.CallAsync(async, computer.Start, () => computer.StartAsync());
            await computer.WaitUntilRunningAsync();
            Assert.Equal("kept", await computer.Files.ReadTextAsync("/home/user/kept.txt"));
            Assert.True(Picture.Read(await computer.Desktop.ScreenshotAsync()).Colours > 20);

            await Twins.CallAsync(async, computer.Restart, () => computer.RestartAsync());
            await computer.WaitUntilRunningAsync();
            Assert.Equal("kept", await computer.Files.ReadTextAsync("/home/user/kept.txt"));
        }
        finally
        {
            await Twins.CallAsync(async, computer.Delete, () => computer.DeleteAsync());
        }
        await Assert.ThrowsAnyAsync<MiosaException>(() => computer.Desktop.ScreenshotAsync());
    }

    [Fact]
    public async Task Clone_and_restored_snapshot_have_the_files_and_a_life_of_their_own()
    {
        using var client = platform.Client();
        var computer = await client.Computers.CreateAsync(size: "xs");
        var others = new List<Computer>();
        try
        {
            await computer.WaitUntilRunningAsync();
            await computer.Files.WriteAsync("/home/user/state.txt", "one");
            var snapshot = await computer.Snapshots.CreateAsync("first");
            others.Add(await computer.CloneAsync());
            await computer.Files.WriteAsync("/home/user/state.txt", "two");
            others.Add(await computer.Snapshots.RestoreAsync(snapshot.Id));
            foreach (var other in others)
            {
                await other.WaitUntilRunningAsync();
                Assert.Equal("one", await other.Files.ReadTextAsync("/home/user/state.txt"));
            }
            await computer.Snapshots.RevertAsync(snapshot.Id);
            await Eventually.IsAsync(async () =>
            {
                try
                {
                    return await computer.Files.ReadTextAsync("/home/user/state.txt") == "one";
                }
                catch (ConflictException)
                {
                    return false; // it is being stopped and started again
                }
            });
            Assert.Equal("first", (await computer.Snapshots.ListAsync()).Single().Comment);
            await Eventually.IsAsync(async () =>
            {
                try
                {
                    await computer.Snapshots.DeleteAsync(snapshot.Id);
                    return true;
                }
                catch (ConflictException)
                {
                    return false; // the way back has not quite ended
                }
            });
        }
        finally
        {
            foreach (var one in (Computer[])[computer, .. others])
                await one.DeleteAsync();
        }
    }

    [Fact]
    public async Task Resized_computer_has_its_new_figures()
    {
        using var client = platform.Client();
        var computer = await client.Computers.CreateAsync(size: "xs");
        try
        {
            await computer.WaitUntilRunningAsync();
            await computer.ResizeAsync(new() { Size = "small" });
            await computer.WaitUntilRunningAsync();
            Assert.Equal((2, 4096, "small"), (computer.Info.Vcpus, computer.Info.MemoryMb, computer.Info.Size));
            await Assert.ThrowsAsync<ValidationException>(() => computer.ResizeAsync(new() { Size = "gigantic" }));
            await Assert.ThrowsAsync<ValidationException>(() => computer.MoveAsync("atlantis"));
        }
        finally
        {
            await computer.DeleteAsync();
        }
    }
}
