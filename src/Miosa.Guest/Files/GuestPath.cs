using System.Text;

namespace Miosa.Guest.Files;

/// <summary>Paths as text: what they mean and where changes are allowed. No file is looked at here.</summary>
internal static class GuestPath
{
    private const string Home = "/workspace";
    private const int MaxBytes = 4095;

    private static readonly byte[][] s_changeable =
    [
        "/workspace"u8.ToArray(), "/app"u8.ToArray(), "/home"u8.ToArray(), "/root"u8.ToArray(),
        "/tmp"u8.ToArray(), "/opt"u8.ToArray(), "/srv"u8.ToArray(),
    ];

    /// <summary>Absolute, without ".", ".." and empty parts; relative paths are below /workspace.</summary>
    public static string Normalise(string? path)
    {
        if (string.IsNullOrEmpty(path) || path.Contains('\0', StringComparison.Ordinal))
            throw GuestFailure.BadRequest("path is empty or has a zero byte");
        var parts = new List<string>();
        foreach (var part in (path[0] == '/' ? path : Home + "/" + path).Split('/'))
        {
            if (part == "..")
            {
                if (parts.Count > 0)
                    parts.RemoveAt(parts.Count - 1);
            }
            else if (part.Length > 0 && part != ".")
            {
                parts.Add(part);
            }
        }
        var normal = "/" + string.Join('/', parts);
        return Encoding.UTF8.GetByteCount(normal) <= MaxBytes ? normal : throw GuestFailure.BadRequest("path is too long");
    }

    /// <summary>Whether the changing verbs may touch this path, which has no links in it any more.</summary>
    public static bool MayChange(ReadOnlySpan<byte> resolved)
    {
        foreach (var root in s_changeable)
        {
            if (resolved.StartsWith(root) && (resolved.Length == root.Length || resolved[root.Length] == (byte)'/'))
                return true;
        }
        return false;
    }

    /// <summary>Whether the path is one of the places themselves, which may be filled but not removed.</summary>
    public static bool IsRoot(ReadOnlySpan<byte> resolved)
    {
        foreach (var root in s_changeable)
        {
            if (resolved.SequenceEqual(root))
                return true;
        }
        return false;
    }

    /// <summary>Octal text of permission bits.</summary>
    public static uint? ModeOf(string? text)
    {
        if (text is null)
            return null;
        uint mode = 0;
        foreach (var digit in text)
        {
            if (digit is < '0' or > '7' || text.Length > 5)
                throw GuestFailure.BadRequest("mode \"" + text + "\" is not octal");
            mode = mode * 8 + (uint)(digit - '0');
        }
        return text.Length > 0 && mode <= 0xFFF ? mode : throw GuestFailure.BadRequest("mode \"" + text + "\" is out of range");
    }
}
