using System.Globalization;
using System.Text;
using Miosa.Guest.Linux;

namespace Miosa.Guest.Commands;

/// <summary>What the first launch finds out about the kernel and about how the guest itself was started.</summary>
internal static class KernelFacts
{
    /// <summary>Since 5.9; closing an empty range does nothing.</summary>
    public static bool HasCloseRange { get; } = Libc.CloseRange(uint.MaxValue - 1, uint.MaxValue, 0) == 0;

    /// <summary>A machine may be protected from the memory killer; its commands must not inherit that.</summary>
    public static bool OomScoreAdjusted { get; } = ReadOomScoreAdjusted();

    /// <summary>
    /// Signals that are caught or ignored in the guest. The command starts in a copy of its signal table; a handler of the runtime must
    /// never run there, and "ignored" would survive execve.
    /// </summary>
    public static int[] SignalsToReset { get; } = ReadSignalsToReset();

    private static bool ReadOomScoreAdjusted()
    {
        Span<byte> text = stackalloc byte[16];
        var length = SmallFile.Read("/proc/self/oom_score_adj\0"u8, text);
        return length > 0 && !text[..length].SequenceEqual("0\n"u8);
    }

    private static int[] ReadSignalsToReset()
    {
        var status = Encoding.ASCII.GetString(SmallFile.Read("/proc/self/status\0"u8, 16 * 1024));
        var mask = Mask(status, "SigIgn:") | Mask(status, "SigCgt:");
        var signals = new List<int>();
        for (var signal = 1; signal <= Libc.SignalCount; signal++)
        {
            if ((mask >> (signal - 1) & 1) != 0)
                signals.Add(signal);
        }
        return [.. signals];
    }

    private static ulong Mask(string status, string name)
    {
        var at = status.IndexOf(name, StringComparison.Ordinal);
        // Without /proc nothing is known: reset everything.
        return at < 0 ? ulong.MaxValue : ulong.Parse(status.AsSpan(at + name.Length, 17).Trim(), NumberStyles.HexNumber);
    }
}
