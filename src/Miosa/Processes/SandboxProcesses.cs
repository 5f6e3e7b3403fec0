using System.Globalization;
using Miosa.Http;

namespace Miosa;

/// <summary>
/// Background processes of one sandbox: development servers, workers, long builds. They live on when the caller goes, and when the server is
/// restarted; what they print is kept on the sandbox's disk (the last 2 MiB each) and can be read at any time, also after their end. A running
/// process alone does not keep an idle sandbox from its idle limit: a call or a preview request does.
/// </summary>
/// <example>
/// <code>
/// var server = await sandbox.Processes.StartAsync(new() { Command = "npm run dev", Name = "dev-server" });
/// await foreach (var item in sandbox.Processes.StreamAsync(server.Pid))
///     Console.WriteLine(item.Line);
/// await sandbox.Processes.StopAsync(server.Pid);
/// </code>
/// </example>
public sealed class SandboxProcesses
{
    private readonly Pipeline pipeline;
    private readonly string id;

    internal SandboxProcesses(Pipeline pipeline, string id) => (this.pipeline, this.id) = (pipeline, id);

    private string Path => SandboxCalls.Path(id) + "/processes";

    /// <summary>Starts a process and returns at once. At most 256 run at a time.</summary>
    /// <param name="request">Command, label, environment, folder, time limit.</param>
    /// <param name="cancellationToken">Ends the wait, not the process.</param>
    /// <returns>The process. A program that cannot be started has the status <see cref="ProcessStatus.Failed"/>, and its log says why.</returns>
    /// <exception cref="ValidationException">The command is empty or the folder does not exist.</exception>
    /// <exception cref="ConflictException">256 processes run already, or the sandbox does not run.</exception>
    public Task<ProcessInfo> StartAsync(StartProcessRequest request, CancellationToken cancellationToken = default) => pipeline.SendAsync(StartCall(request), cancellationToken);

    /// <inheritdoc cref="StartAsync"/>
    public ProcessInfo Start(StartProcessRequest request) => pipeline.Send(StartCall(request));

    /// <summary>All processes started in the background, oldest first, with those that have ended.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The processes; empty when there are none.</returns>
    /// <exception cref="NotFoundException">The tenant has no such sandbox.</exception>
    public Task<IReadOnlyList<ProcessInfo>> ListAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(ListCall(), cancellationToken);

    /// <inheritdoc cref="ListAsync"/>
    public IReadOnlyList<ProcessInfo> List() => pipeline.Send(ListCall());

    /// <summary>One process, running or ended.</summary>
    /// <param name="pid">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The process.</returns>
    /// <exception cref="NotFoundException">The sandbox has no such process.</exception>
    public Task<ProcessInfo> GetAsync(string pid, CancellationToken cancellationToken = default) => pipeline.SendAsync(GetCall(pid), cancellationToken);

    /// <inheritdoc cref="GetAsync"/>
    public ProcessInfo Get(string pid) => pipeline.Send(GetCall(pid));

    /// <summary>The end of what it has printed.</summary>
    /// <param name="pid">Its id.</param>
    /// <param name="tail">Last lines, 1 to 10,000.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The text, at most 1 MiB of it.</returns>
    /// <exception cref="NotFoundException">The sandbox has no such process.</exception>
    /// <exception cref="ValidationException"><paramref name="tail"/> is out of range.</exception>
    public Task<ProcessLogs> LogsAsync(string pid, int tail = 200, CancellationToken cancellationToken = default) => pipeline.SendAsync(LogsCall(pid, tail), cancellationToken);

    /// <inheritdoc cref="LogsAsync"/>
    public ProcessLogs Logs(string pid, int tail = 200) => pipeline.Send(LogsCall(pid, tail));

    /// <summary>
    /// What it prints, line by line, from the first that is kept and then as it comes, until <see cref="ProcessStreamTypes.Exit"/>. A dropped
    /// connection is opened again behind the last line: nothing is missed and nothing comes twice. Leaving the loop does not stop the process.
    /// </summary>
    /// <param name="pid">Its id.</param>
    /// <param name="cancellationToken">Ends the stream.</param>
    /// <returns>The items in order.</returns>
    /// <exception cref="NotFoundException">The sandbox has no such process.</exception>
    /// <exception cref="ConnectionException">The server could not be reached again.</exception>
    public IAsyncEnumerable<ProcessStreamEvent> StreamAsync(string pid, CancellationToken cancellationToken = default)
        => Feed.EnumerateAsync(() => new ProcessFeed(pipeline, StreamCall(pid)), cancellationToken);

