using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Miosa.Server.Host;

namespace Miosa.Server.Files;

/// <summary>The fields that file operations share: paths, permissions, content, and the query as fields.</summary>
internal static partial class FileFields
{
    private const int MaxPathLength = 4096;

    private static readonly string[] Integers = ["depth", "limit"];
    private static readonly string[] Booleans = ["recursive", "include_hidden", "overwrite", "parents", "create_dirs"];

    public static string? Path(this Fields fields, string name)
    {
        if (!fields.Has(name))
            fields.Fail(name, "is required: an absolute path, or one relative to /workspace");
        return fields.Text(name, MaxPathLength);
    }

    /// <summary>Octal permissions: text such as "0644", or a number whose digits are octal (644, as one types it after chmod).</summary>
    public static string? Mode(this Fields fields, string name)
    {
        if (fields.Body[name] is not { } node)
            return null;
        var text = node.GetValueKind() == JsonValueKind.Number ? node.ToJsonString() : fields.Text(name, 8);
        if (text is null)
            return null;
        if (Octal().Match(text) is { Success: true } match)
            return match.Groups["digits"].Value.PadLeft(4, '0');
        fields.Fail(name, $"must be octal permissions such as \"0644\", got {node.ToJsonString()}");
        return null;
    }

    /// <summary>The bytes to write: <c>content_base64</c> wins; else <c>content</c>, whose default encoding depends on the route.</summary>
    public static byte[]? Content(this Fields fields, bool textByDefault)
    {
        if (fields.Has("content_base64"))
            return Base64(fields, "content_base64");
        if (!fields.Has("content"))
        {
            fields.Fail("content", "is required: the bytes of the file as base64, or as text with \"encoding\": \"utf8\"; an empty string writes an empty file");
            return null;
        }
        switch (fields.Text("encoding", 16))
        {
            case null when textByDefault:
            case "utf8" or "utf-8":
                return Utf8(fields);
            case null or "base64":
                return Base64(fields, "content");
            default:
                fields.Fail("encoding", "must be \"base64\" or \"utf8\"");
                return null;
        }
    }

    /// <summary>The query as fields, numbers and booleans with their type, so that one reader serves both.</summary>
    public static Fields Of(IQueryCollection query)
    {
        var body = new JsonObject();
        foreach (var (name, values) in query)
        {
            if (values.Count == 0)
                continue;
            var text = values[0];
            body[name] = text switch
            {
                // An empty value is no value: "?depth=&path=/app".
                null or "" => null,
                _ when Integers.Contains(name) && int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) =>
                    JsonNode.Parse(number.ToString(CultureInfo.InvariantCulture)),
                "true" or "1" or "True" when Booleans.Contains(name) => true,
                "false" or "0" or "False" when Booleans.Contains(name) => false,
                _ => text,
            };
        }
        return new Fields(body);
    }

    // From the JSON as it came: no UTF-16 copy of a file of many megabytes.
    private static byte[]? Base64(Fields fields, string name)
    {
        if (fields.Body[name] is JsonValue value
            && value.TryGetValue<JsonElement>(out var element)
            && element.ValueKind == JsonValueKind.String
            && element.TryGetBytesFromBase64(out var bytes))
            return bytes;
        fields.Fail(name, name == "content"
            ? "is not valid base64; for plain text say \"encoding\": \"utf8\""
            : "is not valid base64");
        return null;
    }

    private static byte[]? Utf8(Fields fields)
    {
        if (fields.Body["content"] is JsonValue value && value.TryGetValue<JsonElement>(out var element) && element.ValueKind == JsonValueKind.String)
        {
            try
            {
                // Not through Fields.Text: content may hold NUL and be of any length.
                return Encoding.UTF8.GetBytes(element.GetString() ?? "");
            }
            catch (InvalidOperationException)
            {
                // An escaped lone surrogate, which UTF-8 cannot carry.
            }
        }
        fields.Fail("content", "must be a string of valid Unicode");
        return null;
    }

    [GeneratedRegex(@"\A(0o)?0{0,2}(?<digits>[0-7]{1,4})\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Octal();
}
