using Miosa.Runtime.Cgroups;
using Miosa.Runtime.Images;
using Miosa.Runtime.Launch;

namespace Miosa.Runtime.Tests;

/// <summary>The pure parts, without root.</summary>
public sealed class PlanTests
{
    private static readonly LaunchOrder Order = new()
    {
        Machine = "m", Hostname = "host", Rootfs = "images/x/rootfs", Disk = "machines/m/disk", BaseId = 1_000_000, IsIdMapped = true,
        IsDurable = false, Environment = [],
        MaskedFiles = ["/proc/kcore"], MaskedDirectories = ["/proc/acpi"], ReadOnlyPaths = ["/proc/sys"], CgroupTasks = 2, IsInCgroupV2 = false, ShmMb = 64,
        Veth = new VethOrder { HostInterface = "v", HostAddress = "10.0.0.1", MachineAddress = "10.0.0.2", PrefixLength = 30 },
    };

    [Fact]
    public void The_steps_come_in_the_order_the_boundary_needs()
    {
        var steps = MachinePlan.For(Order).Select(call => call.Step).ToList();
        string[] order = ["wait", "files", "identity", "root", "proc", "dev", "masks", "detach", "network", "bounds", "guest"];
        Assert.Equal(order, order.OrderBy(step => steps.IndexOf(step)));
        Assert.Equal("guest", steps[^1]);
        Assert.Equal("bounds", steps[^2]);
    }

    [Fact]
    public void Nothing_is_mounted_by_a_path_of_the_image_before_the_pivot()
    {
        var plan = MachinePlan.For(Order);
        var pivot = plan.ToList().FindIndex(call => call.Number == 155);
        Assert.DoesNotContain(plan.Take(pivot), call => call.Number == 165);
    }

    [Fact]
    public void No_network_means_loopback_alone()
    {
        var messages = MachinePlan.For(Order with { Veth = null }).Count(call => call.Number == 44);
        Assert.Equal(1, messages);
    }

    [Fact]
    public void Limits_on_v2_are_these_writes()
    {
        var plan = new CgroupPlan(CgroupKind.V2, new Dictionary<string, string> { [""] = "/cg" }, "inst");
        Assert.Equal(["/cg/cgroup.subtree_control=+cpu +memory +pids", "/cg/inst/cgroup.subtree_control=+cpu +memory +pids"], plan.Preparation.Select(write => $"{write.Path}={write.Value}"));
        Assert.Equal(
            ["/cg/inst/m/cpu.max=150000 100000", "/cg/inst/m/memory.max=67108864", "/cg/inst/m/memory.swap.max=0", "/cg/inst/m/pids.max=99"],
            plan.Limit("m", new MachineLimits(1.5, 64, 99), null).Select(write => $"{write.Path}={write.Value}"));
        Assert.Equal("/cg/inst/m/cgroup.freeze=1", $"{plan.Freeze("m", true)!.Path}={plan.Freeze("m", true)!.Value}"); // v2 has a freezer
    }

    [Fact]
    public void Memory_on_v1_is_raised_from_the_outside_in()
    {
        var roots = new[] { "cpu", "cpuacct", "memory", "pids", "freezer" }.ToDictionary(name => name, name => "/cg/" + name);
        var plan = new CgroupPlan(CgroupKind.V1, roots, "inst");
        string[] Files(long from, long to) => [.. plan.Limit("m", new(1, to, 9), new(1, from, 9)).Select(write => Path.GetFileName(write.Path)).Where(name => name.StartsWith("memory", StringComparison.Ordinal))];
        Assert.Equal(["memory.memsw.limit_in_bytes", "memory.limit_in_bytes"], Files(64, 128));
        Assert.Equal(["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"], Files(128, 64));
    }

    [Theory]
    [InlineData("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    [InlineData("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")]
    [InlineData("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")]
    public void Sha256_is_the_published_one(string text, string digest) =>
        Assert.Equal(digest, Sha256.HexOf(new MemoryStream(System.Text.Encoding.ASCII.GetBytes(text))));
}
