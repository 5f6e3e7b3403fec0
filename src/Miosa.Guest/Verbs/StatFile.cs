using System.Text.Json;
using Miosa.Guest.Files;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>file.stat</c>: one entry; a link is told as a link.</summary>
internal static class StatFile
{
    public static byte[] Run(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = JsonSerializer.Deserialize(open, GuestJson.Wire.StatCall) ?? throw GuestFailure.BadRequest("OPEN is null");
        using var place = Place.ToRead(call.Path);
        return JsonSerializer.SerializeToUtf8Bytes(Entries.Of(place), GuestJson.Wire.GuestEntry);
    }
}
