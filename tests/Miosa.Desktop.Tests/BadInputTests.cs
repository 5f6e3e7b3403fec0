using Miosa.Guest;
using Miosa.Server.Guests;

namespace Miosa.Desktop.Tests;

/// <summary>Refused with the field and the bounds in the message, and without harm.</summary>
public sealed class BadInputTests(DesktopFixture desktop)
{
    [Theory]
    [InlineData(GuestVerb.DesktopStart, """{"width":319}""", "width must be 320 to 3840")]
    [InlineData(GuestVerb.DesktopStart, """{"height":2161}""", "height must be 240 to 2160")]
    [InlineData(GuestVerb.DesktopResize, """{"width":1280,"height":0}""", "height must be 240 to 2160")]
    [InlineData(GuestVerb.DesktopPointer, """{"action":"move","x":1280,"y":0}""", "x must be 0 to 1279")]
    [InlineData(GuestVerb.DesktopPointer, """{"action":"move","x":0,"y":-1}""", "y must be 0 to 719")]
    [InlineData(GuestVerb.DesktopPointer, """{"action":"move"}""", "x and y must be given")]
    [InlineData(GuestVerb.DesktopPointer, """{"action":"click","x":1}""", "x and y must be given together")]
    [InlineData(GuestVerb.DesktopPointer, """{"action":"press"}""", "action must be move, down, up or click")]
    [InlineData(GuestVerb.DesktopPointer, """{"action":"click","button":"fourth"}""", "button must be left, middle or right")]
    [InlineData(GuestVerb.DesktopPointer, """{"action":"click","count":4}""", "count must be 1 to 3")]
    [InlineData(GuestVerb.DesktopDrag, """{"from_x":1,"from_y":1,"to_x":1}""", "to_y must be given")]
    [InlineData(GuestVerb.DesktopDrag, """{"from_x":1,"from_y":1,"to_x":1,"to_y":720}""", "to_y must be 0 to 719")]
    [InlineData(GuestVerb.DesktopDrag, """{"from_x":1,"from_y":1,"to_x":1,"to_y":7,"duration_ms":5001}""", "duration_ms must be 0 to 5000")]
    [InlineData(GuestVerb.DesktopScroll, """{"direction":"sideways","amount":1}""", "direction must be up, down, left or right")]
    [InlineData(GuestVerb.DesktopScroll, """{"direction":"up"}""", "amount must be 1 to 1000")]
    [InlineData(GuestVerb.DesktopScreenshot, """{"x":0,"y":0,"width":0,"height":10}""", "width and height must be at least 1")]
    [InlineData(GuestVerb.DesktopScreenshot, """{"x":0,"y":0,"width":1281,"height":10}""", "which is 1280x720")]
    [InlineData(GuestVerb.DesktopScreenshot, """{"x":2147483647,"y":0,"width":2147483647,"height":1}""", "which is 1280x720")]
    [InlineData(GuestVerb.DesktopScreenshot, """{"y":0}""", "must be given together")]
    [InlineData(GuestVerb.DesktopScreenshot, """{"format":"gif"}""", "format must be png or raw")]
    [InlineData(GuestVerb.DesktopScreenshot, """{"level":10}""", "level must be 1 to 9")]
    [InlineData(GuestVerb.DesktopKeys, """{"keys":["ctrl","nosuchkey"]}""", "no key \"nosuchkey\"")]
    [InlineData(GuestVerb.DesktopKeys, """{"keys":[null]}""", "no key")]
    [InlineData(GuestVerb.DesktopKeys, """{"keys":[]}""", "keys must be 1 to 16")]
    [InlineData(GuestVerb.DesktopKeys, """{"keys":["a"],"action":"hold"}""", "action must be press, down or up")]
    [InlineData(GuestVerb.DesktopWindow, """{"id":"1","action":"fold"}""", "action must be focus")]
    [InlineData(GuestVerb.DesktopWindow, """{"action":"focus"}""", "id must be")]
    [InlineData(GuestVerb.DesktopWindow, """{"id":"1","action":"move"}""", "x and y must be given to move")]
    [InlineData(GuestVerb.DesktopWindow, """{"id":"1","action":"resize","width":100}""", "width and height must be given to resize")]
    [InlineData(GuestVerb.DesktopWatch, """{"idle_ms":-1}""", "idle_ms must be 0")]
    public async Task Wrong_arguments(string verb, string json, string message)
    {
        var refused = await desktop.RefusedAsync(verb, json);
        Assert.Equal(GuestErrorCode.BadRequest, refused.Code);
        Assert.Contains(message, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("12345")]
    [InlineData("not a number")]
    [InlineData("99999999999999999999")]
    public async Task A_window_that_is_not_there(string id) =>
        Assert.Equal(GuestErrorCode.NotFound, (await desktop.RefusedAsync(GuestVerb.DesktopWindow, $$"""{"id":"{{id}}","action":"focus"}""")).Code);

    [Fact]
    public async Task Texts_that_cannot_be_typed_are_refused_before_the_first_key()
    {
        var window = await desktop.OpenRecorderAsync("untyped");
        var refused = await Assert.ThrowsAsync<GuestException>(() => desktop.TypeAsync("fine until\u0001here"));
        Assert.Equal(GuestErrorCode.BadRequest, refused.Code);
        Assert.Contains("U+0001 at position 10", refused.Message, StringComparison.Ordinal);
        refused = await Assert.ThrowsAsync<GuestException>(() => desktop.TypeAsync([.. "abc"u8, 0xff]));
        Assert.Equal(GuestErrorCode.BadRequest, refused.Code);
        refused = await Assert.ThrowsAsync<GuestException>(() => desktop.TypeAsync(new byte[(1 << 20) + 1]));
        Assert.Equal(GuestErrorCode.TooLarge, refused.Code);
        refused = await desktop.RefusedAsync(GuestVerb.DesktopType, """{"delay_ms":1001}""", []);
        Assert.Contains("delay_ms must be 0 to 1000", refused.Message, StringComparison.Ordinal);
        Assert.Equal(0, (await desktop.TypeAsync("")).Characters);
        await desktop.TypeAsync("!");
        Assert.Equal("!", await desktop.ReadAsync("/tmp/untyped", 1));
        await desktop.CloseAsync(window);
    }

    [Fact]
    public async Task A_host_that_does_not_read_does_not_stop_the_others()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        await using var other = await desktop.ConnectAsync();
        var raw = new ScreenshotCall { Format = DesktopWord.Raw };
        for (var i = 0; i < 3; i++)
            await other.OpenAsync(GuestVerb.DesktopScreenshot, raw, GuestJson.Wire.ScreenshotCall, takesData: true, deadline.Token);
        await other.OpenAsync(GuestVerb.DesktopVnc, new DesktopCall { Verb = GuestVerb.DesktopVnc }, GuestJson.Wire.DesktopCall, takesData: true, deadline.Token);
        for (var i = 0; i < 3; i++)
            Assert.Equal(1280, (await desktop.ScreenshotAsync(new ScreenshotCall())).Width);
    }

    [Fact]
    public async Task An_image_without_a_desktop_says_so()
    {
        desktop.BuildImage("miosa-busybox");
        await using var bare = await desktop.LaunchAsync("miosa-busybox", 128);
        foreach (var verb in (string[])[GuestVerb.DesktopStatus, GuestVerb.DesktopStart, GuestVerb.DesktopScreenshot, GuestVerb.DesktopWindows, GuestVerb.DesktopVnc, GuestVerb.DesktopWatch])
        {
            var call = await bare.OpenAsync(verb, new DesktopCall { Verb = verb }, GuestJson.Wire.DesktopCall, takesData: true, CancellationToken.None);
            var refused = await Assert.ThrowsAsync<GuestException>(() => call.ReplyAsync(GuestJson.Wire.Done, CancellationToken.None));
            Assert.Equal(GuestErrorCode.Unsupported, refused.Code);
            Assert.Contains("this image has no desktop", refused.Message, StringComparison.Ordinal);
        }
    }
}
