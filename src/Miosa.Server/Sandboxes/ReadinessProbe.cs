using System.Text.Json.Nodes;
using Miosa.Server.Host;

namespace Miosa.Server.Sandboxes;

/// <summary>What decides that a sandbox is ready: a listening TCP port, an HTTP answer, or a command that ends with 0.</summary>
internal sealed record ReadinessProbe(string Type, int Port, string? Url, string? Command, int TimeoutSec)
{
    public static (ReadinessProbe? Probe, string? Fault) Read(JsonObject node)
    {
        var fields = new Fields(node);
        var type = fields.Text("type", 16);
        var port = fields.Int("port", 1, 65535);
        var url = fields.Text("url", 2048);
        var command = fields.Text("command", 65536);
        var timeoutSec = fields.Int("timeout_sec", 1, 3600) ?? 300;
        if (fields.Errors() is { } refusal)
            return (null, refusal.Message);
        return type switch
        {
            "tcp" when port is { } value => (new ReadinessProbe("tcp", value, null, null, timeoutSec), null),
            "tcp" => (null, "of type tcp needs a port"),
            "http" when Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" =>
                (new ReadinessProbe("http", port ?? 0, url, null, timeoutSec), null),
            "http" when url is null && port is { } value => (new ReadinessProbe("http", value, $"http://127.0.0.1:{value}/", null, timeoutSec), null),
            "http" => (null, "of type http needs an http url or a port"),
            "exec" when command is not null => (new ReadinessProbe("exec", 0, null, command, timeoutSec), null),
            "exec" => (null, "of type exec needs a command"),
            _ => (null, $"must have the type tcp, http or exec, got \"{type}\""),
        };
    }
}
