using System.Text;

namespace Miosa;

/// <summary>
/// The content of a file. The server says whether it is text: valid UTF-8 without NUL characters; an empty file goes by its extension.
/// </summary>
public sealed class FileContent
{
    internal FileContent(string? contentType, ReadOnlyMemory<byte> bytes)
    {
        ContentType = contentType;
        Bytes = bytes;
        if (contentType is not null && contentType.StartsWith("text/", StringComparison.OrdinalIgnoreCase))
            Text = Encoding.UTF8.GetString(bytes.Span);
    }

    /// <summary>Content type as the server sent it, such as <c>text/plain; charset=utf-8</c>.</summary>
    public string? ContentType { get; }

    /// <summary>True when <see cref="Text"/> is set.</summary>
    public bool IsText => Text is not null;

    /// <summary>The text; null for a binary file.</summary>
    public string? Text { get; }

    /// <summary>The bytes, of a text file too.</summary>
    public ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>The text, or for a binary file its length in words.</summary>
    /// <returns>Something to print.</returns>
    public override string ToString() => Text ?? $"{Bytes.Length} bytes";
}
