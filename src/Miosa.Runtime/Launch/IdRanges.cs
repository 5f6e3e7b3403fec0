namespace Miosa.Runtime.Launch;

/// <summary>Each machine's ids 0 to 65,535 are a range of the host's that no other machine has.</summary>
internal static class IdRanges
{
    public const uint Size = 65_536;

    /// <summary>Above what accounts and subordinate ids of a host use by default.</summary>
    public const uint DefaultBase = 1_000_000_000;

    /// <summary>How many ranges fit between the base and the last id.</summary>
    public static int Count(uint idBase) => (int)((uint.MaxValue - idBase) / Size);

    public static uint BaseOf(uint idBase, int slot) => checked(idBase + ((uint)slot * Size));
}
