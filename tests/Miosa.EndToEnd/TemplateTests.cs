using System.Text.Json.Nodes;

namespace Miosa.EndToEnd;

public sealed class TemplateTests(LivePlatform platform)
{
    [Theory]
    [ClassData(typeof(Twins))]
    public async Task A_template_is_made_built_used_and_deleted(bool async)
    {
        using var client = platform.Client();
        var templates = client.SandboxTemplates;
        var request = new CreateSandboxTemplateRequest
        {
            Name = $"built {async}",
            BuildSpec = new() { From = "miosa-sandbox", MemoryMib = 512, Steps = [new JsonObject { ["run"] = "echo made > /made" }], StartCmd = "sleep 1000" },
        };

        var created = await Twins.CallAsync(async, () => templates.Create(request), () => templates.CreateAsync(request));
        var builds = await Twins.CallAsync(async, () => templates.ListBuilds(created.Id), () => templates.ListBuildsAsync(created.Id));
        var events = await Twins.AllAsync(async, () => templates.StreamBuildLogs(builds[0].Id), () => templates.StreamBuildLogsAsync(builds[0].Id));
        var ready = await Twins.CallAsync(async, () => templates.WaitUntilBuilt(created.Id), () => templates.WaitUntilBuiltAsync(created.Id));
        await using var sandbox = await client.Sandboxes.CreateAsync(image: created.Slug);
        var started = await Twins.CallAsync(async, () => sandbox.StartTemplate(), () => sandbox.StartTemplateAsync());

        Assert.Equal((EventNames.BuildCompleted, created.Id), (events[^1].Type, events[^1].TemplateId));
        Assert.Contains(events, one => one.Line?.Contains("echo made", StringComparison.Ordinal) == true);
        Assert.Equal((TemplateStatus.Ready, 512, builds[0].Id), (ready.Status, ready.MemoryMb, ready.CurrentBuildId));
        Assert.Equal(("made\n", 512, created.Id), ((await sandbox.RunAsync("cat /made")).Stdout, sandbox.Info.MemoryMb, sandbox.Info.TemplateId));
        Assert.Matches("^[0-9]+$", started.Pid);
        Assert.Contains(await Twins.CallAsync(async, () => templates.List(), () => templates.ListAsync()), one => one.Id == "miosa-sandbox" && one.BuiltIn);
        Assert.Equal(BuildStatus.Ready, (await Twins.CallAsync(async, () => templates.GetBuild(builds[0].Id), () => templates.GetBuildAsync(builds[0].Id))).Status);
        Assert.Contains((await Twins.CallAsync(async, () => templates.GetCatalog(), () => templates.GetCatalogAsync())).Templates, one => one.Id == created.Id);

        await Twins.CallAsync(async, () => templates.Delete(created.Id), () => templates.DeleteAsync(created.Id));
        await Assert.ThrowsAsync<NotFoundException>(() => Twins.CallAsync(async, () => templates.Get(created.Id), () => templates.GetAsync(created.Id)));
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task The_wait_for_a_build_that_fails_throws_its_reason(bool async)
    {
        using var client = platform.Client();
        var templates = client.SandboxTemplates;
        var created = await templates.CreateAsync("failing", "miosa-sandbox");
        var again = new CreateSandboxTemplateBuildRequest { BuildSpec = new() { Dockerfile = "FROM miosa-sandbox\nRUN exit 5" } };
        var build = await Twins.CallAsync(async, () => templates.Build(created.Id, again), () => templates.BuildAsync(created.Id, again));
        await Eventually.IsAsync(async () => (await templates.GetBuildAsync(build.Id)).Status == BuildStatus.Failed);
        Assert.Equal(TemplateStatus.Ready, (await templates.GetAsync(created.Id)).Status);
        await templates.DeleteAsync(created.Id);

        var broken = await templates.CreateAsync(new CreateSandboxTemplateRequest { Name = "broken", BuildSpec = again.BuildSpec });
        var failure = await Assert.ThrowsAsync<MiosaException>(() => Twins.CallAsync(async, () => templates.WaitUntilBuilt(broken.Id), () => templates.WaitUntilBuiltAsync(broken.Id)));
        Assert.Contains("exit code 5", failure.Message, StringComparison.Ordinal);
        Assert.Equal("STEP_FAILED", failure.Code);
        await templates.DeleteAsync(broken.Id);

        var checkedSpec = await Twins.CallAsync(async, () => templates.Validate(new() { Dockerfile = "FROM miosa-sandbox\nVOLUME /x" }), () => templates.ValidateAsync(new() { Dockerfile = "FROM miosa-sandbox\nVOLUME /x" }));
        Assert.Contains("line 2: VOLUME", checkedSpec.Errors.Single(), StringComparison.Ordinal);
        Assert.Equal("object", (await Twins.CallAsync(async, () => templates.GetBuildSpecSchema(), () => templates.GetBuildSpecSchemaAsync()))["type"]?.GetValue<string>());
    }
}
