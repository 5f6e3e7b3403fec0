using System.Text.Json;
using System.Text.Json.Serialization;

namespace Miosa.Runtime.Wire;

// The records of docs/runtime-protocol.md. The server compiles this same file, so it may use nothing else of the runtime.

/// <summary>One request line. <see cref="Op"/> says which of the optional fields count.</summary>
internal sealed record RuntimeRequest
{
    public long Id { get; init; }
    public string Op { get; init; } = "";
    public string? Machine { get; init; }
    public string? Image { get; init; }
    public double? Vcpus { get; init; }
    public long? MemoryMb { get; init; }
    public long? DiskMb { get; init; }
    public long? Pids { get; init; }
    public string? Hostname { get; init; }
    public bool? Network { get; init; }

    /// <summary>The machine's own sync reaches the data volume; costs what syncing costs. Default false.</summary>
    public bool? Durable { get; init; }
    public string? Name { get; init; }
    public string? Path { get; init; }
    public string? Snapshot { get; init; }

    /// <summary>A snapshot whose copy is the disk of the launched machine.</summary>
    public string? From { get; init; }

    /// <summary>The machine that is forked.</summary>
    public string? Source { get; init; }
    public IReadOnlyDictionary<string, string>? Env { get; init; }
    public string? Workdir { get; init; }
    public string? User { get; init; }
    public IReadOnlyList<string>? Cmd { get; init; }
    public IReadOnlyList<string>? Entrypoint { get; init; }
    public IReadOnlyList<int>? Ports { get; init; }
    public IReadOnlyList<string>? Packages { get; init; }
    public string? Suite { get; init; }

    /// <summary>True: of each image only what tells it from others.</summary>
    public bool? Brief { get; init; }

    /// <summary>One of <see cref="Isolations"/>; null is the first, and what the source has at <c>fork</c> and at a launch from a snapshot.</summary>
    public string? Isolation { get; init; }

    /// <summary>True: what runs goes along, as memory written to disk. The guest must have closed its door (verb <c>suspend</c>). False at <c>start</c>: what was written is dropped.</summary>
    public bool? Memory { get; init; }

    /// <summary>What the machine may reach; null is everything public at <c>launch</c>, and no change elsewhere.</summary>
    public EgressRequest? Egress { get; init; }
}

/// <summary>What a machine may reach.</summary>
internal sealed record EgressRequest
{
    public string? Mode { get; init; }
    public IReadOnlyList<string>? Cidrs { get; init; }
    public IReadOnlyList<string>? Domains { get; init; }
}

/// <summary>The values of <see cref="EgressRequest.Mode"/>.</summary>
internal static class EgressModes
{
    public const string Open = "open";
    public const string Closed = "closed";
    public const string Listed = "listed";
}

/// <summary>The values of <see cref="RefusedInfo.Reason"/>; the first four are chains of the table, too.</summary>
internal static class RefusalReasons
{
    /// <summary>The machine's policy does not list it.</summary>
    public const string Policy = "policy";

    /// <summary>A range that no machine reaches.</summary>
    public const string Private = "private";

    /// <summary>An address of the machine's host.</summary>
    public const string Host = "host";

    /// <summary>A name server other than ours.</summary>
    public const string Resolver = "resolver";

    /// <summary>A name that leads to a range no machine reaches.</summary>
    public const string Answer = "answer";
}

/// <summary>One thing a machine wanted and was refused.</summary>
internal sealed record RefusedInfo
{
    /// <summary><c>tcp</c>, <c>udp</c>, <c>icmp</c>, <c>ip-N</c>, or <c>dns</c> for a name that was not resolved.</summary>
    public required string Protocol { get; init; }

    /// <summary>An address, or a name when the protocol is <c>dns</c>.</summary>
    public required string Target { get; init; }

    /// <summary>0 where there is none.</summary>
    public required int Port { get; init; }

    /// <summary>One of <see cref="RefusalReasons"/>.</summary>
    public required string Reason { get; init; }
    public required long Count { get; init; }
    public required DateTimeOffset FirstAt { get; init; }
    public required DateTimeOffset LastAt { get; init; }
}

/// <summary>The answer to <c>egress_log</c>, the latest first.</summary>
internal sealed record RefusedList
{
    public required IReadOnlyList<RefusedInfo> Refused { get; init; }
}

