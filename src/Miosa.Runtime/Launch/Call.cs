using System.Globalization;

namespace Miosa.Runtime.Launch;

/// <summary>An argument of a planned system call: a number, a text, bytes, a named descriptor, or what an earlier call returned.</summary>
internal readonly record struct Arg
{
    public long Number { get; private init; }
    public string? Text { get; private init; }
    public byte[]? Bytes { get; private init; }
    public string? Descriptor { get; private init; }
    public bool IsSaved { get; private init; }

    public static readonly Arg Saved = new() { IsSaved = true };

    public static implicit operator Arg(long number) => new() { Number = number };

    public static implicit operator Arg(string text) => new() { Text = text };

    public static implicit operator Arg(byte[] bytes) => new() { Bytes = bytes };

    public static Arg Fd(string name) => new() { Descriptor = name };

    public override string ToString() => this switch
    {
        { Text: { } text } => $"\"{text}\"",
        { Bytes: { } bytes } => string.Create(CultureInfo.InvariantCulture, $"[{bytes.Length} bytes]"),
        { Descriptor: { } name } => $"<{name}>",
        { IsSaved: true } => "<saved>",
        _ => Number.ToString(CultureInfo.InvariantCulture),
    };
}

/// <summary>One system call the machine's first process makes before it becomes the guest.</summary>
internal sealed record Call(string Step, int Number, params IReadOnlyList<Arg> Args)
{
    /// <summary>An error that does not matter: the path does not exist on this kernel.</summary>
    public int Tolerated { get; init; }

    /// <summary>The smallest result that counts as success.</summary>
    public long AtLeast { get; init; }

    /// <summary>The result is an argument (<see cref="Arg.Saved"/>) of later calls.</summary>
    public bool IsSaved { get; init; }

    /// <summary>The reply in the second argument is a netlink acknowledgement that must say 0.</summary>
    public bool IsNetlinkReply { get; init; }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Step}: {Number}({string.Join(", ", Args)})");
}
