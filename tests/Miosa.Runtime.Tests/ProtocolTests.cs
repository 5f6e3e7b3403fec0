using System.Diagnostics;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Tests;

/// <summary>The socket itself: who may use it and what bad clients get.</summary>
public sealed class ProtocolTests(RuntimeFixture runtime)
{
    [Theory]
    [InlineData("no json at all")]
    [InlineData("[1,2]")]
    [InlineData("""{"id":"one","op":"hello"}""")]
    [InlineData("""{"id":1,"op":"explode"}""")]
    [InlineData("""{"id":1,"op":"launch","machine":"../../etc","image":"miosa-busybox"}""")]
    [InlineData("""{"id":1,"op":"launch","machine":"UPPER","image":"miosa-busybox"}""")]
    [InlineData("""{"id":1,"op":"launch","machine":"ok","image":"../content"}""")]
    [InlineData("""{"id":1,"op":"launch","machine":"ok","image":"miosa-busybox","memory_mb":-1}""")]
    [InlineData("""{"id":1,"op":"launch","machine":"ok","image":"miosa-busybox","vcpus":1e300}""")]
    [InlineData("""{"id":1,"op":"launch","machine":"ok","image":"miosa-busybox","pids":99999999999}""")]
    [InlineData("""{"id":1,"op":"launch","machine":"ok","image":"miosa-busybox","hostname":"a b"}""")]
    public async Task A_bad_line_is_refused_and_the_connection_goes_on(string line)
    {
        using var client = runtime.Connect();
        await client.SendLineAsync(line);
        Assert.Equal(RuntimeErrors.BadRequest, (await client.ReadAsync()).Error?.Code);
        await client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Hello }, RuntimeWireJson.Default.RuntimeHello);
    }

    [Fact]
    public async Task A_line_without_end_closes_only_its_own_connection()
    {
        using var other = runtime.Connect();
        using var client = runtime.Connect();
        await client.SendLineAsync(new string('x', 70_000));
        Assert.Equal(RuntimeErrors.BadRequest, (await client.ReadAsync()).Error?.Code);
        await other.OkAsync(new RuntimeRequest { Op = RuntimeOps.Hello }, RuntimeWireJson.Default.RuntimeHello);
    }

    [Fact]
    public async Task An_unknown_image_and_a_second_machine_of_one_name_are_refused()
    {
        await using var machine = await runtime.LaunchAsync();
        var again = new RuntimeRequest { Op = RuntimeOps.Launch, Machine = machine.Info.Machine, Image = RuntimeFixture.Image };
        Assert.Equal(RuntimeErrors.Exists, (await machine.Client.RefusedAsync(again)).Code);
        Assert.Equal(RuntimeErrors.ImageNotFound, (await machine.Client.RefusedAsync(again with { Machine = runtime.NewId(), Image = "none" })).Code);
        Assert.Equal(RuntimeErrors.NotFound, (await machine.Client.RefusedAsync(new RuntimeRequest { Op = RuntimeOps.Inspect, Machine = "nobody" })).Code);
    }

    [Theory]
    [InlineData(65534, "version")]
    [InlineData(12345, "denied")]
    public void Only_root_and_the_server_s_user_are_answered(int uid, string expected)
    {
        // A stranger is told before it says anything.
        // Open to all for the moment, so that it is the runtime and not the mode of the file that refuses.
        foreach (var path in new[] { Path.GetDirectoryName(runtime.Run)!, runtime.Run }) File.SetUnixFileMode(path, (UnixFileMode)0x1ed);
        File.SetUnixFileMode(runtime.Socket, (UnixFileMode)0x1b6);
        const string script = "import socket,sys,os; os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2])); s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); sys.argv[3] == 'denied' or s.send(b'{\"id\":1,\"op\":\"hello\"}\\n'); print(s.recv(65536).decode())";
        using var process = Process.Start(new ProcessStartInfo("python3", ["-c", script, runtime.Socket, uid.ToString(System.Globalization.CultureInfo.InvariantCulture), expected]) { RedirectStandardOutput = true })!; // not a shell execute
        Assert.Contains(expected, process.StandardOutput.ReadToEnd(), StringComparison.Ordinal);
    }
}
