using System.Text;

namespace Miosa;

/// <summary>One file of <see cref="SandboxFiles.WriteFilesAsync"/>.</summary>
/// <example>
/// <code>
/// await sandbox.Files.WriteFilesAsync([new("/workspace/app.py", "print('hello')"), new("/workspace/logo.png", pngBytes)]);
/// </code>
/// </example>
public sealed class FileWriteItem
{
    /// <summary>A text file, written as UTF-8.</summary>
    /// <param name="path">Absolute path, or relative to <c>/workspace</c>.</param>
    /// <param name="text">The whole content.</param>
    /// <param name="mode">Octal permissions, such as <c>0755</c>; default: those of the file it replaces, else <c>0644</c>.</param>
    public FileWriteItem(string path, string text, string? mode = null)
        : this(path, Encoding.UTF8.GetBytes(text), mode)
    {
    }

    /// <summary>A file of bytes.</summary>
    /// <param name="path">Absolute path, or relative to <c>/workspace</c>.</param>
    /// <param name="data">The whole content.</param>
    /// <param name="mode">Octal permissions, such as <c>0755</c>; default: those of the file it replaces, else <c>0644</c>.</param>
    public FileWriteItem(string path, ReadOnlyMemory<byte> data, string? mode = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        (Path, Data, Mode) = (path, data, mode);
    }

    /// <summary>Absolute path, or relative to <c>/workspace</c>.</summary>
    public string Path { get; }

    /// <summary>The whole content.</summary>
    public ReadOnlyMemory<byte> Data { get; }

    /// <summary>Octal permissions; null leaves them to the server.</summary>
    public string? Mode { get; }
}
