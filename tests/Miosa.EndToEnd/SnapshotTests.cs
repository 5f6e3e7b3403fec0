namespace Miosa.EndToEnd;

public sealed class SnapshotTests(LivePlatform platform)
{
    [Theory]
    [ClassData(typeof(Twins))]
    public async Task A_snapshot_is_taken_listed_restored_and_deleted(bool async)
    {
        using var client = platform.Client();
        await using var sandbox = await LivePlatform.CreateAsync(client);
        await sandbox.Files.WriteAsync("/workspace/a.txt", "before");
        var snapshots = sandbox.Snapshots;

        var taken = await Twins.CallAsync(async, () => snapshots.Create(new() { Comment = "c" }), () => snapshots.CreateAsync(new() { Comment = "c" }));
        await sandbox.Files.WriteAsync("/workspace/a.txt", "after");
        var listed = await Twins.CallAsync(async, () => snapshots.List(), () => snapshots.ListAsync());
        var found = await Twins.CallAsync(async, () => snapshots.Get(taken.Id), () => snapshots.GetAsync(taken.Id));
        await using var restored = await Twins.CallAsync(async, () => snapshots.Restore(taken.Id), () => snapshots.RestoreAsync(taken.Id));

        Assert.Equal([taken.Id], listed.Select(s => s.Id));
        Assert.Equal(("c", "ready", sandbox.Id), (found.Comment, found.Status, found.SandboxId));
        Assert.NotEqual(sandbox.Id, restored.Id);
        Assert.Equal("before", await restored.Files.ReadTextAsync("/workspace/a.txt"));

        await Twins.CallAsync(async, () => { snapshots.Delete(taken.Id); return true; }, async () => { await snapshots.DeleteAsync(taken.Id); return true; });
        await Assert.ThrowsAsync<NotFoundException>(() => Twins.CallAsync(async, () => snapshots.Restore(taken.Id), () => snapshots.RestoreAsync(taken.Id)));
    }
}
