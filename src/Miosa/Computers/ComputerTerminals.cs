using Miosa.Http;

namespace Miosa;

/// <summary>
/// Terminals of one computer: a shell or another program in a pseudo-terminal. A terminal outlives the connections to it, and restarts of the server; it ends
/// with its program or with the computer's run. At most 32 at a time.
/// </summary>
/// <example>
/// <code>
/// var session = await computer.Terminals.CreateAsync(new() { Cols = 120, Rows = 40 });
/// await using var terminal = await computer.Terminals.AttachAsync(session.SessionId);
/// await terminal.WriteAsync("echo hello; exit\n"u8.ToArray());
/// using var reader = new StreamReader(terminal);
/// Console.WriteLine(await reader.ReadToEndAsync());
/// </code>
/// </example>
public sealed class ComputerTerminals
{
    private readonly SandboxTerminals terminals;

    internal ComputerTerminals(Pipeline pipeline, Machine machine) => terminals = new SandboxTerminals(pipeline, machine);

    /// <summary>Opens a terminal.</summary>
    /// <param name="request">Size, program, folder, environment; default: 80 × 24 and the computer's shell.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The terminal; attach to it to read and write.</returns>
    /// <exception cref="ValidationException">The size is out of range, the program or the folder does not exist.</exception>
    /// <exception cref="ConflictException">32 terminals are open already, or the computer does not run.</exception>
    public Task<TerminalSession> CreateAsync(CreateTerminalRequest? request = null, CancellationToken cancellationToken = default) => terminals.CreateAsync(request, cancellationToken);

    /// <inheritdoc cref="CreateAsync"/>
    public TerminalSession Create(CreateTerminalRequest? request = null) => terminals.Create(request);

    /// <summary>Gives a terminal a new size; programs in it get SIGWINCH.</summary>
    /// <param name="sessionId">The terminal.</param>
    /// <param name="cols">Columns, 1 to 1000.</param>
    /// <param name="rows">Rows, 1 to 1000.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it has the size.</returns>
    /// <exception cref="NotFoundException">The computer has no such terminal.</exception>
    public Task ResizeAsync(string sessionId, int cols, int rows, CancellationToken cancellationToken = default) => terminals.ResizeAsync(sessionId, cols, rows, cancellationToken);

    /// <inheritdoc cref="ResizeAsync"/>
    public void Resize(string sessionId, int cols, int rows) => terminals.Resize(sessionId, cols, rows);

    /// <summary>Connects to a terminal. Any number of connections share it.</summary>
    /// <param name="sessionId">The terminal.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <returns>The connection, to be disposed. It begins with what was printed lately.</returns>
    /// <exception cref="NotFoundException">The computer has no such terminal.</exception>
    /// <exception cref="ConnectionException">The server could not be reached.</exception>
    public Task<TerminalStream> AttachAsync(string sessionId, CancellationToken cancellationToken = default) => terminals.AttachAsync(sessionId, cancellationToken);
}
