using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Miosa.Server.Host;
using Miosa.Server.Sandboxes;

namespace Miosa.Server.Settings;

/// <summary>
/// The body of an update, checked once and then laid over the row as it is in the transaction. Known settings are typed; unknown ones are kept for
/// the tenant as they are, within bounds.
/// </summary>
internal sealed partial class SettingsFields(Fields fields)
{
    private const int MaxOwn = 100;
    private const int MaxOwnName = 100;
    private const int MaxOwnBytes = 16 * 1024;

    private const string Size = "default_computer_size";
    private const string AutoStop = "auto_stop_default";
    private const string Region = "default_region";
    private const string Deployment = "deployment_domain";
    private const string Timeout = "default_sandbox_timeout_sec";
    private const string Image = "default_image";
    private const string Preview = "preview_domain";

    /// <summary>Not settings: answers of ours have them, and clients send those back.</summary>
    private static readonly string[] Told = ["id", "tenant_id", "updated_at", "data", "settings", Preview];

    private static readonly string[] Known = [Size, AutoStop, Region, Deployment, Timeout, Image];

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._:/ -]*\z")]
    private static partial Regex ImageName();

    /// <summary>Flat, or under <c>settings</c>, which goes before what stands flat.</summary>
    public static async Task<(SettingsFields? Fields, Refusal? Refusal)> ReadAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, Aliases.None);
        if (refusal is not null)
            return (null, refusal);
        foreach (var (name, value) in (JsonObject?)body.Object("settings")?.DeepClone() ?? [])
            body.Body[name] = value?.DeepClone();
        return body.Errors() is { } faults ? (null, faults) : (new SettingsFields(body), null);
    }

    /// <summary>The image that is to be the default, if the body names one.</summary>
    public string? NewImage => fields.Text(Image, 255, ImageName(), "must be the name of an image or a template");

    /// <param name="previewDomain">What the mirror of the tenant's preview domain shows: it may come back, and it cannot be set here.</param>
    /// <param name="unknownImage">What is wrong with <see cref="NewImage"/>; null when nothing is.</param>
    public Refusal? Check(Sizes sizes, ServerSettings settings, string? previewDomain, string? unknownImage)
    {
        _ = Over(new TenantSettingsRow { TenantId = "" });
        if (fields.Text(Size) is { } size)
        {
            var shape = sizes.Find(size);
            if (shape is null)
                fields.Fail(Size, $"must be one of {string.Join(", ", sizes.Names)}, got \"{size}\"");
            else if (shape.Vcpus > settings.MaxVcpus || shape.MemoryMb > settings.MaxMemoryMb || shape.DiskMb > settings.MaxDiskMb)
                fields.Fail(Size, $"\"{size}\" is more than this server gives one machine: at most {settings.MaxVcpus} vCPUs, {settings.MaxMemoryMb} MiB memory and {settings.MaxDiskMb} MiB disk");
        }
        if (fields.Text(Region) is { } region && region != settings.Region)
            fields.Fail(Region, $"must be a region of this server: \"{settings.Region}\", got \"{region}\"");
        if (unknownImage is not null)
            fields.Fail(Image, unknownImage);
        if (fields.Has(Preview) && fields.Text(Preview) != previewDomain)
            fields.Fail(Preview, "is only shown here: set it with PUT /tenant/preview-domain");
        CheckOwn();
        return fields.Errors();
    }

    /// <summary>What the body names, over what was: absent stays, null goes.</summary>
    public TenantSettingsRow Over(TenantSettingsRow old) => old with
    {
        DefaultComputerSize = fields.Body.ContainsKey(Size) ? fields.Text(Size) is { } size ? Sizes.Canonical(size) : null : old.DefaultComputerSize,
        AutoStopDefault = fields.Body.ContainsKey(AutoStop) ? fields.Int(AutoStop, 0, SandboxFields.MaxTimeoutSec) : old.AutoStopDefault,
        DefaultRegion = fields.Body.ContainsKey(Region) ? fields.Text(Region) : old.DefaultRegion,
        DeploymentDomain = fields.Body.ContainsKey(Deployment) ? fields.Text(Deployment) : old.DeploymentDomain,
        DefaultSandboxTimeoutSec = fields.Body.ContainsKey(Timeout) ? fields.Int(Timeout, 1, SandboxFields.MaxTimeoutSec) : old.DefaultSandboxTimeoutSec,
        DefaultImage = fields.Body.ContainsKey(Image) ? NewImage : old.DefaultImage,
        Other = OwnOver(old.Other).ToJsonString(),
    };

    /// <summary>Why the tenant's own settings are too much together; null when they are not. Only known when they are laid over the old ones.</summary>
    public static Refusal? Excess(TenantSettingsRow row)
    {
        var own = JsonNode.Parse(row.Other) as JsonObject ?? [];
        return own.Count > MaxOwn || Encoding.UTF8.GetByteCount(row.Other) > MaxOwnBytes
            ? Refusal.Invalid(own.LastOrDefault().Key ?? "settings", $"would be too much: a tenant has at most {MaxOwn} settings of its own, together {MaxOwnBytes} bytes of JSON")
            : null;
    }

    private IEnumerable<KeyValuePair<string, JsonNode?>> Own => fields.Body.Where(pair => !Known.Contains(pair.Key) && !Told.Contains(pair.Key));

    private void CheckOwn()
    {
        foreach (var (name, _) in Own.Where(pair => pair.Key.Length is 0 or > MaxOwnName).ToList())
            fields.Fail(name.Length > MaxOwnName ? name[..MaxOwnName] : name, $"must have a name of 1 to {MaxOwnName} characters");
    }

    private JsonObject OwnOver(string old)
    {
        var own = JsonNode.Parse(old) as JsonObject ?? [];
        foreach (var (name, value) in Own)
        {
            own.Remove(name);
            if (value is not null)
                own[name] = value.DeepClone();
        }
        return own;
    }
}
