using System.Reflection;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;

namespace Miosa.Tests;

/// <summary>Rules that hold over the whole public surface.</summary>
public sealed partial class SurfaceTests
{
    private static readonly Type[] Public = [.. typeof(MiosaClient).Assembly.GetExportedTypes(), .. typeof(SandboxInfo).Assembly.GetExportedTypes()];

    private static readonly Type[] Calling = [typeof(Sandboxes), typeof(Sandbox), typeof(SandboxFiles), typeof(SandboxEvents), typeof(SandboxTemplates), typeof(ApiKeys), typeof(AuditLog), typeof(Tenants), typeof(Webhooks), typeof(TenantEvents),
        typeof(Workspaces), typeof(Quotas), typeof(Usage), typeof(Credits), typeof(Analytics), typeof(Dashboard), typeof(Tenant),
        typeof(TenantBranding), typeof(TenantPreviewDomain), typeof(TenantPolicy), typeof(Settings), typeof(SettingsProviderKeys), typeof(Regions),
        typeof(Computers), typeof(Computer), typeof(ComputersEnv), typeof(ComputersPorts), typeof(ComputerEnv), typeof(ComputerPorts), typeof(ComputerFiles), typeof(ComputerSnapshots),
        typeof(ComputerServices), typeof(ComputerEvents), typeof(ComputerDesktop), typeof(Desktop),
        typeof(Models), typeof(Completions), typeof(Embeddings)];

    [Fact]
    public void Every_call_has_a_twin_with_the_same_parameters_and_a_token()
    {
        var complaints = new List<string>();
        foreach (var type in Calling)
        {
            var methods = type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
                .Where(method => !method.IsSpecialName && method.Name is not ("Dispose" or "DisposeAsync")).ToArray();
            var blocking = methods.Where(method => !method.Name.EndsWith("Async", StringComparison.Ordinal)).Select(method => Signature(method, "Async")).ToArray();
            var awaiting = methods.Where(method => method.Name.EndsWith("Async", StringComparison.Ordinal)).ToArray();
            complaints.AddRange(awaiting.Where(method => method.GetParameters()[^1] is not { ParameterType: { } last, Name: "cancellationToken", HasDefaultValue: true } || last != typeof(CancellationToken))
                .Select(method => $"{type.Name}.{method.Name} has no optional cancellationToken at its end"));
            // A command that is talked to has no blocking form, nor has a terminal: WebSockets have none.
            var twins = awaiting.Where(method => method.ReturnType != typeof(Task<CommandStream>)).Select(method => Signature(method, "", skipLast: true)).ToArray();
            complaints.AddRange(blocking.Except(twins).Select(signature => $"{type.Name}: no twin for {signature}"));
            complaints.AddRange(twins.Except(blocking).Select(signature => $"{type.Name}: no blocking twin for {signature}"));
        }
        Assert.Empty(complaints);
    }

    [Fact]
    public void Every_record_is_sealed_and_known_to_a_JSON_context()
    {
        var records = Public.Where(type => type.Assembly == typeof(SandboxInfo).Assembly && type.GetMethod("<Clone>$") is not null).ToArray();
        Assert.True(records.Length > 20);
        Assert.All(records, type => Assert.True(type.IsSealed, $"{type.Name} is not sealed"));
        Assert.All(records.Where(type => !type.IsGenericTypeDefinition), type => Assert.True(Known(type) is not null, $"{type.Name} is in no JSON context"));
        Assert.NotNull(Known(typeof(Page<SandboxInfo>)));
    }

    [Fact]
    public void Every_wire_name_is_snake_case()
    {
        // The second spelling of the exit code is what some clients read; the contract writes the fields of a recipe in camel case.
        var names = Public.Where(type => !type.IsGenericTypeDefinition).Append(typeof(Page<SandboxInfo>)).Select(Known).OfType<System.Text.Json.Serialization.Metadata.JsonTypeInfo>()
            .SelectMany(type => type.Properties.Select(property => $"{type.Type.Name}.{property.Name}")).Where(name => !name.EndsWith(".exitCode", StringComparison.Ordinal) && !name.StartsWith("BuildSpec.", StringComparison.Ordinal)).ToArray();
        Assert.True(names.Length > 100);
        Assert.All(names, name => Assert.Matches(SnakeCase(), name.Split('.')[1]));
    }

    [Fact]
    public void Every_class_is_sealed_but_the_root_of_the_exceptions()
        => Assert.Equal([typeof(MiosaException)], Public.Where(type => type.IsClass && !type.IsSealed));

    [Fact]
    public void There_are_no_public_interfaces_and_one_namespace()
    {
        Assert.DoesNotContain(Public, type => type.IsInterface);
        Assert.All(Public, type => Assert.Equal("Miosa", type.Namespace));
    }

    [GeneratedRegex("^[a-z][a-z0-9]*(_[a-z0-9]+)*$")]
    private static partial Regex SnakeCase();

    private static System.Text.Json.Serialization.Metadata.JsonTypeInfo? Known(Type type)
    {
        JsonSerializerContext[] contexts = [WireJson.Default, RequestJson.Default];
        return contexts.Select(context => context.GetTypeInfo(type)).FirstOrDefault(info => info is not null);
    }

    private static string Signature(MethodInfo method, string suffix, bool skipLast = false)
    {
        var parameters = method.GetParameters().SkipLast(skipLast ? 1 : 0).Select(one => $"{one.ParameterType} {one.Name} {one.HasDefaultValue} {one.RawDefaultValue}");
        return $"{method.Name}{suffix}({string.Join(", ", parameters)})";
    }
}
