using System.Globalization;
using Miosa.Server.Host;

namespace Miosa.Server.Sandboxes;

internal sealed record Shape(int Vcpus, int MemoryMb, int DiskMb);

/// <summary>The named shapes of this server.</summary>
internal sealed class Sizes
{
    public const string Default = "small";

    private readonly Dictionary<string, Shape> shapes = [];

    public Sizes(ServerSettings settings)
    {
        foreach (var entry in settings.Sizes.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (entry.Split('=') is not [var name, var shape] || shape.Split('/') is not [var cpu, var memory, var disk]
                || !Parse(cpu, out var vcpus) || !Parse(memory, out var memoryMb) || !Parse(disk, out var diskMb))
                throw new SettingsException($"--sizes: \"{entry}\" is not name=vcpus/memory-mb/disk-mb");
            shapes[name] = new Shape(vcpus, memoryMb, diskMb);
        }
        if (!shapes.ContainsKey(Default))
            throw new SettingsException($"--sizes: the size \"{Default}\" is missing");

        static bool Parse(string text, out int number) => int.TryParse(text, CultureInfo.InvariantCulture, out number) && number > 0;
    }

    public IEnumerable<string> Names => shapes.Keys;

    public IReadOnlyDictionary<string, Shape> All => shapes;

    /// <summary>The shape of a name; <c>xlarge</c> is the older spelling of <c>xl</c>.</summary>
    public Shape? Find(string name) => shapes.GetValueOrDefault(Canonical(name));

    /// <summary>The name of a shape; null for a free one.</summary>
    public string? NameOf(Shape shape) => shapes.FirstOrDefault(pair => pair.Value == shape).Key;

    public static string Canonical(string name) => name == "xlarge" ? "xl" : name;
}
