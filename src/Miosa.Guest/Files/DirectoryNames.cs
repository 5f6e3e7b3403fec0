using Miosa.Guest.Linux;

namespace Miosa.Guest.Files;

/// <summary>The names in a directory, sorted by their bytes, each with a final zero.</summary>
internal static unsafe class DirectoryNames
{
    private const int RecordLength = 16;
    private const int RecordName = 19;

    public static List<byte[]> Read(int directory, string path)
    {
        const int bufferBytes = 32 * 1024;
        var names = new List<byte[]>();
        var buffer = stackalloc byte[bufferBytes];
        while (true)
        {
            var count = Libc.Check((long)Libc.DirectoryRecords(directory, buffer, bufferBytes), "read directory", path);
            if (count == 0)
                break;
            for (long at = 0; at < count; at += *(ushort*)(buffer + at + RecordLength))
            {
                var name = new ReadOnlySpan<byte>(buffer + at + RecordName, *(ushort*)(buffer + at + RecordLength) - RecordName);
                name = name[..(name.IndexOf((byte)0) + 1)];
                if (!name.SequenceEqual(".\0"u8) && !name.SequenceEqual("..\0"u8))
                    names.Add(name.ToArray());
            }
        }
        names.Sort(static (a, b) => a.AsSpan().SequenceCompareTo(b));
        return names;
    }
}
