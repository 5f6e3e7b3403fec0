namespace Miosa.Guest.Desktop.Accessibility;

/// <summary>AT-SPI sends numbers for roles and states (atspi-constants.h); these are their names, as its own tools print them.</summary>
internal static class Words
{
    public const int StateDefunct = 6;
    public const int StateIconified = 15;
    public const int StateShowing = 25;
    public const int StateManagesDescendants = 31;

    public const uint RoleDesktopFrame = 14;
    public const uint RoleFiller = 20;
    public const uint RolePanel = 39;
    public const uint RoleUnknown = 67;
    public const uint RoleApplication = 75;
    public const uint RoleSection = 85;
    public const uint RoleRedundant = 86;

    private static readonly string[] Roles =
    [
        "invalid", "accelerator label", "alert", "animation", "arrow", "calendar", "canvas", "check box", "check menu item", "color chooser",
        "column header", "combo box", "date editor", "desktop icon", "desktop frame", "dial", "dialog", "directory pane", "drawing area", "file chooser",
        "filler", "focus traversable", "font chooser", "frame", "glass pane", "html container", "icon", "image", "internal frame", "label",
        "layered pane", "list", "list item", "menu", "menu bar", "menu item", "option pane", "page tab", "page tab list", "panel",
        "password text", "popup menu", "progress bar", "push button", "radio button", "radio menu item", "root pane", "row header", "scroll bar", "scroll pane",
        "separator", "slider", "spin button", "split pane", "status bar", "table", "table cell", "table column header", "table row header", "tearoff menu item",
        "terminal", "text", "toggle button", "tool bar", "tool tip", "tree", "tree table", "unknown", "viewport", "window",
        "extended", "header", "footer", "paragraph", "ruler", "application", "autocomplete", "edit bar", "embedded component", "entry",
        "chart", "caption", "document frame", "heading", "page", "section", "redundant object", "form", "link", "input method window",
        "table row", "tree item", "document spreadsheet", "document presentation", "document text", "document web", "document email", "comment", "list box", "grouping",
        "image map", "notification", "info bar", "level bar", "title bar", "block quote", "audio", "video", "definition", "article",
        "landmark", "log", "marquee", "math", "rating", "timer", "static", "math fraction", "math root", "subscript",
        "superscript", "description list", "description term", "description value", "footnote", "content deletion", "content insertion", "mark", "suggestion", "push button menu",
    ];

    private static readonly string[] States =
    [
        "invalid", "active", "armed", "busy", "checked", "collapsed", "defunct", "editable", "enabled", "expandable",
        "expanded", "focusable", "focused", "has tooltip", "horizontal", "iconified", "modal", "multi line", "multiselectable", "opaque",
        "pressed", "resizable", "selectable", "selected", "sensitive", "showing", "single line", "stale", "transient", "vertical",
        "visible", "manages descendants", "indeterminate", "required", "truncated", "animated", "invalid entry", "supports autocompletion", "selectable text", "default",
        "visited", "checkable", "has popup", "read only",
    ];

    public static string Role(uint role) => role < (uint)Roles.Length ? Roles[role] : "unknown";

    public static string? State(int bit) => bit < States.Length ? States[bit] : null;
}
