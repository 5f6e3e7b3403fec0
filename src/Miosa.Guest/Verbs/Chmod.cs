using System.Text.Json;
using Miosa.Guest.Files;
using Miosa.Guest.Linux;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>file.chmod</c>: of what the path leads to.</summary>
internal static class Chmod
{
    public static byte[] Run(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = JsonSerializer.Deserialize(open, GuestJson.Wire.ChmodCall) ?? throw GuestFailure.BadRequest("OPEN is null");
        var mode = GuestPath.ModeOf(call.Mode) ?? throw GuestFailure.BadRequest("mode is missing");
        using var place = Place.ToRead(call.Path);
        var fd = place.OpenLeaf(Libc.PathOnly);
        try
        {
            Place.Confine(Place.RealPath(fd), place.Path);
            Libc.Check(Libc.Chmod(Place.DescriptorZ(fd), mode), "chmod", place.Path);
        }
        finally
        {
            Libc.Close(fd);
        }
        return JsonSerializer.SerializeToUtf8Bytes(new Done(), GuestJson.Wire.Done);
    }
}
