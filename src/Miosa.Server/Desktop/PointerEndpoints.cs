using Miosa.Guest;
using Miosa.Server.Guests;
using Miosa.Server.Host;

namespace Miosa.Server.Desktop;

/// <summary>The mouse. Every answer comes after X has processed what was done, so the next screenshot shows it as far as X can tell.</summary>
internal static class PointerEndpoints
{
    private const int DefaultScroll = 3;
    private const string Pixels = "a position in pixels of the screen";

    private static readonly Aliases DragNames = new Aliases().Add("start_x", "from_x").Add("start_y", "from_y").Add("end_x", "to_x").Add("end_y", "to_y");
    private static readonly Aliases ScrollNames = new Aliases().Add("amount", "clicks");

    public static void Map(IEndpointRouteBuilder api)
    {
        Write("click", context => PointAsync(context, DesktopWord.Click, count: 1, isAnywhere: false));
        foreach (var spelling in (string[])["double-click", "double_click"])
            Write(spelling, context => PointAsync(context, DesktopWord.Click, count: 2, isAnywhere: false));
        Write("right-click", context => PointAsync(context, DesktopWord.Click, count: 1, isAnywhere: false, DesktopMouseButton.Right));
        Write("move", context => PointAsync(context, DesktopWord.Move, count: 1, isAnywhere: false, DesktopMouseButton.Left));
        Write("mouse-down", context => PointAsync(context, DesktopWord.Down, count: 1, isAnywhere: true));
        Write("mouse-up", context => PointAsync(context, DesktopWord.Up, count: 1, isAnywhere: true));
        Write("drag", DragAsync);
        Write("scroll", ScrollAsync);
        api.Map("GET", $"{DesktopOperation.Root}/cursor", CursorAsync).Needs(Scopes.ComputersRead);

        void Write(string name, Func<HttpContext, Task<IResult>> handler) => api.Map("POST", $"{DesktopOperation.Root}/{name}", handler).Needs(Scopes.ComputersWrite);
    }

    /// <param name="context">The call.</param>
    /// <param name="action">What is done there.</param>
    /// <param name="count">Clicks.</param>
    /// <param name="isAnywhere">Without a position it is done where the pointer is.</param>
    /// <param name="fixedButton">The button when the call is about one; null when it says which.</param>
    private static async Task<IResult> PointAsync(HttpContext context, string action, int count, bool isAnywhere, string? fixedButton = null)
    {
        var (fields, refusal) = await Body.ReadAsync(context, Aliases.None);
        var (x, y) = Position(fields, isAnywhere);
        var button = fixedButton ?? Button(fields);
        if ((refusal ?? fields.Errors()) is { } faulty)
            return Reply.Refuse(faulty);
        return await DesktopOperation.DoAsync(context, "x", (guest, ct) => guest.PointerAsync(new PointerCall { Action = action, X = x, Y = y, Button = button, Count = count }, ct));
    }

    private static async Task<IResult> DragAsync(HttpContext context)
    {
        var (fields, refusal) = await Body.ReadAsync(context, DragNames);
        var (fromX, fromY) = (fields.Int("start_x", 0, DesktopLimits.MaxWidth - 1), fields.Int("start_y", 0, DesktopLimits.MaxHeight - 1));
        var (toX, toY) = (fields.Int("end_x", 0, DesktopLimits.MaxWidth - 1), fields.Int("end_y", 0, DesktopLimits.MaxHeight - 1));
        DesktopOperation.Require(fields, Pixels, "start_x", "start_y", "end_x", "end_y");
        var button = Button(fields);
        var duration = fields.Int("duration_ms", 0, DesktopLimits.MaxDragMs);
        if ((refusal ?? fields.Errors()) is { } faulty)
            return Reply.Refuse(faulty);
        var call = new DragCall { FromX = fromX, FromY = fromY, ToX = toX, ToY = toY, Button = button };
        return await DesktopOperation.DoAsync(context, "start_x", (guest, ct) => guest.DragAsync(duration is { } ms ? call with { DurationMs = ms } : call, ct));
    }

    private static async Task<IResult> ScrollAsync(HttpContext context)
    {
        var (fields, refusal) = await Body.ReadAsync(context, ScrollNames);
        var direction = Word(fields, "direction", DesktopScrollDirection.Up, DesktopScrollDirection.Down, DesktopScrollDirection.Left, DesktopScrollDirection.Right) ?? DesktopScrollDirection.Down;
        var amount = fields.Int("amount", 1, DesktopLimits.MaxScroll) ?? DefaultScroll;
        var (x, y) = Position(fields, isAnywhere: true);
        if ((refusal ?? fields.Errors()) is { } faulty)
            return Reply.Refuse(faulty);
        return await DesktopOperation.DoAsync(context, "x", (guest, ct) => guest.ScrollAsync(new ScrollCall { Direction = direction, Amount = amount, X = x, Y = y }, ct));
    }

    private static Task<IResult> CursorAsync(HttpContext context) => DesktopOperation.RunAsync(context, "x", async (guest, ct) =>
    {
        var at = await guest.CursorAsync(ct);
        return Reply.Bare(new DesktopPoint { X = at.X, Y = at.Y }, WireJson.Default.DesktopPoint);
    });

    /// <summary>Bounded by the largest screen; the guest knows this one and tells its bounds.</summary>
    private static (int? X, int? Y) Position(Fields fields, bool isAnywhere)
    {
        var (x, y) = (fields.Int("x", 0, DesktopLimits.MaxWidth - 1), fields.Int("y", 0, DesktopLimits.MaxHeight - 1));
        if (!isAnywhere || fields.Has("x") != fields.Has("y"))
            DesktopOperation.Require(fields, isAnywhere ? Pixels + "; leave out both for where the pointer is" : Pixels, "x", "y");
        return (x, y);
    }

    private static string Button(Fields fields) => Word(fields, "button", DesktopMouseButton.Left, DesktopMouseButton.Middle, DesktopMouseButton.Right) ?? DesktopMouseButton.Left;

    private static string? Word(Fields fields, string name, params string[] words)
    {
        if (fields.Text(name, 32) is not { } text)
            return null;
        if (Array.IndexOf(words, text) >= 0)
            return text;
        fields.Fail(name, $"must be {string.Join(", ", words[..^1])} or {words[^1]}, got \"{text}\"");
        return null;
    }
}
