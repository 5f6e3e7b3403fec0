namespace Miosa.Server.Guests;

/// <summary>A guest refused or failed a call, or is not there any more. <see cref="Code"/> is a <c>GuestErrorCode</c> or one of the two below.</summary>
internal sealed class GuestException(string code, string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>The connection ended before the call did; whether the verb took effect is unknown.</summary>
    public const string Disconnected = "disconnected";

    /// <summary>The guest broke the protocol; the connection has been cut.</summary>
    public const string Protocol = "protocol";

    public string Code => code;
}
