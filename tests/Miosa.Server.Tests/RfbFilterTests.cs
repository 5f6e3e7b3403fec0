using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Miosa.Server.Viewer;

namespace Miosa.Server.Tests;

/// <summary>What a viewer says, byte by byte; no computer runs.</summary>
public sealed class RfbFilterTests
{
    private static readonly byte[] Greeting = [.. "RFB 003.008\n"u8, 1, 0];
    private static readonly byte[] Key = [4, 1, 0, 0, 0, 0, 0, 0x61];
    private static readonly byte[] Pointer = [5, 1, 0, 10, 0, 20];
    private static readonly byte[] Update = [3, 1, 0, 0, 0, 0, 5, 0, 2, 208];
    private static readonly byte[] PixelFormat = [0, .. new byte[19]];
    private static readonly byte[] Continuous = [150, .. new byte[9]];
    private static readonly byte[] ExtendedKey = [255, 0, .. new byte[10]];
    private static readonly byte[] Fence = [248, 0, 0, 0, 0, 0, 0, 1, 3, 7, 8, 9];

    [Fact]
    public void Who_may_only_look_gets_no_input_through_and_everything_else()
    {
        byte[] quiet = [.. PixelFormat, .. Encodings(0, 7), .. Update, .. Continuous, .. Fence, .. Update];
        byte[] said = [.. PixelFormat, .. Key, .. Encodings(0, 7), .. Pointer, .. Update, .. CutText("secret"), .. Continuous, .. Resize(1280, 720), .. Fence, .. ExtendedKey, .. ExtendedText(70_000), .. Update];
        var (passed, isWhole, hasInput) = Feed(isViewOnly: true, [.. Greeting, .. said]);
        Assert.True(isWhole);
        Assert.False(hasInput);
        Assert.Equal([.. "RFB 003.008\n"u8, 1, 1, .. quiet], passed);
    }

    [Fact]
    public void Who_may_control_gets_all_of_it_through()
    {
        byte[] said = [.. Key, .. Pointer, .. CutText("text"), .. ExtendedText(100), .. Resize(1024, 768), .. ExtendedKey, .. Update];
        var (passed, isWhole, hasInput) = Feed(isViewOnly: false, [.. Greeting, .. said]);
        Assert.True(isWhole && hasInput);
        Assert.Equal([.. "RFB 003.008\n"u8, 1, 1, .. said], passed);
        Assert.False(Feed(isViewOnly: false, [.. Greeting, .. Update, .. Encodings(0)]).HasInput);
    }

    [Fact]
    public void Borders_of_pieces_mean_nothing()
    {
        byte[] said = [.. Greeting, .. PixelFormat, .. Encodings(0, -316, 7, -309, 16), .. Key, .. Fence, .. CutText("überall"), .. Resize(800, 600), .. Resize(1, 1), .. Pointer, .. ExtendedText(300), .. ExtendedKey, .. Update];
        foreach (var isViewOnly in (bool[])[true, false])
        {
            var whole = Feed(isViewOnly, said).Passed;
            for (var size = 1; size < 40; size++)
                Assert.Equal(whole, Feed(isViewOnly, said, size).Passed);
        }
    }

    [Fact]
    public void Encodings_that_would_change_the_protocol_are_taken_out()
    {
        var (passed, isWhole, _) = Feed(isViewOnly: false, [.. Greeting, .. Encodings(7, -316, 16, -309, -223)]);
        Assert.True(isWhole);
        Assert.Equal(Encodings(7, 16, -223), passed[14..]);
    }

    [Fact]
    public void A_viewer_cannot_throw_the_others_out()
    {
        Assert.Equal(1, Feed(isViewOnly: false, Greeting).Passed[^1]);
        Assert.Equal([.. "RFB 003.003\n"u8, 1, .. Update], Feed(isViewOnly: true, [.. "RFB 003.003\n"u8, 0, .. Update]).Passed);
    }

    [Fact]
    public void A_size_that_no_screen_has_goes_no_further()
    {
        foreach (var (width, height) in ((int, int)[])[(1, 1), (319, 240), (320, 239), (3841, 240), (65_535, 65_535)])
            Assert.Equal((true, 14), (Feed(isViewOnly: false, [.. Greeting, .. Resize(width, height)]).IsWhole, Feed(isViewOnly: false, [.. Greeting, .. Resize(width, height)]).Passed.Length));
        Assert.Equal(14 + 24, Feed(isViewOnly: false, [.. Greeting, .. Resize(320, 240)]).Passed.Length);
    }

