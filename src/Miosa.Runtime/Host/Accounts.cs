using System.Globalization;

namespace Miosa.Runtime.Host;

/// <summary>Looks accounts up in /etc/passwd: the static binary has no name service.</summary>
internal static class Accounts
{
    /// <returns>Uid and gid, or null when there is no such account. A number stands for itself.</returns>
    public static (uint Uid, uint Gid)? Find(string user)
    {
        if (uint.TryParse(user, NumberStyles.None, CultureInfo.InvariantCulture, out var number)) return (number, number);
        foreach (var line in File.ReadLines("/etc/passwd"))
        {
            if (line.Split(':') is [var name, _, var uid, var gid, ..] && name == user)
                return (uint.Parse(uid, CultureInfo.InvariantCulture), uint.Parse(gid, CultureInfo.InvariantCulture));
        }
        return null;
    }
}
