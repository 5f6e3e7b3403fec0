using System.Globalization;
using System.Text;
using Miosa.Guest.Linux;

namespace Miosa.Guest.Commands;

/// <summary>A line of the machine's /etc/passwd and the groups it is in.</summary>
internal sealed record Account(string Name, uint Uid, uint Gid, string Home, string Shell, uint[] Groups)
{
    private const int MaxFileBytes = 1 << 20;
    private const int MaxGroups = 1024;

    /// <summary>By name or number, with a group behind a colon if need be; a number without a line is a user without a name, as in every container engine.</summary>
    public static Account? Find(string userAndGroup)
    {
        if (userAndGroup.Split(':', 2) is not [var user, { Length: > 0 } group])
            return FindUser(userAndGroup.TrimEnd(':'));
        return FindUser(user) is { } account && GroupId(group) is { } gid ? account with { Gid = gid, Groups = [gid] } : null;
    }

    private static uint? GroupId(string group)
    {
        foreach (var line in Lines("/etc/group\0"u8))
        {
            var fields = line.Split(':');
            if (fields.Length >= 3 && fields[0] == group && uint.TryParse(fields[2], NumberStyles.None, CultureInfo.InvariantCulture, out var gid))
                return gid;
        }
        return uint.TryParse(group, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number < uint.MaxValue ? number : null;
    }

    private static Account? FindUser(string user)
    {
        var isNumber = uint.TryParse(user, NumberStyles.None, CultureInfo.InvariantCulture, out var number);
        foreach (var line in Lines("/etc/passwd\0"u8))
        {
            var fields = line.Split(':');
            if (fields.Length < 7
                || !uint.TryParse(fields[2], NumberStyles.None, CultureInfo.InvariantCulture, out var uid)
                || !uint.TryParse(fields[3], NumberStyles.None, CultureInfo.InvariantCulture, out var gid)
                || !(fields[0] == user || (isNumber && uid == number)))
                continue;
            var shell = fields[6].Length > 0 ? fields[6] : "/bin/sh";
            return new Account(fields[0], uid, gid, fields[5].Length > 0 ? fields[5] : "/", shell, GroupsOf(fields[0], gid));
        }
        return isNumber && number < uint.MaxValue ? new Account(user, number, number, "/", "/bin/sh", [number]) : null;
    }

    private static uint[] GroupsOf(string name, uint gid)
    {
        var groups = new List<uint> { gid };
        foreach (var line in Lines("/etc/group\0"u8))
        {
            var fields = line.Split(':');
            if (fields.Length >= 4 && groups.Count < MaxGroups
                && uint.TryParse(fields[2], NumberStyles.None, CultureInfo.InvariantCulture, out var group)
                && group != gid && Array.IndexOf(fields[3].Split(','), name) >= 0)
                groups.Add(group);
        }
        return [.. groups];
    }

    private static string[] Lines(ReadOnlySpan<byte> pathZ) => Encoding.UTF8.GetString(SmallFile.Read(pathZ, MaxFileBytes)).Split('\n');
}
