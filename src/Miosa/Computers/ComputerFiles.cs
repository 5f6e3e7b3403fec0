using Miosa.Http;

namespace Miosa;

/// <summary>
/// The files of one computer. A path is absolute and in one of <c>/workspace</c>, <c>/home</c>, <c>/root</c>, <c>/tmp</c>, <c>/opt</c>, <c>/srv</c> or <c>/app</c>.
/// Every call throws <see cref="NotFoundException"/> for a path that does not exist, <see cref="PermissionException"/> for one that may not be touched,
/// <see cref="ValidationException"/> for a folder where a file is meant, and <see cref="ConflictException"/> when the computer does not run.
/// </summary>
/// <example>
/// <code>
/// await computer.Files.WriteAsync("/home/user/notes.txt", "hello");
/// string text = await computer.Files.ReadTextAsync("/home/user/notes.txt");
/// await computer.Files.DownloadAsync("/home/user/report.pdf", "report.pdf");
/// </code>
/// </example>
public sealed class ComputerFiles
{
    private const string Home = "/home/user";

    private readonly SandboxFiles files;

    internal ComputerFiles(Pipeline pipeline, Machine machine) => files = new SandboxFiles(pipeline, machine);

    /// <inheritdoc cref="SandboxFiles.ReadAsync(string, CancellationToken)"/>
    public Task<FileContent> ReadAsync(string path, CancellationToken cancellationToken = default) => files.ReadAsync(path, cancellationToken);

    /// <inheritdoc cref="ReadAsync(string, CancellationToken)"/>
    public FileContent Read(string path) => files.Read(path);

    /// <inheritdoc cref="SandboxFiles.ReadTextAsync(string, CancellationToken)"/>
    public Task<string> ReadTextAsync(string path, CancellationToken cancellationToken = default) => files.ReadTextAsync(path, cancellationToken);

    /// <inheritdoc cref="ReadTextAsync(string, CancellationToken)"/>
    public string ReadText(string path) => files.ReadText(path);

    /// <inheritdoc cref="SandboxFiles.ReadBytesAsync(string, CancellationToken)"/>
    public Task<byte[]> ReadBytesAsync(string path, CancellationToken cancellationToken = default) => files.ReadBytesAsync(path, cancellationToken);

    /// <inheritdoc cref="ReadBytesAsync(string, CancellationToken)"/>
    public byte[] ReadBytes(string path) => files.ReadBytes(path);

    /// <inheritdoc cref="SandboxFiles.OpenReadAsync(string, CancellationToken)"/>
    public Task<Stream> OpenReadAsync(string path, CancellationToken cancellationToken = default) => files.OpenReadAsync(path, cancellationToken);

    /// <inheritdoc cref="OpenReadAsync(string, CancellationToken)"/>
    public Stream OpenRead(string path) => files.OpenRead(path);

    /// <inheritdoc cref="SandboxFiles.WriteAsync(string, string, string?, CancellationToken)"/>
    public Task<FileWriteResult> WriteAsync(string path, string content, string? mode = null, CancellationToken cancellationToken = default)
        => files.WriteAsync(path, content, mode, cancellationToken);

    /// <inheritdoc cref="WriteAsync(string, string, string?, CancellationToken)"/>
    public FileWriteResult Write(string path, string content, string? mode = null) => files.Write(path, content, mode);

    /// <inheritdoc cref="SandboxFiles.WriteAsync(string, ReadOnlyMemory{byte}, string?, CancellationToken)"/>
    public Task<FileWriteResult> WriteAsync(string path, ReadOnlyMemory<byte> content, string? mode = null, CancellationToken cancellationToken = default)
        => files.WriteAsync(path, content, mode, cancellationToken);

    /// <inheritdoc cref="WriteAsync(string, ReadOnlyMemory{byte}, string?, CancellationToken)"/>
    public FileWriteResult Write(string path, ReadOnlyMemory<byte> content, string? mode = null) => files.Write(path, content, mode);

