using Miosa.Runtime.Wire;
using Miosa.Server.Host;
using Miosa.Server.Nodes;

namespace Miosa.Server.Sandboxes;

/// <summary>The field <c>isolation</c>, and what a host must have for it. The default is null in rows.</summary>
internal sealed class IsolationFields(RuntimeClient runtime)
{
    private const string Field = "isolation";

    /// <summary>The wish of a body; null for the default and when there is none.</summary>
    public string? Of(Fields fields)
    {
        var wish = fields.Text(Field);
        if (wish is null or Isolations.Namespace)
            return null;
        if (wish != Isolations.Gvisor)
            fields.Fail(Field, $"must be {Isolations.Namespace} or {Isolations.Gvisor}, got \"{wish}\"");
        // While the runtime is away nothing is made anyway.
        else if (runtime.Hello is { } hello && hello.Isolations?.Contains(Isolations.Gvisor) != true)
            fields.Fail(Field, $"\"{wish}\" is not to be had on this server: {hello.Notes.FirstOrDefault(note => note.Contains("gVisor", StringComparison.Ordinal)) ?? "its miosa-runtime is too old"}");
        return wish;
    }

    /// <summary>A copy has the isolation of its source: what it is made of was written under it.</summary>
    public static void Same(Fields fields, string? source)
    {
        if (fields.Text(Field) is { } wish && wish != (source ?? Isolations.Namespace))
            fields.Fail(Field, $"must be that of the source, \"{source ?? Isolations.Namespace}\", or left out");
    }

    public static string NameOf(string? isolation) => isolation ?? Isolations.Namespace;

    /// <summary>Says what is wrong with taking memory along; null when nothing is.</summary>
    public static Refusal? MemoryFault(string? isolation) =>
        isolation == Isolations.Gvisor ? null : Refusal.Invalid("memory", $"can be taken along with isolation \"{Isolations.Gvisor}\" only: leave it out, or make the sandbox with that isolation");
}
