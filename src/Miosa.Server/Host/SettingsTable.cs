using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Miosa.Server.Host;

/// <summary>One setting: its name on the command line, what it means and how a text becomes its value.</summary>
internal sealed record Setting(string Name, string Says, Func<ServerSettings, string, ServerSettings> Apply)
{
    public string EnvironmentName => "MIOSA_" + Name.Replace('-', '_').ToUpperInvariant();
}

/// <summary>
/// Where settings come from, later ones win: defaults, the JSON file of <c>--config</c>, environment <c>MIOSA_…</c>, command line.
/// Unknown names are reported, never ignored in silence; a faulty value ends the start.
/// </summary>
internal static partial class SettingsTable
{
    [GeneratedRegex(@"\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\z")]
    private static partial Regex RegionSlug();

    public const string ConfigName = "config";

    public static readonly IReadOnlyList<Setting> All =
    [
        Text("urls", "addresses to listen on, separated by semicolons", (s, v) => s with { Urls = v }),
        Text("data", "folder of the database and the encryption keys; made with mode 0700", (s, v) => s with { DataDir = v }),
        Text("runtime-socket", "socket of miosa-runtime", (s, v) => s with { RuntimeSocket = v }),
        Text("node", "name of this node", (s, v) => s with { Node = v }),
        Number("silo-port", "loopback port of the Orleans silo, 0 for a free one", 0, 65535, (s, v) => s with { SiloPort = v }),
        Number("gateway-port", "loopback port of the Orleans gateway, 0 for a free one", 0, 65535, (s, v) => s with { GatewayPort = v }),
        Text("default-image", "image of a sandbox that names none", (s, v) => s with { DefaultImage = v }),
        Text("sizes", "named sizes: name=vcpus/memory-mb/disk-mb, separated by commas", (s, v) => s with { Sizes = v }),
        Number("max-vcpus", "most virtual CPUs of one machine; default: those of the host", 1, 1024, (s, v) => s with { MaxVcpus = v }),
        Number("max-memory-mb", "most memory of one machine in MiB; default: that of the host", 128, int.MaxValue, (s, v) => s with { MaxMemoryMb = v }),
        Number("max-disk-mb", "largest disk of one machine in MiB", 512, int.MaxValue, (s, v) => s with { MaxDiskMb = v }),
        Number("default-timeout-sec", "life limit of a sandbox that names none", 1, 2_592_000, (s, v) => s with { DefaultTimeoutSec = v }),
        Number("boot-timeout-sec", "longest wait for a machine to start", 1, 300, (s, v) => s with { BootTimeoutSec = v }),
        Number("pool-size", "machines kept ready per image, 0 for no pool", 0, 1000, (s, v) => s with { PoolSize = v }),
        Number("pool-max", "most machines kept ready per image when demand is high", 0, 1000, (s, v) => s with { PoolMax = v }),
        Number("computer-pool-size", "computers kept ready with their desktop on, 0 for none; none either without a pool", 0, 100, (s, v) => s with { ComputerPoolSize = v }),
        Number("max-exec-sec", "longest time limit of one command", 1, 2_592_000, (s, v) => s with { MaxExecSec = v }),
        Number("exec-output-bytes", "kept output of one command per stream; more is dropped and marked truncated", 1024, 1 << 30, (s, v) => s with { ExecOutputBytes = v }),
        Number("max-snapshots", "most snapshots of one tenant", 0, 1_000_000, (s, v) => s with { MaxSnapshots = v }),
        Number("max-templates", "most templates of one tenant", 0, 1_000_000, (s, v) => s with { MaxTemplates = v }),
        Number("builds-at-once", "builds of templates that run at the same time on this node", 1, 64, (s, v) => s with { BuildsAtOnce = v }),
        Number("max-queued-builds", "most builds of one tenant that wait", 1, 10_000, (s, v) => s with { MaxQueuedBuilds = v }),
        Text("registry-allow", "registries at private addresses that may be used: host, host:port or http://host:port, separated by commas", (s, v) => s with { RegistryAllow = v }),
        Number("registry-max-mb", "largest image that is fetched from a registry, in MiB as it is sent", 1, 1_000_000, (s, v) => s with { RegistryMaxMb = v }),
        Number("build-timeout-sec", "longest time of one build", 1, 86_400, (s, v) => s with { BuildTimeoutSec = v }),
        Number("metrics-sec", "seconds between two measurements of every machine", 1, 3600, (s, v) => s with { MetricsSec = v }),
        Number("sweep-sec", "seconds between two sweeps for what nobody owns", 1, 3600, (s, v) => s with { SweepSec = v }),
        Number("rate-limit-rpm", "requests per minute of one API key that has no limit of its own, 0 for no limit", 0, 1_000_000, (s, v) => s with { RateLimitRpm = v }),
        Number("bad-key-rpm", "requests per minute without a valid API key that one address may make, 0 for no limit", 0, 1_000_000, (s, v) => s with { BadKeyRpm = v }),
        Text("trusted-proxies", "addresses or ranges of proxies in front, whose X-Forwarded-For tells the caller's address, separated by commas", (s, v) => s with { TrustedProxies = v }),
        Number("audit-days", "days that entries of the audit log are kept", 1, 36_500, (s, v) => s with { AuditDays = v }),
        Number("event-days", "days that events and rows of destroyed machines are kept", 1, 3650, (s, v) => s with { EventDays = v }),
        Number("max-workspaces", "most workspaces of one tenant", 0, 1_000_000, (s, v) => s with { MaxWorkspaces = v }),
        Text("tenant-limits", "caps of a tenant that has none of its own, such as max_sandboxes=100,max_concurrent=20,max_storage_gb=500,max_credit_cents=100000", (s, v) => s with { TenantLimits = v }),
        Text("user-limits", "caps of an external user where neither it nor its tenant has any, written like --tenant-limits", (s, v) => s with { UserLimits = v }),
        Text("prices", "millionths of a cent an hour: vcpu=…,memory=…,disk=… (memory and disk for one GiB), and for a thousand tokens: token_in=…,token_out=…,token_embedding=…; or a JSON file with these names", (s, v) => s with { Prices = v }),
        Text("models", "JSON file of the providers of language models (docs/models.md); default: models.json in the data folder, if it is there", (s, v) => s with { Models = v }),
        Text("credit-rule", "none, or prepaid: without credits nothing is created or resumed", (s, v) => Credits.CreditRules.All.Contains(v)
            ? s with { CreditRule = v }
            : throw new FormatException($"must be one of {string.Join(", ", Credits.CreditRules.All)}, got \"{v}\"")),
        Number("charge-sec", "seconds between two charges of usage to the credit ledger", 1, 86_400, (s, v) => s with { ChargeSec = v }),
        Number("usage-days", "days that usage is kept", 40, 3650, (s, v) => s with { UsageDays = v }),
        Text("region", "name of this server's region in calls: lower-case letters, digits and hyphens", (s, v) =>
            RegionSlug().IsMatch(v) ? s with { Region = v } : throw new FormatException($"must be 1 to 63 lower-case letters, digits and inner hyphens, got \"{v}\"")),
        Text("region-name", "name of the region for people", (s, v) => s with { RegionName = v }),
        Text("region-location", "where the region is, in free words", (s, v) => s with { RegionLocation = v }),
        Text("preview-domain", "domain below which every port of a sandbox has a host name; http(s)://DOMAIN[:PORT] when browsers reach it otherwise than the server listens", (s, v) => s with { PreviewDomain = v }),
        Number("domain-check-sec", "seconds between two looks at the DNS of a proven preview domain of a tenant", 1, 604_800, (s, v) => s with { DomainCheckSec = v }),
        Number("domain-grace-sec", "seconds that the DNS record of a preview domain may be missing before previews are not served on it any more", 1, 31_536_000, (s, v) => s with { DomainGraceSec = v }),
        Text("dns-server", "name server that preview domains are looked up at, ADDRESS or ADDRESS:PORT; default: those of the host", (s, v) =>
            IPEndPoint.TryParse(v, out var server) ? s with { DnsServer = server.Port == 0 ? new IPEndPoint(server.Address, 53) : server } : throw new FormatException($"must be an address, or an address and a port, got \"{v}\"")),
        Text("public-suffix-file", "list of the names under which anybody may register, of Debian's package publicsuffix", (s, v) => s with { PublicSuffixFile = v }),
        Text("tls-cert", "PEM file of the certificate, with its chain, for https addresses in --urls", (s, v) => s with { TlsCert = v }),
        Text("tls-key", "PEM file of the certificate's key", (s, v) => s with { TlsKey = v }),
        Text("viewer-frames", "sites that may show the live view of a computer in a frame: origins such as https://app.example.com separated by spaces, * for every one, none for no one", (s, v) => s with { ViewerFrames = FramesOf(v) }),
        Number("max-webhooks", "most webhooks of one tenant", 0, 100_000, (s, v) => s with { MaxWebhooks = v }),
        Text("webhook-allow", "private addresses that webhooks may be sent to: host, host:port or range, separated by commas", (s, v) => s with { WebhookAllow = v }),
        Number("webhooks-at-once", "deliveries under way at the same time; as many again for targets that are slow or fail", 1, 10_000, (s, v) => s with { WebhooksAtOnce = v }),
        Number("webhook-timeout-sec", "seconds until a webhook's target has answered", 1, 60, (s, v) => s with { WebhookTimeoutSec = v }),
        Text("webhook-retry-sec", "seconds before each retry of a delivery, separated by commas", (s, v) => s with { WebhookRetrySec = v }),
        Number("webhook-give-up-sec", "seconds of nothing but failures after which a webhook is switched off", 1, 2_592_000, (s, v) => s with { WebhookGiveUpSec = v }),
        Text("webhook-signature", "form of the header X-Miosa-Signature: sha256, or legacy for receivers of the 1.1 line", (s, v) =>
            v is "sha256" or ServerSettings.LegacySignature ? s with { WebhookSignature = v } : throw new FormatException($"must be sha256 or legacy, got \"{v}\"")),
        Number("delivery-days", "days that past deliveries are kept", 1, 365, (s, v) => s with { DeliveryDays = v }),
        Text("tls-folder", "folder of certificates for https addresses, NAME.crt with its chain and NAME.key, chosen by the host name that is asked for; NAME is it, or the domain right above it", (s, v) => s with { TlsFolder = v }),
        Text("log-level", "Trace, Debug, Information, Warning, Error", (s, v) =>
            Enum.TryParse<LogLevel>(v, ignoreCase: true, out _) ? s with { LogLevel = v } : throw new FormatException($"unknown level \"{v}\"")),
    ];

