using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text;

namespace Miosa.Runtime.Tests;

/// <summary>What a machine reaches. Targets are this host's own addresses and other machines, never a foreign address.</summary>
public sealed class NetworkTests(RuntimeFixture runtime)
{
    [Fact]
    public async Task A_machine_reaches_no_address_of_the_host()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Any, 0));
        listener.Listen();
        var port = ((IPEndPoint)listener.LocalEndPoint!).Port; // bound above
        await using var machine = await runtime.LaunchAsync();
        var addresses = NetworkInterface.GetAllNetworkInterfaces().SelectMany(nic => nic.GetIPProperties().UnicastAddresses)
            .Select(address => address.Address).Where(address => address.AddressFamily == AddressFamily.InterNetwork).ToList();
        Assert.Contains(addresses, address => address.ToString() == HostTraces.HostSide(machine.Info.Address!)); // it has a network
        foreach (var address in addresses)
            Assert.NotEqual(0, (await machine.ShAsync($"nc -w 1 {address} {port} </dev/null")).ExitCode);
    }

    [Fact]
    public async Task Machines_cannot_reach_each_other_but_the_host_reaches_both()
    {
        await using var one = await runtime.LaunchAsync();
        await using var other = await runtime.LaunchAsync();
        await other.ShAsync("(while :; do echo hello | nc -l -p 3000; done) >/dev/null 2>&1 &");
        await Eventually.TrueAsync(() => Greeting(other.Info.Address!) == "hello", "an answer of the machine to the host"); // it has a network
        Assert.NotEqual(0, (await one.ShAsync($"nc -w 1 {other.Info.Address} 3000 </dev/null | grep -q hello")).ExitCode);
    }

    [Theory]
    [InlineData("169.254.169.254")]
    [InlineData("10.215.255.1")]
    [InlineData("192.168.77.1")]
    public async Task Private_and_metadata_addresses_are_dropped_although_they_lie_behind_the_host(string address)
    {
        // Given to the host's own loopback: what closes it here is the rule for the host. The test below tries the list of closed ranges.
        using (var add = System.Diagnostics.Process.Start("ip", ["addr", "add", address + "/32", "dev", "lo"])) add.WaitForExit();
        try
        {
            using var listener = new TcpListener(IPAddress.Parse(address), 0);
            listener.Start();
            await using var machine = await runtime.LaunchAsync();
            Assert.NotEqual(0, (await machine.ShAsync($"nc -w 1 {address} {((IPEndPoint)listener.LocalEndpoint).Port} </dev/null")).ExitCode);
        }
        finally
        {
            using var remove = System.Diagnostics.Process.Start("ip", ["addr", "del", address + "/32", "dev", "lo"]);
            remove.WaitForExit();
        }
    }

    [Fact]
    public async Task A_private_network_behind_the_host_is_closed_while_a_public_one_is_open()
    {
        // A test host of our own in a namespace: once with a documentation address (public to the rules), once with a private one.
        const string setUp = """
            ip netns add mtpeer && ip link add mtpeer0 type veth peer name eth0 netns mtpeer &&
            ip addr add 203.0.113.1/24 dev mtpeer0 && ip addr add 192.168.78.1/24 dev mtpeer0 && ip link set mtpeer0 up &&
            ip -n mtpeer addr add 203.0.113.2/24 dev eth0 && ip -n mtpeer addr add 192.168.78.2/24 dev eth0 && ip -n mtpeer link set eth0 up
            """;
        Shell("ip netns del mtpeer 2>/dev/null; ip link del mtpeer0 2>/dev/null; true");
        Assert.Equal(0, Shell(setUp));
        using var peer = System.Diagnostics.Process.Start("ip", ["netns", "exec", "mtpeer", "sh", "-c", "while :; do echo hello | busybox nc -l -p 3000; done"]);
        try
        {
            await using var machine = await runtime.LaunchAsync();
            // Several tries: the test host's server begins anew after each caller.
            async Task<bool> Answers(string address) =>
                (await machine.ShAsync($"for i in 1 2 3 4; do nc -w 1 {address} 3000 </dev/null | grep -q hello && exit 0; done; exit 1")).ExitCode == 0;
            await Eventually.TrueAsync(() => Greeting("192.168.78.2") == "hello", "an answer of the test host to this host");
            Assert.True(await Answers("203.0.113.2"));
            Assert.False(await Answers("192.168.78.2"));
        }
        finally
        {
            peer.Kill(entireProcessTree: true);
            Shell("ip netns pids mtpeer | xargs -r kill -9; ip netns del mtpeer; ip link del mtpeer0 2>/dev/null; true");
        }
    }

    [Fact]
    public async Task A_machine_without_network_has_loopback_alone()
    {
        await using var machine = await runtime.LaunchAsync(request => request with { Network = false });
        Assert.Null(machine.Info.Address);
        Assert.Equal("lo", (await machine.ShAsync("ip -o link | cut -d: -f2 | tr -d ' '")).Output.Trim());
        Assert.Equal("self", (await machine.ShAsync("(echo self | nc -l -p 4000 &) ; sleep 0.2; nc 127.0.0.1 4000 </dev/null")).Output.Trim());
    }

    private static int Shell(string script)
    {
        using var shell = System.Diagnostics.Process.Start("sh", ["-c", script]);
        shell.WaitForExit();
        return shell.ExitCode;
    }

    private static string Greeting(string address)
    {
        try
        {
            using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 1000 };
            client.Connect(IPAddress.Parse(address), 3000);
            var buffer = new byte[64];
            return Encoding.ASCII.GetString(buffer, 0, client.Receive(buffer)).Trim();
        }
        catch (SocketException)
        {
            return "";
        }
    }
}
