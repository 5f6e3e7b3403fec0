using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Miosa.Guest.Desktop.Accessibility;

/// <summary>
/// The tree of what is on the screen, as the applications tell it through AT-SPI.
///   1  the session's bus knows the accessibility bus and starts it; applications look at IsEnabled there
///   2  RegisterEvent makes them keep a cache, once for as long as we are connected
///   3  every application is asked at once; all of them have <see cref="TotalMs"/>, and one that is silent for two seconds is given up
///   4  what does not show, lies outside the screen or is an empty wrapper goes; what is left is chosen breadth first up to the wanted number,
///      so that a huge page does not hide the window beside it
/// </summary>
internal sealed class AccessibilityTree(string sessionBus, uint uid)
{
    public const int MaxJsonDepth = 60;

    private const int TotalMs = 5000;
    private const int NoticeMs = 400;
    private const int MaxApps = 64;

    /// <summary>A level takes two of the JSON's (object and array), and bounds one more.</summary>
    private const int MaxLevels = (MaxJsonDepth - 2) / 2;

    private const string Registry = "org.a11y.atspi.Registry";

    private readonly Lock _lock = new();
    private BusConnection? _bus;
    private long _listeningSince;

    /// <param name="maxDepth">Levels below the root; 0: all.</param>
    public (byte[] Json, TreeReply Reply) Take(int screenWidth, int screenHeight, int maxDepth, int maxNodes)
    {
        lock (_lock)
        {
            var deadline = Environment.TickCount64 + TotalMs;
            try
            {
                return Take(screenWidth, screenHeight, maxDepth, maxNodes, deadline);
            }
            catch (BusException) when (_bus is not null && Environment.TickCount64 < deadline)
            {
                // A bus that was started again: once more with the new one.
                Disconnect();
            }
            try
            {
                return Take(screenWidth, screenHeight, maxDepth, maxNodes, deadline);
            }
            catch (BusException e)
            {
                Disconnect();
                throw new GuestFailure(GuestErrorCode.Failed, "the accessibility tree cannot be read: " + e.Message);
            }
        }
    }

    private (byte[] Json, TreeReply Reply) Take(int screenWidth, int screenHeight, int maxDepth, int maxNodes, long deadline)
    {
        var bus = _bus ??= Connect(deadline);
        var isTruncated = false;
        var budget = new TreeBudget();
        var names = Applications(bus, deadline);
        if (names.Count > MaxApps)
        {
            isTruncated = true;
            names.RemoveRange(MaxApps, names.Count - MaxApps);
        }
        var apps = names.ConvertAll(name => new AccessibleApp(bus, name, budget));
        var asked = apps.ConvertAll(app => app.AskCache());
        var root = new AccessibleNode("") { Role = Words.RoleDesktopFrame, Name = "desktop", Bounds = new ScreenArea(0, 0, screenWidth, screenHeight) };
        for (var i = 0; i < apps.Count; i++)
        {
            // A share of what is left: many that do not answer must not use up the time of those that do.
            var now = Environment.TickCount64;
            var appDeadline = now + Math.Max(0, (deadline - now) / (apps.Count - i));
            if (apps[i].Take(asked[i], appDeadline, _listeningSince + NoticeMs) is { } app && Keep(app, screenWidth, screenHeight, 0))
                root.Children.Add(app);
            bus.Forget(asked[i]);
            isTruncated |= apps[i].IsTruncated;
        }
        isTruncated |= Choose(root, maxDepth == 0 ? MaxLevels : Math.Min(maxDepth, MaxLevels), maxNodes, out var count);
        return (Write(root), new TreeReply { Nodes = count, Truncated = isTruncated });
    }

    private BusConnection Connect(long deadline)
    {
        string address;
        using (var session = BusConnection.Open(sessionBus, uid, deadline))
        {
            _ = session.Call("org.a11y.Bus", "/org/a11y/bus", "org.freedesktop.DBus.Properties", "Set", deadline, "ssv", arguments =>
            {
                arguments.Text("org.a11y.Status");
                arguments.Text("IsEnabled");
                arguments.Signature("b");
                arguments.UInt32(1);
            });
            if (session.Call("org.a11y.Bus", "/org/a11y/bus", "org.a11y.Bus", "GetAddress", deadline) is not { Error: null, Signature: "s" } reply)
                throw new BusException("there is no accessibility bus");
            address = reply.Read().Text();
        }
        var bus = BusConnection.Open(address, uid, deadline);
        try
        {
            if (bus.Call(Registry, "/org/a11y/atspi/registry", Registry, "RegisterEvent", deadline, "s", arguments => arguments.Text("object:children-changed")) is not { Error: null })
                throw new BusException("the registry of accessible applications does not answer");
            _listeningSince = Environment.TickCount64;
            return bus;
        }
        catch
        {
            bus.Dispose();
            throw;
        }
    }

