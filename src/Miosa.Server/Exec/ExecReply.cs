using System.Text.Encodings.Web;
using System.Text.Json;

namespace Miosa.Server.Exec;

/// <summary>How a command ended, as the answer tells it.</summary>
internal readonly record struct ExecEnd(int ExitCode, bool TimedOut, long DurationMs);

/// <summary>
/// Writes an <see cref="ExecResult"/> twice, merged, straight from the captured bytes. Not by the serialiser: output appears four times
/// in the body (stdout, output, and again under data), so a command at the limit of 2 × 8 MiB would be held as 160 MB of strings and JSON.
/// Here it is escaped chunk by chunk into the connection and a slow reader makes the writer wait.
/// </summary>
internal static class ExecReply
{
    private const int FlushBytes = 64 * 1024;

    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    public static void WriteHead(HttpResponse response)
    {
        response.StatusCode = 200;
        response.ContentType = "application/json; charset=utf-8";
    }

    public static async Task WriteAsync(
        HttpResponse response, string execId, ExecEnd end, CapturedOutput stdout, CapturedOutput stderr, CapturedOutput[] output, CancellationToken ct)
    {
        if (!response.HasStarted)
            WriteHead(response);
        await using var json = new Utf8JsonWriter(response.BodyWriter, Relaxed);
        json.WriteStartObject();
        await FieldsAsync(json, response, execId, end, stdout, stderr, output, ct);
        json.WriteStartObject("data"u8);
        await FieldsAsync(json, response, execId, end, stdout, stderr, output, ct);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static async Task FieldsAsync(
        Utf8JsonWriter json, HttpResponse response, string execId, ExecEnd end, CapturedOutput stdout, CapturedOutput stderr, CapturedOutput[] output, CancellationToken ct)
    {
        json.WritePropertyName("stdout"u8);
        await TextAsync(json, response, [stdout], ct);
        json.WritePropertyName("stderr"u8);
        await TextAsync(json, response, [stderr], ct);
        json.WriteNumber("exit_code"u8, end.ExitCode);
        json.WriteNumber("exitCode"u8, end.ExitCode);
        json.WriteNumber("duration_ms"u8, end.DurationMs);
        json.WritePropertyName("output"u8);
        await TextAsync(json, response, output, ct);
        json.WriteBoolean("success"u8, end.ExitCode == 0);
        json.WriteBoolean("timed_out"u8, end.TimedOut);
        json.WriteBoolean("truncated"u8, stdout.IsCut || stderr.IsCut);
        json.WriteString("exec_id"u8, execId);
    }

    // Characters may lie across chunks, also across the two streams' border; the writer keeps the open one and replaces what is no UTF-8.
    private static async Task TextAsync(Utf8JsonWriter json, HttpResponse response, CapturedOutput[] outputs, CancellationToken ct)
    {
        foreach (var output in outputs)
        {
            foreach (var chunk in output.Chunks())
            {
                json.WriteStringValueSegment(chunk.Span, isFinalSegment: false);
                if (json.BytesPending + response.BodyWriter.UnflushedBytes > FlushBytes)
                {
                    json.Flush();
                    await response.BodyWriter.FlushAsync(ct);
                }
            }
        }
        json.WriteStringValueSegment(ReadOnlySpan<byte>.Empty, isFinalSegment: true);
    }
}
