using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Miosa.Platform;
using SkiaSharp;

namespace Miosa.Server.Tests;

/// <summary>Wallpapers from an address: the picture is on the screen afterwards, and the server goes nowhere and takes nothing that it should not.</summary>
public sealed class WallpaperTests(DesktopComputer computer) : IClassFixture<DesktopComputer>
{
    [Fact]
    public async Task A_picture_at_an_address_covers_the_screen_and_leaves_no_file()
    {
        await using var site = await Site.StartAsync();
        await SetAsync(site.Url("/red.png"), 200);
        await UntilColourAsync(new SKColor(200, 30, 40));
        // One that is redirected to is found, too, and its name says nothing about what it is.
        await SetAsync(site.Url("/moved"), 200);
        await UntilColourAsync(new SKColor(20, 40, 180));
        Assert.Equal("", await computer.RunAsync("ls -A /tmp | grep wallpaper || true"));
    }

    [Fact]
    public async Task A_screenshot_that_is_large_comes_whole()
    {
        await using var site = await Site.StartAsync();
        await SetAsync(site.Url("/noise.png"), 200);
        await Miosa.Platform.Platform.UntilAsync("the noise is on the screen", async () =>
        {
            using var response = await computer.Api.Http.GetAsync($"{computer.Desktop}/screenshot", HttpCompletionOption.ResponseHeadersRead);
            var isStream = response.Content.Headers.ContentLength is null;
            using var picture = SKBitmap.Decode(await response.Content.ReadAsByteArrayAsync());
            Assert.Equal((1280, 720), (picture.Width, picture.Height));
            return isStream;
        });
    }

    [Theory]
    [InlineData("/page", "no picture")]
    [InlineData("/broken.png", "picture")]
    [InlineData("/endless", "MiB")]
    [InlineData("/huge", "MiB")]
    [InlineData("/missing", "404")]
    [InlineData("/loop", "redirects")]
    [InlineData("/inward", "private")]
    [InlineData("/file", "neither http nor https")]
    [InlineData("/slow", "15 s")]
    public async Task What_is_no_picture_too_large_or_leads_where_it_must_not_is_refused_and_changes_nothing(string path, string says)
    {
        await using var site = await Site.StartAsync();
        var refused = await SetAsync(site.Url(path), 422);
        Assert.True(refused.Json.GetProperty("details").TryGetProperty("url", out _), refused.Body);
        Assert.Contains(says, refused.Text("message"), StringComparison.Ordinal);
        Assert.Equal("", await computer.RunAsync("ls -A /tmp | grep wallpaper || true"));
    }

    [Theory]
    [InlineData("http://127.0.0.1:8484/a.png")]
    [InlineData("http://169.254.169.254/latest/meta-data")]
    [InlineData("http://10.0.0.1/a.png")]
    [InlineData("http://[::1]/a.png")]
    [InlineData("http://localhost/a.png")]
    public async Task Private_addresses_are_not_asked(string url) => Assert.Contains("private", (await SetAsync(url, 422)).Text("message"), StringComparison.Ordinal);

    private async Task<Answer> SetAsync(string url, int status) => (await computer.Api.PostAsync($"{computer.Desktop}/wallpaper", JsonSerializer.Serialize(new { url }))).Expect(status);

    private Task UntilColourAsync(SKColor colour) => Miosa.Platform.Platform.UntilAsync($"the screen is {colour}", async () =>
    {
        using var picture = await computer.ScreenshotAsync("?x=600&y=200&width=10&height=10");
        var seen = picture.GetPixel(5, 5);
        return Math.Abs(seen.Red - colour.Red) + Math.Abs(seen.Green - colour.Green) + Math.Abs(seen.Blue - colour.Blue) < 12;
    });

    /// <summary>A web site at an address that webhooks, and so wallpapers, may use in these tests.</summary>
    private sealed class Site(WebApplication app, int port) : IAsyncDisposable
    {
        public static async Task<Site> StartAsync()
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.UseUrls($"http://{Receiver.Host}:0");
            var app = builder.Build();
            app.Run(AnswerAsync);
            await app.StartAsync();
            return new Site(app, new Uri(app.Urls.First()).Port);
        }

        public string Url(string path) => $"http://{Receiver.Host}:{port}{path}";

        public ValueTask DisposeAsync() => app.DisposeAsync();

        private static async Task AnswerAsync(HttpContext context)
        {
            var response = context.Response;
            switch (context.Request.Path.Value)
            {
                case "/red.png":
                    await response.Body.WriteAsync(Picture(new SKColor(200, 30, 40), SKEncodedImageFormat.Png));
                    break;
                case "/noise.png":
                    await response.Body.WriteAsync(Noise());
                    break;
                case "/blue":
                    response.ContentType = "text/plain";
                    await response.Body.WriteAsync(Picture(new SKColor(20, 40, 180), SKEncodedImageFormat.Jpeg));
                    break;
                case "/moved":
                    response.Redirect("/blue");
                    break;
                case "/loop":
                    response.Redirect("/loop");
                    break;
                case "/inward":
                    response.Redirect("http://127.0.0.1:1/secret.png");
                    break;
                case "/file":
                    response.Headers.Location = "file:///etc/passwd";
                    response.StatusCode = 302;
                    break;
                case "/page":
                    response.ContentType = "image/png";
                    await response.WriteAsync("<html>this is no picture, whatever the head says</html>");
                    break;
                case "/broken.png":
                    await response.Body.WriteAsync(Picture(SKColors.Green, SKEncodedImageFormat.Png).AsMemory(0, 60));
                    break;
                case "/huge":
                    response.ContentLength = 1L << 30;
                    await response.Body.FlushAsync();
                    break;
                case "/endless":
                    var block = new byte[1 << 20];
                    Picture(SKColors.Green, SKEncodedImageFormat.Png).CopyTo(block, 0);
                    for (var i = 0; i < 1024 && !context.RequestAborted.IsCancellationRequested; i++)
                        await response.Body.WriteAsync(block, context.RequestAborted);
                    break;
                case "/slow":
                    await response.Body.FlushAsync();
                    await Task.Delay(Timeout.InfiniteTimeSpan, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    break;
                default:
                    response.StatusCode = 404;
                    break;
            }
        }

        /// <summary>What no compression makes smaller.</summary>
        private static byte[] Noise()
        {
            using var bitmap = new SKBitmap(1280, 720, SKColorType.Bgra8888, SKAlphaType.Opaque);
            var pixels = new byte[1280 * 720 * 4];
            new Random(7).NextBytes(pixels);
            System.Runtime.InteropServices.Marshal.Copy(pixels, 0, bitmap.GetPixels(), pixels.Length);
            using var data = bitmap.Encode(SKEncodedImageFormat.Png, 100);
            return data.ToArray();
        }

        private static byte[] Picture(SKColor colour, SKEncodedImageFormat format)
        {
            using var bitmap = new SKBitmap(640, 360);
            bitmap.Erase(colour);
            using var data = bitmap.Encode(format, 95);
            return data.ToArray();
        }
    }
}
