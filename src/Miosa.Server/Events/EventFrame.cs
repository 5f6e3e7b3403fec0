using System.Text;
using System.Text.Json.Nodes;
using Miosa.Server.Host;
using Miosa.Server.Storage;

namespace Miosa.Server.Events;

/// <summary>An event and its bytes on the wire, which are made once for all who read the tenant's events.</summary>
internal sealed class EventFrame(EventRow row)
{
    private byte[]? bytes;
    private (string Name, byte[] Bytes)? other;

    public EventRow Row => row;

    /// <summary>The frame under the event's name or its second one. Not for two threads at a time.</summary>
    public ReadOnlyMemory<byte> As(string name)
    {
        if (name == row.Type)
            return bytes ??= Frame(name);
        if (other is not { } made || made.Name != name)
            other = made = (name, Frame(name));
        return made.Bytes;
    }

    public static TenantEvent Of(EventRow row, string name) => new()
    {
        Type = name,
        Event = name,
        EventId = row.Id,
        Id = row.SubjectId,
        SandboxId = row.SubjectId.StartsWith("sbx_", StringComparison.Ordinal) ? row.SubjectId : null,
        TenantId = row.TenantId,
        WorkspaceId = row.WorkspaceId,
        Ts = row.At,
        CreatedAt = row.At,
        Status = row.Status,
        Data = JsonNode.Parse(row.Data) as JsonObject ?? [],
    };

    private byte[] Frame(string name)
    {
        var json = Reply.Bytes(Of(row, name), WireJson.Default.TenantEvent);
        return [.. Encoding.UTF8.GetBytes($"id: {row.Id}\nevent: {name}\ndata: "), .. json, (byte)'\n', (byte)'\n'];
    }
}
