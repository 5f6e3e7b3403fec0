using CsCheck;
using Miosa.Server.Host;
using Miosa.Server.Sandboxes;

namespace Miosa.Server.Tests;

/// <summary>Layers of defaults as a pure function.</summary>
public sealed class DefaultsTests
{
    private static readonly ServerSettings Server = new() { DefaultImage = "server", Region = "here", DefaultTimeoutSec = 9 };

    private static readonly Gen<DefaultsLayer?> Layers = Gen.Select(Gen.Int[0, 3], Gen.Bool, Gen.Bool, Gen.Bool, Gen.Bool, Gen.Int[0, 5]).Select((kind, image, size, timeout, idle, number) => kind == 0
        ? null
        : new DefaultsLayer { Image = image ? $"i{number}" : null, Size = size ? $"s{number}" : null, TimeoutSec = timeout ? number : null, IdleTimeoutSec = idle ? number : null });

    [Fact]
    public void Each_value_comes_from_the_first_layer_that_has_one_and_else_from_the_server() => Layers.Array[0, 5].Sample(layers =>
    {
        var all = Defaults.Of(Server, layers);
        Assert.Equal(layers.Select(l => l?.Image).FirstOrDefault(v => v is not null) ?? "server", all.Image);
        Assert.Equal(layers.Select(l => l?.Size).FirstOrDefault(v => v is not null) ?? "small", all.Size);
        Assert.Equal(layers.Select(l => l?.TimeoutSec).FirstOrDefault(v => v is not null) ?? 9, all.TimeoutSec);
        Assert.Equal(layers.Select(l => l?.IdleTimeoutSec).FirstOrDefault(v => v is not null) ?? 0, all.IdleTimeoutSec);
        Assert.Equal("here", all.Region);
    });

    [Fact]
    public void A_zero_is_a_value_and_not_nothing() =>
        Assert.Equal(0, Defaults.Of(Server, new DefaultsLayer { IdleTimeoutSec = 0 }, new DefaultsLayer { IdleTimeoutSec = 5 }).IdleTimeoutSec);
}
