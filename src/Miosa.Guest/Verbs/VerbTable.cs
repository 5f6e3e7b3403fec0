using System.Text.Json;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary>
/// Runs on a thread of its own from OPEN to the end; returns the payload of RESULT or throws what becomes ERROR. Null: the stream was handed on
/// to somebody who ends it later.
/// </summary>
internal delegate byte[]? Verb(GuestStream stream, ReadOnlySpan<byte> open);

/// <summary>Everything the guest can do, by name. A new verb is a file beside this one and a line here.</summary>
internal static class VerbTable
{
    private static readonly (string Name, Verb Verb)[] s_verbs =
    [
        (GuestVerb.Exec, Exec.Run),
        (GuestVerb.FileRead, ReadFile.Run),
        (GuestVerb.FileWrite, WriteFile.Run),
        (GuestVerb.FileList, ListFiles.List),
        (GuestVerb.FileTree, ListFiles.Tree),
        (GuestVerb.FileStat, StatFile.Run),
        (GuestVerb.FileDelete, Delete.Run),
        (GuestVerb.FileMkdir, Mkdir.Run),
        (GuestVerb.FileMove, Move.Run),
        (GuestVerb.FileCopy, Copy.Run),
        (GuestVerb.FileChmod, Chmod.Run),
        (GuestVerb.FileWatch, WatchFiles.Run),
        (GuestVerb.ProcessStart, Processes.Start),
        (GuestVerb.ProcessList, Processes.List),
        (GuestVerb.ProcessGet, Processes.Get),
        (GuestVerb.ProcessLogs, ProcessOutput.Logs),
        (GuestVerb.ProcessFollow, ProcessOutput.Follow),
        (GuestVerb.ProcessStdin, Processes.Stdin),
        (GuestVerb.ProcessSignal, Processes.Signal),
        (GuestVerb.ProcessStop, Processes.Stop),
        (GuestVerb.TerminalOpen, Terminals.Open),
        (GuestVerb.TerminalList, Terminals.List),
        (GuestVerb.TerminalAttach, TerminalAttach.Run),
        (GuestVerb.TerminalResize, Terminals.Resize),
        (GuestVerb.TerminalClose, Terminals.Close),
        (GuestVerb.Info, Info.Run),
        (GuestVerb.PortConnect, PortConnect.Run),
        (GuestVerb.Ports, ListPorts.Run),
        (GuestVerb.DesktopStart, Desktops.Start),
        (GuestVerb.DesktopStatus, Desktops.Status),
        (GuestVerb.DesktopScreenshot, DesktopScreenshot.Run),
        (GuestVerb.DesktopPointer, DesktopInput.Pointer),
        (GuestVerb.DesktopDrag, DesktopInput.Drag),
        (GuestVerb.DesktopScroll, DesktopInput.Scroll),
        (GuestVerb.DesktopType, DesktopInput.Type),
        (GuestVerb.DesktopKeys, DesktopInput.Keys),
        (GuestVerb.DesktopCursor, DesktopInput.Cursor),
        (GuestVerb.DesktopClipboardGet, DesktopClipboard.Get),
        (GuestVerb.DesktopClipboardSet, DesktopClipboard.Set),
        (GuestVerb.DesktopWindows, DesktopWindows.List),
        (GuestVerb.DesktopWindow, DesktopWindows.Control),
        (GuestVerb.DesktopResize, Desktops.Resize),
        (GuestVerb.DesktopVnc, DesktopVnc.Run),
        (GuestVerb.DesktopWatch, DesktopWatch.Run),
        (GuestVerb.Suspend, Suspend.Run),
        (GuestVerb.DesktopApps, DesktopApps.List),
        (GuestVerb.DesktopLaunch, DesktopApps.Launch),
        (GuestVerb.DesktopTree, DesktopApps.Tree),
        (GuestVerb.DesktopWallpaper, DesktopApps.Wallpaper),
    ];

    /// <summary>The payload of HELLO.</summary>
    public static byte[] Hello => JsonSerializer.SerializeToUtf8Bytes(
        new GuestHello { Generation = FrameLimits.Generation, Version = Version, Verbs = Array.ConvertAll(s_verbs, v => v.Name) },
        GuestJson.Wire.GuestHello);

    public static string Version { get; } = typeof(VerbTable).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";

    public static (string Name, Verb Verb) Find(ReadOnlySpan<byte> open)
    {
        var name = NameIn(open) ?? throw GuestFailure.BadRequest("OPEN names no verb");
        foreach (var entry in s_verbs)
        {
            if (entry.Name == name)
                return entry;
        }
        throw new GuestFailure(GuestErrorCode.Unsupported, "this guest has no verb \"" + name + "\"");
    }

    private static string? NameIn(ReadOnlySpan<byte> open)
    {
        var reader = new Utf8JsonReader(open, new JsonReaderOptions { MaxDepth = FrameLimits.MaxJsonDepth });
        while (reader.Read())
        {
            if (reader.CurrentDepth == 1 && reader.TokenType == JsonTokenType.PropertyName && reader.ValueTextEquals("verb"u8))
                return reader.Read() && reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
        }
        return null;
    }
}
