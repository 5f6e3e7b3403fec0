namespace Miosa.Server.Lifecycle;

/// <summary>
/// What commands in a machine get when they say nothing else. On a computer with a desktop they are its user's and have his session, so that what they start
/// shows on it and what they write can be opened there; everywhere else the image says.
/// </summary>
internal sealed record CommandDefaults(string? User, string? Folder, IReadOnlyDictionary<string, string> Env)
{
    private static readonly CommandDefaults OfImage = new(null, null, new Dictionary<string, string>());

    // As the guest starts the desktop (src/Miosa.Guest/Desktop/DesktopPlace.cs).
    private static readonly CommandDefaults OfDesktop = new("1000", "/home/user", new Dictionary<string, string>
    {
        ["DISPLAY"] = ":1",
        ["XDG_RUNTIME_DIR"] = "/run/user/1000",
        ["XDG_SESSION_TYPE"] = "x11",
        ["XDG_CURRENT_DESKTOP"] = "openbox",
        ["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/run/user/1000/bus",
    });

    public static CommandDefaults Of(Machine row) => row is { IsComputer: true, HasDesktop: true } ? OfDesktop : OfImage;

    /// <summary>The machine's own environment on top.</summary>
    public IReadOnlyDictionary<string, string> With(IReadOnlyDictionary<string, string> machine)
    {
        if (Env.Count == 0)
            return machine;
        var merged = Env.ToDictionary();
        foreach (var (name, value) in machine)
            merged[name] = value;
        return merged;
    }
}
