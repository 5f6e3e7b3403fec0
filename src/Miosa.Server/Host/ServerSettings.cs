using System.Net;

namespace Miosa.Server.Host;

/// <summary>Everything that can be set. <see cref="SettingsTable"/> names each setting and says what it means; docs/operating.md repeats it.</summary>
internal sealed record ServerSettings
{
    public string Urls { get; init; } = "http://127.0.0.1:8484";
    public string DataDir { get; init; } = "/var/lib/miosa-server";
    public string RuntimeSocket { get; init; } = "/run/miosa/runtime.sock";
    public string Node { get; init; } = "local";
    public int SiloPort { get; init; }
    public int GatewayPort { get; init; }
    public string DefaultImage { get; init; } = "miosa-sandbox";
    public string Sizes { get; init; } = "xs=1/2048/10240,small=2/4096/10240,medium=4/8192/20480,large=8/16384/40960,xl=16/32768/81920";
    public int MaxVcpus { get; init; } = Environment.ProcessorCount;
    public int MaxMemoryMb { get; init; } = (int)(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (1024 * 1024));
    public int MaxDiskMb { get; init; } = 1024 * 1024;
    public int DefaultTimeoutSec { get; init; } = 3600;
    public int BootTimeoutSec { get; init; } = 20;
    public int PoolSize { get; init; } = 2;
    public int PoolMax { get; init; } = 16;
    public int ComputerPoolSize { get; init; } = 1;
    public int MaxExecSec { get; init; } = 3600;
    public int ExecOutputBytes { get; init; } = 8 * 1024 * 1024;
    public int MaxSnapshots { get; init; } = 1000;
    public int MaxTemplates { get; init; } = 1000;
    public int BuildsAtOnce { get; init; } = 1;
    public int MaxQueuedBuilds { get; init; } = 100;
    public string RegistryAllow { get; init; } = "";
    public int RegistryMaxMb { get; init; } = 8192;
    public int BuildTimeoutSec { get; init; } = 1800;
    public int MetricsSec { get; init; } = 15;
    public int SweepSec { get; init; } = 30;
    public int RateLimitRpm { get; init; } = 30_000;
    public int BadKeyRpm { get; init; } = 60;
    public string TrustedProxies { get; init; } = "";
    public int AuditDays { get; init; } = 365;
    public int EventDays { get; init; } = 30;
    public int MaxWorkspaces { get; init; } = 1000;

    /// <summary>Caps of a tenant that has none of its own, as <see cref="Quotas.Caps"/> reads them.</summary>
    public string TenantLimits { get; init; } = "";

    /// <summary>Caps of an external user where neither it nor its tenant has any.</summary>
    public string UserLimits { get; init; } = "";
    public string Prices { get; init; } = "vcpu=5000000,memory=1600000,disk=10000,token_in=10000,token_out=30000,token_embedding=1000";

    /// <summary>File of the providers of language models; null for <c>models.json</c> in <see cref="DataDir"/>, if it is there.</summary>
    public string? Models { get; init; }

    /// <summary>One of <see cref="Credits.CreditRules"/>.</summary>
    public string CreditRule { get; init; } = Credits.CreditRules.None;
    public int ChargeSec { get; init; } = 3600;
    public int UsageDays { get; init; } = 730;
    public string Region { get; init; } = "local";

    /// <summary>For people; default the region's own name with a capital.</summary>
    public string? RegionName { get; init; }

    public string? RegionLocation { get; init; }
    public string PreviewDomain { get; init; } = "localhost";
    public int DomainCheckSec { get; init; } = 3600;
    public int DomainGraceSec { get; init; } = 86_400;

    /// <summary>Name server that domains are looked up at; null for those of the host.</summary>
    public IPEndPoint? DnsServer { get; init; }

    public string PublicSuffixFile { get; init; } = "/usr/share/publicsuffix/public_suffix_list.dat";

    /// <summary>PEM files of the certificate (with its chain) and its key, for https addresses in <see cref="Urls"/>.</summary>
    public string? TlsCert { get; init; }

    public string? TlsKey { get; init; }
    /// <summary>Folder of more certificates, <c>NAME.crt</c> and <c>NAME.key</c>, chosen by the host name that a client asks for.</summary>
    public string? TlsFolder { get; init; }

    /// <summary>Sites that may show the live view in a frame, separated by spaces; <c>*</c> is every one.</summary>
    public string ViewerFrames { get; init; } = "*";
    public int MaxWebhooks { get; init; } = 100;
    public string WebhookAllow { get; init; } = "";
    public int WebhooksAtOnce { get; init; } = 256;
    public int WebhookTimeoutSec { get; init; } = 10;
    public string WebhookRetrySec { get; init; } = "10,60,300,1800,7200,14400,14400,14400,14400,21600";
    public int WebhookGiveUpSec { get; init; } = 86_400;
    public string WebhookSignature { get; init; } = "sha256";

    /// <summary>The value of <see cref="WebhookSignature"/> for receivers of the 1.1 line that expect the timed form in every header.</summary>
    public const string LegacySignature = "legacy";
    public int DeliveryDays { get; init; } = 7;
    public string LogLevel { get; init; } = "Information";
}
