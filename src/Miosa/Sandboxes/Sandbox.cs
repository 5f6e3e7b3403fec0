using Miosa.Http;

namespace Miosa;

/// <summary>
/// A sandbox: an isolated Linux machine of its own. The handle keeps the last <see cref="Info"/> the server told; <c>Refresh</c> asks again.
/// All members may be used by many threads at once.
/// <para>Disposing it destroys the sandbox and swallows a failure of that, so <c>await using</c> cleans up after a block of work;
/// a handle that should live on is simply not disposed.</para>
/// </summary>
/// <example>
/// <code>
/// await using var sandbox = await client.Sandboxes.CreateAsync();
/// await sandbox.Files.WriteAsync("/app/main.py", "print('hello')");
/// var result = await sandbox.ExecAsync(["python3", "/app/main.py"], timeout: TimeSpan.FromSeconds(20));
/// Console.WriteLine($"{result.ExitCode}: {result.Stdout}");
/// </code>
/// </example>
public sealed class Sandbox : IDisposable, IAsyncDisposable
{
    private static readonly TimeSpan DefaultReadyWait = TimeSpan.FromSeconds(30);

    private readonly Pipeline pipeline;
    private volatile SandboxInfo info;

    internal Sandbox(Pipeline pipeline, SandboxInfo info)
    {
        this.pipeline = pipeline;
        this.info = info;
        Files = new SandboxFiles(pipeline, Machine.Sandbox(info.Id));
        Events = new SandboxEvents(pipeline, info.Id);
        Env = new SandboxEnv(pipeline, info.Id);
        Snapshots = new SandboxSnapshots(pipeline, info.Id);
        Processes = new SandboxProcesses(pipeline, info.Id);
        Terminals = new SandboxTerminals(pipeline, Machine.Sandbox(info.Id));
        Previews = new SandboxPreviews(pipeline, info.Id);
        Shares = new SandboxShares(pipeline, info.Id);
    }

    /// <summary>Opaque id, <c>sbx_…</c>.</summary>
    public string Id => info.Id;

    /// <summary>One of <see cref="SandboxState"/> when the server was last asked.</summary>
    public string State => info.State;

    /// <summary>Display name; null when it has none.</summary>
    public string? Name => info.Name;

    /// <summary>URL-safe name used in preview hosts.</summary>
    public string? Slug => info.Slug;

    /// <summary>Everything the server told when it was last asked; replaced as a whole by the calls that change the sandbox and by <c>Refresh</c>.</summary>
    public SandboxInfo Info => info;

    /// <summary>Read and write its files.</summary>
    public SandboxFiles Files { get; }

    /// <summary>Follow what happens to it.</summary>
    public SandboxEvents Events { get; }

    /// <summary>The environment variables of its later commands.</summary>
    public SandboxEnv Env { get; }

    /// <summary>Keep its files as they are at one moment.</summary>
    public SandboxSnapshots Snapshots { get; }

    /// <summary>Its background processes.</summary>
    public SandboxProcesses Processes { get; }

    /// <summary>Its terminals.</summary>
    public SandboxTerminals Terminals { get; }

    /// <summary>Its ports as web addresses.</summary>
    public SandboxPreviews Previews { get; }

    /// <summary>Public links to its previews.</summary>
    public SandboxShares Shares { get; }

    /// <summary>Runs a shell string and waits for its end. It is not retried once it may have begun.</summary>
    /// <param name="command">Runs through <c>bash -c</c> in the environment of a login shell.</param>
    /// <param name="cwd">Working folder; default <c>/workspace</c>.</param>
    /// <param name="env">Extra environment for this command.</param>
    /// <param name="timeout">Time limit of the command; at the limit its whole process tree is killed and the exit code is 124. Default and maximum: the server's
    /// (3600 s). It may be longer than <see cref="MiosaOptions.Timeout"/>, which only limits silence.</param>
    /// <param name="stdin">Text fed to standard input; default: empty.</param>
    /// <param name="cancellationToken">Ends the wait and kills the command.</param>
    /// <returns>How it ended; a non-zero exit code is a result, not an error.</returns>
    /// <exception cref="ConflictException">The sandbox is not running.</exception>
    /// <exception cref="NotFoundException">The sandbox is gone.</exception>
    /// <exception cref="ConnectionException">No answer; the command may or may not have run.</exception>
    public Task<ExecResult> RunAsync(
        string command, string? cwd = null, IReadOnlyDictionary<string, string>? env = null, TimeSpan? timeout = null, string? stdin = null,
        CancellationToken cancellationToken = default)
        => ExecAsync(command, cwd, env, timeout, stdin, cancellationToken);