    /// <summary>Names that the clients read; they may stand in the same environment.</summary>
    private static readonly HashSet<string> ClientNames = ["MIOSA_API_KEY", "MIOSA_BASE_URL", "MIOSA_CONFIG", "MIOSA_TENANT", "MIOSA_ACCESS_TOKEN"];

    /// <param name="given">Values of the command line by setting name.</param>
    public static (ServerSettings Settings, IReadOnlyList<string> Unknown) Read(
        IReadOnlyDictionary<string, string> given, System.Collections.IDictionary environment)
    {
        var settings = new ServerSettings();
        var unknown = new List<string>();
        var file = given.GetValueOrDefault(ConfigName) ?? environment["MIOSA_CONFIG"] as string;
        if (file is not null)
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(file), new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
            foreach (var property in json.RootElement.EnumerateObject())
                settings = Apply(settings, property.Name, property.Value.ToString(), $"{property.Name} in {file}", unknown);
        }
        foreach (System.Collections.DictionaryEntry entry in environment)
        {
            var name = (string)entry.Key;
            if (!name.StartsWith("MIOSA_", StringComparison.Ordinal) || ClientNames.Contains(name))
                continue;
            settings = Apply(settings, name["MIOSA_".Length..].Replace('_', '-').ToLowerInvariant(), (string?)entry.Value ?? "", name, unknown);
        }
        foreach (var (name, value) in given)
        {
            if (name != ConfigName)
                settings = Apply(settings, name, value, "--" + name, unknown);
        }
        return (settings, unknown);
    }

    private static ServerSettings Apply(ServerSettings settings, string name, string value, string where, List<string> unknown)
    {
        if (All.FirstOrDefault(s => s.Name == name) is not { } setting)
        {
            unknown.Add(where);
            return settings;
        }
        try
        {
            return setting.Apply(settings, value);
        }
        catch (FormatException e)
        {
            throw new SettingsException($"{where}: {e.Message}");
        }
    }

    /// <summary>As the policy of the page names them.</summary>
    private static string FramesOf(string text)
    {
        if (text is "*" or "none")
            return text == "*" ? text : "'none'";
        var origins = text.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries);
        foreach (var origin in origins)
        {
            if (!Uri.TryCreate(origin, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https") || uri.GetLeftPart(UriPartial.Authority) != origin.TrimEnd('/'))
                throw new FormatException($"must be origins such as https://app.example.com, *, or none, got \"{origin}\"");
        }
        return string.Join(' ', origins.Select(origin => origin.TrimEnd('/')).Prepend("'self'"));
    }

    private static Setting Text(string name, string says, Func<ServerSettings, string, ServerSettings> apply) =>
        new(name, says, (s, v) => v.Length == 0 ? s : apply(s, v));

    private static Setting Number(string name, string says, int min, int max, Func<ServerSettings, int, ServerSettings> apply) =>
        new(name, says, (s, v) => int.TryParse(v, NumberStyles.Integer, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max
            ? apply(s, number)
            : throw new FormatException($"must be a whole number from {min} to {max}, got \"{v}\""));
}

internal sealed class SettingsException(string message) : Exception(message);
