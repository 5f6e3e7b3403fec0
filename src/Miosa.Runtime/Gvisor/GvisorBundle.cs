using System.Globalization;
using System.Text.Json.Nodes;
using Miosa.Runtime.Launch;

namespace Miosa.Runtime.Gvisor;

/// <summary>The config.json of a machine under runsc, as the OCI runtime specification has it: what <see cref="MachinePlan"/> does by system calls, told.</summary>
internal sealed record GvisorBundle
{
    /// <summary>The guest's program and the folder of its socket, inside.</summary>
    private const string Guest = "/run/miosa-guest";
    private const string Door = "/run/miosa";

    // The names of MachinePlan.KeptCapabilities.
    private static readonly string[] Capabilities =
        ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT"];

    public required string Machine { get; init; }
    public required string Hostname { get; init; }
    public required IReadOnlyList<string> Environment { get; init; }
    public required uint BaseId { get; init; }
    public required long ShmMb { get; init; }

    public string ToJson() => new JsonObject
    {
        ["ociVersion"] = "1.0.2",
        ["hostname"] = Hostname,
        ["root"] = new JsonObject { ["path"] = LauncherRoot.GvisorRoot },
        ["process"] = new JsonObject
        {
            ["user"] = new JsonObject { ["uid"] = 0, ["gid"] = 0 },
            ["args"] = Array(Guest, Door + "/guest.sock"),
            ["env"] = Array([.. Environment]),
            ["cwd"] = "/",
            ["noNewPrivileges"] = true,
            ["capabilities"] = new JsonObject { ["bounding"] = Array(Capabilities), ["effective"] = Array(Capabilities), ["permitted"] = Array(Capabilities) },
            ["rlimits"] = new JsonArray(
                new JsonObject { ["type"] = "RLIMIT_NOFILE", ["soft"] = 65_536, ["hard"] = 65_536 },
                new JsonObject { ["type"] = "RLIMIT_CORE", ["soft"] = 0, ["hard"] = 0 }),
        },
        ["mounts"] = new JsonArray(
            Mount("/proc", "proc", "proc"),
            Mount("/sys", "sysfs", "sysfs", "ro", "nosuid", "noexec", "nodev"),
            Mount("/dev", "tmpfs", "dev"),
            Mount("/dev/pts", "devpts", "devpts"),
            Mount("/dev/shm", "tmpfs", "shm", "nosuid", "nodev", "mode=1777", string.Create(CultureInfo.InvariantCulture, $"size={ShmMb}m")),
            Mount("/run", "tmpfs", "run", "nosuid", "nodev", "mode=755", "size=64m"),
            Mount(Door, "bind", LauncherRoot.GvisorDoor, "rbind", "rw", "nosuid", "nodev", "noexec"),
            Mount(Guest, "bind", LauncherRoot.GvisorGuest, "bind", "ro")),
        ["linux"] = new JsonObject
        {
            // The network namespace is the one that runsc is started in; it has the machine's interface already.
            ["namespaces"] = new JsonArray(Space("pid"), Space("mount"), Space("ipc"), Space("uts"), Space("user"), new JsonObject { ["type"] = "network", ["path"] = "/proc/self/ns/net" }),
            ["uidMappings"] = new JsonArray(Ids()),
            ["gidMappings"] = new JsonArray(Ids()),
        },
    }.ToJsonString();

    private JsonObject Ids() => new() { ["containerID"] = 0, ["hostID"] = BaseId, ["size"] = IdRanges.Size };

    private static JsonObject Space(string type) => new() { ["type"] = type };

    private static JsonObject Mount(string destination, string type, string source, params string[] options) =>
        new() { ["destination"] = destination, ["type"] = type, ["source"] = source, ["options"] = Array(options) };

    private static JsonArray Array(params string[] values) => new([.. values.Select(value => (JsonNode)value)]);
}
