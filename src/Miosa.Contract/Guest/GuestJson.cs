using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Miosa.Guest;

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    MaxDepth = FrameLimits.MaxJsonDepth)]
[JsonSerializable(typeof(GuestHello))]
[JsonSerializable(typeof(GuestError))]
[JsonSerializable(typeof(InfoCall))]
[JsonSerializable(typeof(InfoReply))]
[JsonSerializable(typeof(SuspendCall))]
[JsonSerializable(typeof(Done))]
[JsonSerializable(typeof(ExecCall))]
[JsonSerializable(typeof(ExecReply))]
[JsonSerializable(typeof(GuestEntry))]
[JsonSerializable(typeof(ReadFileCall))]
[JsonSerializable(typeof(ReadFileReply))]
[JsonSerializable(typeof(WriteFileCall))]
[JsonSerializable(typeof(WriteFileReply))]
[JsonSerializable(typeof(ListFilesCall))]
[JsonSerializable(typeof(ListFilesReply))]
[JsonSerializable(typeof(StatCall))]
[JsonSerializable(typeof(DeleteCall))]
[JsonSerializable(typeof(MkdirCall))]
[JsonSerializable(typeof(MoveCall))]
[JsonSerializable(typeof(CopyCall))]
[JsonSerializable(typeof(ChmodCall))]
[JsonSerializable(typeof(WatchCall))]
[JsonSerializable(typeof(GuestChange))]
[JsonSerializable(typeof(WatchReply))]
[JsonSerializable(typeof(ProcessStartCall))]
[JsonSerializable(typeof(ProcessListCall))]
[JsonSerializable(typeof(ProcessCall))]
[JsonSerializable(typeof(ProcessSignalCall))]
[JsonSerializable(typeof(ProcessStdinCall))]
[JsonSerializable(typeof(ProcessLogsCall))]
[JsonSerializable(typeof(ProcessLogsReply))]
[JsonSerializable(typeof(ProcessFollowCall))]
[JsonSerializable(typeof(GuestProcess))]
[JsonSerializable(typeof(TerminalOpenCall))]
[JsonSerializable(typeof(TerminalListCall))]
[JsonSerializable(typeof(TerminalCall))]
[JsonSerializable(typeof(TerminalResizeCall))]
[JsonSerializable(typeof(GuestTerminal))]
[JsonSerializable(typeof(TerminalListReply))]
[JsonSerializable(typeof(PortConnectCall))]
[JsonSerializable(typeof(PortConnected))]
[JsonSerializable(typeof(PortConnectReply))]
[JsonSerializable(typeof(PortsCall))]
[JsonSerializable(typeof(PortsReply))]
[JsonSerializable(typeof(DesktopStartCall))]
[JsonSerializable(typeof(DesktopResizeCall))]
[JsonSerializable(typeof(DesktopCall))]
[JsonSerializable(typeof(GuestDesktop))]
[JsonSerializable(typeof(ScreenshotCall))]
[JsonSerializable(typeof(ScreenshotReply))]
[JsonSerializable(typeof(PointerCall))]
[JsonSerializable(typeof(DragCall))]
[JsonSerializable(typeof(ScrollCall))]
[JsonSerializable(typeof(PointerReply))]
[JsonSerializable(typeof(TypeCall))]
[JsonSerializable(typeof(TypeReply))]
[JsonSerializable(typeof(KeysCall))]
[JsonSerializable(typeof(ClipboardReply))]
[JsonSerializable(typeof(WindowsReply))]
[JsonSerializable(typeof(GuestWindow))]
[JsonSerializable(typeof(WindowCall))]
[JsonSerializable(typeof(LaunchCall))]
[JsonSerializable(typeof(LaunchReply))]
[JsonSerializable(typeof(AppsReply))]
[JsonSerializable(typeof(GuestApp))]
[JsonSerializable(typeof(WallpaperCall))]
[JsonSerializable(typeof(TreeCall))]
[JsonSerializable(typeof(TreeReply))]
[JsonSerializable(typeof(VncReply))]
[JsonSerializable(typeof(DesktopWatchCall))]
[JsonSerializable(typeof(GuestDesktopEvent))]
internal sealed partial class GuestJson : JsonSerializerContext
{
    /// <summary>
    /// The context both sides use. The relaxed encoder writes command lines and paths as they are: the bytes go to a socket, never into HTML.
    /// </summary>
    public static GuestJson Wire { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        MaxDepth = FrameLimits.MaxJsonDepth,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