    /// <inheritdoc cref="RunAsync"/>
    public ExecResult Run(
        string command, string? cwd = null, IReadOnlyDictionary<string, string>? env = null, TimeSpan? timeout = null, string? stdin = null)
        => Exec(command, cwd, env, timeout, stdin);

    /// <inheritdoc cref="RunAsync"/>
    public Task<ExecResult> ExecAsync(
        string command, string? cwd = null, IReadOnlyDictionary<string, string>? env = null, TimeSpan? timeout = null, string? stdin = null,
        CancellationToken cancellationToken = default)
        => pipeline.SendAsync(SandboxCalls.Exec(Id, Shell(command, cwd, env, timeout, stdin)), cancellationToken);

    /// <inheritdoc cref="RunAsync"/>
    public ExecResult Exec(
        string command, string? cwd = null, IReadOnlyDictionary<string, string>? env = null, TimeSpan? timeout = null, string? stdin = null)
        => pipeline.Send(SandboxCalls.Exec(Id, Shell(command, cwd, env, timeout, stdin)));

    /// <summary>Runs a program with its arguments, without a shell, and waits for its end; otherwise like <see cref="RunAsync"/>.</summary>
    /// <param name="argv">The program and its arguments.</param>
    /// <param name="cwd">Working folder; default <c>/workspace</c>.</param>
    /// <param name="env">Extra environment for this command.</param>
    /// <param name="timeout">Time limit of the command; default and maximum: the server's (3600 s).</param>
    /// <param name="stdin">Text fed to standard input; default: empty.</param>
    /// <param name="cancellationToken">Ends the wait and kills the command.</param>
    /// <returns>How it ended; a program that does not exist has the exit code 127.</returns>
    public Task<ExecResult> ExecAsync(
        IReadOnlyList<string> argv, string? cwd = null, IReadOnlyDictionary<string, string>? env = null, TimeSpan? timeout = null, string? stdin = null,
        CancellationToken cancellationToken = default)
        => pipeline.SendAsync(SandboxCalls.Exec(Id, Argv(argv, cwd, env, timeout, stdin)), cancellationToken);

    /// <inheritdoc cref="ExecAsync(IReadOnlyList{string}, string?, IReadOnlyDictionary{string, string}?, TimeSpan?, string?, CancellationToken)"/>
    public ExecResult Exec(
        IReadOnlyList<string> argv, string? cwd = null, IReadOnlyDictionary<string, string>? env = null, TimeSpan? timeout = null, string? stdin = null)
        => pipeline.Send(SandboxCalls.Exec(Id, Argv(argv, cwd, env, timeout, stdin)));

    /// <summary>Starts a command to talk to: type while it runs, read its output as it comes. It ends with the connection.</summary>
    /// <param name="command">Runs through <c>bash -c</c> in the environment of a login shell.</param>
    /// <param name="pty">True: in a terminal of its own, as a shell or an editor wants it. Default false: plain pipes, the two outputs apart.</param>
    /// <param name="cols">Columns of the terminal, 1 to 1000.</param>
    /// <param name="rows">Rows of the terminal, 1 to 1000.</param>
    /// <param name="cwd">Working folder; default: <c>/workspace</c>.</param>
    /// <param name="env">Extra environment for this command.</param>
    /// <param name="timeout">Time limit of the command; default and maximum: the server's (3600 s).</param>
    /// <param name="cancellationToken">Ends the attempt; it does not end a command that has begun.</param>
    /// <returns>The command, to be disposed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The time limit is not positive, or the size is not 1 to 1000.</exception>
    /// <exception cref="ValidationException">The time limit is more than the server's, or the environment too large.</exception>
    /// <exception cref="ConflictException">The sandbox does not run.</exception>
    /// <exception cref="NotFoundException">The sandbox is gone.</exception>
    /// <exception cref="ConnectionException">The server could not be reached.</exception>
    public Task<CommandStream> SpawnAsync(
        string command, bool pty = false, int cols = 80, int rows = 24, string? cwd = null, IReadOnlyDictionary<string, string>? env = null, TimeSpan? timeout = null,
        CancellationToken cancellationToken = default)
        => CommandStream.OpenAsync(pipeline, SandboxCalls.Path(Id), command, pty, cols, rows, cwd, env, timeout, cancellationToken);

