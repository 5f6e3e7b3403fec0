using System.Text.Json;
using Miosa.Guest.Files;
using Miosa.Guest.Linux;
using Miosa.Guest.Watching;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>file.watch</c>: tells what changes in a folder until the host cancels or the folder is gone.</summary>
internal static class WatchFiles
{
    public static byte[]? Run(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = JsonSerializer.Deserialize(open, GuestJson.Wire.WatchCall) ?? throw GuestFailure.BadRequest("OPEN is null");
        using var place = Place.ToRead(call.Path);
        var folder = place.OpenLeaf(Libc.PathOnly | Libc.Directory);
        try
        {
            // By its real path: what is opened later is what the path means now, also when it leads over a link.
            Watch.Add(new Watcher(stream, place.Path, RawName.Of(Place.RealPath(folder)), call.Recursive));
        }
        finally
        {
            Libc.Close(folder);
        }
        return null;
    }
}
