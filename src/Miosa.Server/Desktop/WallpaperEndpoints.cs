using System.Security.Cryptography;
using Miosa.Guest;
using Miosa.Server.Guests;
using Miosa.Server.Host;

namespace Miosa.Server.Desktop;

/// <summary>
/// The desktop's background: a picture in the computer, or one at an address, which the server fetches (the computer may have no way out). The guest
/// keeps a copy of its own, so what was written for it is removed again; a server that dies in between leaves it in the computer's <c>/tmp</c>.
/// </summary>
internal sealed class WallpaperEndpoints(PictureFetch fetch, DesktopTurns turns)
{
    /// <summary>For fetching, sending and drawing together.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(45);

    private static readonly TimeSpan RemovalPatience = TimeSpan.FromSeconds(10);

    private static readonly Aliases Names = new Aliases().Add("url", "path", "image_path_or_url");
    private static readonly string[] Modes = [DesktopWallpaperMode.Fill, DesktopWallpaperMode.Fit, DesktopWallpaperMode.Center, DesktopWallpaperMode.Stretch, DesktopWallpaperMode.Tile];

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<WallpaperEndpoints>();
        foreach (var method in (string[])["POST", "PUT"])
            api.Map(method, $"{DesktopOperation.Root}/wallpaper", it.SetAsync).Needs(Scopes.ComputersWrite);
    }

    private async Task<IResult> SetAsync(HttpContext context)
    {
        var (fields, refusal) = await Body.ReadAsync(context, Aliases.None);
        // Told by the name that was sent.
        var sent = ((string[])["url", "path", "image_path_or_url"]).FirstOrDefault(fields.Has) ?? "url";
        Names.Apply(fields.Body);
        if (!fields.Has("url"))
            fields.Fail(sent, "is required: an http(s) address, or the absolute path of a picture in the computer");
        var where = fields.Text("url", 4096);
        var mode = fields.Text("mode", 16);
        if (mode is not null && Array.IndexOf(Modes, mode) < 0)
            fields.Fail("mode", $"must be {string.Join(", ", Modes[..^1])} or {Modes[^1]}, got \"{mode}\"");
        Uri? address = null;
        if (where is not null && where[0] != '/' && !(Uri.TryCreate(where, UriKind.Absolute, out address) && PictureFetch.IsWeb(address)))
            fields.Fail(sent, "must be an http(s) address without user and password, or an absolute path in the computer");
        if ((refusal ?? fields.Errors()) is { } faulty)
            return Reply.Refuse(faulty);
        return await DesktopOperation.RunAsync(context, sent, async (guest, ct) =>
        {
            if (address is null)
                return await DrawAsync(guest, where!, mode, sent, ct); // a missing one was refused
            return await turns.RunAsync(context, Patience, "take the picture", async limit =>
            {
                var (picture, ending, fault) = await fetch.GetAsync(address, limit);
                return picture is null ? Reply.Refuse(Refusal.Invalid(sent, fault!)) : await DrawFetchedAsync(guest, picture, ending, mode, sent, limit); // one of the two is there
            });
        });
    }

    private static async Task<IResult> DrawFetchedAsync(GuestConnection guest, byte[] picture, string ending, string? mode, string field, CancellationToken ct)
    {
        var path = $"/tmp/.miosa-wallpaper-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}.{ending}";
        try
        {
            await guest.WriteAsync(new WriteFileCall { Path = path, Mode = "0644", Exclusive = true }, new MemoryStream(picture, writable: false), ct);
            return await DrawAsync(guest, path, mode, field, ct);
        }
        finally
        {
            await RemoveAsync(guest, path);
        }
    }

    private static async Task<IResult> DrawAsync(GuestConnection guest, string path, string? mode, string field, CancellationToken ct)
    {
        try
        {
            await guest.SetWallpaperAsync(new WallpaperCall { Path = path, Mode = mode }, ct);
            return DesktopOperation.Done();
        }
        catch (GuestException e) when (e.Code is GuestErrorCode.BadRequest)
        {
            // Not with the name under which the server wrote it: its caller knows another one.
            return Reply.Refuse(Refusal.Invalid(field, "is no picture that can be shown: PNG, JPEG, GIF, WebP, BMP and TIFF can"));
        }
        catch (GuestException e) when (e.Code is GuestErrorCode.NotFound or GuestErrorCode.TooLarge or GuestErrorCode.Permission or GuestErrorCode.Forbidden or GuestErrorCode.IsDirectory or GuestErrorCode.NotDirectory)
        {
            return Reply.Refuse(DesktopOperation.Invalid(field, e.Message));
        }
    }

    /// <summary>Not cancelled with the request: the file would stay.</summary>
    private static async Task RemoveAsync(GuestConnection guest, string path)
    {
        using var patience = new CancellationTokenSource(RemovalPatience);
        try
        {
            await guest.DeleteAsync(path, recursive: false, patience.Token);
        }
        catch (Exception e) when (e is GuestException or OperationCanceledException)
        {
            // It was never written, or the computer is gone or does not answer.
        }
    }
}
