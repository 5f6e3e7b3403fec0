using System.Text;
using Miosa.Http;

namespace Miosa;

/// <summary>
/// The files of one sandbox. A path is absolute, or relative to <c>/workspace</c>. Every call throws <see cref="NotFoundException"/> for a path that does
/// not exist, <see cref="PermissionException"/> for one that may not be touched and <see cref="ValidationException"/> for a folder where a file is meant.
/// </summary>
/// <example>
/// <code>
/// await sandbox.Files.WriteAsync("/app/main.py", "print('hello')");
/// string text = await sandbox.Files.ReadTextAsync("/app/main.py");
/// await sandbox.Files.UploadAsync("model.bin", "/workspace/model.bin", new Progress&lt;long&gt;(bytes => Console.WriteLine(bytes)));
/// </code>
/// </example>
public sealed class SandboxFiles
{
    private readonly Pipeline pipeline;
    private readonly Machine machine;

    internal SandboxFiles(Pipeline pipeline, Machine machine) => (this.pipeline, this.machine) = (pipeline, machine);

    /// <summary>Reads a whole file, as text or as bytes as the server judges it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The content.</returns>
    public Task<FileContent> ReadAsync(string path, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(FileCalls.Read(machine, path), cancellationToken);

    /// <inheritdoc cref="ReadAsync"/>
    public FileContent Read(string path) => pipeline.Send(FileCalls.Read(machine, path));

    /// <summary>Reads a whole file as UTF-8, invalid bytes replaced, whatever the server takes it for.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The text.</returns>
    public Task<string> ReadTextAsync(string path, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(FileCalls.Read(machine, path).To(AsText), cancellationToken);

    /// <inheritdoc cref="ReadTextAsync"/>
    public string ReadText(string path) => pipeline.Send(FileCalls.Read(machine, path).To(AsText));

    /// <summary>Reads a whole file as bytes, whatever the server takes it for.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The bytes.</returns>
    public Task<byte[]> ReadBytesAsync(string path, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(FileCalls.Read(machine, path).To(AsBytes), cancellationToken);

    /// <inheritdoc cref="ReadBytesAsync"/>
    public byte[] ReadBytes(string path) => pipeline.Send(FileCalls.Read(machine, path).To(AsBytes));

    /// <summary>Opens a file for reading while it arrives, for files of any size. Reads throw <see cref="ConnectionException"/> when the connection breaks.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellationToken">Ends the wait for the first bytes; later reads have their own token.</param>
    /// <returns>The bytes, to be disposed; it cannot seek.</returns>
    public async Task<Stream> OpenReadAsync(string path, CancellationToken cancellationToken = default)
        => await pipeline.OpenAsync(FileCalls.Open(machine, path), async: true, cancellationToken, lifetime: CancellationToken.None).ConfigureAwait(false);

    /// <inheritdoc cref="OpenReadAsync"/>
    public Stream OpenRead(string path)
        => Pipeline.Finished(pipeline.OpenAsync(FileCalls.Open(machine, path), async: false, CancellationToken.None, lifetime: CancellationToken.None));

    /// <summary>Writes a text file as UTF-8; folders above it are made and an existing file is replaced.</summary>
    /// <param name="path">The file.</param>
    /// <param name="content">The whole content.</param>
    /// <param name="mode">Octal permissions, such as <c>0755</c>; default: those of the file it replaces, else <c>0644</c>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>What was written.</returns>
    public Task<FileWriteResult> WriteAsync(string path, string content, string? mode = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(FileCalls.Write(machine, path, Encoding.UTF8.GetBytes(content), mode), cancellationToken);

    /// <inheritdoc cref="WriteAsync(string, string, string?, CancellationToken)"/>
    public FileWriteResult Write(string path, string content, string? mode = null)
        => pipeline.Send(FileCalls.Write(machine, path, Encoding.UTF8.GetBytes(content), mode));

    /// <summary>Writes a file of bytes; folders above it are made and an existing file is replaced.</summary>
    /// <param name="path">The file.</param>
    /// <param name="content">The whole content; it must not change before the call ends.</param>
    /// <param name="mode">Octal permissions, such as <c>0755</c>; default: those of the file it replaces, else <c>0644</c>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>What was written.</returns>
    public Task<FileWriteResult> WriteAsync(string path, ReadOnlyMemory<byte> content, string? mode = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(FileCalls.Write(machine, path, content, mode), cancellationToken);

    /// <inheritdoc cref="WriteAsync(string, ReadOnlyMemory{byte}, string?, CancellationToken)"/>
    public FileWriteResult Write(string path, ReadOnlyMemory<byte> content, string? mode = null) => pipeline.Send(FileCalls.Write(machine, path, content, mode));

    /// <summary>
    /// Writes a file while the stream is read, for content of any size. It is sent again after a refusal only when nothing of the stream was taken, or when it can
    /// seek.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="content">Read from its present position to its end, and not disposed.</param>
    /// <param name="mode">Octal permissions, such as <c>0755</c>; default: those of the file it replaces, else <c>0644</c>.</param>
    /// <param name="progress">Told the bytes sent so far, on the thread that sends.</param>
    /// <param name="cancellationToken">Ends the upload.</param>
    /// <returns>What was written.</returns>
    /// <exception cref="IOException">Reading <paramref name="content"/> failed; whatever it throws comes out as it is.</exception>
    public Task<FileWriteResult> WriteAsync(
        string path, Stream content, string? mode = null, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(WriteCall(path, content, mode, progress), cancellationToken);

    /// <inheritdoc cref="WriteAsync(string, Stream, string?, IProgress{long}?, CancellationToken)"/>
    public FileWriteResult Write(string path, Stream content, string? mode = null, IProgress<long>? progress = null)
        => pipeline.Send(WriteCall(path, content, mode, progress));

    /// <summary>Writes many small files in one call, at most 1000.</summary>
    /// <param name="files">The files, in order.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The outcome file by file: a refused file is told in <see cref="WriteManyResult.Failed"/> and does not stop the others.</returns>
    public Task<WriteManyResult> WriteFilesAsync(IEnumerable<FileWriteItem> files, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(FileCalls.WriteFiles(machine, files), cancellationToken);

    /// <inheritdoc cref="WriteFilesAsync"/>
    public WriteManyResult WriteFiles(IEnumerable<FileWriteItem> files) => pipeline.Send(FileCalls.WriteFiles(machine, files));

    /// <summary>Copies a file of this host into the sandbox, of any size.</summary>
    /// <param name="localPath">The file to read, on this host.</param>
    /// <param name="path">The file to write, in the sandbox; folders above it are made.</param>
    /// <param name="progress">Told the bytes sent so far, on the thread that sends.</param>
    /// <param name="cancellationToken">Ends the upload.</param>
    /// <returns>What was written.</returns>
    /// <exception cref="IOException">The local file cannot be read.</exception>
    public Task<FileWriteResult> UploadAsync(string localPath, string path, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
        => UploadAsync(localPath, path, progress, async: true, cancellationToken).AsTask();

    /// <inheritdoc cref="UploadAsync(string, string, IProgress{long}?, CancellationToken)"/>
    public FileWriteResult Upload(string localPath, string path, IProgress<long>? progress = null)
        => Pipeline.Finished(UploadAsync(localPath, path, progress, async: false, CancellationToken.None));

    /// <summary>Copies a file of the sandbox to this host, of any size. The local file appears whole or not at all; an existing one is replaced.</summary>
    /// <param name="path">The file to read, in the sandbox.</param>
    /// <param name="localPath">The file to write, on this host; its folder must exist.</param>
    /// <param name="progress">Told the bytes received so far, on the thread that receives.</param>
    /// <param name="cancellationToken">Ends the download.</param>
    /// <returns>Its length in bytes.</returns>
    /// <exception cref="IOException">The local file cannot be written.</exception>
    public Task<long> DownloadAsync(string path, string localPath, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
        => DownloadAsync(path, localPath, progress, async: true, cancellationToken).AsTask();

    /// <inheritdoc cref="DownloadAsync(string, string, IProgress{long}?, CancellationToken)"/>
    public long Download(string path, string localPath, IProgress<long>? progress = null)
        => Pipeline.Finished(DownloadAsync(path, localPath, progress, async: false, CancellationToken.None));

    /// <summary>The entries of a folder.</summary>
    /// <param name="path">The folder; default <c>/workspace</c>.</param>
    /// <param name="depth">How many levels down, 1 to 10; default 1.</param>
    /// <param name="includeHidden">Names that begin with a dot too; default true.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The entries sorted by name, a folder before what is in it.</returns>
    public Task<IReadOnlyList<FileEntry>> ListAsync(
        string path = "/workspace", int depth = 1, bool includeHidden = true, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(FileCalls.List(machine, path, depth, includeHidden), cancellationToken);

    /// <inheritdoc cref="ListAsync"/>
    public IReadOnlyList<FileEntry> List(string path = "/workspace", int depth = 1, bool includeHidden = true)
        => pipeline.Send(FileCalls.List(machine, path, depth, includeHidden));

    /// <summary>A folder and all below it as a tree.</summary>
    /// <param name="path">The folder; default <c>/workspace</c>.</param>
    /// <param name="recursive">True: ten levels down, whatever <paramref name="depth"/> says; default false.</param>
    /// <param name="depth">How many levels down, 1 to 10; default 3.</param>
    /// <param name="includeHidden">Names that begin with a dot too; default false.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The folder itself with its children.</returns>
    public Task<FileTreeNode> TreeAsync(
        string path = "/workspace", bool recursive = false, int depth = 3, bool includeHidden = false, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(FileCalls.Tree(machine, path, recursive ? 10 : depth, includeHidden), cancellationToken);

    /// <inheritdoc cref="TreeAsync"/>
    public FileTreeNode Tree(string path = "/workspace", bool recursive = false, int depth = 3, bool includeHidden = false)
        => pipeline.Send(FileCalls.Tree(machine, path, recursive ? 10 : depth, includeHidden));

    /// <summary>
    /// Follows what changes in a folder. The enumeration begins to watch with its first step; from then on nothing is missed, or an event of type
    /// <see cref="FileWatchEvents.Rescan"/> says so. It ends after <see cref="FileWatchEvents.Ended"/>, when the watched folder itself is gone; leaving the
    /// loop ends the watch. It does not connect again by itself, because what happened in between would be missing. A machine serves 900 watches.
    /// </summary>
    /// <param name="path">The folder; default <c>/workspace</c>.</param>
    /// <param name="recursive">Folders below it too, also those that are made later; default true.</param>
    /// <param name="started">Called once when the sandbox watches, before the first change: what happens after it is told.</param>
    /// <param name="cancellationToken">Ends the loop.</param>
    /// <returns>The changes, in the order in which they happened.</returns>
    /// <exception cref="ConflictException">The machine has too many watches, or watched folders, already.</exception>
    /// <exception cref="ConnectionException">The connection dropped.</exception>
    /// <exception cref="MiosaException">The watch could not go on; the message says why.</exception>
    /// <example>
    /// <code>
    /// await foreach (var change in sandbox.Files.WatchDirAsync("/workspace"))
    ///     Console.WriteLine($"{change.Event} {change.Path}");
    /// </code>
    /// </example>
    public IAsyncEnumerable<FileWatchEvent> WatchDirAsync(
        string path = "/workspace", bool recursive = true, Action? started = null, CancellationToken cancellationToken = default)
        => Feed.EnumerateAsync(() => new FileWatchFeed(pipeline, FileCalls.Watch(machine, path, recursive), started), cancellationToken);

    /// <inheritdoc cref="WatchDirAsync"/>
    public IEnumerable<FileWatchEvent> WatchDir(string path = "/workspace", bool recursive = true, Action? started = null)
        => Feed.Enumerate(() => new FileWatchFeed(pipeline, FileCalls.Watch(machine, path, recursive), started));

    /// <summary>Facts about a path; a link at its end is not followed.</summary>
    /// <param name="path">The file, folder or link.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Type, size, permissions and times.</returns>
    public Task<FileStat> StatAsync(string path, CancellationToken cancellationToken = default) => pipeline.SendAsync(FileCalls.Stat(machine, path), cancellationToken);

    /// <inheritdoc cref="StatAsync"/>
    public FileStat Stat(string path) => pipeline.Send(FileCalls.Stat(machine, path));

    /// <summary>Deletes a file or a folder.</summary>
    /// <param name="path">What to delete.</param>
    /// <param name="recursive">Folders with what is in them too; default true. False refuses a folder that is not empty.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is gone.</returns>
    public Task DeleteAsync(string path, bool recursive = true, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(FileCalls.Delete(machine, path, recursive), cancellationToken);

    /// <inheritdoc cref="DeleteAsync"/>
    public void Delete(string path, bool recursive = true) => pipeline.Send(FileCalls.Delete(machine, path, recursive));

    /// <summary>Makes a folder; an existing folder is fine.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="recursive">Make the folders above it too; default true.</param>
    /// <param name="mode">Octal permissions; default <c>0755</c>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it exists.</returns>
    public Task MkdirAsync(string path, bool recursive = true, string? mode = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(FileCalls.Mkdir(machine, path, recursive, mode), cancellationToken);

    /// <inheritdoc cref="MkdirAsync"/>
    public void Mkdir(string path, bool recursive = true, string? mode = null) => pipeline.Send(FileCalls.Mkdir(machine, path, recursive, mode));

    /// <summary>Moves or renames a file or folder; folders above the target are made. It is not retried once it may have begun.</summary>
    /// <param name="from">What to move.</param>
    /// <param name="to">Its new path.</param>
    /// <param name="overwrite">Replace an existing target; default true.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is moved.</returns>
    public Task MoveAsync(string from, string to, bool overwrite = true, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(FileCalls.Move(machine, from, to, overwrite), cancellationToken);

    /// <inheritdoc cref="MoveAsync"/>
    public void Move(string from, string to, bool overwrite = true) => pipeline.Send(FileCalls.Move(machine, from, to, overwrite));

    /// <summary>Copies a file or folder within the sandbox; folders above the target are made.</summary>
    /// <param name="from">What to copy.</param>
    /// <param name="to">The path of the copy.</param>
    /// <param name="overwrite">Replace an existing target; default true.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is copied.</returns>
    public Task CopyAsync(string from, string to, bool overwrite = true, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(FileCalls.Copy(machine, from, to, overwrite), cancellationToken);

    /// <inheritdoc cref="CopyAsync"/>
    public void Copy(string from, string to, bool overwrite = true) => pipeline.Send(FileCalls.Copy(machine, from, to, overwrite));

    /// <summary>Changes permissions.</summary>
    /// <param name="path">The file or folder.</param>
    /// <param name="mode">Octal text, such as <c>0755</c>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when they are set.</returns>
    public Task ChmodAsync(string path, string mode, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(FileCalls.Chmod(machine, path, mode), cancellationToken);

    /// <inheritdoc cref="ChmodAsync"/>
    public void Chmod(string path, string mode) => pipeline.Send(FileCalls.Chmod(machine, path, mode));

    private static string AsText(FileContent content) => content.Text ?? Encoding.UTF8.GetString(content.Bytes.Span);

    private static byte[] AsBytes(FileContent content) => content.Bytes.ToArray();

    private Call<FileWriteResult> WriteCall(string path, Stream content, string? mode, IProgress<long>? progress)
    {
        ArgumentNullException.ThrowIfNull(content);
        return FileCalls.Write(machine, path, new Upload(content, progress), mode);
    }

    private async ValueTask<FileWriteResult> UploadAsync(string localPath, string path, IProgress<long>? progress, bool async, CancellationToken ct)
    {
        using var file = LocalFile.Open(localPath, async);
        return await pipeline.SendAsync(WriteCall(path, file, mode: null, progress), async, ct).ConfigureAwait(false);
    }

    private async ValueTask<long> DownloadAsync(string path, string localPath, IProgress<long>? progress, bool async, CancellationToken ct)
    {
        using var source = await pipeline.OpenAsync(FileCalls.Open(machine, path), async, ct, lifetime: ct).ConfigureAwait(false);
        return await LocalFile.SaveAsync(source, localPath, progress, async, ct).ConfigureAwait(false);
    }

    /// <summary>Makes a link that hands out one file, or a folder as tar.gz, without a key for one hour.</summary>
    /// <param name="path">The file or folder.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The link; whoever has it can read what it names, as it is at that moment, while the sandbox lives.</returns>
    /// <example><code>var link = await sandbox.Files.ExportAsync("/workspace/report.pdf"); Console.WriteLine(link.Url);</code></example>
    public Task<FileExport> ExportAsync(string path, CancellationToken cancellationToken = default) => pipeline.SendAsync(FileCalls.Export(machine, path), cancellationToken);

    /// <inheritdoc cref="ExportAsync(string, CancellationToken)"/>
    public FileExport Export(string path) => pipeline.Send(FileCalls.Export(machine, path));

    /// <summary>Makes a link to each of several files or folders and one to all of them as a tar.gz.</summary>
    /// <param name="paths">The paths, 1 to 50, at most 3000 bytes together.</param>
    /// <param name="label">A label, echoed; the archive is named after it.</param>
    /// <param name="filename">The name of the archive; default the label, else <c>export.tar.gz</c>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The links, in the order of the paths.</returns>
    public Task<SandboxExport> ExportAsync(IReadOnlyList<string> paths, string? label = null, string? filename = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(FileCalls.Export(machine, paths, label, filename), cancellationToken);

    /// <inheritdoc cref="ExportAsync(IReadOnlyList{string}, string?, string?, CancellationToken)"/>
    public SandboxExport Export(IReadOnlyList<string> paths, string? label = null, string? filename = null) => pipeline.Send(FileCalls.Export(machine, paths, label, filename));
}
