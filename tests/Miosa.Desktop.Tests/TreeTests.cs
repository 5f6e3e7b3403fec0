using System.Diagnostics;
using System.Text.Json;
using Miosa.Guest;
using Miosa.Server.Guests;

namespace Miosa.Desktop.Tests;

/// <summary>The accessibility tree is what is on the screen: names lead to places, and what is clicked there changes what it tells.</summary>
public sealed class TreeTests(DesktopFixture desktop) : IAsyncLifetime
{
    private const int Port = 8099;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        foreach (var program in (string[])["chromium", "mousepad", "thunar"])
            await desktop.EndAsync(program);
    }

    [Fact]
    public async Task A_button_of_a_page_is_found_by_its_name_and_a_click_at_its_place_changes_the_page()
    {
        await ServeAsync("order", """<h1>Order</h1><label>Name <input></label> <button onclick="this.textContent='Thanks';document.title='sent'">Send order</button>""");
        await desktop.LaunchAsync("Chromium", Url("order"));
        var button = await SeenAsync("push button", "Send order");
        var area = button.Bounds!.Value; // it is on the screen
        Assert.InRange(area.X, 0, 1279 - area.Width);
        Assert.InRange(area.Y, 100, 719 - area.Height);
        Assert.Contains("showing", button.States);
        Assert.Contains("press", button.Actions);
        Assert.Contains("editable", (await SeenAsync("entry", "Name")).States);
        Assert.Equal("Order", (await SeenAsync("heading", "Order")).Name);

        await desktop.ClickAsync(area.X + (area.Width / 2), area.Y + (area.Height / 2));
        Assert.Equal(area.Y, (await SeenAsync("push button", "Thanks")).Bounds!.Value.Y); // as above
    }

    [Fact]
    public async Task A_page_that_nests_deeper_than_the_answer_may_is_cut_and_says_so()
    {
        await ServeAsync("deep", string.Concat(Enumerable.Range(0, 100).Select(i => $"<div role=group aria-label=g{i}>")) + "<button>Bottom</button>");
        await desktop.LaunchAsync("Chromium", Url("deep"));
        await SeenAsync("document web", "deep");
        // JSON of more than 60 levels does not parse.
        var (root, reply) = await TreeAsync();
        Assert.True(reply.Truncated);
        Assert.NotNull(root.Find("grouping", "g5") ?? root.Find("panel", "g5") ?? root.All().FirstOrDefault(node => node.Name == "g5"));
        Assert.DoesNotContain(root.All(), node => node.Name == "g99");
    }

    [Fact]
    public async Task A_menu_of_a_gtk_application_is_found_and_opens_where_it_says()
    {
        await desktop.WriteAsync("/home/user/notes.txt", "one\ntwo\n");
        await desktop.LaunchAsync("Editor", "/home/user/notes.txt");
        var frame = await DeskApps.PatientlyAsync(async () => (await TreeAsync()).Root.All().FirstOrDefault(node => node.Role == "frame" && node.Name.Contains("notes.txt", StringComparison.Ordinal)), "the editor's window");
        Assert.Contains(frame.All(), node => node.Role == "text" && node.States.Contains("editable"));
        var menu = frame.Find("menu", "File")!; // every editor has one
        var area = menu.Bounds!.Value; // it is on the screen
        await desktop.ClickAsync(area.X + (area.Width / 2), area.Y + (area.Height / 2));
        var item = await DeskApps.PatientlyAsync(async () => (await TreeAsync()).Root.All().FirstOrDefault(node => node.Role == "menu item" && node.Name.StartsWith("Save", StringComparison.Ordinal) && node.Bounds is not null), "the menu");
        Assert.True(item.Bounds!.Value.Y > area.Y); // it has one
        await desktop.KeysAsync("escape");
    }

    [Fact]
    public async Task Depth_and_number_of_nodes_can_be_bounded()
    {
        await desktop.LaunchAsync("Files", "/usr/share");
        await DeskApps.PatientlyAsync(async () => (await TreeAsync()).Root.All().FirstOrDefault(node => node.Role == "frame" && node.Name.Contains("Thunar", StringComparison.Ordinal)), "the file manager");
        var (whole, _) = await TreeAsync();
        Assert.Equal(("desktop frame", new Area(0, 0, 1280, 720)), (whole.Role, whole.Bounds!.Value)); // the root has them
        var (few, cut) = await TreeAsync(maxNodes: 10);
        Assert.Equal((10, 10, true), (few.All().Count(), cut.Nodes, cut.Truncated));
        var (flat, shallow) = await TreeAsync(maxDepth: 2);
        Assert.True(shallow.Truncated);
        Assert.All(flat.Children.SelectMany(app => app.Children), window => Assert.Empty(window.Children));
        Assert.NotEmpty(flat.Children.SelectMany(app => app.Children));
    }

    [Theory]
    [InlineData(-1, 1, "max_depth")]
    [InlineData(65, 1, "max_depth")]
    [InlineData(0, -1, "max_nodes")]
    [InlineData(0, 20_001, "max_nodes")]
    public async Task Bounds_out_of_bounds_are_refused(int depth, int nodes, string field)
    {
        var refused = await Assert.ThrowsAsync<GuestException>(() => TreeAsync(depth, nodes));
        Assert.Equal(GuestErrorCode.BadRequest, refused.Code);
        Assert.Contains(field, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_application_that_answers_nothing_does_not_hide_the_others()
    {
        await desktop.WriteAsync("/home/user/hung.txt", "x");
        await desktop.LaunchAsync("Editor", "/home/user/hung.txt");
        await desktop.LaunchAsync("Files", "/usr/share");
        await DeskApps.PatientlyAsync(async () => (await TreeAsync()).Root is var root && root.Children.Any(app => app.Name == "mousepad") && root.Children.Any(app => app.Name == "thunar") ? "there" : null, "both applications");
        await desktop.AsRootAsync("pkill -STOP mousepad");
        try
        {
            var clock = Stopwatch.StartNew();
            var (root, reply) = await TreeAsync();
            // Two seconds are what silence costs; all of it is bounded by five.
            Assert.InRange(clock.Elapsed.TotalSeconds, 0, 6);
            Assert.True(reply.Truncated);
            Assert.Contains(root.Children, app => app.Name.Equals("thunar", StringComparison.OrdinalIgnoreCase));
            Assert.DoesNotContain(root.Children, app => app.Name == "mousepad");
            // Meanwhile the screen can be seen.
            clock.Restart();
            var waiting = TreeAsync();
            await desktop.RegionAsync(0, 0, 100, 100);
            Assert.False(waiting.IsCompleted, $"the tree was there after {clock.ElapsedMilliseconds} ms");
            await waiting;
        }
        finally
        {
            await desktop.AsRootAsync("pkill -CONT mousepad");
        }
        await DeskApps.PatientlyAsync(async () => (await TreeAsync()).Root.Children.Any(app => app.Name == "mousepad") ? "there" : null, "the application that goes on");
    }

    /// <summary>What each does is told in hostile.py.</summary>
    [Theory]
    [InlineData("circle")]
    [InlineData("deep")]
    [InlineData("wide")]
    [InlineData("paths")]
    [InlineData("control")]
    [InlineData("wrong")]
    [InlineData("nocache")]
    [InlineData("endless")]
    [InlineData("drip")]
    [InlineData("extents")]
    public async Task An_application_that_lies_costs_no_more_than_the_time_and_the_others_are_told(string lie)
    {
        await desktop.WriteAsync("/tmp/hostile.py", await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "hostile.py")));
        await desktop.LaunchAsync("Files", "/usr/share");
        await DeskApps.PatientlyAsync(async () => (await TreeAsync()).Root.Children.FirstOrDefault(IsFiles), "the file manager");
        await desktop.LaunchAsync("python3", "/tmp/hostile.py", lie);
        try
        {
            await DeskApps.PatientlyAsync(async () => await desktop.AsRootAsync($"[ -e /tmp/hostile.{lie} ] && echo yes || true") == "yes\n" ? "yes" : null, "the hostile application");
            for (var i = 0; i < 2; i++)
            {
                var clock = Stopwatch.StartNew();
                var (root, _) = await TreeAsync(maxNodes: DesktopLimits.MaxTreeNodes);
                Assert.InRange(clock.Elapsed.TotalSeconds, 0, 8);
                // What is odd but can be read is told.
                if (lie is "paths" or "control")
                    Assert.Contains(root.Children, app => app.Name == "hostile");
                // Another may be late once on a busy host, but not because of the first.
                if (i == 1)
                    Assert.Contains(root.Children, IsFiles);
            }
        }
        finally
        {
            await desktop.AsRootAsync("pkill -f [h]ostile.py || true");
        }
        await DeskApps.PatientlyAsync(async () => (await TreeAsync()) is { Reply.Truncated: false, Root: var root } && root.Children.Any(IsFiles) ? "whole" : null, "a whole tree");
    }

    [Fact]
    public async Task A_window_that_is_minimized_is_not_in_the_tree()
    {
        await desktop.WriteAsync("/home/user/hidden.txt", "x");
        await desktop.LaunchAsync("Editor", "/home/user/hidden.txt");
        static bool IsIt(Node node) => node.Role == "frame" && node.Name.Contains("hidden.txt", StringComparison.Ordinal);
        await DeskApps.PatientlyAsync(async () => (await TreeAsync()).Root.All().Any(IsIt) ? "there" : null, "the window");
        var window = await desktop.TitledAsync("hidden.txt");
        await desktop.WindowAsync(new WindowCall { Id = window.Id, Action = DesktopWord.Minimize });
        await DeskApps.PatientlyAsync(async () => !(await TreeAsync()).Root.All().Any(IsIt) ? "there" : null, "the tree without the window");
    }

    private static bool IsFiles(Node app) => app.Name.Equals("thunar", StringComparison.OrdinalIgnoreCase);

    private static string Url(string page) => $"http://127.0.0.1:{Port}/{page}.html";

    private async Task ServeAsync(string page, string body)
    {
        await desktop.WriteAsync($"/tmp/site/{page}.html", $"<!doctype html><meta charset=utf-8><title>{page}</title>{body}");
        await desktop.AsRootAsync($"curl -s -o /dev/null http://127.0.0.1:{Port}/ || (cd /tmp/site && (setsid python3 -m http.server {Port} --bind 127.0.0.1 >/dev/null 2>&1 &); curl -s --retry 50 --retry-delay 1 --retry-connrefused -o /dev/null http://127.0.0.1:{Port}/)");
    }

    private Task<Node> SeenAsync(string role, string name) => DeskApps.PatientlyAsync(async () => (await TreeAsync()).Root.Find(role, name), $"a {role} \"{name}\" in the tree");

    private async Task<(Node Root, TreeReply Reply)> TreeAsync(int maxDepth = 0, int maxNodes = DesktopLimits.DefaultTreeNodes)
    {
        var call = new TreeCall { MaxDepth = maxDepth, MaxNodes = maxNodes };
        var (reply, bytes) = await desktop.CallWithDataAsync(GuestVerb.DesktopTree, call, GuestJson.Wire.TreeCall, GuestJson.Wire.TreeReply);
        using var json = JsonDocument.Parse(bytes, new JsonDocumentOptions { MaxDepth = 60 });
        return (Node.Read(json.RootElement), reply);
    }

    private readonly record struct Area(int X, int Y, int Width, int Height);

    private sealed record Node(string Role, string Name, Area? Bounds, string[] States, string[] Actions, Node[] Children)
    {
        public static Node Read(JsonElement json) => new(
            json.GetProperty("role").GetString()!, // always strings
            json.GetProperty("name").GetString()!,
            json.TryGetProperty("bounds", out var area) ? new Area(Number(area, "x"), Number(area, "y"), Number(area, "width"), Number(area, "height")) : null,
            [.. json.GetProperty("states").EnumerateArray().Select(state => state.GetString()!)],
            [.. json.GetProperty("actions").EnumerateArray().Select(action => action.GetString()!)],
            [.. json.GetProperty("children").EnumerateArray().Select(Read)]);

        public IEnumerable<Node> All() => [this, .. Children.SelectMany(child => child.All())];

        public Node? Find(string role, string name) => All().FirstOrDefault(node => node.Role == role && node.Name == name);

        private static int Number(JsonElement area, string name) => area.GetProperty(name).GetInt32();
    }
}
