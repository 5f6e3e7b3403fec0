using Miosa.Guest.Linux;

namespace Miosa.Guest.Commands;

/// <summary>
/// What the image says of every command that does not say it itself: its folder and its user. The runtime hands both over in the guest's own
/// environment, from where they go no further.
/// </summary>
internal static class ImageDefaults
{
    private const string WorkdirVariable = "MIOSA_WORKDIR";
    private const string UserVariable = "MIOSA_USER";
    private const string Workspace = "/workspace";

    /// <summary>Absolute, or null when the image names none.</summary>
    private static readonly string? s_workdir = Given(WorkdirVariable) is { Length: > 0 } folder ? folder[0] == '/' ? folder : "/" + folder : null;

    /// <summary>A name or number; null for root.</summary>
    public static string? User { get; } = Given(UserVariable);

    public static bool IsOwn(string variable) => variable is WorkdirVariable or UserVariable;

    /// <summary>Where a command without a folder runs: the image's, else /workspace, else the root; the first that exists.</summary>
    public static string Directory() => s_workdir is not null && IsDirectory(s_workdir) ? s_workdir : IsDirectory(Workspace) ? Workspace : "/";

    /// <summary>What a relative folder counts from.</summary>
    public static string Base => s_workdir ?? Workspace;

    private static string? Given(string variable) => Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null;

    private static bool IsDirectory(string path) =>
        Libc.StatAt(Libc.AtCwd, System.Text.Encoding.UTF8.GetBytes(path + "\0"), out var status, 0) == 0 && status.IsDirectory;
}