    private void Disconnect()
    {
        _bus?.Dispose();
        _bus = null;
    }

    /// <summary>The bus names of the applications, each once.</summary>
    private static List<string> Applications(BusConnection bus, long deadline)
    {
        if (bus.Call(Registry, AccessibleApp.RootPath, "org.a11y.atspi.Accessible", "GetChildren", deadline) is not { Error: null, Signature: "a(so)" } reply)
            throw new BusException("the registry does not tell the applications");
        var names = new List<string>();
        var reader = reply.Read();
        var end = reader.Array(8);
        while (reader.Position < end)
        {
            reader.Align(8);
            var name = reader.Text();
            reader.SkipText();
            // Unique names only: what is well known could be the registry itself, and so a circle; and the bus hangs up on who names a destination that is none.
            if (IsUnique(name) && !names.Contains(name))
                names.Add(name);
        }
        return names;
    }

    private static readonly SearchValues<char> s_digitsAndDot = SearchValues.Create("0123456789.");

    private static bool IsUnique(string name) =>
        name.Length is > 3 and < 100 && name[0] == ':' && char.IsAsciiDigit(name[1]) && char.IsAsciiDigit(name[^1])
        && name.Count(letter => letter == '.') == 1 && !name.AsSpan(1).ContainsAnyExcept(s_digitsAndDot);

    /// <summary>Takes out below what is not to be seen; false when nothing is left.</summary>
    private static bool Keep(AccessibleNode node, int width, int height, int depth)
    {
        if (node.Has(Words.StateDefunct) || node.Has(Words.StateIconified) || depth > MaxLevels * 8)
            return false;
        var isApp = node.Role == Words.RoleApplication;
        // A window outside the screen: nothing in it is to be seen, whatever it says.
        if (depth == 1 && node.Bounds is { } bounds && !bounds.Meets(width, height))
            return false;
        node.Children.RemoveAll(child => !Keep(child, width, height, depth + 1));
        for (var i = 0; i < node.Children.Count; i++)
        {
            // Wrappers with one child stand for it; many levels of a page are such.
            if (node.Children[i] is { IsWrapper: true, Children: [var only] })
                node.Children[i] = only;
        }
        return node.Children.Count > 0 || (!isApp && !node.IsWrapper && node.Has(Words.StateShowing) && node.Bounds is { } area && area.Meets(width, height));
    }

    /// <summary>Marks what is told, breadth first; true when something is not.</summary>
    private static bool Choose(AccessibleNode root, int maxDepth, int maxNodes, out int count)
    {
        count = 1;
        root.IsChosen = true;
        var level = new List<AccessibleNode> { root };
        for (var depth = 0; level.Count > 0; depth++)
        {
            var next = new List<AccessibleNode>();
            foreach (var child in level.SelectMany(node => node.Children))
            {
                if (depth == maxDepth || count == maxNodes)
                    return true;
                child.IsChosen = true;
                count++;
                next.Add(child);
            }
            level = next;
        }
        return false;
    }

    private static byte[] Write(AccessibleNode root)
    {
        var buffer = new ArrayBufferWriter<byte>(64 << 10);
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = MaxJsonDepth }))
            Write(json, root);
        return buffer.WrittenSpan.ToArray();
    }

    private static void Write(Utf8JsonWriter json, AccessibleNode node)
    {
        json.WriteStartObject();
        json.WriteString("role"u8, Words.Role(node.Role));
        json.WriteString("name"u8, node.Name);
        json.WriteString("description"u8, node.Description);
        if (node.Bounds is { } bounds)
        {
            json.WriteStartObject("bounds"u8);
            json.WriteNumber("x"u8, bounds.X);
            json.WriteNumber("y"u8, bounds.Y);
            json.WriteNumber("width"u8, bounds.Width);
            json.WriteNumber("height"u8, bounds.Height);
            json.WriteEndObject();
        }
        json.WriteStartArray("states"u8);
        for (var bit = 0; Words.State(bit) is { } state; bit++)
        {
            if (node.Has(bit))
                json.WriteStringValue(state);
        }
        json.WriteEndArray();
        json.WriteStartArray("actions"u8);
        foreach (var action in node.Actions)
            json.WriteStringValue(action);
        json.WriteEndArray();
        json.WriteStartArray("children"u8);
        foreach (var child in node.Children)
        {
            if (child.IsChosen)
                Write(json, child);
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
