using Miosa.Server.Host;

namespace Miosa.Server.PreviewDomains;

/// <summary>
/// The names below which anybody may register, as Debian's package <c>publicsuffix</c> lists them: nobody's claim may be one of them. Without
/// the list every name of fewer than three labels counts as one, which is too strict and never too lax for the great ones.
/// </summary>
internal sealed partial class PublicSuffixes
{
    private readonly HashSet<string> rules = [];
    private readonly HashSet<string> exceptions = [];

    public PublicSuffixes(ServerSettings settings, ILogger<PublicSuffixes> log)
    {
        try
        {
            foreach (var line in File.ReadLines(settings.PublicSuffixFile))
            {
                var rule = line.Split([' ', '\t'], 2)[0];
                if (rule.Length == 0 || rule.StartsWith("//", StringComparison.Ordinal))
                    continue;
                (rule[0] == '!' ? exceptions : rules).Add(Ascii(rule.TrimStart('!')));
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            NoList(log, settings.PublicSuffixFile, e.Message);
        }
    }

    public bool Contains(string domain)
    {
        if (rules.Count == 0)
            return domain.Count(c => c == '.') < 2;
        if (exceptions.Contains(domain))
            return false;
        // A name that no rule knows: its last label alone.
        var dot = domain.IndexOf('.', StringComparison.Ordinal);
        return dot < 0 || rules.Contains(domain) || rules.Contains("*" + domain[dot..]);
    }

    /// <summary>The list has names of other scripts as they are written, a claim has them as DNS does.</summary>
    private static string Ascii(string rule)
    {
        if (System.Text.Ascii.IsValid(rule))
            return rule;
        try
        {
            return new System.Globalization.IdnMapping().GetAscii(rule);
        }
        catch (ArgumentException)
        {
            return rule;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "no public suffix list at {File} ({Reason}): preview domains need at least three labels; install the package publicsuffix")]
    private static partial void NoList(ILogger log, string file, string reason);
}
