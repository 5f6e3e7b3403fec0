using Miosa.Guest;
using Miosa.Server.Guests;
using Miosa.Server.Host;

namespace Miosa.Server.Exec;

/// <summary>The guest's "no" to a command that it did not start. Null for every other failure: then it may have run.</summary>
internal static class ExecRefusal
{
    public static Refusal? Of(GuestException e) => e.Code switch
    {
        // The guest names a missing program by exit code 127; what it calls missing or no folder is the working folder.
        GuestErrorCode.NotFound or GuestErrorCode.NotDirectory or GuestErrorCode.Permission or GuestErrorCode.Forbidden => Refusal.Invalid("cwd", e.Message),
        GuestErrorCode.BadRequest or GuestErrorCode.TooLarge => Refusal.Invalid("command", e.Message),
        GuestErrorCode.Busy or GuestErrorCode.Unsupported => Refusal.Conflict(e.Message),
        _ => null,
    };
}
