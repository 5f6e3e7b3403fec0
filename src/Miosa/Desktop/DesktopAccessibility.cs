namespace Miosa;

/// <summary>Finding things in an accessibility tree.</summary>
/// <example>
/// <code>
/// var tree = await computer.Desktop.AccessibilityTreeAsync();
/// if (tree.Find("push button", "Send") is { } button)
///     await computer.Desktop.ClickAsync(button);
/// </code>
/// </example>
public static class DesktopAccessibility
{
    /// <summary>The first element, from the top, that matches and is shown; null when there is none.</summary>
    /// <param name="root">Where to look: this element and all below it.</param>
    /// <param name="role">Its exact role, such as <c>push button</c> or <c>entry</c>, in any case; default: any.</param>
    /// <param name="name">Part of its name, in any case; default: any. An element that has exactly this name is preferred.</param>
    /// <param name="shownOnly">Only elements that have a place on the screen; default true.</param>
    /// <returns>The element, or null.</returns>
    public static DesktopAccessibilityNode? Find(this DesktopAccessibilityNode root, string? role = null, string? name = null, bool shownOnly = true)
    {
        DesktopAccessibilityNode? first = null;
        foreach (var node in root.FindAll(role, name, shownOnly))
        {
            if (name is null || node.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
                return node;
            first ??= node;
        }
        return first;
    }

    /// <summary>All elements that match, from the top; a container comes before what is in it.</summary>
    /// <param name="root">Where to look: this element and all below it.</param>
    /// <param name="role">Their exact role, in any case; default: any.</param>
    /// <param name="name">Part of their name, in any case; default: any.</param>
    /// <param name="shownOnly">Only elements that have a place on the screen; default true.</param>
    /// <returns>The elements; found while the caller enumerates.</returns>
    public static IEnumerable<DesktopAccessibilityNode> FindAll(this DesktopAccessibilityNode root, string? role = null, string? name = null, bool shownOnly = true)
    {
        ArgumentNullException.ThrowIfNull(root);
        return Matching(root, role, name, shownOnly);
    }

    /// <summary>The middle of an element, which is where a click on it goes.</summary>
    /// <param name="node">The element.</param>
    /// <returns>The point; null when the element has no place on the screen.</returns>
    public static DesktopPoint? Center(this DesktopAccessibilityNode node)
    {
        ArgumentNullException.ThrowIfNull(node);
        return IsShown(node) && node.Bounds is { } place ? new DesktopPoint { X = place.X + place.Width / 2, Y = place.Y + place.Height / 2 } : null;
    }

    private static IEnumerable<DesktopAccessibilityNode> Matching(DesktopAccessibilityNode root, string? role, string? name, bool shownOnly)
    {
        // A stack of its own: a tree of an application in the computer may be as deep as it likes.
        var waiting = new Stack<DesktopAccessibilityNode>([root]);
        while (waiting.TryPop(out var node))
        {
            if ((role is null || node.Role.Equals(role, StringComparison.OrdinalIgnoreCase))
                && (name is null || node.Name.Contains(name, StringComparison.OrdinalIgnoreCase))
                && (!shownOnly || IsShown(node)))
            {
                yield return node;
            }
            for (var i = node.Children.Count - 1; i >= 0; i--)
                waiting.Push(node.Children[i]);
        }
    }

    private static bool IsShown(DesktopAccessibilityNode node) => node.Bounds is { Width: > 0, Height: > 0 };
}
