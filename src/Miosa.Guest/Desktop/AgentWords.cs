namespace Miosa.Guest.Desktop;

/// <summary>What a program that runs with the user's rights says went wrong: bounded, because it is kept, told to watchers and answered to the host.</summary>
internal static class AgentWords
{
    private const int MaxCode = 32;
    private const int MaxMessage = 512;

    public static string Code(GuestError? said) => said?.Code is { Length: > 0 and <= MaxCode } code ? code : GuestErrorCode.Failed;

    public static string Message(GuestError? said, string otherwise) =>
        said?.Message is not { Length: > 0 } message ? otherwise : message.Length <= MaxMessage ? message : message[..MaxMessage];
}