    /// <summary>Runs a shell string and gives its output line by line while it runs. Leaving the loop early kills the command.</summary>
    /// <param name="command">Runs through <c>bash -c</c> in the environment of a login shell.</param>
    /// <param name="cwd">Working folder; default <c>/workspace</c>.</param>
    /// <param name="env">Extra environment for this command.</param>
    /// <param name="timeout">Time limit of the command; default and maximum: the server's (3600 s).</param>
    /// <param name="stdin">Text fed to standard input; default: empty.</param>
    /// <param name="cancellationToken">Ends the loop and kills the command.</param>
    /// <returns>Output as it comes; the last item has the type <c>exit</c> or <c>error</c>. Each enumeration runs the command anew.</returns>
    /// <exception cref="ConnectionException">The connection broke before the end; the command is killed.</exception>
    public IAsyncEnumerable<ExecStreamEvent> ExecStreamAsync(
        string command, string? cwd = null, IReadOnlyDictionary<string, string>? env = null, TimeSpan? timeout = null, string? stdin = null,
        CancellationToken cancellationToken = default)
        => StreamAsync(Shell(command, cwd, env, timeout, stdin), cancellationToken);

    /// <inheritdoc cref="ExecStreamAsync(string, string?, IReadOnlyDictionary{string, string}?, TimeSpan?, string?, CancellationToken)"/>
    public IEnumerable<ExecStreamEvent> ExecStream(
        string command, string? cwd = null, IReadOnlyDictionary<string, string>? env = null, TimeSpan? timeout = null, string? stdin = null)
        => Stream(Shell(command, cwd, env, timeout, stdin));

    /// <summary>Runs a program with its arguments, without a shell, and gives its output line by line while it runs.</summary>
    /// <param name="argv">The program and its arguments.</param>
    /// <param name="cwd">Working folder; default <c>/workspace</c>.</param>
    /// <param name="env">Extra environment for this command.</param>
    /// <param name="timeout">Time limit of the command; default and maximum: the server's (3600 s).</param>
    /// <param name="stdin">Text fed to standard input; default: empty.</param>
    /// <param name="cancellationToken">Ends the loop and kills the command.</param>
    /// <returns>Output as it comes; the last item has the type <c>exit</c> or <c>error</c>. Each enumeration runs the command anew.</returns>
    /// <exception cref="ConnectionException">The connection broke before the end; the command is killed.</exception>
    public IAsyncEnumerable<ExecStreamEvent> ExecStreamAsync(
        IReadOnlyList<string> argv, string? cwd = null, IReadOnlyDictionary<string, string>? env = null, TimeSpan? timeout = null, string? stdin = null,
        CancellationToken cancellationToken = default)
        => StreamAsync(Argv(argv, cwd, env, timeout, stdin), cancellationToken);

    /// <inheritdoc cref="ExecStreamAsync(IReadOnlyList{string}, string?, IReadOnlyDictionary{string, string}?, TimeSpan?, string?, CancellationToken)"/>
    public IEnumerable<ExecStreamEvent> ExecStream(
        IReadOnlyList<string> argv, string? cwd = null, IReadOnlyDictionary<string, string>? env = null, TimeSpan? timeout = null, string? stdin = null)
        => Stream(Argv(argv, cwd, env, timeout, stdin));

