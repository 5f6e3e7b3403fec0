using Miosa.Server.Lifecycle;
using Miosa.Server.Storage;

namespace Miosa.Server.Previews;

/// <summary>Previews, their addresses and links as the wire tells them.</summary>
internal sealed class PreviewView(PreviewHosts hosts, MachineDirectory directory, TimeProvider time)
{
    public const int DefaultPort = 3000;

    private const string Ready = "ready";
    private const string Waiting = "waiting";

    public string DomainOf(Machine row) => hosts.DomainOf(row.TenantId);

    /// <summary>Null while nothing is published.</summary>
    public PreviewUrlInfo? UrlInfoOf(Machine row) =>
        directory.Find(row.Id)?.Previews.All is [var first, ..] ? UrlInfo(row, first.Row.Port) : null;

    public PreviewUrlInfo UrlInfo(Machine row, int port)
    {
        var kind = row.AlwaysOn ? PreviewUrlClasses.AlwaysOn : PreviewUrlClasses.Temporary;
        var url = hosts.UrlOf(row, port);
        return new PreviewUrlInfo
        {
            Url = url,
            PreviewUrl = url,
            Port = port,
            UrlClass = kind,
            Class = kind,
            StableForEmbedding = row.AlwaysOn,
            RecommendedNextAction = row.AlwaysOn ? "attach_custom_domain" : "publish_when_ready",
        };
    }

    /// <param name="machine">The machine it belongs to.</param>
    /// <param name="row">The preview.</param>
    /// <param name="listening">The ports that something listens on; null when the machine could not be asked.</param>
    public Preview Of(Resident machine, PreviewRow row, IReadOnlySet<int>? listening)
    {
        var now = time.GetUtcNow();
        var share = machine.Previews.Grants.LastOrDefault(g => g.Row.PreviewId == row.Id && !(g.Row.ExpiresAt <= now))?.Row;
        var url = hosts.UrlOf(machine.Row, row.Port);
        return new Preview
        {
            Id = row.Id,
            SandboxId = row.MachineId,
            Port = row.Port,
            Url = url,
            PreviewUrl = url,
            PreviewSlug = PreviewHosts.LabelOf(machine.Row, row.Port),
            Name = row.Name,
            Visibility = row.IsPublic ? PreviewVisibility.Public : PreviewVisibility.Private,
            Status = listening is null ? machine.Row.State.Wire() : listening.Contains(row.Port) ? Ready : Waiting,
            ShareTokenPrefix = share?.Prefix,
            ShareTokenExpiresAt = share?.ExpiresAt,
            CreatedAt = row.CreatedAt,
        };
    }

    public Share Of(Machine row, PreviewGrantRow grant, int port, string? secret) => new()
    {
        ShareId = grant.Id,
        Id = grant.Id,
        ShareUrl = UrlWith(row, port, secret is null ? null : PreviewSecrets.ShareParameter, secret),
        ExpiresAt = grant.ExpiresAt,
        Scope = PreviewScopes.Read,
        CreatedAt = grant.CreatedAt,
    };

    public string UrlWith(Machine row, int port, string? parameter, string? secret) =>
        hosts.UrlOf(row, port) + "/" + (parameter is null ? "" : $"?{parameter}={secret}");

    /// <summary>The port of addresses that name none: the first one published, else 3000.</summary>
    public static int PortOf(Resident machine) => machine.Previews.All is [var first, ..] ? first.Row.Port : DefaultPort;
}
