using Miosa.Guest;

namespace Miosa.Server.Guests;

/// <summary>The codes a guest may use: a table elsewhere maps each, so a guest cannot invent one.</summary>
internal static class GuestErrors
{
    private static readonly string[] s_known =
    [
        GuestErrorCode.BadRequest, GuestErrorCode.NotFound, GuestErrorCode.IsDirectory, GuestErrorCode.NotDirectory, GuestErrorCode.Exists,
        GuestErrorCode.Forbidden, GuestErrorCode.NoSpace, GuestErrorCode.TooLarge, GuestErrorCode.Permission, GuestErrorCode.Unsupported,
        GuestErrorCode.Busy, GuestErrorCode.Failed,
    ];

    public static string Known(string? code) => Array.IndexOf(s_known, code) is >= 0 and var at ? s_known[at] : GuestErrorCode.Failed;
}
