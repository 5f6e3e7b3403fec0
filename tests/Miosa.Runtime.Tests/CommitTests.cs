using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Tests;

/// <summary>A machine's files become an image: what it changed is in it, what is the machine's own is not, and nothing of the host ever is.</summary>
public sealed class CommitTests(RuntimeFixture runtime) : IDisposable
{
    private readonly string name = $"c-{Guid.NewGuid():N}";

    public void Dispose()
    {
        foreach (var line in runtime.Command(["image", "list"]).Split('\n'))
            if (line.Split(' ')[0] is var image && image.StartsWith(name, StringComparison.Ordinal)) runtime.Command(["image", "remove", image]);
    }

    [Fact]
    public async Task A_machine_of_the_image_has_what_the_first_one_changed()
    {
        await using (var machine = await runtime.LaunchAsync())
        {
            await OkAsync(machine, """
                echo new > /new && echo changed > /etc/passwd.extra && mkdir /deep && mkdir /deep/er && echo x > /deep/er/file
                rm /bin/ls && rm -r /home && mkdir /home && echo only > /home/this
                ln -s /nowhere /dangling && echo a > /hard && ln /hard /hard2
                chmod 4755 /new && chown 1000:1001 /deep/er/file && mkdir /mode && chmod 1777 /mode
                """);
            await CommitAsync(machine, name);
        }
        await using var second = await runtime.LaunchAsync(request => request with { Image = name });
        await OkAsync(second, """
            set -e
            test "$(cat /new)" = new && test "$(cat /etc/passwd.extra)" = changed && test "$(cat /deep/er/file)" = x
            test ! -e /bin/ls && test -e /bin/cat
            test "$(echo /home/*)" = /home/this
            test "$(readlink /dangling)" = /nowhere
            test "$(stat -c %i /hard)" = "$(stat -c %i /hard2)"
            test "$(stat -c %a /new)" = 4755 && test "$(stat -c %u:%g /deep/er/file)" = 1000:1001 && test "$(stat -c %a /mode)" = 1777
            """);
    }

    [Fact]
    public async Task The_machine_goes_on_and_its_later_changes_are_not_in_the_image()
    {
        await using var machine = await runtime.LaunchAsync();
        await OkAsync(machine, "echo before > /file");
        await CommitAsync(machine, name);
        await OkAsync(machine, "echo after > /file");
        Assert.Equal(MachineStates.Running, (await machine.InspectAsync()).State);
        await using var second = await runtime.LaunchAsync(request => request with { Image = name });
        Assert.Equal("before\n", (await second.ShAsync("cat /file")).Output);
    }

    [Fact]
    public async Task A_second_image_stands_on_the_first()
    {
        await using (var machine = await runtime.LaunchAsync())
        {
            await OkAsync(machine, "echo one > /one; echo one > /both");
            await CommitAsync(machine, name);
        }
        await using (var machine = await runtime.LaunchAsync(request => request with { Image = name }))
        {
            await OkAsync(machine, "echo two > /two; echo two > /both; rm /one");
            await CommitAsync(machine, name + "-2");
        }
        await using var third = await runtime.LaunchAsync(request => request with { Image = name + "-2" });
        Assert.Equal("two\ntwo\n", (await third.ShAsync("cat /two /both")).Output);
        Assert.NotEqual(0, (await third.ShAsync("test -e /one")).ExitCode);
        await using var again = await runtime.LaunchAsync(request => request with { Image = name });
        Assert.Equal("one\none\n", (await again.ShAsync("cat /one /both")).Output);
    }

