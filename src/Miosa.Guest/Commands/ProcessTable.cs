using Miosa.Guest.Linux;

namespace Miosa.Guest.Commands;

/// <summary>One process of /proc.</summary>
internal readonly record struct ProcessRow(int Pid, int Parent, int Session, byte State, int Threads)
{
    /// <summary>A zombie leader with other threads is still running.</summary>
    public bool IsDead => State is (byte)'Z' or (byte)'X' && Threads <= 1;

    public bool IsStopped => State is (byte)'T' or (byte)'t';
}

/// <summary>Reads /proc without strings; a machine may have thousands of processes and be in the middle of a fork bomb.</summary>
internal static unsafe class ProcessTable
{
    public static List<ProcessRow> Read()
    {
        const int bufferBytes = 16 * 1024;
        const int nameOffset = 19;
        var rows = new List<ProcessRow>();
        var proc = Libc.Check(Libc.OpenAt(Libc.AtCwd, "/proc\0"u8, Libc.ReadOnly | Libc.Directory), "open", "/proc");
        var buffer = stackalloc byte[bufferBytes];
        nint count;
        while ((count = Libc.DirectoryRecords(proc, buffer, bufferBytes)) > 0)
        {
            for (nint at = 0; at < count; at += *(ushort*)(buffer + at + 16))
            {
                if (TryPid(buffer + at + nameOffset, out var pid) && TryRow(pid, out var row))
                    rows.Add(row);
            }
        }
        Libc.Close(proc);
        return rows;
    }

    public static bool TryRow(int pid, out ProcessRow row)
    {
        row = default;
        Span<byte> path = stackalloc byte[32];
        "/proc/"u8.CopyTo(path);
        pid.TryFormat(path[6..], out var digits);
        "/stat\0"u8.CopyTo(path[(6 + digits)..]);
        Span<byte> stat = stackalloc byte[1024];
        var length = SmallFile.Read(path, stat);
        if (length <= 0)
            return false;
        stat = stat[..length];
        // The name is in parentheses and may itself contain some.
        var fields = stat[(stat.LastIndexOf((byte)')') + 1)..];
        row = new ProcessRow(pid, Field(fields, 2), Field(fields, 4), fields.Length > 1 ? fields[1] : (byte)'?', Field(fields, 18));
        return true;
    }

    /// <summary>The n-th number after the name, counted from 1 with the state letter as 1.</summary>
    private static int Field(ReadOnlySpan<byte> fields, int n)
    {
        for (; n > 0; n--)
        {
            var space = fields.IndexOf((byte)' ');
            if (space < 0)
                return -1;
            fields = fields[(space + 1)..];
        }
        var end = fields.IndexOf((byte)' ');
        return int.TryParse(end < 0 ? fields : fields[..end], out var value) ? value : -1;
    }

    private static bool TryPid(byte* name, out int pid)
    {
        pid = 0;
        for (; *name is >= (byte)'0' and <= (byte)'9'; name++)
            pid = pid * 10 + (*name - '0');
        return *name == 0 && pid > 0;
    }
}
