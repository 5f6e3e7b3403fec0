using System.Globalization;

namespace Miosa.Runtime.Tests;

/// <summary>What root inside a machine must not be able to do. Each test tries it.</summary>
public sealed class IsolationTests(RuntimeFixture runtime)
{
    private const int EPERM = 1, ENOSYS = 38, EPROTONOSUPPORT = 93, EAFNOSUPPORT = 97;

    [Theory]
    [InlineData("mount -t tmpfs none /tmp", "mounts")]
    [InlineData("mount -o remount,rw /proc/sys", "makes /proc/sys writable")]
    [InlineData("umount /proc/keys", "unmasks a masked path")]
    [InlineData("mknod /tmp/disk b 7 0", "makes a device")]
    [InlineData("unshare -U true", "makes a user namespace")]
    [InlineData("unshare -n true", "makes a network namespace")]
    [InlineData("insmod /bin/busybox", "loads a module")]
    [InlineData("echo 1 > /proc/sys/kernel/panic", "writes a kernel setting")]
    [InlineData("echo 1 > /proc/sys/net/ipv4/ip_forward", "writes a network setting")]
    [InlineData("echo 10 > /proc/sys/user/max_user_namespaces", "allows user namespaces again")]
    [InlineData("echo b > /proc/sysrq-trigger && [ -s /proc/sysrq-trigger ]", "triggers sysrq")]
    [InlineData("[ -s /proc/kcore ] || [ -s /proc/kallsyms ] || head -c1 /proc/kmsg | grep -q .", "reads kernel memory")]
    [InlineData("mkdir /sys/x || touch /sys/x", "writes in /sys")]
    [InlineData("ls /sys | grep -q .", "sees /sys")]
    [InlineData("rm /dev/null || touch /dev/x", "changes the devices that all machines share")]
    [InlineData("chroot / ls /data || ls /lower", "finds the launcher's folders")]
    [InlineData("hostname other", "renames the host")]
    [InlineData("date -s 2020-01-01 >/dev/null; [ $(date +%Y) = 2020 ]", "sets the clock")]
    [InlineData("[ $(nice -n -5 nice) -lt 0 ]", "raises its priority")]
    [InlineData("ip link add dummy0 type dummy", "makes an interface")]
    [InlineData("echo x > /proc/1/exe", "rewrites the guest through /proc/1/exe")]
    [InlineData("echo -1000 > /proc/self/oom_score_adj", "hides from the out-of-memory killer")]
    public async Task Root_in_a_machine_cannot_do_what_the_host_reserves(string command, string what)
    {
        await using var machine = await runtime.LaunchAsync();
        var ran = await machine.ShAsync(command);
        Assert.True(ran.ExitCode != 0, $"a machine {what}: {ran.Output}{ran.Errors}");
    }

    [Theory]
    [InlineData("socket AF_VSOCK", EAFNOSUPPORT, 41, 40, 1, 0)]
    [InlineData("socket AF_PACKET", EAFNOSUPPORT, 41, 17, 3, 0)]
    [InlineData("socket AF_ALG", EAFNOSUPPORT, 41, 38, 5, 0)]
    [InlineData("socket AF_NETLINK netfilter", EPROTONOSUPPORT, 41, 16, 3, 12)]
    [InlineData("socket AF_INET raw", EPERM, 41, 2, 3, 1)]
    [InlineData("io_uring_setup", ENOSYS, 425, 8, 0, 0)]
    [InlineData("bpf", EPERM, 321, 0, 0, 0)]
    [InlineData("perf_event_open", EPERM, 298, 0, 0, -1)]
    [InlineData("keyctl", ENOSYS, 250, 0, -3, 0)]
    [InlineData("add_key", ENOSYS, 248, 0, 0, 0)]
    [InlineData("open_by_handle_at", EPERM, 304, -100, 0, 0)]
    [InlineData("userfaultfd", EPERM, 323, 0, 0, 0)]
    [InlineData("finit_module", EPERM, 313, 0, 0, 0)]
    [InlineData("kexec_load", EPERM, 246, 0, 0, 0)]
    [InlineData("clone3", ENOSYS, 435, 0, 88, 0)]
    [InlineData("clone NEWUSER", EPERM, 56, 0x10000011, 0, 0)]
    [InlineData("unshare NEWTIME", EPERM, 272, 0x80, 0, 0)]
    [InlineData("setns", EPERM, 308, 0, 0, 0)]
    [InlineData("fsopen", EPERM, 430, 0, 0, 0)]
    [InlineData("x32 getpid", ENOSYS, 0x40000027, 0, 0, 0)]
    public async Task The_filter_refuses_the_call(string name, int errno, int number, long a, long b, long c)
    {
        await using var machine = await runtime.LaunchAsync();
        Assert.True(errno == await SyscallProbe.RunAsync(machine, number, a, b, c), name);
    }

    [Fact]
    public async Task The_probe_itself_can_succeed()
    {
        await using var machine = await runtime.LaunchAsync();
        Assert.Equal(0, await SyscallProbe.RunAsync(machine, 41, 1, 1, 0));
        Assert.Equal(0, await SyscallProbe.RunAsync(machine, 41, 16, 3, 0));
        Assert.Equal(0, await SyscallProbe.RunAsync(machine, 39));
    }

