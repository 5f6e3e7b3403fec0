using System.Globalization;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Previews;
using Miosa.Server.Storage;

namespace Miosa.Server.Computers;

/// <summary>
/// The ports of a computer that are exposed: previews, one for each port. Public opens to anybody; private, tenant and key open to the API keys of the tenant,
/// which are the only members that this server knows, and to the tokens and links of previews. A port that says nothing follows the computer.
/// </summary>
internal sealed class ComputerPorts(MachineDirectory directory, Previews.Previews previews, PreviewHosts hosts)
{
    private const string Private = "private";
    private const string Http = "http";

    private static readonly string[] Visibilities = [ComputerVisibility.Public, Private, ComputerVisibility.Tenant, ComputerVisibility.Key];

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<ComputerPorts>();
        const string Ports = "/computers/{computer_id}/ports";
        api.Map("GET", Ports, it.ListAsync).Needs(Scopes.ComputersRead);
        api.Map("POST", Ports, it.ExposeAsync).Needs(Scopes.ComputersWrite);
        foreach (var method in (string[])["PATCH", "PUT"])
            api.Map(method, Ports + "/{port}", it.ChangeAsync).Needs(Scopes.ComputersWrite);
        api.Map("DELETE", Ports + "/{port}", it.CloseAsync).Needs(Scopes.ComputersWrite);
    }

    public IReadOnlyList<ComputerPort> Of(Resident machine) => [.. machine.Previews.All.OrderBy(preview => preview.Row.Port).Select(preview => Of(machine.Row, preview.Row))];

    private Task<IResult> ListAsync(HttpContext context)
    {
        if (Find(context) is not { } machine)
            return Task.FromResult(NotFound());
        var ports = Of(machine);
        return Task.FromResult(Reply.Bare(new ComputerPortList { Data = ports, Total = ports.Count }, WireJson.Default.ComputerPortList));
    }

    private async Task<IResult> ExposeAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, Aliases.None);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        if (Find(context) is not { } machine)
            return NotFound();
        var port = body.Int("port", 1, PreviewHosts.MaxPort);
        if (!body.Has("port"))
            body.Fail("port", $"is missing: send a whole number from 1 to {PreviewHosts.MaxPort}");
        return await PublishAsync(context, body, machine, port ?? 0);
    }

    private async Task<IResult> ChangeAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, Aliases.None);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        if (Find(context) is not { } machine)
            return NotFound();
        if (PortOf(context) is not { } port || machine.Previews.OfPort(port) is null)
            return Reply.Refuse(Refusal.NotFound("port"));
        if (body.Int("port", 1, PreviewHosts.MaxPort) is { } other && other != port)
            body.Fail("port", $"must be {port}, the one of the address, or left out");
        return await PublishAsync(context, body, machine, port);
    }

    private async Task<IResult> CloseAsync(HttpContext context)
    {
        if (Find(context) is not { } machine)
            return NotFound();
        if (PortOf(context) is not { } port)
            return Reply.Refuse(Refusal.NotFound("port"));
        // Repeatable: what is gone already is what was wanted.
        if (machine.Previews.OfPort(port)?.Row is { } row)
            await previews.DeleteAsync(machine, row.Id, context.RequestAborted);
        return Reply.Bare(new ComputerActionResult { Id = port.ToString(CultureInfo.InvariantCulture) }, WireJson.Default.ComputerActionResult);
    }

    private async Task<IResult> PublishAsync(HttpContext context, Fields body, Resident machine, int port)
    {
        var visibility = body.Text("visibility");
        if (visibility is not null && !Visibilities.Contains(visibility))
            body.Fail("visibility", $"must be {string.Join(", ", Visibilities)}, got \"{visibility}\"");
        if (body.Text("protocol") is { } protocol && protocol != Http)
            body.Fail("protocol", $"must be http: what is no HTTP is reached over the tunnel; got \"{protocol}\"");
        var label = body.Text("label");
        if (body.Errors() is { } faults)
            return Reply.Refuse(faults);
        bool? isPublic = visibility is null ? null : visibility == ComputerVisibility.Public;
        var (row, isNew, full) = await previews.PublishAsync(machine, port, isPublic, label, machine.Row.Visibility == ComputerVisibility.Public, context.RequestAborted, visibility);
        return row is null
            ? Reply.Refuse(full ?? Refusal.Internal())
            : Reply.Bare(Of(machine.Row, row), WireJson.Default.ComputerPort, isNew ? 201 : 200);
    }

    private ComputerPort Of(Machine machine, PreviewRow row) => new()
    {
        Port = row.Port,
        Visibility = row.Visibility ?? machine.Visibility ?? ComputerVisibility.Public,
        Url = hosts.UrlOf(machine, row.Port) + "/",
        ComputerId = machine.Id,
        Label = row.Name,
        CreatedAt = row.CreatedAt,
        UpdatedAt = row.UpdatedAt ?? row.CreatedAt,
    };

    private Resident? Find(HttpContext context) => directory.Find(context.Caller().TenantId, context.PathValue(MachinePaths.ComputerId), MachineKind.Computer);

    private static int? PortOf(HttpContext context) => PreviewHosts.TryPort(context.PathValue("port"), out var port) ? port : null;

    private static IResult NotFound() => Reply.Refuse(Refusal.NotFound(MachineKind.Computer));
}
