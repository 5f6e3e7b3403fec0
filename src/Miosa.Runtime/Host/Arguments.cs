using System.Globalization;
using System.Net;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Host;

/// <summary>The command line: words, then options that take a value, three flags apart.</summary>
internal sealed class Arguments
{
    private readonly Dictionary<string, string> options = [];

    private Arguments(IReadOnlyList<string> words) => Words = words;

    public IReadOnlyList<string> Words { get; }

    public static Arguments Parse(IReadOnlyList<string> args)
    {
        var words = new List<string>();
        var result = new Arguments(words);
        for (var i = 0; i < args.Count; i++)
        {
            if (!args[i].StartsWith("--", StringComparison.Ordinal)) words.Add(args[i]);
            else if (args[i] is "--help" or "--version") words.Insert(0, args[i]);
            else if (args[i] is "--purge" or "--shared-ids" or "--trace") result.options[args[i]] = "";
            else if (args[i].Split('=', 2) is [var name, var value]) result.options[name] = value;
            else if (i + 1 < args.Count) result.options[args[i]] = args[++i];
            else throw new CommandFailure($"{args[i]} wants a value");
        }
        return result;
    }

    public string? Take(string option) => options.Remove(option, out var value) ? value : null;

    public RuntimeSettings TakeSettings(string? failAt)
    {
        var defaults = new RuntimeSettings();
        var name = Take("--name") ?? defaults.Name;
        var settings = defaults with
        {
            Name = name,
            Data = Take("--data") ?? (name == defaults.Name ? defaults.Data : $"/var/lib/{name}"),
            Run = Take("--run") ?? (name == defaults.Name ? defaults.Run : $"/run/{name}"),
            User = Take("--user") ?? defaults.User,
            Subnet = Take("--subnet") ?? defaults.Subnet,
            IdBase = Number("--id-base") is { } idBase ? checked((uint)idBase) : defaults.IdBase,
            Guest = Take("--guest"),
            Runsc = Take("--runsc"),
            DiskGb = (int?)Number("--disk-gb"),
            ImageGb = Limit("--image-gb") ?? defaults.ImageGb,
            ImageFiles = Limit("--image-files") ?? defaults.ImageFiles,
            Resolvers = Take("--resolvers") is { } resolvers ? [.. resolvers.Split(',').Select(Resolver)] : null,
            EgressAllow = Take("--egress-allow") is { } allowed ? [.. allowed.Split(',').Select(Range)] : [],
            Cache = Take("--cache") ?? defaults.Cache,
            Purge = Take("--purge") is not null,
            IsSharedIdRange = Take("--shared-ids") is not null,
            FailAt = failAt,
            IsTraced = Take("--trace") is not null,
        };
        settings.Validate();
        return settings;
    }

    public void RefuseRest()
    {
        if (options.Count > 0) throw new CommandFailure($"unknown option {options.Keys.First()}: miosa-runtime --help lists them");
    }

    private int? Limit(string option) => Number(option) switch
    {
        null => null,
        > 0 and <= int.MaxValue and var value => (int)value,
        var value => throw new CommandFailure($"{option} {value} is out of range"),
    };

    private static IPEndPoint Resolver(string text) =>
        IPEndPoint.TryParse(text, out var server)
            ? new IPEndPoint(server.Address, server.Port == 0 ? 53 : server.Port)
            : throw new CommandFailure($"--resolvers \"{text}\" is not an address like 1.1.1.1 or 127.0.0.1:5353");

    private static AddressRange Range(string text) =>
        AddressRange.TryParse(text, out var range) && range.Prefix > 0
            ? range
            : throw new CommandFailure($"--egress-allow \"{text}\" is not a range like 10.20.0.0/16");

    private long? Number(string option)
    {
        if (Take(option) is not { } text) return null;
        return uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            ? value
            : throw new CommandFailure($"{option} \"{text}\" is not a number");
    }
}
