using System.Text;
using Miosa.Server.Guests;
using Miosa.Server.Host;

namespace Miosa.Server.Desktop;

/// <summary>The clipboard of the desktop: text, up to 1 MiB.</summary>
internal static class ClipboardEndpoints
{
    private static readonly Aliases Names = new Aliases().Add("text", "content");

    public static void Map(IEndpointRouteBuilder api)
    {
        const string Path = $"{DesktopOperation.Root}/clipboard";
        api.Map("GET", Path, GetAsync).Needs(Scopes.ComputersRead);
        foreach (var method in (string[])["POST", "PUT"])
            api.Map(method, Path, SetAsync).Needs(Scopes.ComputersWrite);
    }

    private static Task<IResult> GetAsync(HttpContext context) => DesktopOperation.RunAsync(context, "text", async (guest, ct) =>
        Reply.NotStored(context, Reply.Bare(new DesktopClipboard { Text = await guest.ClipboardAsync(ct) }, WireJson.Default.DesktopClipboard)));

    private static async Task<IResult> SetAsync(HttpContext context)
    {
        var (fields, refusal) = await Body.ReadAsync(context, Names, KeyboardEndpoints.TextBodyLimit);
        var text = KeyboardEndpoints.TextOf(fields);
        if ((refusal ?? fields.Errors()) is { } faulty)
            return Reply.Refuse(faulty);
        return await DesktopOperation.DoAsync(context, "text", (guest, ct) => guest.SetClipboardAsync(Encoding.UTF8.GetBytes(text ?? ""), ct)); // null was refused
    }
}
