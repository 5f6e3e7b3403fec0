using System.Xml.Linq;

namespace Miosa.Tests;

/// <summary>Dependencies between projects point one way (CONTRIBUTING.md); a new arrow is a decision and is written here.</summary>
public sealed class ProjectGraphTests
{
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Miosa.Contract"] = [],
        ["Miosa"] = ["Miosa.Contract"],
        ["Miosa.Extensions.AI"] = ["Miosa"],
        ["Miosa.Guest"] = ["Miosa.Contract"],
        ["Miosa.Runtime"] = [],
        ["Miosa.Server"] = ["Miosa.Contract"],
    };

    [Fact]
    public void Projects_reference_only_what_the_architecture_allows()
    {
        var sources = Path.Combine(Repository(), "src");
        var projects = Directory.EnumerateFiles(sources, "*.csproj", SearchOption.AllDirectories).ToList();
        Assert.Equal(Allowed.Keys.Order(), projects.Select(Path.GetFileNameWithoutExtension).Order());
        foreach (var project in projects)
        {
            var document = XDocument.Load(project);
            var references = document.Descendants("ProjectReference").Select(reference => Path.GetFileNameWithoutExtension(((string?)reference.Attribute("Include") ?? "").Replace('\\', '/')));
            Assert.Equal(Allowed[Path.GetFileNameWithoutExtension(project)], references.Order());
        }
    }

    [Fact]
    public void Source_compiled_in_by_link_is_the_wire_of_the_runtime_alone()
    {
        var links = Directory.EnumerateFiles(Path.Combine(Repository(), "src"), "*.csproj", SearchOption.AllDirectories)
            .SelectMany(project => XDocument.Load(project).Descendants("Compile").Select(compile => (string?)compile.Attribute("Include")))
            .OfType<string>();
        Assert.Equal(["../Miosa.Runtime/Wire/AddressRange.cs", "../Miosa.Runtime/Wire/DomainPattern.cs", "../Miosa.Runtime/Wire/RuntimeWire.cs"], links.Order(StringComparer.Ordinal));
    }

    private static string Repository()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "Miosa.slnx")))
                return folder;
        }
        throw new InvalidOperationException("the tests do not lie in a clone of the repository");
    }
}
