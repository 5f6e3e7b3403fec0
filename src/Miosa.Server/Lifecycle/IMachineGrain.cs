#pragma warning disable VSTHRD200 // Grain methods carry no Async (style rule 6).
using System.Text.Json.Nodes;
using Miosa.Server.Host;

namespace Miosa.Server.Lifecycle;

/// <summary>Decides for one machine, one question at a time, and is the only writer of its row. No bytes go through it.</summary>
internal interface IMachineGrain : IGrainWithStringKey
{
    /// <summary>Makes the machine of a checked draft; answers when its guest answered. <paramref name="isWarm"/>: it already runs, in the pool.</summary>
    /// <param name="source">The machine whose disk is copied; null for an empty one.</param>
    /// <param name="hasMemory">What runs in the source goes on in the copy.</param>
    ValueTask<MachineAnswer> Create(Machine draft, bool isWarm, string? source = null, bool hasMemory = false);

    ValueTask<MachineAnswer> Ask(Want want, string? reason);

    ValueTask<MachineAnswer> Change(RowChange change);

    /// <summary>Changes the environment of later commands.</summary>
    ValueTask<MachineAnswer> ChangeEnv(EnvChange change);

    /// <summary>Changes what it may reach; null is everything public.</summary>
    ValueTask<MachineAnswer> ChangeEgress(string? egress);

    /// <summary>The readiness probe of the machine passed.</summary>
    ValueTask<MachineAnswer> ProbePassed();

    /// <summary>The desktop of a boot was started and a picture of it taken, or the image has none: the computer runs.</summary>
    /// <param name="boot">Number of the boot; the answer of an earlier one changes nothing.</param>
    ValueTask<MachineAnswer> DesktopSeen(long boot, bool hasDesktop);

    /// <inheritdoc cref="DesktopSeen"/>
    ValueTask<MachineAnswer> DesktopFailed(long boot, string reason);

    /// <summary>Something of the desktop of a running computer failed, or was started again.</summary>
    ValueTask DesktopErred(string reason);

    /// <summary>
    /// One of a computer's selected applications was installed, or not. Others may have been selected since it was begun, and this one no more: the row says
    /// what is still missing, and only this one of it changes.
    /// </summary>
    /// <param name="reason">Why not; null when it is there. Never empty, which in the row is one still to be tried.</param>
    ValueTask<MachineAnswer> AppDone(string app, string? reason);

    /// <summary>Puts a computer back to a checkpoint: it is stopped, its disk becomes a copy of the checkpoint's, and it boots.</summary>
    ValueTask<MachineAnswer> Restore(string snapshot);

    /// <summary>Writes the event of a snapshot; nothing when the machine is gone by then.</summary>
    ValueTask SnapshotTaken(string snapshot);
}

/// <summary>The machine afterwards, or why not.</summary>
[GenerateSerializer, Immutable]
internal sealed record MachineAnswer
{
    /// <summary>Not an error code of the wire: the warm machine died before it was claimed; another way must be tried.</summary>
    public const string WarmGone = "warm_gone";

    [Id(0)]
    public Machine? Machine { get; init; }

    [Id(1)]
    public string? Code { get; init; }

    [Id(2)]
    public string? Message { get; init; }

    [Id(3)]
    public int? RetryAfter { get; init; }

    /// <summary>The field at fault, for a validation error.</summary>
    [Id(4)]
    public string? Field { get; init; }

    /// <summary>Details of the refusal, as JSON.</summary>
    [Id(5)]
    public string? Details { get; init; }

    public Refusal? Refusal =>
        Code is null ? null
        : Field is null ? new Refusal(Code, Message ?? "", Details is null ? null : JsonNode.Parse(Details) as JsonObject, RetryAfter)
        : Refusal.Invalid(Field, Message ?? "");

    public static MachineAnswer Of(Machine machine) => new() { Machine = machine };

    public static MachineAnswer No(Refusal refusal) =>
        new() { Code = refusal.Code, Message = refusal.Message, RetryAfter = refusal.RetryAfter, Details = refusal.Details?.ToJsonString() };

    public static MachineAnswer NoField(string field, string message) => new() { Code = ErrorCodes.ValidationError, Field = field, Message = message };
}

/// <summary>Checked changes of a row: a null field stays, a field named in <see cref="Clear"/> becomes null.</summary>
[GenerateSerializer(GenerateFieldIds = GenerateFieldIds.PublicProperties), Immutable]
internal sealed record RowChange
{
    public string? Name { get; init; }
    public string? Slug { get; init; }
    public string? Tags { get; init; }
    public string? Metadata { get; init; }
    public bool? AlwaysOn { get; init; }
    public bool? Persistent { get; init; }
    public int? Vcpus { get; init; }
    public int? MemoryMb { get; init; }
    public int? DiskMb { get; init; }
    public int? TimeoutSec { get; init; }
    public int? IdleTimeoutSec { get; init; }
    public string? ExternalUserId { get; init; }
    public string? ExternalProjectId { get; init; }
    public string? ExternalWorkspaceId { get; init; }
    public string? Visibility { get; init; }
    public string? AgentSessionId { get; init; }
    public string? SelectedApps { get; init; }
    public string? MissingApps { get; init; }
    public string? WorkspaceId { get; init; }
    public IReadOnlyList<string> Clear { get; init; } = [];

    /// <summary>The life limit starts again from now, also when <see cref="TimeoutSec"/> is null.</summary>
    public bool RestartsLimit { get; init; }

    public Machine ApplyTo(Machine row, DateTimeOffset now)
    {
        var timeoutSec = TimeoutSec ?? row.TimeoutSec;
        return row with
        {
            Name = Pick("name", Name, row.Name),
            Slug = Slug ?? row.Slug,
            Tags = Pick("tags", Tags, row.Tags),
            Metadata = Metadata ?? row.Metadata,
            AlwaysOn = AlwaysOn ?? row.AlwaysOn,
            Persistent = Persistent ?? row.Persistent,
            Vcpus = Vcpus ?? row.Vcpus,
            MemoryMb = MemoryMb ?? row.MemoryMb,
            DiskMb = DiskMb ?? row.DiskMb,
            TimeoutSec = timeoutSec,
            IdleTimeoutSec = IdleTimeoutSec ?? row.IdleTimeoutSec,
            ExternalUserId = Pick("external_user_id", ExternalUserId, row.ExternalUserId),
            ExternalProjectId = Pick("external_project_id", ExternalProjectId, row.ExternalProjectId),
            ExternalWorkspaceId = Pick("external_workspace_id", ExternalWorkspaceId, row.ExternalWorkspaceId),
            Visibility = Visibility ?? row.Visibility,
            AgentSessionId = Pick("agent_session_id", AgentSessionId, row.AgentSessionId),
            SelectedApps = Pick("selected_apps", SelectedApps, row.SelectedApps),
            MissingApps = Pick("missing_apps", MissingApps, row.MissingApps),
            WorkspaceId = WorkspaceId ?? row.WorkspaceId,
            DueAt = RestartsLimit || TimeoutSec is not null ? now.AddSeconds(timeoutSec) : row.DueAt,
        };
    }

    private string? Pick(string field, string? value, string? old) => Clear.Contains(field) ? null : value ?? old;
}
