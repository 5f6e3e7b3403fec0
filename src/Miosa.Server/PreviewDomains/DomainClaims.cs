using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using Miosa.Server.Host;
using Miosa.Server.Previews;

namespace Miosa.Server.PreviewDomains;

/// <summary>Which domains a tenant may claim at all, before DNS is asked anything.</summary>
internal sealed partial class DomainClaims(PreviewHosts hosts, PublicSuffixes suffixes, ServerSettings settings)
{
    /// <summary>With the longest label of a preview before it a name has 253 characters, more DNS does not take.</summary>
    private const int MaxLength = 253 - 64;

    private readonly string[] ownNames =
    [
        .. settings.Urls.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(url => Uri.TryCreate(url, UriKind.Absolute, out var address) && address.HostNameType == UriHostNameType.Dns ? address.IdnHost.ToLowerInvariant() : null).OfType<string>(),
    ];

    [GeneratedRegex(@"\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\z")]
    private static partial Regex Label();

    /// <summary>The domain as DNS compares it, or what is wrong with it in the words of an error.</summary>
    /// <param name="apiHost">The name under which the API is asked right now.</param>
    public (string? Domain, string? Fault) Read(string text, string apiHost)
    {
        var name = text.ToLowerInvariant();
        if (name.Contains('/', StringComparison.Ordinal) || name.Contains('@', StringComparison.Ordinal))
            return (null, "must be a host name alone, such as preview.acme.com: leave out scheme and path");
        if (name.EndsWith('.'))
            name = name[..^1];
        if (IPAddress.TryParse(name, out _) || name.StartsWith('['))
            return (null, "must be a domain name, not an address");
        if (name.Contains(':', StringComparison.Ordinal))
            return (null, "must be a host name alone: leave out the port");
        if (name.StartsWith("*.", StringComparison.Ordinal))
            return (null, $"stands for all names below it: leave out the \"*.\" and send \"{name[2..]}\"");
        if (!System.Text.Ascii.IsValid(name))
            return (null, "must be written as DNS has it: letters of other scripts in their xn-- form");
        var labels = name.Split('.');
        if (name.Length > MaxLength || !labels.All(label => Label().IsMatch(label) && IsReadable(label)))
            return (null, $"must be a domain name: labels of 1 to 63 letters, digits and inner hyphens, together at most {MaxLength} characters");
        if (labels[^1].All(char.IsAsciiDigit))
            return (null, "must be a domain name, not an address");
        if (labels[^1] == "localhost" || labels.Length < 2)
            return (null, $"must be a domain that you own, \"{name}\" is nobody's");
        if (Overlap(name, hosts.Domain) || ownNames.Append(apiHost.ToLowerInvariant()).Any(own => Overlap(name, own)))
            return (null, $"must be a domain of your own: \"{name}\" is this server's");
        return suffixes.Contains(name) ? (null, $"must be a domain that you own: \"{name}\" is a suffix under which others register theirs") : (name, null);
    }

    /// <summary>The same, or one below the other: pages of one would share cookies with pages of the other.</summary>
    public static bool Overlap(string one, string other) =>
        one == other || one.EndsWith("." + other, StringComparison.Ordinal) || other.EndsWith("." + one, StringComparison.Ordinal);

    private static bool IsReadable(string label)
    {
        if (!label.StartsWith("xn--", StringComparison.Ordinal))
            return true;
        try
        {
            return new IdnMapping().GetUnicode(label) != label;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
