using System.Security.Cryptography;
using System.Text;
using Miosa.Guest;
using Miosa.Runtime.Tests;

namespace Miosa.Desktop.Tests;

/// <summary>With another program on the other side, which is not of ours.</summary>
public sealed class ClipboardTests(DesktopFixture desktop)
{
    [Theory]
    [InlineData("plain")]
    [InlineData("Größe 你好 🙂\n\tend\n")]
    [InlineData("")]
    public async Task What_is_set_is_what_a_program_pastes(string text)
    {
        Assert.Equal(Encoding.UTF8.GetByteCount(text), (await desktop.SetClipboardAsync(text)).Size);
        Assert.Equal(text, await desktop.RunAsync("xclip -o -selection clipboard"));
        Assert.Equal(text, await desktop.GetClipboardAsync());
    }

    [Fact]
    public async Task A_megabyte_goes_both_ways()
    {
        var text = string.Concat(Enumerable.Repeat("0123456789 Größe 你好🙂\n", 30_000));
        Assert.InRange(Encoding.UTF8.GetByteCount(text), 900_000, 1 << 20);
        await desktop.SetClipboardAsync(text);
        var sum = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
        Assert.StartsWith(sum, await desktop.RunAsync("xclip -o -selection clipboard | tee /tmp/megabyte | sha256sum"), StringComparison.Ordinal);
        await desktop.RunAsync("tr 0 x < /tmp/megabyte > /tmp/other");
        await CopyAsync("/tmp/other");
        Assert.Equal(text.Replace('0', 'x'), await desktop.GetClipboardAsync());
    }

    [Fact]
    public async Task A_text_that_is_too_long_is_refused_in_both_directions()
    {
        await desktop.RunAsync("head -c 1200000 /dev/zero | tr '\\0' q > /tmp/toolong");
        await CopyAsync("/tmp/toolong");
        var refused = await Assert.ThrowsAsync<Server.Guests.GuestException>(desktop.GetClipboardAsync);
        Assert.Equal(GuestErrorCode.TooLarge, refused.Code);
        // xclip serves one at a time: it has been let come to its end.
        await desktop.RunAsync("xclip -o -selection clipboard | cmp - /tmp/toolong");
        refused = await Assert.ThrowsAsync<Server.Guests.GuestException>(() => desktop.SetClipboardAsync(new string('x', (1 << 20) + 1)));
        Assert.Equal(GuestErrorCode.TooLarge, refused.Code);
        await desktop.SetClipboardAsync("small again");
    }

    [Fact]
    public async Task An_owner_that_does_not_answer_is_an_error_after_a_while_and_no_more()
    {
        await desktop.RunAsync("printf held > /tmp/held-text");
        await CopyAsync("/tmp/held-text");
        await desktop.RunAsync("pkill -STOP xclip");
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var refused = await Assert.ThrowsAsync<Server.Guests.GuestException>(desktop.GetClipboardAsync);
        Assert.Equal(GuestErrorCode.Failed, refused.Code);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(8), $"{clock.Elapsed}");
        await desktop.RunAsync("pkill -KILL xclip");
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    return await desktop.GetClipboardAsync() == "";
                }
                catch (Server.Guests.GuestException e) when (e.Code == GuestErrorCode.Failed)
                {
                    // It was asked while it was dying.
                    return false;
                }
            },
            "an empty clipboard");
        Assert.Equal(DesktopState.Running, (await desktop.StatusAsync()).State);
    }

    /// <summary>xclip returns before it has the selection.</summary>
    private Task<string> CopyAsync(string path) =>
        desktop.RunAsync($"xclip -i -selection clipboard {path} > /dev/null 2>&1; until xclip -o -selection clipboard | cmp -s - {path}; do sleep 0.02; done");
}
