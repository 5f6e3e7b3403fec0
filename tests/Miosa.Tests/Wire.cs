namespace Miosa.Tests;

/// <summary>Bodies as the server writes them.</summary>
public static class Wire
{
    public const string Plain = """{"id":"sbx_1","state":"running","name":"n","slug":"s","metadata":{"a":"b"},"created_at":"2026-05-26T10:14:23.000Z"}""";

    /// <summary>All fields at the top, and the same object again under data.</summary>
    public static readonly string Sandbox = Merged(Plain);

    public static string Merged(string fields) => $"{fields[..^1]},\"data\":{fields}}}";

    public static string State(string state) => Sandbox.Replace("running", state, StringComparison.Ordinal);

    public static string Event(string type, string id, string status = "running")
        => $"id: {id}\nevent: {type}\ndata: {{\"type\":\"{type}\",\"event_id\":\"{id}\",\"sandbox_id\":\"sbx_1\",\"ts\":\"2026-05-26T10:14:23.000Z\",\"status\":\"{status}\",\"data\":{{}}}}\n\n";
}