    /// <summary>Asks the server again and replaces <see cref="Info"/>.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>This sandbox.</returns>
    /// <exception cref="NotFoundException">The tenant has no such sandbox any more.</exception>
    public Task<Sandbox> RefreshAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(SandboxCalls.Get(Id).To(Adopt), cancellationToken);

    /// <inheritdoc cref="RefreshAsync"/>
    public Sandbox Refresh() => pipeline.Send(SandboxCalls.Get(Id).To(Adopt));

    /// <summary>
    /// Runs the install command of its template, leaves its start command running, and waits until that is up. When it runs already nothing is started.
    /// An install command that takes longer than <see cref="MiosaOptions.Timeout"/> needs a client with a longer one.
    /// </summary>
    /// <param name="request">What is to be different from the template; default: nothing.</param>
    /// <param name="cancellationToken">Ends the wait; an install command is killed, a started program goes on.</param>
    /// <returns>The process and the port.</returns>
    /// <exception cref="ValidationException">There is no start command.</exception>
    /// <exception cref="ConflictException">A command failed, or the program did not come up; the message has the end of its output.</exception>
    /// <example><code>var started = await sandbox.StartTemplateAsync(new() { Port = 3000 });</code></example>
    public Task<TemplateStartResult> StartTemplateAsync(TemplateStartRequest? request = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(TemplateCalls.Start(Id, request), cancellationToken);

    /// <inheritdoc cref="StartTemplateAsync"/>
    public TemplateStartResult StartTemplate(TemplateStartRequest? request = null) => pipeline.Send(TemplateCalls.Start(Id, request));

    /// <summary>Tells what it has used: CPU time, memory, disk, seconds run. Neither resumes a paused sandbox nor counts as activity.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The figures of this moment; what could not be measured is null.</returns>
    /// <exception cref="NotFoundException">The tenant has no such sandbox any more.</exception>
    /// <example><code>var usage = await sandbox.GetUsageAsync(); Console.WriteLine($"{usage.ActiveCpuMs} ms of CPU");</code></example>
    public Task<SandboxUsage> GetUsageAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(SandboxCalls.Usage(Id), cancellationToken);

    /// <inheritdoc cref="GetUsageAsync"/>
    public SandboxUsage GetUsage() => pipeline.Send(SandboxCalls.Usage(Id));

    /// <summary>Tells what it uses now and used over a window: CPU, memory, disk, network. Neither resumes a paused sandbox nor counts as activity.</summary>
    /// <param name="window">A span of at most 24 hours, such as <c>90s</c>, <c>15m</c> or <c>24h</c>; default <c>1h</c>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The figures of this moment and the points inside the window.</returns>
    /// <exception cref="NotFoundException">The tenant has no such sandbox any more.</exception>
    /// <exception cref="ValidationException">The window cannot be read or is too long.</exception>
    /// <example><code>var metrics = await sandbox.GetMetricsAsync("15m"); Console.WriteLine($"{metrics.Current.CpuPercent} % of {metrics.Current.CpuCount} vCPUs");</code></example>
    public Task<SandboxMetrics> GetMetricsAsync(string? window = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(SandboxCalls.Metrics(Id, window), cancellationToken);

    /// <inheritdoc cref="GetMetricsAsync"/>
    public SandboxMetrics GetMetrics(string? window = null) => pipeline.Send(SandboxCalls.Metrics(Id, window));

    /// <summary>What the sandbox's entry point has printed; empty when it has none.</summary>
    /// <param name="lines">Last lines, 1 to 10,000.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The text, at most 1 MiB of it, whole and line by line.</returns>
    /// <exception cref="NotFoundException">The tenant has no such sandbox any more.</exception>
    public Task<SandboxLogs> GetLogsAsync(int lines = 200, CancellationToken cancellationToken = default) => pipeline.SendAsync(SandboxCalls.Logs(Id, lines), cancellationToken);

    /// <inheritdoc cref="GetLogsAsync"/>
    public SandboxLogs GetLogs(int lines = 200) => pipeline.Send(SandboxCalls.Logs(Id, lines));

    /// <summary>Tells what its template said it would produce, as it is now. Resumes a paused persistent sandbox when the template names such paths.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>What is at each path; no path when its template names none.</returns>
    /// <exception cref="ConflictException">The sandbox is not running.</exception>
    /// <exception cref="NotFoundException">The tenant has no such sandbox any more.</exception>
    /// <example><code>
    /// foreach (var (path, artifact) in (await sandbox.GetArtifactsAsync()).Artifacts)
    ///     Console.WriteLine($"{path}: {artifact.Type}");
    /// </code></example>
    public Task<SandboxArtifacts> GetArtifactsAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(SandboxCalls.Artifacts(Id), cancellationToken);

    /// <inheritdoc cref="GetArtifactsAsync"/>
    public SandboxArtifacts GetArtifacts() => pipeline.Send(SandboxCalls.Artifacts(Id));

    /// <summary>Tells what it may reach.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The policy, with both lists.</returns>
    /// <exception cref="NotFoundException">The tenant has no such sandbox any more.</exception>
    public Task<SandboxEgress> GetEgressAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(SandboxCalls.Egress(Id), cancellationToken);

    /// <inheritdoc cref="GetEgressAsync"/>
    public SandboxEgress GetEgress() => pipeline.Send(SandboxCalls.Egress(Id));

    /// <summary>Changes what it may reach, at once: connections that are open and not allowed any more end, too. A paused sandbox stays paused.</summary>
    /// <param name="egress">The new policy; it replaces the present one whole.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The policy as it is in force.</returns>
    /// <exception cref="ValidationException">An entry cannot be read, or lies in a private range.</exception>
    /// <exception cref="ConflictException">The sandbox is neither running nor paused.</exception>
    /// <exception cref="NotFoundException">The tenant has no such sandbox any more.</exception>
    /// <example><code>
    /// await sandbox.SetEgressAsync(SandboxEgress.Listed(domains: ["pypi.org", "*.pythonhosted.org"]));
    /// await sandbox.RunAsync("pip install requests");
    /// await sandbox.SetEgressAsync(SandboxEgress.Closed);
    /// </code></example>
    public Task<SandboxEgress> SetEgressAsync(SandboxEgress egress, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(SandboxCalls.SetEgress(Id, egress), cancellationToken);

    /// <inheritdoc cref="SetEgressAsync"/>
    public SandboxEgress SetEgress(SandboxEgress egress) => pipeline.Send(SandboxCalls.SetEgress(Id, egress));

    /// <summary>Tells what it wanted to reach and was refused since it was started; a refusal shows up within a second.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>At most 256 different targets, the latest first; empty when there are none.</returns>
    /// <exception cref="ConflictException">The sandbox is neither running nor paused.</exception>
    /// <exception cref="NotFoundException">The tenant has no such sandbox any more.</exception>
    /// <example><code>
    /// foreach (var refused in await sandbox.ListRefusedEgressAsync())
    ///     Console.WriteLine($"{refused.Count} x {refused.Protocol} {refused.Target}: {refused.Reason}");
    /// </code></example>
    public Task<IReadOnlyList<EgressRefusal>> ListRefusedEgressAsync(CancellationToken cancellationToken = default)
        => pipeline.SendAsync(SandboxCalls.RefusedEgress(Id), cancellationToken);

    /// <inheritdoc cref="ListRefusedEgressAsync"/>
    public IReadOnlyList<EgressRefusal> ListRefusedEgress() => pipeline.Send(SandboxCalls.RefusedEgress(Id));

    /// <summary>Changes the fields that are not null.</summary>
    /// <param name="changes">The fields to change.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>This sandbox, with the new <see cref="Info"/>.</returns>
    /// <exception cref="ValidationException">A field is faulty.</exception>
    /// <exception cref="ConflictException">The name or slug is taken, or the sandbox is destroyed.</exception>
    public Task<Sandbox> UpdateAsync(UpdateSandboxRequest changes, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(SandboxCalls.Update(Id, changes).To(Adopt), cancellationToken);

    /// <inheritdoc cref="UpdateAsync"/>
    public Sandbox Update(UpdateSandboxRequest changes) => pipeline.Send(SandboxCalls.Update(Id, changes).To(Adopt));

    /// <summary>Replaces all labels.</summary>
    /// <param name="tags">The new labels; empty removes all.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>This sandbox, with the new <see cref="Info"/>.</returns>
    public Task<Sandbox> SetTagsAsync(IReadOnlyList<string> tags, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(SandboxCalls.SetTags(Id, tags).To(Adopt), cancellationToken);

    /// <inheritdoc cref="SetTagsAsync"/>
    public Sandbox SetTags(IReadOnlyList<string> tags) => pipeline.Send(SandboxCalls.SetTags(Id, tags).To(Adopt));

    /// <summary>Starts the life limit again from now, or sets a new one.</summary>
    /// <param name="timeout">The new limit, 1 s to 30 days, rounded up to whole seconds; default: the present one.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>This sandbox, with the new <see cref="Info"/>.</returns>
    public Task<Sandbox> ExtendAsync(TimeSpan? timeout = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(SandboxCalls.Extend(Id, timeout).To(Adopt), cancellationToken);

    /// <inheritdoc cref="ExtendAsync"/>
    public Sandbox Extend(TimeSpan? timeout = null) => pipeline.Send(SandboxCalls.Extend(Id, timeout).To(Adopt));

    /// <summary>Freezes it: memory and files are kept, no CPU is used. Pausing it again does no harm.</summary>
    /// <param name="memory">
    /// True writes the memory to disk, so that it takes none of the host's and survives a restart of the host; takes some tenths of a second, and longer the
    /// more memory is used. Only of persistent sandboxes with isolation <see cref="SandboxIsolation.Gvisor"/>, and not while commands run. Default false.
    /// </param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>This sandbox, paused.</returns>
    /// <exception cref="ConflictException">Its state does not allow it, or with <paramref name="memory"/>: commands run, it is not persistent, or it holds what cannot be written.</exception>
    /// <exception cref="ValidationException">With <paramref name="memory"/>: its isolation is another.</exception>
    public Task<Sandbox> PauseAsync(bool memory = false, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(SandboxCalls.Pause(Id, memory).To(Adopt), cancellationToken);

    /// <inheritdoc cref="PauseAsync"/>
    public Sandbox Pause(bool memory = false) => pipeline.Send(SandboxCalls.Pause(Id, memory).To(Adopt));

    /// <summary>Lets a paused sandbox go on where it was. Resuming a running one does no harm.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>This sandbox, running.</returns>
    /// <exception cref="ConflictException">Its state does not allow it.</exception>
    public Task<Sandbox> ResumeAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(ResumeCall(), cancellationToken);

    /// <inheritdoc cref="ResumeAsync"/>
    public Sandbox Resume() => pipeline.Send(ResumeCall());

    /// <summary>
    /// Makes a copy of this sandbox: its files as they are at this moment, its shape, environment and limits, under an id of its own. Processes are not copied;
    /// an entry point is started anew. It takes the same time at any size, and both are independent afterwards.
    /// </summary>
    /// <param name="request">What the copy should have of its own; default: all as here, without the name.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The copy, running.</returns>
    /// <exception cref="ConflictException">This sandbox is neither running nor paused, or the name or slug is taken.</exception>
    /// <exception cref="ValidationException">A field is faulty.</exception>
    /// <example>
    /// <code>
    /// await sandbox.RunAsync("pip install -r requirements.txt");
    /// await using Sandbox attempt = await sandbox.ForkAsync();   // has everything that was installed
    /// </code>
    /// </example>
    public Task<Sandbox> ForkAsync(ForkSandboxRequest? request = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ForkCall(request), cancellationToken);

    /// <inheritdoc cref="ForkAsync"/>
    public Sandbox Fork(ForkSandboxRequest? request = null) => pipeline.Send(ForkCall(request));

    /// <summary>Ends what runs in a persistent sandbox and keeps its files: it is paused then, and starts again at the next call or resume. Destroys any other.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>This sandbox, paused or destroyed.</returns>
    public Task<Sandbox> StopAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(SandboxCalls.Stop(Id).To(Adopt), cancellationToken);

    /// <inheritdoc cref="StopAsync"/>
    public Sandbox Stop() => pipeline.Send(SandboxCalls.Stop(Id).To(Adopt));

    /// <summary>Destroys it: its processes are killed and its files are gone. Destroying it again does no harm.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is destroyed.</returns>
    public Task DestroyAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(DestroyCall(), cancellationToken);

    /// <inheritdoc cref="DestroyAsync"/>
    public void Destroy() => pipeline.Send(DestroyCall());

    /// <summary>Waits until it accepts commands and its readiness probe passes. A created sandbox runs already; this is for probes and for handles from a list.</summary>
    /// <param name="timeout">The longest wait in all; default 30 s.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>This sandbox, with the new <see cref="Info"/>.</returns>
    /// <exception cref="TimeoutException">It is not ready in that time.</exception>
    /// <exception cref="MiosaException">It failed or is destroyed; <see cref="MiosaException.Code"/> is <c>error</c> or <c>destroyed</c>.</exception>
    public Task<Sandbox> WaitUntilReadyAsync(TimeSpan? timeout = null, CancellationToken cancellationToken = default)
        => new ReadinessWait(pipeline, Id).RunAsync(timeout ?? DefaultReadyWait, SandboxCalls.Get(Id).To(Adopt), async: true, cancellationToken).AsTask();

    /// <inheritdoc cref="WaitUntilReadyAsync"/>
    public Sandbox WaitUntilReady(TimeSpan? timeout = null) => Pipeline.Finished(
        new ReadinessWait(pipeline, Id).RunAsync(timeout ?? DefaultReadyWait, SandboxCalls.Get(Id).To(Adopt), async: false, CancellationToken.None));

    /// <summary>Destroys the sandbox, and swallows a failure of that: the server's limits end it later.</summary>
    public void Dispose()
    {
        if (State == SandboxState.Destroyed)
            return;
        try
        {
            Destroy();
        }
        catch (Exception e) when (e is MiosaException or ObjectDisposedException)
        {
            // Disposal must not hide the exception that ended the block.
        }
    }

    /// <summary>Destroys the sandbox, and swallows a failure of that: the server's limits end it later.</summary>
    /// <returns>Completes when it is destroyed, or could not be.</returns>
    public async ValueTask DisposeAsync()
    {
        if (State == SandboxState.Destroyed)
            return;
        try
        {
            await DestroyAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is MiosaException or ObjectDisposedException)
        {
            // Disposal must not hide the exception that ended the block.
        }
    }

    private Call<Sandbox> ForkCall(ForkSandboxRequest? request) => SandboxCalls.Fork(Id, request).To(copy => new Sandbox(pipeline, copy));

    internal Call<Sandbox> ResumeCall() => SandboxCalls.Resume(Id).To(Adopt);

    private static ExecRequest Shell(string command, string? cwd, IReadOnlyDictionary<string, string>? env, TimeSpan? timeout, string? stdin)
        => SandboxCalls.Command(Command.FromShell(command), cwd, env, timeout, stdin);

    private static ExecRequest Argv(IReadOnlyList<string> argv, string? cwd, IReadOnlyDictionary<string, string>? env, TimeSpan? timeout, string? stdin)
        => SandboxCalls.Command(Command.FromArgv(argv), cwd, env, timeout, stdin);

    private IEnumerable<ExecStreamEvent> Stream(ExecRequest request) => Feed.Enumerate(() => new ExecFeed(pipeline, Id, request));

    private IAsyncEnumerable<ExecStreamEvent> StreamAsync(ExecRequest request, CancellationToken ct)
        => Feed.EnumerateAsync(() => new ExecFeed(pipeline, Id, request), ct);

    // The server may answer a destroy with nothing at all.
    private Call<Sandbox> DestroyCall() => SandboxCalls.Destroy(Id).To(last => Adopt(last ?? info with { State = SandboxState.Destroyed, Ready = false }));

    private Sandbox Adopt(SandboxInfo latest)
    {
        info = latest;
        return this;
    }
}
