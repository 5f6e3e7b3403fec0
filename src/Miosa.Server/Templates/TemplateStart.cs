using System.Buffers;
using System.Globalization;
using System.Text;
using Miosa.Guest;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Sandboxes;

namespace Miosa.Server.Templates;

/// <summary>
/// The program of a template in a sandbox: 1. the install command, to its end; 2. the start command, left running; 3. wait until it is up.
/// The program is a background process with a name of its own, so that the same call again finds it running and starts no second one.
/// </summary>
internal sealed class TemplateStart(Machines machines, TemplateSet templates, SandboxView view, TimeProvider time)
{
    private const int MaxSeconds = 3600;
    private const int KeptOutput = 4096;
    private const int KeptLines = 100;

    /// <summary>The name of the process that the program is: by it the same call again finds it running.</summary>
    public const string ProgramName = "template";

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan OneProbe = TimeSpan.FromSeconds(10);

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<TemplateStart>();
        api.Map("POST", "/sandboxes/{sandbox_id}/template/start", it.StartAsync).Needs(Scopes.SandboxesWrite).WithMetadata(new Replayable(KeyInBody: false));
    }

    private async Task<IResult> StartAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, Aliases.None);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var tenant = context.Caller().TenantId;
        var machine = await machines.FindAsync(context.Caller(), context.PathValue("sandbox_id"), context.RequestAborted);
        if (machine is null)
            return Reply.Refuse(Refusal.NotFound("sandbox"));
        var template = machine.TemplateId is { } id ? await templates.FindAsync(tenant, id, context.RequestAborted) : null;
        var (order, faults) = Order(body, template);
        if (order is null)
            return Reply.Refuse(faults ?? Refusal.Internal());
        var admitted = await machines.AdmitAsync(context, machine.Id, AdmitFor.Exec);
        if (admitted.Refusal is { } no)
            return Reply.Refuse(no);
        var (pid, failure) = await RunAsync(admitted, order, context.RequestAborted);
        return failure is null
            ? Reply.One(new TemplateStartResult { State = SandboxState.Running, PreviewUrl = view.Of(machine).PreviewUrl, Pid = pid, Port = order.Port }, WireJson.Default.TemplateStartResult)
            : Reply.Refuse(failure);
    }

    private static (StartOrder? Order, Refusal? Refusal) Order(Fields body, TemplateRow? template)
    {
        var isInstalled = body.Bool("install") ?? true;
        var install = body.Text("install_command", 32 * 1024) ?? template?.InstallCommand;
        var start = body.Text("start_command", 32 * 1024) ?? template?.StartCommand;
        var installSec = body.Int("install_timeout_sec", 1, MaxSeconds) ?? 600;
        var startSec = body.Int("start_timeout_sec", 1, MaxSeconds) ?? 60;
        var port = body.Int("port", 1, 65535);
        var workdir = body.Text("workdir", 4096) ?? template?.Workdir;
        var standard = port is null && template?.ReadyCommand is { } command ? new ReadinessProbe("exec", 0, null, command, startSec)
            : (port ?? template?.PreviewPort) is { } listening ? new ReadinessProbe("tcp", listening, null, null, startSec)
            : null;
        var read = standard;
        if (body.Object("readiness_probe") is { Count: > 0 } probe)
        {
            (read, var fault) = ReadinessProbe.Read(probe);
            if (fault is not null)
                body.Fail("readiness_probe", fault);
        }
        if (start is null)
            body.Fail("start_command", template is null
                ? "is required: the sandbox is of no template of yours"
                : $"is required: the template \"{template.Name}\" has none");
        if (body.Errors() is { } refusal || start is null)
            return (null, body.Errors());
        return (new StartOrder(isInstalled ? install : null, start, installSec, startSec, port ?? template?.PreviewPort, workdir, read), null);
    }

    private async Task<(string? Pid, Refusal? Refusal)> RunAsync(Admitted admitted, StartOrder order, CancellationToken ct)
    {
        var guest = admitted.Guest;
        try
        {
            var program = (await guest.ListProcessesAsync(ct)).LastOrDefault(process => process.Name == ProgramName && process.State == GuestProcessState.Running);
            if (program is null && order.Install is { } install)
            {
                var (code, output, isLate) = await ShellAsync(admitted, $"(\n{install}\n) 2>&1", order.Workdir, TimeSpan.FromSeconds(order.InstallSec), ct);
                if (code != 0)
                    return (null, Refusal.Conflict($"the install command {(isLate ? $"was not over after {order.InstallSec} s" : $"ended with exit code {code}")}: {output}"));
            }
            // Not cancelled with the request: what was started is found by its name the next time.
            program ??= await guest.StartProcessAsync(
                new ProcessStartCall { Shell = order.Start, Name = ProgramName, Cwd = order.Workdir, Env = admitted.Env.ToDictionary() }, CancellationToken.None);
            if (order.Probe is { } probe && await WaitAsync(admitted, program.Pid, probe, order, ct) is { } failure)
                return (null, failure);
            return (program.Pid.ToString(CultureInfo.InvariantCulture), null);
        }
        catch (GuestException e)
        {
            return (null, e.Code is GuestException.Disconnected or GuestException.Protocol
                ? Refusal.AgentUnavailable(e.Message)
                : Refusal.Conflict(e.Message));
        }
    }

    /// <summary>Null when it is up.</summary>
    private async Task<Refusal?> WaitAsync(Admitted admitted, int pid, ReadinessProbe probe, StartOrder order, CancellationToken ct)
    {
        var begun = time.GetTimestamp();
        for (var pause = FirstPause; ; pause = pause * 2 > LongestPause ? LongestPause : pause * 2)
        {
            if (await IsUpAsync(admitted, probe, order.Workdir, ct))
                return null;
            var isLate = time.GetElapsedTime(begun) > TimeSpan.FromSeconds(order.StartSec);
            var isGone = (await admitted.Guest.GetProcessAsync(pid, ct)).State != GuestProcessState.Running;
            if (isLate || isGone)
            {
                var (output, _) = await admitted.Guest.TailProcessAsync(pid, KeptLines, KeptOutput, ct);
                return Refusal.Conflict((isGone ? "the program ended before it was up" : $"the program was not up after {order.StartSec} s") + $": {output}");
            }
            await Task.Delay(pause, time, ct);
        }
    }

    private static async Task<bool> IsUpAsync(Admitted admitted, ReadinessProbe probe, string? workdir, CancellationToken ct)
    {
        if (probe.Type == "tcp")
            return (await admitted.Guest.ListeningPortsAsync(ct)).Contains(probe.Port);
        var shell = probe.Type == "http"
            ? $"curl -fsS -o /dev/null -m 5 -- '{probe.Url?.Replace("'", "'\\''", StringComparison.Ordinal)}' || wget -q -T 5 -O /dev/null '{probe.Url?.Replace("'", "'\\''", StringComparison.Ordinal)}'"
            : probe.Command ?? "false";
        return (await ShellAsync(admitted, shell, workdir, OneProbe, ct)).Code == 0;
    }

    private static async Task<(int Code, string Output, bool IsLate)> ShellAsync(Admitted admitted, string shell, string? workdir, TimeSpan limit, CancellationToken ct)
    {
        // The end of the output is what tells why something failed.
        var kept = new MemoryStream();
        var call = new ExecCall { Shell = shell, Cwd = workdir, Env = admitted.Env.ToDictionary(), TimeoutMs = (long)limit.TotalMilliseconds };
        var reply = await admitted.Guest.ExecAsync(call, KeepAsync, stdin: null, ct);
        var bytes = kept.GetBuffer().AsSpan(0, (int)kept.Length);
        return (reply.ExitCode, Encoding.UTF8.GetString(bytes.Length > KeptOutput ? bytes[^KeptOutput..] : bytes), reply.TimedOut);

        ValueTask KeepAsync(bool isStderr, ReadOnlySequence<byte> bytes, CancellationToken _)
        {
            foreach (var part in bytes)
                kept.Write(part.Span);
            if (kept.Length > 16 * KeptOutput)
            {
                var end = kept.GetBuffer().AsSpan((int)kept.Length - KeptOutput, KeptOutput).ToArray();
                kept.SetLength(0);
                kept.Write(end);
            }
            return ValueTask.CompletedTask;
        }
    }

    private sealed record StartOrder(string? Install, string Start, int InstallSec, int StartSec, int? Port, string? Workdir, ReadinessProbe? Probe);
}
