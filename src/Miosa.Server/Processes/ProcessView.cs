using System.Globalization;
using Miosa.Guest;
using Miosa.Server.Guests;

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
            StartedAt = GuestTime.Of(process.StartedMs),
            EndedAt = process.EndedMs is { } ended ? GuestTime.Of(ended) : null,
            ExitCode = process.ExitCode,
            Port = process.Port is >= 1 and <= 65_535 ? process.Port : null,
        };
    }
}
