using System.Text.Json.Nodes;
using Miosa.Guest;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Files;

/// <summary>What every file operation does around its own step: ask the machine, then tell the guest's "no" in the contract's words.</summary>
internal static class FileCall
{
    /// <param name="field">The field that names the path, for the details of a refusal.</param>
    /// <param name="act">The operation; what it throws as <see cref="GuestException"/> becomes a refusal.</param>
    public static async Task<IResult> RunAsync(
        HttpContext context, AdmitFor purpose, string field, Func<GuestConnection, CancellationToken, Task<IResult>> act)
    {
        var admitted = await context.AdmitAsync(purpose);
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

    /// <summary>Statuses are those the contract lists for file operations; docs/status-codes.md has the table.</summary>
    public static Refusal RefusalOf(GuestException e, string field) => e.Code switch
    {
        GuestErrorCode.NotFound => new Refusal(ErrorCodes.NotFound, e.Message),
        GuestErrorCode.Forbidden or GuestErrorCode.Permission => new Refusal(ErrorCodes.ForbiddenPath, e.Message, Details(field, e.Message)),
        GuestErrorCode.IsDirectory or GuestErrorCode.NotDirectory or GuestErrorCode.BadRequest =>
            new Refusal(ErrorCodes.ValidationError, $"{field}: {e.Message}", Details(field, e.Message)),
        GuestErrorCode.TooLarge => Refusal.TooLarge(e.Message),
        GuestErrorCode.NoSpace => new Refusal(ErrorCodes.NoSpace, e.Message),
        GuestErrorCode.Exists or GuestErrorCode.Busy or GuestErrorCode.Unsupported or GuestErrorCode.Failed => Refusal.Conflict(e.Message),
        _ => Refusal.AgentUnavailable(e.Message),
    };

    private static JsonObject Details(string field, string message) => new() { [field] = message };
}
