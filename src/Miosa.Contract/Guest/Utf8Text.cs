namespace Miosa.Guest;

/// <summary>UTF-8 that comes in pieces.</summary>
internal static class Utf8Text
{
    /// <summary>How many of the bytes, at least one, end on a character's border; all of them where the end is no UTF-8 anyway.</summary>
    public static int WholeCharacters(ReadOnlySpan<byte> bytes)
    {
        var lead = bytes.Length - 1;
        while (lead > 0 && bytes.Length - lead < 4 && (bytes[lead] & 0xC0) == 0x80)
            lead--;
        var length = bytes[lead] switch { >= 0xF0 => 4, >= 0xE0 => 3, >= 0xC0 => 2, _ => 1 };
        return lead > 0 && lead + length > bytes.Length ? lead : bytes.Length;
    }
}
