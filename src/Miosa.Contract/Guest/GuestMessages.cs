namespace Miosa.Guest;

/// <summary>The names of the verbs, as OPEN and HELLO carry them.</summary>
internal static class GuestVerb
{
    public const string Exec = "exec";
    public const string FileRead = "file.read";
    public const string FileWrite = "file.write";
    public const string FileList = "file.list";
    public const string FileTree = "file.tree";
    public const string FileStat = "file.stat";
    public const string FileDelete = "file.delete";
    public const string FileMkdir = "file.mkdir";
    public const string FileMove = "file.move";
    public const string FileCopy = "file.copy";
    public const string FileChmod = "file.chmod";
    public const string FileWatch = "file.watch";
    public const string ProcessStart = "process.start";
    public const string ProcessList = "process.list";
    public const string ProcessGet = "process.get";
    public const string ProcessLogs = "process.logs";
    public const string ProcessFollow = "process.follow";
    public const string ProcessStdin = "process.stdin";
    public const string ProcessSignal = "process.signal";
    public const string ProcessStop = "process.stop";
    public const string TerminalOpen = "terminal.open";
    public const string TerminalList = "terminal.list";
    public const string TerminalAttach = "terminal.attach";
    public const string TerminalResize = "terminal.resize";
    public const string TerminalClose = "terminal.close";
    public const string Info = "info";
    public const string PortConnect = "port.connect";
    public const string Ports = "ports";
    public const string DesktopStart = "desktop.start";
    public const string DesktopStatus = "desktop.status";
    public const string DesktopScreenshot = "desktop.screenshot";
    public const string DesktopPointer = "desktop.pointer";
    public const string DesktopDrag = "desktop.drag";
    public const string DesktopScroll = "desktop.scroll";
    public const string DesktopType = "desktop.type";
    public const string DesktopKeys = "desktop.keys";
    public const string DesktopCursor = "desktop.cursor";
    public const string DesktopClipboardGet = "desktop.clipboard.get";
    public const string DesktopClipboardSet = "desktop.clipboard.set";
    public const string DesktopWindows = "desktop.windows";
    public const string DesktopWindow = "desktop.window";
    public const string DesktopLaunch = "desktop.launch";
    public const string DesktopApps = "desktop.apps";
    public const string DesktopWallpaper = "desktop.wallpaper";
    public const string DesktopTree = "desktop.tree";
    public const string DesktopResize = "desktop.resize";
    public const string DesktopVnc = "desktop.vnc";
    public const string DesktopWatch = "desktop.watch";
    public const string Suspend = "suspend";
}

/// <summary>The codes an ERROR frame can carry.</summary>
internal static class GuestErrorCode
{
    public const string BadRequest = "bad_request";
    public const string NotFound = "not_found";
    public const string IsDirectory = "is_directory";
    public const string NotDirectory = "not_directory";
    public const string Exists = "exists";
    public const string Forbidden = "forbidden";
    public const string NoSpace = "no_space";
    public const string TooLarge = "too_large";
    public const string Permission = "permission";
    public const string Unsupported = "unsupported";
    public const string Busy = "busy";
    public const string Failed = "failed";
}

internal sealed record GuestHello
{
    public int Generation { get; init; }
    public string? Version { get; init; }
    public string?[]? Verbs { get; init; }
}

internal sealed record GuestError
{
    public string? Code { get; init; }
    public string? Message { get; init; }
}

internal sealed record InfoCall
{
    public string Verb { get; init; } = GuestVerb.Info;
}

internal sealed record InfoReply
{
    public int Generation { get; init; }
    public string? Version { get; init; }
    public long UptimeMs { get; init; }
    public int Processes { get; init; }
}

internal sealed record SuspendCall
{
    public string Verb { get; init; } = GuestVerb.Suspend;
}

/// <summary>The answer of verbs that have nothing to tell.</summary>
internal sealed record Done;
