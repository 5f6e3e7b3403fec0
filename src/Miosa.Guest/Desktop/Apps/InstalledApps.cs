using System.Text;
using System.Text.Json;
using Miosa.Guest.Files;
using Miosa.Guest.Linux;

namespace Miosa.Guest.Desktop.Apps;

/// <summary>The applications that a person would find in a menu.</summary>
internal static class InstalledApps
{
    private const int MaxApps = 500;
    private const int MaxFileBytes = 64 << 10;

    private static readonly string[] Folders = ["/usr/local/share/applications", "/usr/share/applications"];

    /// <summary>By name; of several with one id the first folder's counts.</summary>
    public static List<DesktopEntry> Read()
    {
        var found = new Dictionary<string, DesktopEntry?>();
        foreach (var folder in Folders)
        {
            var directory = Libc.OpenAt(Libc.AtCwd, Encoding.UTF8.GetBytes(folder + "\0"), Libc.ReadOnly | Libc.Directory);
            if (directory < 0)
                continue;
            try
            {
                foreach (var nameZ in DirectoryNames.Read(directory, folder).Take(MaxApps))
                {
                    var name = Encoding.UTF8.GetString(nameZ.AsSpan(0, nameZ.Length - 1));
                    if (name.EndsWith(".desktop", StringComparison.Ordinal) && !found.ContainsKey(name[..^8]))
                        found[name[..^8]] = DesktopEntry.Parse(name[..^8], Encoding.UTF8.GetString(SmallFile.Read(Encoding.UTF8.GetBytes(folder + "/" + name + "\0"), MaxFileBytes)));
                }
            }
            finally
            {
                Libc.Close(directory);
            }
        }
        return [.. found.Values.OfType<DesktopEntry>().OrderBy(app => app.Name, StringComparer.OrdinalIgnoreCase).Take(MaxApps)];
    }

    /// <summary>By id, name or program, whatever the case of its letters.</summary>
    public static DesktopEntry? Find(List<DesktopEntry> apps, string asked) =>
        apps.Find(app => Same(app.Id, asked)) ?? apps.Find(app => Same(app.Name, asked)) ?? apps.Find(app => Same(Program(app), asked));

    /// <summary>The answer of <c>desktop.apps</c>, as many as fit a frame.</summary>
    public static byte[] Reply()
    {
        var apps = Read().ConvertAll(app => new GuestApp { Id = app.Id, Name = app.Name, Command = string.Join(' ', app.Words([])), Categories = app.Categories, Comment = app.Comment });
        while (true)
        {
            var reply = JsonSerializer.SerializeToUtf8Bytes(new AppsReply { Apps = [.. apps] }, GuestJson.Wire.AppsReply);
            if (reply.Length <= FrameLimits.MaxPayload)
                return reply;
            apps.RemoveRange(apps.Count * 3 / 4, apps.Count - (apps.Count * 3 / 4));
        }
    }

    private static string Program(DesktopEntry app)
    {
        // Never empty: Parse has seen to it.
        var program = app.Words([])[0];
        return program[(program.LastIndexOf('/') + 1)..];
    }

    private static bool Same(string a, string b) => string.Equals(a, b, StringComparison.OrdinalIgnoreCase);
}