    /// <inheritdoc cref="StreamAsync"/>
    public IEnumerable<ProcessStreamEvent> Stream(string pid) => Feed.Enumerate(() => new ProcessFeed(pipeline, StreamCall(pid)));

    /// <summary>Writes to its standard input.</summary>
    /// <param name="pid">Its id.</param>
    /// <param name="data">Text, at most 1 MiB.</param>
    /// <param name="eof">Close standard input afterwards.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when the process's input has taken the text.</returns>
    /// <exception cref="NotFoundException">The sandbox has no such process.</exception>
    /// <exception cref="ConflictException">It has ended, has closed its input, or has not read for ten seconds; the message says how much it took.</exception>
    public Task WriteInputAsync(string pid, string data, bool eof = false, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(InputCall(pid, data, eof), cancellationToken);

    /// <inheritdoc cref="WriteInputAsync"/>
    public void WriteInput(string pid, string data, bool eof = false) => pipeline.Send(InputCall(pid, data, eof));

    /// <summary>Sends a signal to the process's group. SIGKILL ends the whole tree.</summary>
    /// <param name="pid">Its id.</param>
    /// <param name="signal">A name with or without <c>SIG</c>, or a number from 1 to 64 as text.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when the signal is sent.</returns>
    /// <exception cref="NotFoundException">The sandbox has no such process.</exception>
    /// <exception cref="ValidationException">There is no such signal.</exception>
    /// <exception cref="ConflictException">It has ended.</exception>
    public Task SignalAsync(string pid, string signal, CancellationToken cancellationToken = default) => pipeline.SendAsync(SignalCall(pid, signal), cancellationToken);

    /// <inheritdoc cref="SignalAsync"/>
    public void Signal(string pid, string signal) => pipeline.Send(SignalCall(pid, signal));

    /// <summary>
    /// Ends the process and everything it has started: SIGTERM, and SIGKILL for what is left after five seconds. Stopping one that has ended
    /// succeeds.
    /// </summary>
    /// <param name="pid">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when nothing of it is left.</returns>
    /// <exception cref="NotFoundException">The sandbox has no such process.</exception>
    public Task StopAsync(string pid, CancellationToken cancellationToken = default) => pipeline.SendAsync(StopCall(pid), cancellationToken);

    /// <inheritdoc cref="StopAsync"/>
    public void Stop(string pid) => pipeline.Send(StopCall(pid));

    private string PathOf(string pid)
    {
        ArgumentException.ThrowIfNullOrEmpty(pid);
        return Path + "/" + Uri.EscapeDataString(pid);
    }

    private Call<ProcessInfo> StartCall(StartProcessRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return new(HttpMethod.Post, Path, static answer => answer.Object(WireJson.Default.ProcessInfo))
        {
            Json = Call.Body(request, RequestJson.Default.StartProcessRequest),
            IdempotencyKey = Guid.NewGuid().ToString(),
        };
    }

    private Call<IReadOnlyList<ProcessInfo>> ListCall() => new(HttpMethod.Get, Path, static answer => answer.Whole(WireJson.Default.ProcessList).Data);

    private Call<ProcessInfo> GetCall(string pid) => new(HttpMethod.Get, PathOf(pid), static answer => answer.Object(WireJson.Default.ProcessInfo));

    private Call<ProcessLogs> LogsCall(string pid, int tail) =>
        new(HttpMethod.Get, Call.Query(PathOf(pid) + "/logs", ("tail", tail.ToString(CultureInfo.InvariantCulture))), static answer => answer.Whole(WireJson.Default.ProcessLogs));

    private Call StreamCall(string pid) => new(HttpMethod.Get, PathOf(pid) + "/stream") { Accept = "text/event-stream", IsKeptAlive = true };

    private Call<bool> InputCall(string pid, string data, bool eof)
    {
        ArgumentNullException.ThrowIfNull(data);
        return new(HttpMethod.Post, PathOf(pid) + "/stdin", Answer.Nothing)
        {
            Json = Call.Body(new ProcessStdinRequest { Data = data, Eof = eof ? true : null }, RequestJson.Default.ProcessStdinRequest),
            IdempotencyKey = Guid.NewGuid().ToString(),
        };
    }

    private Call<bool> SignalCall(string pid, string signal)
    {
        ArgumentException.ThrowIfNullOrEmpty(signal);
        return new(HttpMethod.Post, PathOf(pid) + "/signal", Answer.Nothing)
        {
            Json = Call.Body(new ProcessSignalRequest { Signal = signal }, RequestJson.Default.ProcessSignalRequest),
            IdempotencyKey = Guid.NewGuid().ToString(),
        };
    }

    private Call<bool> StopCall(string pid) => new(HttpMethod.Delete, PathOf(pid), Answer.Nothing);
}
