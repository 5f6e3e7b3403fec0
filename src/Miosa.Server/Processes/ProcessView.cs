using System.Globalization;
using Miosa.Guest;

namespace Miosa.Server.Processes;

/// <summary>A guest's word on a process in the contract's form. The guest may claim anything: what is no status is "stopped".</summary>
internal static class ProcessView
{
    public static ProcessInfo Of(GuestProcess process)
    {
        var pid = process.Pid.ToString(CultureInfo.InvariantCulture);
        var status = process.State is ProcessStatus.Running or ProcessStatus.Exited or ProcessStatus.Failed ? process.State : ProcessStatus.Stopped;
        return new ProcessInfo
        {
            Pid = pid,
            Id = pid,
            JobId = pid,
            Name = process.Name,
            Command = process.Command ?? "",
            Status = status,
            State = status,
            Cwd = process.Cwd,
            StartedAt = Time(process.StartedMs),
            EndedAt = process.EndedMs is { } ended ? Time(ended) : null,
            ExitCode = process.ExitCode,
        };
    }

    // The wire has years 1 to 9999.
    public static DateTimeOffset Time(long unixMs) => DateTimeOffset.FromUnixTimeMilliseconds(Math.Clamp(unixMs, -62_135_596_800_000, 253_402_300_799_000));
}
