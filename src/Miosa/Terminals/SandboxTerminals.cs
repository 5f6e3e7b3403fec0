using Miosa.Http;

namespace Miosa;

/// <summary>
/// Terminals of one sandbox: a shell or another program in a pseudo-terminal, with size, job control and control keys. A terminal outlives the
/// connections to it, and restarts of the server; it ends with its program, when it is closed, or with the sandbox's run. At most 32 at a time.
/// </summary>
/// <example>
/// <code>
/// var session = await sandbox.Terminals.CreateAsync(new() { Cols = 120, Rows = 40 });
/// await using var terminal = await sandbox.Terminals.AttachAsync(session.Id);
/// await terminal.WriteAsync("echo hello; exit 3\n"u8.ToArray());
/// using var reader = new StreamReader(terminal);
/// Console.WriteLine(await reader.ReadToEndAsync());     // to the end of the shell
/// Console.WriteLine(terminal.ExitCode);                 // 3
/// </code>
/// </example>
public sealed class SandboxTerminals
{
    private readonly Pipeline pipeline;
    private readonly Machine machine;

    internal SandboxTerminals(Pipeline pipeline, Machine machine) => (this.pipeline, this.machine) = (pipeline, machine);

    private string Path => machine.Path + "/terminal";

    /// <summary>Opens a terminal.</summary>
    /// <param name="request">Size, program, folder, environment; default: 80 × 24 and the sandbox's shell.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The terminal; attach to it to read and write.</returns>
    /// <exception cref="ValidationException">The size is out of range, the program or the folder does not exist.</exception>
    /// <exception cref="ConflictException">32 terminals are open already, or the sandbox does not run.</exception>
    public Task<TerminalSession> CreateAsync(CreateTerminalRequest? request = null, CancellationToken cancellationToken = default) => pipeline.SendAsync(CreateCall(request), cancellationToken);

    /// <inheritdoc cref="CreateAsync"/>
    public TerminalSession Create(CreateTerminalRequest? request = null) => pipeline.Send(CreateCall(request));

    /// <summary>The open terminals, oldest first.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The terminals; empty when there are none.</returns>
    public Task<IReadOnlyList<TerminalSession>> ListAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(ListCall(), cancellationToken);

    /// <inheritdoc cref="ListAsync"/>
    public IReadOnlyList<TerminalSession> List() => pipeline.Send(ListCall());

    /// <summary>Gives a terminal a new size; programs in it get SIGWINCH.</summary>
    /// <param name="sessionId">The terminal.</param>
    /// <param name="cols">Columns, 1 to 1000.</param>
    /// <param name="rows">Rows, 1 to 1000.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it has the size.</returns>
    /// <exception cref="NotFoundException">The sandbox has no such terminal.</exception>
    public Task ResizeAsync(string sessionId, int cols, int rows, CancellationToken cancellationToken = default) => pipeline.SendAsync(ResizeCall(sessionId, cols, rows), cancellationToken);

    /// <inheritdoc cref="ResizeAsync"/>
    public void Resize(string sessionId, int cols, int rows) => pipeline.Send(ResizeCall(sessionId, cols, rows));

    /// <summary>Closes a terminal: what runs in it is hung up, and killed two seconds later. Closing one that has ended succeeds.</summary>
    /// <param name="sessionId">The terminal.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when nothing of it is left.</returns>
    /// <exception cref="NotFoundException">The sandbox has no such terminal.</exception>
    public Task CloseAsync(string sessionId, CancellationToken cancellationToken = default) => pipeline.SendAsync(CloseCall(sessionId), cancellationToken);

    /// <inheritdoc cref="CloseAsync"/>
    public void Close(string sessionId) => pipeline.Send(CloseCall(sessionId));

    /// <summary>Connects to a terminal. Any number of connections share it.</summary>
    /// <param name="sessionId">The terminal.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <returns>The connection, to be disposed. It begins with what was printed lately.</returns>
    /// <exception cref="NotFoundException">The sandbox has no such terminal.</exception>
    /// <exception cref="ConnectionException">The server could not be reached.</exception>
    public async Task<TerminalStream> AttachAsync(string sessionId, CancellationToken cancellationToken = default) =>
        new(await pipeline.ConnectAsync(PathOf(sessionId) + (machine.IsComputer ? "" : "/ws"), cancellationToken).ConfigureAwait(false), sessionId);

    private string PathOf(string sessionId)
    {
        // An open terminal of a computer has another name than the collection.
        return Call.Item(machine.IsComputer ? machine.Path + "/pty" : Path, sessionId);
    }

    private Call<TerminalSession> CreateCall(CreateTerminalRequest? request) => new(HttpMethod.Post, Path, static answer => answer.Object(WireJson.Default.TerminalSession))
    {
        Json = Call.Body(request ?? new(), RequestJson.Default.CreateTerminalRequest),
        IdempotencyKey = Guid.NewGuid().ToString(),
    };

    private Call<IReadOnlyList<TerminalSession>> ListCall() => new(HttpMethod.Get, Path, static answer => answer.Whole(WireJson.Default.TerminalList).Data);

    private Call<bool> ResizeCall(string sessionId, int cols, int rows) => new(HttpMethod.Post, PathOf(sessionId) + "/resize", Answer.Nothing)
    {
        Json = Call.Body(new TerminalResizeRequest { Cols = cols, Rows = rows }, RequestJson.Default.TerminalResizeRequest),
    };

    private Call<bool> CloseCall(string sessionId) => new(HttpMethod.Delete, PathOf(sessionId), Answer.Nothing);
}