    [Fact]
    public async Task Name_address_and_resolver_of_the_machine_are_not_in_the_image()
    {
        await using (var machine = await runtime.LaunchAsync(request => request with { Hostname = "first" }))
        {
            await OkAsync(machine, "echo 6.6.6.6 stolen.example >> /etc/hosts; echo other > /etc/other");
            await CommitAsync(machine, name);
        }
        await using var second = await runtime.LaunchAsync(request => request with { Image = name, Hostname = "second" });
        Assert.Equal("other\nsecond\n", (await second.ShAsync("cat /etc/other /etc/hostname")).Output);
        Assert.DoesNotContain("stolen", (await second.ShAsync("cat /etc/hosts")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_link_in_the_machine_brings_no_file_of_the_host_into_the_image()
    {
        await using (var machine = await runtime.LaunchAsync())
        {
            // Where the walk would leave the disk if it followed: a link in place of a file, of a folder, and one that climbs.
            await OkAsync(machine, "rm -f /etc/shadow; ln -s /etc/shadow /stolen; ln -s /../../../../../../../../etc /etc2; rm -rf /opt; ln -s /root /opt");
            await CommitAsync(machine, name);
        }
        await using var second = await runtime.LaunchAsync(request => request with { Image = name });
        Assert.Equal("/etc/shadow\n/../../../../../../../../etc\n/root\n", (await second.ShAsync("readlink /stolen; readlink /etc2; readlink /opt")).Output);
        Assert.NotEqual(0, (await second.ShAsync("cat /stolen")).ExitCode);
    }

    [Fact]
    public async Task A_file_longer_than_the_disk_does_not_become_an_image()
    {
        await using var machine = await runtime.LaunchAsync();
        await OkAsync(machine, "truncate -s 1T /bomb || dd if=/dev/zero of=/bomb bs=1 count=1 seek=1099511627775");
        var refused = await machine.Client.RefusedAsync(new RuntimeRequest { Op = RuntimeOps.Commit, Machine = machine.Info.Machine, Name = name });
        Assert.Contains("larger than", refused.Message, StringComparison.Ordinal);
        Assert.Equal(MachineStates.Running, (await machine.InspectAsync()).State);
        Assert.Equal("alive\n", (await machine.ShAsync("echo alive")).Output);
        Assert.Empty(Directory.EnumerateFileSystemEntries(runtime.Data + "/images/staging"));
        Assert.DoesNotContain(name, runtime.Command(["image", "list"]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mkdir '/.wh.x' && rm -f /none", ".wh.")]
    [InlineData("touch \"/$(printf 'a\\377b')\"", "UTF-8")]
    [InlineData("cd /; i=0; while [ $i -lt 600 ]; do mkdir d && cd d || exit 1; i=$((i+1)); done", "folders deep")]
    public async Task A_tree_that_no_layer_can_hold_is_refused_with_its_reason(string command, string says)
    {
        await using var machine = await runtime.LaunchAsync();
        await OkAsync(machine, command);
        var refused = await machine.Client.RefusedAsync(new RuntimeRequest { Op = RuntimeOps.Commit, Machine = machine.Info.Machine, Name = name });
        Assert.Contains(says, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tag_gives_the_same_files_with_defaults_of_its_own()
    {
        using var client = runtime.Connect();
        var request = new RuntimeRequest
        {
            Op = RuntimeOps.Tag, Image = RuntimeFixture.Image, Name = name,
            Env = new Dictionary<string, string> { ["OF_TAG"] = "yes", ["PATH"] = "/opt/own:/bin" }, Workdir = "/tmp", User = "1000:1001", Cmd = ["sh"],
        };
        await client.OkAsync(request, RuntimeWireJson.Default.ImageInfo);
        await using var machine = await runtime.LaunchAsync(launch => launch with { Image = name });
        Assert.Equal("yes /opt/own:/bin /tmp 1000 1001 unset\n", (await machine.ShAsync("echo $OF_TAG $PATH $PWD $(id -u) $(id -g) ${MIOSA_USER-unset}${MIOSA_WORKDIR-}")).Output);
    }

    [Fact]
    public async Task Content_without_a_name_or_machine_is_collected_with_what_only_it_stood_on()
    {
        await using (var machine = await runtime.LaunchAsync())
        {
            await OkAsync(machine, "echo one > /one");
            await CommitAsync(machine, name);
        }
        var second = await runtime.LaunchAsync(request => request with { Image = name });
        await OkAsync(second, "echo two > /two");
        await CommitAsync(second, name + "-2");
        var (below, above) = (FolderOf(name), FolderOf(name + "-2"));
        using var client = runtime.Connect();
        await RemoveAsync(client, name);
        await RemoveAsync(client, name + "-2");
        // Its machine runs: what that stands on stays, what it only made goes.
        await Eventually.TrueAsync(() => !Directory.Exists(above), "the upper content is collected");
        Assert.True(Directory.Exists(below));
        Assert.Equal("one\n", (await second.ShAsync("cat /one")).Output);
        await second.DisposeAsync();
        await Eventually.TrueAsync(() => !Directory.Exists(below), "the lower content is collected");
        Assert.Contains(RuntimeFixture.Image, runtime.Command(["image", "list"]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_base_below_a_named_image_is_kept_when_its_own_name_goes()
    {
        await using (var machine = await runtime.LaunchAsync())
        {
            await OkAsync(machine, "echo one > /one");
            await CommitAsync(machine, name);
        }
        await using (var machine = await runtime.LaunchAsync(request => request with { Image = name }))
        {
            await OkAsync(machine, "echo two > /two");
            await CommitAsync(machine, name + "-2");
        }
        var below = FolderOf(name);
        runtime.Command(["image", "remove", name]);
        // A restart collects at once whatever may go.
        runtime.Stop(15);
        await runtime.StartAsync();
        Assert.True(Directory.Exists(below));
    }

    [Theory]
    [InlineData("../x")]
    [InlineData("a b")]
    [InlineData("--setup-hook=touch /tmp/x")]
    [InlineData("a,--hook-dir=/tmp")]
    [InlineData("")]
    public async Task What_is_no_package_name_never_reaches_the_tool_that_runs_as_root(string package)
    {
        using var client = runtime.Connect();
        var refused = await client.RefusedAsync(new RuntimeRequest { Op = RuntimeOps.Bootstrap, Name = name, Packages = ["jq", package] });
        Assert.Equal(RuntimeErrors.BadRequest, refused.Code);
        Assert.Contains("Debian package", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_commit_of_an_unknown_machine_is_refused()
    {
        using var client = runtime.Connect();
        Assert.Equal(RuntimeErrors.NotFound, (await client.RefusedAsync(new RuntimeRequest { Op = RuntimeOps.Commit, Machine = "nobody", Name = name })).Code);
        Assert.Equal(RuntimeErrors.ImageNotFound, (await client.RefusedAsync(new RuntimeRequest { Op = RuntimeOps.Tag, Image = "nothing", Name = name })).Code);
    }

    private string FolderOf(string image)
    {
        var info = System.Text.Json.JsonSerializer.Deserialize(File.ReadAllBytes($"{runtime.Data}/images/names/{image}.json"), RuntimeWireJson.Default.ImageInfo)!; // never "null"
        return $"{runtime.Data}/images/content/{info.Content!.Replace(':', '-')}"; // every image of this version has it
    }

    private static async Task RemoveAsync(RuntimeClient client, string image) =>
        await client.OkAsync(new RuntimeRequest { Op = RuntimeOps.RemoveImage, Name = image }, RuntimeWireJson.Default.RuntimeNothing);

    private static async Task CommitAsync(TestMachine machine, string image) =>
        await machine.Client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Commit, Machine = machine.Info.Machine, Name = image }, RuntimeWireJson.Default.ImageInfo);

    private static async Task OkAsync(TestMachine machine, string command)
    {
        var ran = await machine.ShAsync(command);
        Assert.True(ran.ExitCode == 0, ran.Errors + ran.Output);
    }
}
