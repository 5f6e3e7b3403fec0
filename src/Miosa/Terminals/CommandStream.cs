using System.Globalization;
using System.Net.WebSockets;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json.Nodes;
using Miosa.Http;

namespace Miosa;

/// <summary>
/// A command that runs while somebody is connected to it: type, read what it prints as it comes, resize. It ends with its program, at its time limit, or when this is
/// disposed or the connection is lost; a process that outlives connections is one of <see cref="SandboxProcesses"/> or a terminal. One read and one write
/// may be under way at a time. There are no blocking reads and writes.
/// </summary>
/// <example>
/// <code>
/// await using var command = await computer.SpawnAsync("sort");
/// await command.WriteAsync("pear\napple\n");
/// await command.CloseInputAsync();
/// await foreach (var output in command.ReadAllAsync())
///     Console.Write(output.Text);                        // apple, pear
/// Console.WriteLine(command.ExitCode);                   // 0
/// </code>
/// </example>
public sealed class CommandStream : IAsyncDisposable
{
    private const int MostCells = 1000;

    private static readonly byte[] s_endOfInput = [.. """{"type":"stdin_close"}"""u8];

    private readonly OutputSocket socket;

    private CommandStream(ClientWebSocket socket) => this.socket = new OutputSocket(socket, "the connection to the command was lost, and the command ends with it");

    /// <summary>The exit code of the command, once reading has come to its end; null while it runs.</summary>
    public int? ExitCode => socket.ExitCode;

    internal static async Task<CommandStream> OpenAsync(
        Pipeline pipeline, string machine, string command, bool pty, int cols, int rows, string? cwd, IReadOnlyDictionary<string, string>? env, TimeSpan? timeout, CancellationToken ct)
    {
        ArgumentException.ThrowIfNullOrEmpty(command);
        // A refused WebSocket shows its status alone: what can be known is said here.
        if (timeout is { } limit && limit <= TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(timeout), $"the time limit of a command must be positive, not '{limit}'");
        if (cols is < 1 or > MostCells)
            throw new ArgumentOutOfRangeException(nameof(cols), $"the columns must be 1 to {MostCells}, not {cols}");
        if (rows is < 1 or > MostCells)
            throw new ArgumentOutOfRangeException(nameof(rows), $"the rows must be 1 to {MostCells}, not {rows}");
        var path = Call.Query(
            machine + "/exec/spawn", ("frames", "binary"), ("command", command), ("pty", pty ? "true" : "false"), ("cols", Text(cols)), ("rows", Text(rows)), ("cwd", cwd),
            ("env", env is null ? null : new JsonObject(env.Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)pair.Value))).ToJsonString()),
            ("timeout_sec", timeout?.TotalSeconds.ToString(CultureInfo.InvariantCulture)));
        return new CommandStream(await pipeline.ConnectAsync(path, ct).ConfigureAwait(false));
    }

    /// <summary>What the command prints, piece by piece, to its end; then <see cref="ExitCode"/> is set.</summary>
    /// <param name="cancellationToken">Ends the loop and, with it, the command.</param>
    /// <returns>The pieces, as they come.</returns>
    /// <exception cref="ConnectionException">The connection was lost, or the command was ended from outside (its time limit as a terminal, the server's end).</exception>
    public async IAsyncEnumerable<CommandOutput> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        // A character may be cut by the border of two pieces.
        var (stdout, stderr) = (Encoding.UTF8.GetDecoder(), Encoding.UTF8.GetDecoder());
        while (!socket.IsOver)
        {
            var bytes = await socket.ReceiveAsync(cancellationToken).ConfigureAwait(false);
            if (!bytes.IsEmpty)
                yield return new CommandOutput(bytes, socket.IsStderr, Decode(socket.IsStderr ? stderr : stdout, bytes.Span));
        }
        if (ExitCode is null)
            throw new ConnectionException($"the command was ended: {socket.Reason ?? "the server does not say why"}");
    }

    /// <summary>Waits for the end of the command and drops what it prints.</summary>
    /// <param name="cancellationToken">Ends the wait and, with it, the command.</param>
    /// <returns>The exit code.</returns>
    /// <exception cref="ConnectionException">As of <see cref="ReadAllAsync"/>.</exception>
    public async Task<int> WaitForExitAsync(CancellationToken cancellationToken = default)
    {
        await foreach (var _ in ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
        }
        return ExitCode ?? throw new ConnectionException("the command did not tell how it ended");
    }

    /// <summary>Writes to its standard input; in a terminal control characters are keys (3 is Ctrl-C).</summary>
    /// <param name="bytes">What to write.</param>
    /// <param name="cancellationToken">Ends the wait and, with it, the command.</param>
    /// <returns>Completes when it is sent.</returns>
    /// <exception cref="ConnectionException">The connection is over.</exception>
    public async Task WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken = default) =>
        await socket.SendAsync(bytes, WebSocketMessageType.Binary, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc cref="WriteAsync(ReadOnlyMemory{byte}, CancellationToken)"/>
    /// <param name="text">What to write, in UTF-8.</param>
    /// <param name="cancellationToken">Ends the wait and, with it, the command.</param>
    public Task WriteAsync(string text, CancellationToken cancellationToken = default) => WriteAsync(Encoding.UTF8.GetBytes(text), cancellationToken);

    /// <summary>Ends its standard input: a command that reads to the end goes on. Not in a terminal, where 4 (Ctrl-D) does that.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is sent.</returns>
    /// <exception cref="ConnectionException">The connection is over.</exception>
    public async Task CloseInputAsync(CancellationToken cancellationToken = default) =>
        await socket.SendAsync(s_endOfInput, WebSocketMessageType.Text, cancellationToken).ConfigureAwait(false);

    /// <summary>Tells its terminal the new size; programs in it get SIGWINCH. Without a terminal nothing happens.</summary>
    /// <param name="cols">Columns, 1 to 1000.</param>
    /// <param name="rows">Rows, 1 to 1000.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is sent.</returns>
    /// <exception cref="ConnectionException">The connection is over.</exception>
    public async Task ResizeAsync(int cols, int rows, CancellationToken cancellationToken = default) => await socket.ResizeAsync(cols, rows, cancellationToken).ConfigureAwait(false);

    /// <summary>Leaves, which ends the command and all that it started, unless it has ended.</summary>
    /// <returns>Completes when the server has taken it, after two seconds at the latest.</returns>
    public async ValueTask DisposeAsync()
    {
        await socket.GoodbyeAsync().ConfigureAwait(false);
        socket.Dispose();
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Decode(Decoder decoder, ReadOnlySpan<byte> bytes)
    {
        var text = new char[decoder.GetCharCount(bytes, flush: false)];
        decoder.GetChars(bytes, text, flush: false);
        return new string(text);
    }
}

/// <summary>A piece of what a command printed.</summary>
/// <param name="Bytes">As they came; good until the next piece is asked for.</param>
/// <param name="IsStderr">True for standard error. A terminal has one stream.</param>
/// <param name="Text">The same as text; a character that is not complete yet comes with the next piece.</param>
public readonly record struct CommandOutput(ReadOnlyMemory<byte> Bytes, bool IsStderr, string Text);
