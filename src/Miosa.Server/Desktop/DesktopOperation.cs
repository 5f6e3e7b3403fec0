using System.Buffers;
using System.Text.Json.Nodes;
using Miosa.Guest;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Desktop;

/// <summary>What every desktop operation does around its own step: ask the computer, then tell the guest's "no" in the contract's words.</summary>
internal static class DesktopOperation
{
    public const string Computer = "/computers/{computer_id}";
    public const string Root = Computer + "/desktop";

    /// <summary>The fields that a message of the guest may begin with, by the guest's name and the contract's.</summary>
    private static readonly Dictionary<string, string> GuestFields = new()
    {
        ["x"] = "x", ["y"] = "y", ["width"] = "width", ["height"] = "height", ["region"] = "region", ["button"] = "button", ["direction"] = "direction", ["amount"] = "amount",
        ["from_x"] = "start_x", ["from_y"] = "start_y", ["to_x"] = "end_x", ["to_y"] = "end_y", ["delay_ms"] = "delay", ["duration_ms"] = "duration_ms", ["text"] = "text",
        ["key"] = "key", ["keys"] = "keys", ["mode"] = "mode", ["app"] = "app", ["args"] = "args",
    };

    /// <param name="field">The field that a refusal is about when the guest does not begin its message with another.</param>
    /// <param name="act">The operation; what it throws as <see cref="GuestException"/> becomes a refusal.</param>
    public static async Task<IResult> RunAsync(HttpContext context, string field, Func<GuestConnection, CancellationToken, Task<IResult>> act)
    {
        var machines = context.RequestServices.GetRequiredService<Machines>();
        var admitted = await machines.AdmitComputerAsync(context, context.PathValue("computer_id"), AdmitFor.Desktop);
        if (admitted.Refusal is { } refusal)
            return Reply.Refuse(refusal);
        try
        {
            return await act(admitted.Guest, context.RequestAborted);
        }
        catch (GuestException e)
        {
            return Reply.Refuse(RefusalOf(e, field));
        }
    }

    /// <summary>The same for an operation whose answer is only that it was done.</summary>
    public static Task<IResult> DoAsync(HttpContext context, string field, Func<GuestConnection, CancellationToken, Task> act) => RunAsync(context, field, async (guest, ct) =>
    {
        await act(guest, ct);
        return Done();
    });

    public static IResult Done(string? message = null) => Reply.Bare(new DesktopActionResult { Message = message }, WireJson.Default.DesktopActionResult);

    /// <summary>Statuses are those the contract lists for desktop operations: 404, 409, 422 and 502.</summary>
    public static Refusal RefusalOf(GuestException e, string field) => e.Code switch
    {
        GuestErrorCode.BadRequest => FieldIn(e.Message) is var (named, rest) ? Invalid(named, named + rest) : Invalid(field, e.Message),
        GuestErrorCode.NotFound => new Refusal(ErrorCodes.NotFound, e.Message),
        GuestErrorCode.Busy => Refusal.Conflict(e.Message) with { RetryAfter = 1 },
        GuestErrorCode.Unsupported => new Refusal(ErrorCodes.DesktopNotAvailable, $"{e.Message}: create the computer of an image with a desktop, such as miosa-desktop"),
        GuestErrorCode.TooLarge or GuestErrorCode.NoSpace or GuestErrorCode.Exists => Refusal.Conflict(e.Message),
        _ => Refusal.AgentUnavailable(e.Message),
    };

    /// <summary>422 for one field, with a message that begins with its name already or does not.</summary>
    public static Refusal Invalid(string field, string message) =>
        new(ErrorCodes.ValidationError, message.StartsWith(field, StringComparison.Ordinal) ? message : $"{field}: {message}", new JsonObject { [field] = message });

    /// <summary>Numbers may be missing; what is missing and must not be is told.</summary>
    public static void Require(Fields fields, string says, params string[] names)
    {
        foreach (var name in names.Where(name => !fields.Has(name)))
            fields.Fail(name, $"is required: {says}");
    }

    private static readonly SearchValues<char> LowerAndUnderscore = SearchValues.Create("abcdefghijklmnopqrstuvwxyz_");

    /// <summary>The field that the message begins with, by the name that the caller knows, and the rest of the message.</summary>
    private static (string Field, string Behind)? FieldIn(string message)
    {
        var length = message.AsSpan().IndexOfAnyExcept(LowerAndUnderscore);
        return length > 0 && GuestFields.TryGetValue(message[..length], out var field) ? (field, message[length..]) : null;
    }
}
