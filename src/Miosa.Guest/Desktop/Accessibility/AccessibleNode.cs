namespace Miosa.Guest.Desktop.Accessibility;

/// <summary>A part of an application's interface, as the application tells it.</summary>
internal sealed class AccessibleNode(string path)
{
    public string Path => path;
    public string ParentPath { get; init; } = "";
    public int IndexInParent { get; set; }

    /// <summary>How many children it says it has, -1 before it was asked. A cache may lack some.</summary>
    public int ChildCount { get; init; }

    public string Name { get; set; } = "";
    public string Description { get; set; } = "";
    public uint Role { get; set; } = Words.RoleUnknown;
    public ulong States { get; set; }
    public bool HasBounds { get; set; }
    public bool HasActions { get; set; }
    public ScreenArea? Bounds { get; set; }
    public string[] Actions { get; set; } = [];
    public List<AccessibleNode> Children { get; set; } = [];

    /// <summary>Whether the answer still has room for it.</summary>
    public bool IsChosen { get; set; }

    public bool Has(int state) => (States >> state & 1) != 0;

    /// <summary>A box that only holds something: tells an agent nothing.</summary>
    public bool IsWrapper =>
        Role is Words.RoleFiller or Words.RolePanel or Words.RoleSection or Words.RoleRedundant or Words.RoleUnknown
        && Name.Length == 0 && Description.Length == 0 && Actions.Length == 0 && !Has(StateFocusable);

    private const int StateFocusable = 11;
}

/// <summary>In pixels of the screen.</summary>
internal readonly record struct ScreenArea(int X, int Y, int Width, int Height)
{
    public bool Meets(int screenWidth, int screenHeight) =>
        Width > 0 && Height > 0 && X < screenWidth && Y < screenHeight && (long)X + Width > 0 && (long)Y + Height > 0;
}