/// <summary>One answer line: exactly one of <see cref="Ok"/>, <see cref="Error"/> and <see cref="Progress"/> is set.</summary>
internal sealed record RuntimeAnswer
{
    public required long Id { get; init; }

    /// <summary>The result object of the operation: read it with the record the operation names.</summary>
    public JsonElement? Ok { get; init; }
    public RuntimeError? Error { get; init; }

    /// <summary>A <see cref="RuntimeProgress"/> for long work, a <see cref="MachineChange"/> for <c>watch</c>.</summary>
    public JsonElement? Progress { get; init; }
}

internal sealed record RuntimeError
{
    public required string Code { get; init; }
    public required string Message { get; init; }
}

/// <summary>How far a long operation has come.</summary>
internal sealed record RuntimeProgress
{
    public required string Step { get; init; }
    public int? Percent { get; init; }
    public string? Message { get; init; }
}

/// <summary>What <c>watch</c> tells: a machine changed its state.</summary>
internal sealed record MachineChange
{
    public required string Machine { get; init; }
    public required string State { get; init; }
    public string? Reason { get; init; }
}

/// <summary>The answer to <c>hello</c>.</summary>
internal sealed record RuntimeHello
{
    public required string Version { get; init; }
    public required int Generation { get; init; }
    public required string Cgroup { get; init; }
    public required string IdRanges { get; init; }
    public required bool DiskLimits { get; init; }
    public required bool Network { get; init; }

    /// <summary>Private ranges that the operator opened to machines; null from a runtime that knows no egress policies.</summary>
    public IReadOnlyList<string>? EgressAllow { get; init; }
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>Those of <see cref="Isolations"/> that this host has; null from a runtime that knows only the first.</summary>
    public IReadOnlyList<string>? Isolations { get; init; }
}

/// <summary>The machine state object.</summary>
internal sealed record MachineInfo
{
    public required string Machine { get; init; }
    public required string Image { get; init; }
    public required string State { get; init; }
    public string? Reason { get; init; }

    /// <summary>The pid of the guest on the host; 0 when the machine is dead.</summary>
    public required int Pid { get; init; }
    public required string Socket { get; init; }

    /// <summary>The IPv4 address of the machine, or null without a network.</summary>
    public string? Address { get; init; }
    public required long BaseId { get; init; }
    public required double Vcpus { get; init; }
    public required long MemoryMb { get; init; }
    public required long DiskMb { get; init; }
    public required long Pids { get; init; }
    public required bool Network { get; init; }
    public required DateTimeOffset StartedAt { get; init; }
    public required double BootMs { get; init; }
    public MachineUsage? Usage { get; init; }

    /// <summary>How long the source of a fork stood still.</summary>
    public double? FrozenMs { get; init; }

    /// <summary>One of <see cref="Isolations"/>; null is the first.</summary>
    public string? Isolation { get; init; }

    /// <summary>True when a dead machine's memory is on disk: it goes on where it was when it is started. In the answer to <c>start</c>: that it did.</summary>
    public bool? Memory { get; init; }
}

/// <summary>A stored copy of a machine's disk.</summary>
internal sealed record SnapshotInfo
{
    public required string Snapshot { get; init; }
    public required string Machine { get; init; }
    public required string Image { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>What the machine had written when it was last counted.</summary>
    public long SizeBytes { get; init; }
    public long DiskMb { get; init; }

    /// <summary>How long the machine stood still; only in the answer that made it.</summary>
    public double? FrozenMs { get; init; }

    /// <summary>One of <see cref="Isolations"/>; null is the first.</summary>
    public string? Isolation { get; init; }

    /// <summary>True when it has what ran, too.</summary>
    public bool? Memory { get; init; }
}

/// <summary>The answer to <c>snapshots</c>.</summary>
internal sealed record SnapshotList
{
    public required IReadOnlyList<SnapshotInfo> Snapshots { get; init; }
}

internal sealed record MachineUsage
{
    public long CpuUsec { get; init; }
    public long MemoryBytes { get; init; }
    public long MemoryPeakBytes { get; init; }
    public long Pids { get; init; }
    public long OomKills { get; init; }
    public long DiskBytes { get; init; }

