using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Guest;
using Miosa.Server.Guests;
using Miosa.Server.Host;

namespace Miosa.Server.Desktop;

/// <summary>The rest of the group: facts about the screen, what is on it as assistive technologies see it, starting a program, waiting.</summary>
internal static class ScreenEndpoints
{
    private const int MaxWaitSec = 60;
    private const int MaxArgs = 64;
    private const int ColorDepth = 24;

    /// <summary>The guest takes ten seconds at most.</summary>
    private static readonly TimeSpan TreePatience = TimeSpan.FromSeconds(30);

    /// <summary>An object and a list for each level, and the bounds in the last.</summary>
    private const int MaxJsonDepth = (2 * DesktopLimits.MaxTreeDepth) + 8;

    private static readonly Aliases LaunchNames = new Aliases().Add("app", "app_name", "name", "command");
    private static readonly Aliases WaitNames = new Aliases().Add("ms", "milliseconds");

    public static void Map(IEndpointRouteBuilder api)
    {
        api.Map("GET", $"{DesktopOperation.Root}/screen-size", SizeAsync).Needs(Scopes.ComputersRead);
        api.Map("GET", $"{DesktopOperation.Root}/environment", EnvironmentAsync).Needs(Scopes.ComputersRead);
        api.Map("GET", $"{DesktopOperation.Root}/accessibility-tree", TreeAsync).Needs(Scopes.ComputersRead);
        api.Map("POST", $"{DesktopOperation.Root}/launch", LaunchAsync).Needs(Scopes.ComputersWrite);
        api.Map("POST", $"{DesktopOperation.Root}/wait", WaitAsync).Needs(Scopes.ComputersRead);
    }

    private static Task<IResult> SizeAsync(HttpContext context) => DesktopOperation.RunAsync(context, "width", async (guest, ct) =>
    {
        var desktop = await guest.DesktopStatusAsync(ct);
        return desktop.Width > 0 && desktop.Height > 0
            ? Reply.Bare(new DesktopScreenSize { Width = desktop.Width, Height = desktop.Height }, WireJson.Default.DesktopScreenSize)
            : Reply.Refuse(Refusal.Conflict(desktop.Reason ?? $"the desktop is {desktop.State}"));
    });

    private static Task<IResult> EnvironmentAsync(HttpContext context) => DesktopOperation.RunAsync(context, "name", async (guest, ct) =>
    {
        var desktop = await guest.DesktopStatusAsync(ct);
        var hasScreen = desktop.Width > 0 && desktop.Height > 0;
        return Reply.Bare(
            new DesktopEnvironment
            {
                Name = "openbox",
                SessionType = "x11",
                Resolution = hasScreen ? string.Create(CultureInfo.InvariantCulture, $"{desktop.Width}x{desktop.Height}") : null,
                Width = hasScreen ? desktop.Width : null,
                Height = hasScreen ? desktop.Height : null,
                ColorDepth = ColorDepth,
                Display = desktop.Display,
                State = desktop.State,
                Reason = desktop.Reason,
                Restarts = desktop.Restarts,
            },
            WireJson.Default.DesktopEnvironment);
    });

    private static async Task<IResult> TreeAsync(HttpContext context)
    {
        var fields = NumbersOf(context.Request.Query, "max_depth", "max_nodes");
        var depth = fields.Int("max_depth", 1, DesktopLimits.MaxTreeDepth) ?? DesktopLimits.MaxTreeDepth;
        var nodes = fields.Int("max_nodes", 1, DesktopLimits.MaxTreeNodes) ?? DesktopLimits.DefaultTreeNodes;
        if (fields.Errors() is { } faulty)
            return Reply.Refuse(faulty);
        return await DesktopOperation.RunAsync(context, "max_depth", async (guest, ct) =>
        {
            var (json, isTruncated) = await context.RequestServices.GetRequiredService<DesktopTurns>()
                .RunAsync(context, TreePatience, "tell its accessibility tree", limit => guest.TreeAsync(new TreeCall { MaxDepth = depth, MaxNodes = nodes }, limit));
            if (!IsTree(json.Span))
                return Reply.Refuse(Refusal.AgentUnavailable("the computer sent an accessibility tree that cannot be read"));
            context.Response.Headers["X-Miosa-Truncated"] = isTruncated ? "true" : "false";
            return new TreeReply(json);
        });
    }

    private static async Task<IResult> LaunchAsync(HttpContext context)
    {
        var (fields, refusal) = await Body.ReadAsync(context, LaunchNames);
        if (!fields.Has("app"))
            fields.Fail("app", "is required: the name of an installed application (GET …/apps), or a command line");
        var app = fields.Text("app", 4096);
        var args = fields.TextList("args", MaxArgs, 4096);
        if (args?.Any(arg => arg.Contains('\0')) == true)
            fields.Fail("args", "must not contain a NUL character");
        if ((refusal ?? fields.Errors()) is { } faulty)
            return Reply.Refuse(faulty);
        return await DesktopOperation.RunAsync(context, "app", async (guest, ct) =>
        {
            try
            {
                var started = await guest.LaunchAsync(new LaunchCall { App = app, Args = args is null ? null : [.. args] }, ct);
                return DesktopOperation.Done(string.Create(CultureInfo.InvariantCulture, $"{started.App ?? app} was started as process {started.Pid}"));
            }
            catch (GuestException e) when (e.Code == GuestErrorCode.NotFound)
            {
                return Reply.Refuse(DesktopOperation.Invalid("app", e.Message));
            }
        });
    }

    private static async Task<IResult> WaitAsync(HttpContext context)
    {
        var (fields, refusal) = await Body.ReadAsync(context, WaitNames);
        var seconds = fields.Number("seconds", 0, MaxWaitSec);
        var ms = fields.Number("ms", 0, MaxWaitSec * 1000);
        if (!fields.Has("seconds") && !fields.Has("ms"))
            fields.Fail("seconds", $"is required: a number from 0 to {MaxWaitSec}");
        if ((refusal ?? fields.Errors()) is { } faulty)
            return Reply.Refuse(faulty);
        var time = context.RequestServices.GetRequiredService<TimeProvider>();
        var pause = seconds is { } whole ? TimeSpan.FromSeconds(whole) : TimeSpan.FromMilliseconds(ms ?? 0);
        return await DesktopOperation.DoAsync(context, "seconds", (_, ct) => Task.Delay(pause, time, ct));
    }

    private static Fields NumbersOf(IQueryCollection query, params string[] names)
    {
        var body = new JsonObject();
        foreach (var name in names)
        {
            if (query[name].ToString() is { Length: > 0 } text)
                body[name] = int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : text;
        }
        // Parsed again: the readers of fields know numbers as JSON has them.
        return new Fields(JsonNode.Parse(body.ToJsonString())!.AsObject()); // it is one
    }

    /// <summary>One JSON object to the end, no deeper than clients read.</summary>
    private static bool IsTree(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxJsonDepth });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return false;
            while (reader.Read())
            {
            }
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private sealed class TreeReply(ReadOnlyMemory<byte> json) : IResult
    {
        public async Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.ContentType = "application/json; charset=utf-8";
            httpContext.Response.ContentLength = json.Length;
            if (!HttpMethods.IsHead(httpContext.Request.Method))
                await httpContext.Response.Body.WriteAsync(json, httpContext.RequestAborted);
        }
    }
}
