using System.Text;
using System.Text.RegularExpressions;

namespace Miosa.Server.Lifecycle;

/// <summary>One variable as it is kept; secret ones are never told again.</summary>
[GenerateSerializer, Immutable]
internal sealed record EnvValue([property: Id(0)] string Value, [property: Id(1)] bool IsSecret, [property: Id(2)] DateTimeOffset SetAt);

/// <summary>The environment that every command of a machine gets. Immutable: a change is a new one.</summary>
internal sealed partial class MachineEnv(IReadOnlyDictionary<string, EnvValue> variables)
{
    /// <summary>With the command they share one frame of the guest, so they may not fill it.</summary>
    public const int MaxBytes = 32 * 1024;

    public const int MaxCount = 500;

    public const int MaxKeyLength = 256;

    public static readonly MachineEnv Empty = new(new Dictionary<string, EnvValue>());

    public IReadOnlyDictionary<string, EnvValue> Variables => variables;

    public IReadOnlyDictionary<string, string> Values { get; } = variables.ToDictionary(pair => pair.Key, pair => pair.Value.Value);

    public static MachineEnv Of(IReadOnlyDictionary<string, string>? values, DateTimeOffset now, bool isSecret = true) =>
        values is null or { Count: 0 } ? Empty : new MachineEnv(values.ToDictionary(pair => pair.Key, pair => new EnvValue(pair.Value, isSecret, now)));

    [GeneratedRegex(@"\A[A-Za-z_][A-Za-z0-9_]{0,255}\z", RegexOptions.CultureInvariant)]
    public static partial Regex Key();

    /// <summary>What is too much of it, in the words of an error; null when nothing is.</summary>
    public string? Excess()
    {
        if (variables.Count > MaxCount)
            return $"would give the machine {variables.Count} variables, at most {MaxCount} are kept";
        var bytes = variables.Sum(pair => Encoding.UTF8.GetByteCount(pair.Key) + Encoding.UTF8.GetByteCount(pair.Value.Value));
        return bytes > MaxBytes ? $"would give the machine {bytes} bytes of names and values, at most {MaxBytes} are kept; write large values to a file" : null;
    }
}

/// <summary>A checked change of the environment: first <see cref="Replaces"/>, then <see cref="Drop"/>, then <see cref="Set"/>.</summary>
[GenerateSerializer(GenerateFieldIds = GenerateFieldIds.PublicProperties), Immutable]
internal sealed record EnvChange
{
    public IReadOnlyDictionary<string, EnvValue> Set { get; init; } = new Dictionary<string, EnvValue>();
    public string? Drop { get; init; }
    public bool Replaces { get; init; }

    /// <summary>The environment afterwards, or <paramref name="old"/> itself when nothing changes.</summary>
    public MachineEnv ApplyTo(MachineEnv old)
    {
        if (Set.Count == 0 && !Replaces && (Drop is null || !old.Variables.ContainsKey(Drop)))
            return old;
        var variables = Replaces ? [] : old.Variables.ToDictionary();
        if (Drop is not null)
            variables.Remove(Drop);
        foreach (var (key, value) in Set)
            variables[key] = value;
        return new MachineEnv(variables);
    }
}