    /// <summary>What the machine sent and received over its network; null when it has none.</summary>
    public long? SentBytes { get; init; }
    public long? ReceivedBytes { get; init; }
}

/// <summary>The answer to <c>list</c>.</summary>
internal sealed record MachineList
{
    public required IReadOnlyList<MachineInfo> Machines { get; init; }
}

internal sealed record ImageInfo
{
    public required string Name { get; init; }
    public required string Digest { get; init; }
    public required long SizeBytes { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public IReadOnlyDictionary<string, string> Env { get; init; } = new Dictionary<string, string>();
    public string? Workdir { get; init; }
    public string? User { get; init; }
    public IReadOnlyList<string> Cmd { get; init; } = [];

    /// <summary>What <see cref="Cmd"/> are the arguments of; null when it runs by itself.</summary>
    public IReadOnlyList<string>? Entrypoint { get; init; }

    /// <summary>The ports it says it listens on.</summary>
    public IReadOnlyList<int>? Ports { get; init; }

    /// <summary>Digest of the chain of layers it is made of; null for one of an earlier version, whose <see cref="Digest"/> it is.</summary>
    public string? Content { get; init; }
}

/// <summary>The answer to <c>images</c>.</summary>
internal sealed record ImageList
{
    public required IReadOnlyList<ImageInfo> Images { get; init; }
}

/// <summary>The answer to operations that have nothing to say.</summary>
internal sealed record RuntimeNothing;

/// <summary>What stands between a machine and the host.</summary>
internal static class Isolations
{
    /// <summary>Namespaces and a system call filter; the host's kernel.</summary>
    public const string Namespace = "namespace";

    /// <summary>A kernel of its own in user space (gVisor).</summary>
    public const string Gvisor = "gvisor";
}

/// <summary>The values of <see cref="MachineInfo.State"/>.</summary>
internal static class MachineStates
{
    public const string Running = "running";
    public const string Frozen = "frozen";
    public const string Dead = "dead";
}

/// <summary>The values of <see cref="RuntimeError.Code"/>.</summary>
internal static class RuntimeErrors
{
    public const string BadRequest = "bad_request";
    public const string NotFound = "not_found";
    public const string Exists = "exists";
    public const string ImageNotFound = "image_not_found";
    public const string LimitRefused = "limit_refused";
    public const string NoSpace = "no_space";
    public const string Exhausted = "exhausted";
    public const string Denied = "denied";
    public const string Failed = "failed";
}

/// <summary>The operations of the socket.</summary>
internal static class RuntimeOps
{
    public const string Hello = "hello";
    public const string Launch = "launch";
    public const string Limit = "limit";
    public const string Freeze = "freeze";
    public const string Thaw = "thaw";

    /// <summary>Ends what runs and keeps the disk.</summary>
    public const string Stop = "stop";

    /// <summary>Starts a machine again that is dead, on the disk it had.</summary>
    public const string Start = "start";
    public const string Destroy = "destroy";
    public const string Inspect = "inspect";
    public const string List = "list";
    public const string Watch = "watch";
    public const string Images = "images";
    public const string Import = "import";
    public const string Commit = "commit";
    public const string Tag = "tag";
    public const string RemoveImage = "remove_image";
    public const string Bootstrap = "bootstrap";
    public const string Snapshot = "snapshot";
    public const string Snapshots = "snapshots";
    public const string DeleteSnapshot = "delete_snapshot";
    public const string Fork = "fork";
    public const string Egress = "egress";
    public const string EgressLog = "egress_log";
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(RuntimeRequest))]
[JsonSerializable(typeof(RuntimeAnswer))]
[JsonSerializable(typeof(RuntimeProgress))]
[JsonSerializable(typeof(MachineChange))]
[JsonSerializable(typeof(SnapshotInfo))]
[JsonSerializable(typeof(SnapshotList))]
[JsonSerializable(typeof(RuntimeHello))]
[JsonSerializable(typeof(MachineInfo))]
[JsonSerializable(typeof(MachineList))]
[JsonSerializable(typeof(ImageInfo))]
[JsonSerializable(typeof(ImageList))]
[JsonSerializable(typeof(RuntimeNothing))]
[JsonSerializable(typeof(RefusedList))]
[JsonSerializable(typeof(EgressRequest))]
internal sealed partial class RuntimeWireJson : JsonSerializerContext;
