using System.Text;
using Miosa.Guest;
using Miosa.Server.ComputerServices;
using Miosa.Server.Guests;

namespace Miosa.Server.Logs;

/// <summary>The lines that one background process prints, with the time at which it did.</summary>
internal sealed class LogLines : IDisposable
{
    private readonly GuestFollow follow;
    private readonly string? serviceId;
    private DateTimeOffset? at;

    private LogLines(GuestFollow follow, string? serviceId) => (this.follow, this.serviceId) = (follow, serviceId);

    /// <summary>The position behind the last line.</summary>
    public long Position { get; private set; }

    /// <summary>Those that are kept, and no further.</summary>
    public static Task<LogLines> KeptAsync(GuestConnection guest, GuestProcess process, CancellationToken ct) => OpenAsync(guest, process, 0, untilNow: true, ct);

    /// <summary>From a position on until the process has ended.</summary>
    public static Task<LogLines> FromAsync(GuestConnection guest, GuestProcess process, long position, CancellationToken ct) =>
        OpenAsync(guest, process, position, untilNow: false, ct);

    private static async Task<LogLines> OpenAsync(GuestConnection guest, GuestProcess process, long from, bool untilNow, CancellationToken ct) => new(
        await GuestFollow.StartAsync(guest, new ProcessFollowCall { Pid = process.Pid, From = from, Times = true, UntilNow = untilNow }, ct),
        ServiceRow.IdOf(process.Name));

    /// <summary>Null at the end. A piece of a line that is longer than pieces are is a line of its own.</summary>
    public async ValueTask<ComputerLogLine?> NextAsync(CancellationToken ct)
    {
        while (await follow.NextAsync(ct) is { } piece)
        {
            Position = piece.Position;
            switch (piece.Channel)
            {
                case ProcessPiece.TimeChannel:
                    at = piece.Time;
                    break;
                case ProcessPiece.LostChannel:
                    return Line("stderr", $"miosa: {piece.Lost} bytes of output are missing here");
                default:
                    return Line(piece.Channel == FrameChannel.Stderr ? "stderr" : "stdout", Encoding.UTF8.GetString(piece.Content).TrimEnd('\n').TrimEnd('\r'));
            }
        }
        return null;
    }

    public void Dispose() => follow.Dispose();

    private ComputerLogLine Line(string stream, string text) => new() { Timestamp = at, Stream = stream, Line = text, Message = text, ServiceId = serviceId };
}