    [Theory]
    [InlineData("7")] // unknown
    [InlineData("1 0 0 0")]
    [InlineData("250 0 1 2")] // XVP: power off
    [InlineData("255 1 0 0")] // QEMU audio
    [InlineData("2 0 1 1")] // 257 encodings
    [InlineData("2 0 255 255")]
    [InlineData("248 0 0 0 0 0 0 0 65")] // a fence of 65 bytes
    [InlineData("251 0 5 0 2 208 17 0")] // 17 screens
    [InlineData("6 0 0 0 127 255 255 255")] // a text of 2 GB
    [InlineData("6 0 0 0 128 0 0 0")] // and an extended one
    [InlineData("6 0 0 0 0 16 4 1")] // 1 MiB + 1025
    public void What_is_not_known_or_too_long_ends_it_and_nothing_of_it_goes_on(string message)
    {
        foreach (var isViewOnly in (bool[])[true, false])
        {
            var bytes = message.Split(' ').Select(byte.Parse).ToArray();
            var (passed, isWhole, _) = Feed(isViewOnly, [.. Greeting, .. bytes, .. Key]);
            Assert.False(isWhole);
            Assert.Equal(14, passed.Length);
        }
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\n")]
    [InlineData("RFB 004.000\n")]
    [InlineData("RFB 003.889\n")]
    [InlineData("RFB 003.008\n\u0002")] // VNC authentication
    [InlineData("RFB 003.008\n\u0000")]
    public void A_greeting_that_is_none_ends_it(string greeting)
    {
        var (passed, isWhole, _) = Feed(isViewOnly: false, [.. Encoding.Latin1.GetBytes(greeting), .. Key, .. Key]);
        Assert.False(isWhole);
        Assert.True(passed.Length is 0 or 12);
    }

    [Fact]
    public void Random_bytes_never_get_an_input_message_through_to_a_viewer_that_may_only_look()
    {
        var random = new Random(4);
        for (var i = 0; i < 2000; i++)
        {
            var noise = new byte[random.Next(1, 300)];
            random.NextBytes(noise);
            // Half of them begin like a message.
            if (i % 2 == 0)
                noise[0] = (byte[])[0, 2, 3, 4, 5, 6, 150, 248, 251, 255] is var types ? types[random.Next(types.Length)] : (byte)0;
            var passed = Feed(isViewOnly: true, [.. Greeting, .. noise], random.Next(1, 64)).Passed.AsSpan(14);
            while (!passed.IsEmpty)
            {
                Assert.Contains(passed[0], (byte[])[0, 2, 3, 150, 248]);
                var length = passed[0] switch { 0 => 20, 2 => 4 + (4 * BinaryPrimitives.ReadUInt16BigEndian(passed[2..])), 248 => 9 + passed[8], _ => 10 };
                passed = passed[length..];
            }
        }
    }

    private static (byte[] Passed, bool IsWhole, bool HasInput) Feed(bool isViewOnly, byte[] bytes, int size = int.MaxValue)
    {
        var filter = new RfbFilter(isViewOnly);
        var output = new ArrayBufferWriter<byte>();
        var hasInput = false;
        for (var at = 0; at < bytes.Length;)
        {
            var count = Math.Min(size, bytes.Length - at);
            var goesOn = filter.TryFeed(bytes.AsSpan(at, count), output, out var now);
            hasInput |= now;
            if (!goesOn)
            {
                Assert.NotNull(filter.Fault);
                return (output.WrittenSpan.ToArray(), false, hasInput);
            }
            at += count;
        }
        return (output.WrittenSpan.ToArray(), true, hasInput);
    }

    private static byte[] Encodings(params int[] encodings) => [2, 0, .. Short(encodings.Length), .. encodings.SelectMany(Int)];

    private static byte[] CutText(string text) => [6, 0, 0, 0, .. Int(Encoding.Latin1.GetByteCount(text)), .. Encoding.Latin1.GetBytes(text)];

    private static byte[] ExtendedText(int length) => [6, 0, 0, 0, .. Int(-length), .. Enumerable.Repeat((byte)4, length)];

    private static byte[] Resize(int width, int height) => [251, 0, .. Short(width), .. Short(height), 1, 0, .. new byte[16]];

    private static byte[] Short(int value) => [(byte)(value >> 8), (byte)value];

    private static byte[] Int(int value) => [(byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value];
}
