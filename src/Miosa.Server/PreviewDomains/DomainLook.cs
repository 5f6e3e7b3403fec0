using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using DnsClient;
using DnsClient.Protocol;
using Miosa.Server.Host;

namespace Miosa.Server.PreviewDomains;

/// <summary>What DNS says of a domain.</summary>
/// <param name="IsProven">One of the records says what it should.</param>
/// <param name="IsCertain">DNS has answered: a record that was not found is not there.</param>
/// <param name="Error">Why it is not proven; null when it is.</param>
internal sealed record DomainFindings(bool IsProven, bool IsCertain, IReadOnlyList<PreviewDomainCheckRecord> Records, string? Error);

/// <summary>
/// Asks DNS for the two records of which one proves a domain: a wildcard CNAME to the tenant's own target, or a TXT with the tenant's own word.
/// Both name the tenant, so that a record that somebody left behind proves the domain for nobody else (docs/adr/0022).
/// </summary>
internal sealed class DomainLook(ServerSettings settings)
{
    private const int MaxHops = 8;
    private const int MaxFound = 10;
    private const int MaxShown = 255;
    private const string TxtStart = "miosa-domain=";

    private static readonly TimeSpan PerQuestion = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan InAll = TimeSpan.FromSeconds(8);

    /// <summary>The tenant's word in DNS: always the same, and not its id, which is nobody's business there.</summary>
    public static string WordOf(string tenantId) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes("miosa preview domain of " + tenantId)).AsSpan(0, 16));

    public static DnsInstruction Cname(string domain, string target) => new() { Type = "CNAME", Name = "*." + domain, Value = target };

    public static DnsInstruction Txt(string domain, string tenantId) => new() { Type = "TXT", Name = "_miosa." + domain, Value = TxtStart + WordOf(tenantId) };

    public async Task<DomainFindings> LookAsync(string tenantId, string domain, string target, CancellationToken ct)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
        patience.CancelAfter(InAll);
        var (cname, txt) = (Cname(domain, target), Txt(domain, tenantId));
        // Made for each look: the host's resolvers may change while the server runs.
        var dns = new LookupClient(Options());
        var asked = await Task.WhenAll(FollowAsync(dns, cname, patience.Token, ct), TextsAsync(dns, txt, patience.Token, ct));
        var records = asked.Select(a => a.Record).ToList();
        if (records.Any(r => r.Ok))
            return new DomainFindings(true, IsCertain: true, records, Error: null);
        var troubles = asked.Select(a => a.Trouble).OfType<string>().Distinct().ToList();
        var error = $"neither does the CNAME of \"{cname.Name}\" lead to \"{cname.Value}\", nor does a TXT of \"{txt.Name}\" say \"{txt.Value}\""
            + (troubles.Count == 0 ? "" : $"; {string.Join("; ", troubles)}");
        return new DomainFindings(false, troubles.Count == 0, records, error);
    }

    private LookupClientOptions Options()
    {
        var options = settings.DnsServer is { } server ? new LookupClientOptions(server) : new LookupClientOptions();
        options.Timeout = PerQuestion;
        options.Retries = 1;
        options.UseCache = false;
        options.UseTcpFallback = true;
        options.ThrowDnsErrors = false;
        return options;
    }

    /// <summary>An alias may lead to the target over others; a circle of them leads nowhere.</summary>
    private static async Task<(PreviewDomainCheckRecord Record, string? Trouble)> FollowAsync(LookupClient dns, DnsInstruction wanted, CancellationToken patience, CancellationToken ct)
    {
        var found = new List<string>();
        var name = wanted.Name;
        for (var hop = 0; hop < MaxHops; hop++)
        {
            var (answer, trouble) = await AskAsync(dns, name, QueryType.CNAME, patience, ct);
            if (answer?.Answers.OfType<CNameRecord>().FirstOrDefault(r => Same(r.DomainName.Value, name)) is not { } alias)
                return (Record(wanted, found, isOk: false), trouble);
            name = Plain(alias.CanonicalName.Value);
            if (found.Contains(name))
                break;
            found.Add(name);
            if (Same(name, wanted.Value))
                return (Record(wanted, found, isOk: true), null);
        }
        return (Record(wanted, found, isOk: false), null);
    }

    private static async Task<(PreviewDomainCheckRecord Record, string? Trouble)> TextsAsync(LookupClient dns, DnsInstruction wanted, CancellationToken patience, CancellationToken ct)
    {
        var (answer, trouble) = await AskAsync(dns, wanted.Name, QueryType.TXT, patience, ct);
        // A long text comes in pieces.
        var texts = answer?.Answers.OfType<TxtRecord>().Select(record => string.Concat(record.Text)).ToList() ?? [];
        return (Record(wanted, texts, texts.Contains(wanted.Value)), trouble);
    }

    private static async Task<(IDnsQueryResponse? Answer, string? Trouble)> AskAsync(LookupClient dns, string name, QueryType type, CancellationToken patience, CancellationToken ct)
    {
        try
        {
            var answer = await dns.QueryAsync(name, type, cancellationToken: patience);
            // That a name does not exist is an answer; anything else is none.
            return answer.Header.ResponseCode is DnsHeaderResponseCode.NoError or DnsHeaderResponseCode.NotExistentDomain
                ? (answer, null)
                : (null, $"the name server answers {answer.Header.ResponseCode} for \"{name}\"");
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return (null, $"the name server did not answer for \"{name}\" in time");
        }
        catch (Exception e) when (e is DnsResponseException or SocketException or IOException or ArgumentException or IndexOutOfRangeException or InvalidOperationException)
        {
            // What a broken or hostile server sends may fail anywhere in the reader of answers.
            return (null, e is DnsResponseException { Code: DnsResponseCode.ConnectionTimeout }
                ? $"the name server did not answer for \"{name}\" in time"
                : $"the name server's answer for \"{name}\" cannot be used");
        }
    }

    private static PreviewDomainCheckRecord Record(DnsInstruction wanted, IReadOnlyList<string> found, bool isOk) => new()
    {
        Type = wanted.Type,
        Name = wanted.Name,
        Value = wanted.Value,
        Found = [.. found.Take(MaxFound).Select(text => text.Length <= MaxShown ? text : text[..MaxShown] + "…")],
        Ok = isOk,
    };

    private static bool Same(string one, string other) => Plain(one) == Plain(other);

    private static string Plain(string name) => name.TrimEnd('.').ToLowerInvariant();
}