    /// <inheritdoc cref="SandboxFiles.WriteAsync(string, Stream, string?, IProgress{long}?, CancellationToken)"/>
    public Task<FileWriteResult> WriteAsync(string path, Stream content, string? mode = null, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
        => files.WriteAsync(path, content, mode, progress, cancellationToken);

    /// <inheritdoc cref="WriteAsync(string, Stream, string?, IProgress{long}?, CancellationToken)"/>
    public FileWriteResult Write(string path, Stream content, string? mode = null, IProgress<long>? progress = null) => files.Write(path, content, mode, progress);

    /// <summary>Copies a file of this host into the computer, of any size.</summary>
    /// <param name="localPath">The file to read, on this host.</param>
    /// <param name="path">The file to write, in the computer; folders above it are made.</param>
    /// <param name="progress">Told the bytes sent so far, on the thread that sends.</param>
    /// <param name="cancellationToken">Ends the upload.</param>
    /// <returns>What was written.</returns>
    /// <exception cref="IOException">The local file cannot be read.</exception>
    public Task<FileWriteResult> UploadAsync(string localPath, string path, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
        => files.UploadAsync(localPath, path, progress, cancellationToken);

    /// <inheritdoc cref="UploadAsync(string, string, IProgress{long}?, CancellationToken)"/>
    public FileWriteResult Upload(string localPath, string path, IProgress<long>? progress = null) => files.Upload(localPath, path, progress);

    /// <summary>Copies a file of the computer to this host, of any size. The local file appears whole or not at all; an existing one is replaced.</summary>
    /// <param name="path">The file to read, in the computer.</param>
    /// <param name="localPath">The file to write, on this host; its folder must exist.</param>
    /// <param name="progress">Told the bytes received so far, on the thread that receives.</param>
    /// <param name="cancellationToken">Ends the download.</param>
    /// <returns>Its length in bytes.</returns>
    /// <exception cref="IOException">The local file cannot be written.</exception>
    public Task<long> DownloadAsync(string path, string localPath, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
        => files.DownloadAsync(path, localPath, progress, cancellationToken);

    /// <inheritdoc cref="DownloadAsync(string, string, IProgress{long}?, CancellationToken)"/>
    public long Download(string path, string localPath, IProgress<long>? progress = null) => files.Download(path, localPath, progress);

    /// <summary>The entries of a folder.</summary>
    /// <param name="path">The folder; default <c>/home/user</c>.</param>
    /// <param name="depth">How many levels down, 1 to 10; default 1.</param>
    /// <param name="includeHidden">Names that begin with a dot too; default true.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The entries sorted by name, a folder before what is in it.</returns>
    public Task<IReadOnlyList<FileEntry>> ListAsync(string path = Home, int depth = 1, bool includeHidden = true, CancellationToken cancellationToken = default)
        => files.ListAsync(path, depth, includeHidden, cancellationToken);

    /// <inheritdoc cref="ListAsync(string, int, bool, CancellationToken)"/>
    public IReadOnlyList<FileEntry> List(string path = Home, int depth = 1, bool includeHidden = true) => files.List(path, depth, includeHidden);

    /// <inheritdoc cref="SandboxFiles.StatAsync(string, CancellationToken)"/>
    public Task<FileStat> StatAsync(string path, CancellationToken cancellationToken = default) => files.StatAsync(path, cancellationToken);

    /// <inheritdoc cref="StatAsync(string, CancellationToken)"/>
    public FileStat Stat(string path) => files.Stat(path);

    /// <inheritdoc cref="SandboxFiles.DeleteAsync(string, bool, CancellationToken)"/>
    public Task DeleteAsync(string path, bool recursive = true, CancellationToken cancellationToken = default)
        => files.DeleteAsync(path, recursive, cancellationToken);

    /// <inheritdoc cref="DeleteAsync(string, bool, CancellationToken)"/>
    public void Delete(string path, bool recursive = true) => files.Delete(path, recursive);

    /// <inheritdoc cref="SandboxFiles.MkdirAsync(string, bool, string?, CancellationToken)"/>
    public Task MkdirAsync(string path, bool recursive = true, string? mode = null, CancellationToken cancellationToken = default)
        => files.MkdirAsync(path, recursive, mode, cancellationToken);

    /// <inheritdoc cref="MkdirAsync(string, bool, string?, CancellationToken)"/>
    public void Mkdir(string path, bool recursive = true, string? mode = null) => files.Mkdir(path, recursive, mode);

    /// <inheritdoc cref="SandboxFiles.MoveAsync(string, string, bool, CancellationToken)"/>
    public Task MoveAsync(string from, string to, bool overwrite = true, CancellationToken cancellationToken = default)
        => files.MoveAsync(from, to, overwrite, cancellationToken);

    /// <inheritdoc cref="MoveAsync(string, string, bool, CancellationToken)"/>
    public void Move(string from, string to, bool overwrite = true) => files.Move(from, to, overwrite);

    /// <summary>Copies a file or folder within the computer; folders above the target are made.</summary>
    /// <param name="from">What to copy.</param>
    /// <param name="to">The path of the copy.</param>
    /// <param name="overwrite">Replace an existing target; default true.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is copied.</returns>
    public Task CopyAsync(string from, string to, bool overwrite = true, CancellationToken cancellationToken = default)
        => files.CopyAsync(from, to, overwrite, cancellationToken);

    /// <inheritdoc cref="CopyAsync(string, string, bool, CancellationToken)"/>
    public void Copy(string from, string to, bool overwrite = true) => files.Copy(from, to, overwrite);

    /// <inheritdoc cref="SandboxFiles.ChmodAsync(string, string, CancellationToken)"/>
    public Task ChmodAsync(string path, string mode, CancellationToken cancellationToken = default) => files.ChmodAsync(path, mode, cancellationToken);

    /// <inheritdoc cref="ChmodAsync(string, string, CancellationToken)"/>
    public void Chmod(string path, string mode) => files.Chmod(path, mode);

    /// <summary>Makes a link that hands out one file, or a folder as tar.gz, without a key for one hour.</summary>
    /// <param name="path">The file or folder.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The link; whoever has it can read what it names, as it is at that moment, while the computer lives.</returns>
    /// <example><code>var link = await computer.Files.ExportAsync("/workspace/report.pdf"); Console.WriteLine(link.Url);</code></example>
    public Task<FileExport> ExportAsync(string path, CancellationToken cancellationToken = default) => files.ExportAsync(path, cancellationToken);

    /// <inheritdoc cref="ExportAsync(string, CancellationToken)"/>
    public FileExport Export(string path) => files.Export(path);
}