    [Fact]
    public async Task Capabilities_are_these_ten_and_no_more_can_be_had()
    {
        await using var machine = await runtime.LaunchAsync();
        var ran = await machine.ShAsync("grep -E '^(Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp):' /proc/self/status; grep CapBnd /proc/1/status");
        Assert.Equal(
            """
            CapInh:	0000000000000000
            CapPrm:	00000000000405fb
            CapEff:	00000000000405fb
            CapBnd:	00000000000405fb
            CapAmb:	0000000000000000
            NoNewPrivs:	1
            Seccomp:	2
            CapBnd:	00000000000405fb
            """, ran.Output.TrimEnd());
    }

    [Theory]
    [InlineData("/etc/miosa-secret")]
    [InlineData("/../../../../etc/miosa-secret")]
    [InlineData("/proc/1/root/etc/miosa-secret")]
    [InlineData("/proc/1/cwd/../../../etc/miosa-secret")]
    [InlineData("/tmp/link/etc/miosa-secret")]
    public async Task A_file_of_the_host_cannot_be_read(string path)
    {
        const string secret = "/etc/miosa-secret";
        await File.WriteAllTextAsync(secret, "secret of the host");
        File.SetUnixFileMode(secret, (UnixFileMode)0x1b6);
        try
        {
            await using var machine = await runtime.LaunchAsync();
            var ran = await machine.ShAsync($"ln -s /proc/1/root/../.. /tmp/link; cat {path}");
            Assert.NotEqual(0, ran.ExitCode);
            Assert.DoesNotContain("secret of the host", ran.Output, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(secret);
        }
    }

    [Fact]
    public async Task Machines_see_neither_each_other_s_processes_nor_files()
    {
        await using var one = await runtime.LaunchAsync();
        await using var other = await runtime.LaunchAsync();
        await one.ShAsync("echo private > /tmp/private; (exec -a hidden-process sleep 100) >/dev/null 2>&1 &");
        Assert.NotEqual(0, (await other.ShAsync("cat /tmp/private")).ExitCode);
        Assert.DoesNotContain("hidden-process", (await other.ShAsync("cat /proc/[0-9]*/cmdline")).Output, StringComparison.Ordinal);
        Assert.NotEqual(0, (await other.ShAsync($"kill -0 {one.Info.Pid}")).ExitCode);
    }

    [Fact]
    public async Task Files_made_inside_belong_to_the_machine_s_own_ids_on_the_host()
    {
        await using var one = await runtime.LaunchAsync();
        await using var other = await runtime.LaunchAsync();
        await one.ShAsync("echo x > /tmp/mine; echo y > /tmp/users; chown 1000:1000 /tmp/users; cp /bin/busybox /tmp/busybox; chmod 4755 /tmp/busybox");
        // As the kernel shows them to the host through the machine's own mount: no process but the machine's has these ids.
        var root = $"/proc/{one.Info.Pid}/root/tmp";
        Assert.Equal(one.Info.BaseId, Native.Owner(root + "/mine"));
        Assert.Equal(one.Info.BaseId + 1000, Native.Owner(root + "/users"));
        // On the disk they have the ids they have inside, so that a copy fits any machine: nobody of the host may get there.
        var disk = $"{runtime.Data}/machines/{one.Info.Machine}/disk/upper/tmp/busybox";
        Assert.True(File.Exists(disk));
        foreach (var user in new[] { "65534", "1000" })
        {
            // Through a shell: setpriv itself keeps the powers of root until it becomes another program.
            using var attempt = System.Diagnostics.Process.Start("setpriv", ["--reuid", user, "--regid", user, "--clear-groups", "sh", "-c", $"'{disk}' true 2>/dev/null"]);
            await attempt.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.InRange(attempt.ExitCode, 126, 127);
        }
        Assert.True(Math.Abs(one.Info.BaseId - other.Info.BaseId) >= 65_536, "ranges overlap");
    }

    [Fact]
    public async Task The_guest_s_program_is_the_same_after_every_attempt_to_write_it()
    {
        await using var machine = await runtime.LaunchAsync();
        var before = await File.ReadAllBytesAsync(RuntimeFixture.GuestProgram);
        await machine.ShAsync("cat /bin/busybox > /proc/1/exe; dd if=/dev/zero of=/proc/1/exe bs=1 count=64; chmod 777 /proc/1/exe; for f in /proc/1/fd/*; do [ -f $f ] && echo x > $f; done");
        Assert.Equal(before, await File.ReadAllBytesAsync(RuntimeFixture.GuestProgram));
        // And what the next machine gets is whole as well.
        await using var next = await runtime.LaunchAsync();
        Assert.Equal("fine", (await next.ShAsync("echo fine")).Output.Trim());
    }

    [Fact]
    public async Task The_guest_inherits_no_descriptor_but_its_own()
    {
        await using var machine = await runtime.LaunchAsync();
        var links = (await machine.ShAsync("ls -l /proc/1/fd | grep -v /disk/guest.log")).Output;
        Assert.DoesNotContain("/data", links, StringComparison.Ordinal);
        Assert.DoesNotContain("tasks", links, StringComparison.Ordinal);
        Assert.DoesNotContain("ns/", links, StringComparison.Ordinal);
        Assert.DoesNotContain("/images", links, StringComparison.Ordinal);
        var own = (await machine.ShAsync("cat /proc/1/oom_score_adj; hostname; echo $MIOSA_MACHINE; cat /proc/self/cgroup | cut -d: -f3 | sort -u")).Output.Split('\n');
        Assert.Equal("500", own[0]);
        Assert.Equal(machine.Info.Machine, own[1]);
        Assert.Equal("/", own[3]);
        Assert.Equal(machine.Info.Machine, own[2]);
        Assert.True(machine.Info.BaseId >= 2_000_000_000, machine.Info.BaseId.ToString(CultureInfo.InvariantCulture));
    }
}
