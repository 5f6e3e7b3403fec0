using System.Text.RegularExpressions;

namespace Miosa.Server.Registries;

/// <summary>An image of a registry: <c>[host[:port]/]name[:tag][@sha256:…]</c>. Without a host it is Docker Hub's, as everywhere.</summary>
internal sealed partial record ImageReference(string Host, string Repository, string Tag, string? Digest)
{
    private const string Hub = "registry-1.docker.io";
    private const int MaxLength = 512;

    /// <summary>What the registry is asked for.</summary>
    public string Target => Digest ?? Tag;

    /// <summary>Null when it is none; a plain word is none, because it is the name of a template that does not exist.</summary>
    public static ImageReference? Parse(string text)
    {
        if (text.Length > MaxLength || !text.AsSpan().ContainsAny('/', ':', '@'))
            return null;
        var match = Form().Match(text);
        if (!match.Success)
            return null;
        var repository = match.Groups["name"].Value;
        var host = match.Groups["host"].Value;
        if (host is "" or "docker.io" or "index.docker.io")
            (host, repository) = (Hub, repository.Contains('/', StringComparison.Ordinal) ? repository : "library/" + repository);
        return new ImageReference(
            host, repository, match.Groups["tag"].Success ? match.Groups["tag"].Value : "latest", match.Groups["digest"].Success ? match.Groups["digest"].Value : null);
    }

    public override string ToString() => $"{Host}/{Repository}{(Digest is null ? ":" + Tag : "@" + Digest)}";

    // A first part with a dot or a port, or localhost, is a host; anything else belongs to the name.
    [GeneratedRegex(@"\A((?<host>localhost(:[0-9]{1,5})?|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:[0-9]{1,5})?|[A-Za-z0-9-]+:[0-9]{1,5}|\[[0-9a-fA-F:.]+\](:[0-9]{1,5})?)/)?(?<name>[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*)(:(?<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(@(?<digest>sha256:[0-9a-f]{64}))?\z")]
    private static partial Regex Form();
}
