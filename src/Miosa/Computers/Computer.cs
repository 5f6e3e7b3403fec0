using Miosa.Http;

namespace Miosa;

/// <summary>
/// A computer: a persistent Linux machine with a graphical desktop that an agent sees and uses and a person can watch. The handle keeps the last
/// <see cref="Info"/> the server told; <c>Refresh</c> asks again. All members may be used by many threads at once.
/// <para>A computer lives on until it is deleted: there is nothing to dispose. A stopped one keeps its disk.</para>
/// </summary>
/// <example>
/// <code>
/// var computer = await client.Computers.CreateAsync(size: "small");
/// await computer.WaitUntilRunningAsync();
/// await computer.Desktop.LaunchAsync("chromium", ["https://example.com"]);
/// byte[] png = await computer.Desktop.ScreenshotAsync();
/// await computer.StopAsync();
/// </code>
/// </example>
public sealed class Computer
{
    private static readonly TimeSpan DefaultWait = TimeSpan.FromMinutes(5);

    private readonly Pipeline pipeline;
    private volatile ComputerInfo info;

    internal Computer(Pipeline pipeline, ComputerInfo info)
    {
        this.pipeline = pipeline;
        this.info = info;
        var machine = Machine.Computer(info.Id);
        Desktop = new ComputerDesktop(pipeline, info.Id);
        Files = new ComputerFiles(pipeline, machine);
        Terminals = new ComputerTerminals(pipeline, machine);
        Env = new ComputerEnv(pipeline, info.Id);
        Ports = new ComputerPorts(pipeline, info.Id);
        Snapshots = new ComputerSnapshots(pipeline, info.Id);
        Services = new ComputerServices(pipeline, info.Id);
        Events = new ComputerEvents(pipeline, info.Id);
    }

    /// <summary>Opaque id, <c>cmp_…</c>.</summary>
    public string Id => info.Id;

    /// <summary>One of <see cref="ComputerStatus"/> when the server was last asked.</summary>
    public string Status => info.Status;

    /// <summary>Display name.</summary>
    public string Name => info.Name;

    /// <summary>URL-safe name used in preview hosts.</summary>
    public string Slug => info.Slug;

    /// <summary>Everything the server told when it was last asked; replaced as a whole by the calls that change the computer and by <c>Refresh</c>.</summary>
    public ComputerInfo Info => info;

    /// <summary>Its screen, mouse and keyboard.</summary>
    public ComputerDesktop Desktop { get; }

    /// <summary>Read and write its files.</summary>
    public ComputerFiles Files { get; }

    /// <summary>Its terminals.</summary>
    public ComputerTerminals Terminals { get; }

    /// <summary>The environment variables of its later commands.</summary>
    public ComputerEnv Env { get; }

    /// <summary>Its ports that have a web address.</summary>
    public ComputerPorts Ports { get; }

    /// <summary>Keep its disk as it is at one moment.</summary>
    public ComputerSnapshots Snapshots { get; }

    /// <summary>Its background services.</summary>
    public ComputerServices Services { get; }

    /// <summary>Follow what happens on it.</summary>
    public ComputerEvents Events { get; }

    /// <summary>Runs a shell string and waits for its end. It is not retried once it may have begun.</summary>
    /// <param name="command">Runs through <c>bash -c</c> in the environment of a login shell, as the user of the desktop: it can start graphical programs.</param>
    /// <param name="cwd">Working folder; default: the home of the desktop's user.</param>
    /// <param name="env">Extra environment for this command.</param>
    /// <param name="timeout">Time limit of the command; at the limit its whole process tree is killed and the exit code is 124. Default 30 s, at most the server's (3600 s).</param>
    /// <param name="cancellationToken">Ends the wait and kills the command.</param>
    /// <returns>How it ended; a non-zero exit code is a result, not an error.</returns>
    /// <exception cref="ConflictException">The computer does not run.</exception>
    /// <exception cref="NotFoundException">The computer is gone.</exception>
    /// <exception cref="ConnectionException">No answer; the command may or may not have run.</exception>
    public Task<ExecResult> RunAsync(
        string command, string? cwd = null, IReadOnlyDictionary<string, string>? env = null, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.Exec(Id, command, cwd, env, timeout), cancellationToken);

    /// <inheritdoc cref="RunAsync"/>
    public ExecResult Run(string command, string? cwd = null, IReadOnlyDictionary<string, string>? env = null, TimeSpan? timeout = null)
        => pipeline.Send(ComputerCalls.Exec(Id, command, cwd, env, timeout));

    /// <summary>Starts a command to talk to: type while it runs, read its output as it comes. It ends with the connection.</summary>
    /// <param name="command">Runs through <c>bash -c</c> in the environment of a login shell.</param>
    /// <param name="pty">True: in a terminal of its own, as a shell or an editor wants it. Default false: plain pipes, the two outputs apart.</param>
    /// <param name="cols">Columns of the terminal, 1 to 1000.</param>
    /// <param name="rows">Rows of the terminal, 1 to 1000.</param>
    /// <param name="cwd">Working folder; default: the home of the desktop's user.</param>
    /// <param name="env">Extra environment for this command.</param>
    /// <param name="timeout">Time limit of the command; default and maximum: the server's (3600 s).</param>
    /// <param name="cancellationToken">Ends the attempt; it does not end a command that has begun.</param>
    /// <returns>The command, to be disposed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The time limit is not positive, or the size is not 1 to 1000.</exception>
    /// <exception cref="ValidationException">The time limit is more than the server's, or the environment too large.</exception>
    /// <exception cref="ConflictException">The computer does not run.</exception>
    /// <exception cref="NotFoundException">The computer is gone.</exception>
    /// <exception cref="ConnectionException">The server could not be reached.</exception>
    public Task<CommandStream> SpawnAsync(
        string command, bool pty = false, int cols = 80, int rows = 24, string? cwd = null, IReadOnlyDictionary<string, string>? env = null, TimeSpan? timeout = null,
        CancellationToken cancellationToken = default)
        => CommandStream.OpenAsync(pipeline, ComputerCalls.Path(Id), command, pty, cols, rows, cwd, env, timeout, cancellationToken);

    /// <summary>Runs a Python 3 program and waits for its end; otherwise like <see cref="RunAsync"/>.</summary>
    /// <param name="code">The program.</param>
    /// <param name="cwd">Working folder; default: the home of the desktop's user.</param>
    /// <param name="env">Extra environment for this program.</param>
    /// <param name="timeout">Time limit of the program; default 30 s, at most the server's (3600 s).</param>
    /// <param name="cancellationToken">Ends the wait and kills the program.</param>
    /// <returns>How it ended; a traceback stands in <see cref="ExecResult.Stderr"/>.</returns>
    public Task<ExecResult> RunPythonAsync(
        string code, string? cwd = null, IReadOnlyDictionary<string, string>? env = null, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.ExecPython(Id, code, cwd, env, timeout), cancellationToken);

    /// <inheritdoc cref="RunPythonAsync"/>
    public ExecResult RunPython(string code, string? cwd = null, IReadOnlyDictionary<string, string>? env = null, TimeSpan? timeout = null)
        => pipeline.Send(ComputerCalls.ExecPython(Id, code, cwd, env, timeout));

    /// <summary>Asks the server again and replaces <see cref="Info"/>.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>This computer.</returns>
    /// <exception cref="NotFoundException">The tenant has no such computer any more.</exception>
    public Task<Computer> RefreshAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(RefreshCall(), cancellationToken);

    /// <inheritdoc cref="RefreshAsync"/>
    public Computer Refresh() => pipeline.Send(RefreshCall());

    /// <summary>Waits until it runs, which means that its desktop was seen to work: a screenshot was taken.</summary>
    /// <param name="timeout">The longest wait in all; default 5 minutes.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>This computer, running.</returns>
    /// <exception cref="TimeoutException">It does not run in that time; the message tells its status.</exception>
    /// <exception cref="MiosaException">It failed; <see cref="MiosaException.Code"/> is <c>error</c>.</exception>
    /// <exception cref="NotFoundException">It is deleted.</exception>
    public Task<Computer> WaitUntilRunningAsync(TimeSpan? timeout = null, CancellationToken cancellationToken = default)
        => new ComputerWait(pipeline, Id, ComputerStatus.Running).RunAsync(timeout ?? DefaultWait, RefreshCall(), async: true, cancellationToken).AsTask();

    /// <inheritdoc cref="WaitUntilRunningAsync"/>
    public Computer WaitUntilRunning(TimeSpan? timeout = null) => Pipeline.Finished(
        new ComputerWait(pipeline, Id, ComputerStatus.Running).RunAsync(timeout ?? DefaultWait, RefreshCall(), async: false, CancellationToken.None));

    /// <summary>Waits until it is stopped and its disk is kept.</summary>
    /// <param name="timeout">The longest wait in all; default 5 minutes.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>This computer, stopped.</returns>
    /// <exception cref="TimeoutException">It is not stopped in that time; the message tells its status.</exception>
    /// <exception cref="MiosaException">It failed; <see cref="MiosaException.Code"/> is <c>error</c>.</exception>
    /// <exception cref="NotFoundException">It is deleted.</exception>
    public Task<Computer> WaitUntilStoppedAsync(TimeSpan? timeout = null, CancellationToken cancellationToken = default)
        => new ComputerWait(pipeline, Id, ComputerStatus.Stopped).RunAsync(timeout ?? DefaultWait, RefreshCall(), async: true, cancellationToken).AsTask();

    /// <inheritdoc cref="WaitUntilStoppedAsync"/>
    public Computer WaitUntilStopped(TimeSpan? timeout = null) => Pipeline.Finished(
        new ComputerWait(pipeline, Id, ComputerStatus.Stopped).RunAsync(timeout ?? DefaultWait, RefreshCall(), async: false, CancellationToken.None));

    /// <summary>Changes the fields that are not null.</summary>
    /// <param name="changes">The fields to change.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>This computer, with the new <see cref="Info"/>.</returns>
    /// <exception cref="ValidationException">A field is faulty.</exception>
    /// <exception cref="ConflictException">The name or slug is taken.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<Computer> UpdateAsync(UpdateComputerRequest changes, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.Update(Id, changes).To(Adopt), cancellationToken);

    /// <inheritdoc cref="UpdateAsync"/>
    public Computer Update(UpdateComputerRequest changes) => pipeline.Send(ComputerCalls.Update(Id, changes).To(Adopt));

    /// <summary>Destroys the computer, running or not, and its disk. Deleting it again does no harm.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is destroyed.</returns>
    public Task DeleteAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(ComputerCalls.Delete(Id), cancellationToken);

    /// <inheritdoc cref="DeleteAsync"/>
    public void Delete() => pipeline.Send(ComputerCalls.Delete(Id));

    /// <summary>Boots a stopped computer; its desktop comes back with the files that were there. Starting a running one does no harm.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>This computer, <c>starting</c> or <c>running</c>.</returns>
    /// <exception cref="ConflictException">Its status does not allow it.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<Computer> StartAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(ComputerCalls.Start(Id).To(Adopt), cancellationToken);

    /// <inheritdoc cref="StartAsync"/>
    public Computer Start() => pipeline.Send(ComputerCalls.Start(Id).To(Adopt));

    /// <summary>Shuts the computer down: what runs ends, its disk is kept, and it costs no memory. Stopping a stopped one does no harm.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>This computer, <c>stopping</c> or <c>stopped</c>.</returns>
    /// <exception cref="ConflictException">Its status does not allow it.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<Computer> StopAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(ComputerCalls.Stop(Id).To(Adopt), cancellationToken);

    /// <inheritdoc cref="StopAsync"/>
    public Computer Stop() => pipeline.Send(ComputerCalls.Stop(Id).To(Adopt));

    /// <summary>Reboots the computer.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>This computer, <c>starting</c> or <c>running</c>.</returns>
    /// <exception cref="ConflictException">Its status does not allow it.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<Computer> RestartAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(ComputerCalls.Restart(Id).To(Adopt), cancellationToken);

    /// <inheritdoc cref="RestartAsync"/>
    public Computer Restart() => pipeline.Send(ComputerCalls.Restart(Id).To(Adopt));

    /// <summary>Makes a new computer with a copy of this one's disk as it is now, and its settings. It boots by itself; what runs here is not copied.</summary>
    /// <param name="request">What the copy has of its own; default: all as here.</param>
    /// <param name="idempotencyKey">1 to 255 characters; default: a new one for every call.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The new computer.</returns>
    /// <exception cref="ConflictException">The name is taken.</exception>
    /// <exception cref="PermissionException">A quota is used up.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<Computer> CloneAsync(CloneComputerRequest? request = null, string? idempotencyKey = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(CloneCall(request, idempotencyKey), cancellationToken);

    /// <inheritdoc cref="CloneAsync"/>
    public Computer Clone(CloneComputerRequest? request = null, string? idempotencyKey = null) => pipeline.Send(CloneCall(request, idempotencyKey));

    /// <summary>Changes its hardware: a named size, or single figures. A disk can only grow.</summary>
    /// <param name="request">The new size or figures.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>This computer, with the new <see cref="Info"/>.</returns>
    /// <exception cref="ValidationException">There is no such size, or the disk would shrink.</exception>
    /// <exception cref="PermissionException">A quota is used up.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<Computer> ResizeAsync(ResizeComputerRequest request, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.Resize(Id, request).To(Adopt), cancellationToken);

    /// <inheritdoc cref="ResizeAsync"/>
    public Computer Resize(ResizeComputerRequest request) => pipeline.Send(ComputerCalls.Resize(Id, request).To(Adopt));

    /// <summary>Moves the computer to another region. A server has one region: its own is accepted and changes nothing.</summary>
    /// <param name="region">Slug of the region.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>This computer.</returns>
    /// <exception cref="ValidationException">There is no such region.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<Computer> MoveAsync(string region, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.Move(Id, region).To(Adopt), cancellationToken);

    /// <inheritdoc cref="MoveAsync"/>
    public Computer Move(string region) => pipeline.Send(ComputerCalls.Move(Id, region).To(Adopt));

    /// <summary>How a viewer reaches the live desktop: RFB over a WebSocket of the server, with a new token as the password.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Addresses and password; whoever has them can control the desktop for an hour.</returns>
    /// <exception cref="ConflictException">The computer does not run or has no desktop.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<ComputerVncCredentials> GetVncCredentialsAsync(CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.VncCredentials(Id), cancellationToken);

    /// <inheritdoc cref="GetVncCredentialsAsync"/>
    public ComputerVncCredentials GetVncCredentials() => pipeline.Send(ComputerCalls.VncCredentials(Id));

    /// <summary>Makes a ticket for the live desktop: a page for a browser or an iframe, and a WebSocket.</summary>
    /// <param name="expiresIn">Its life, 1 s to 24 h, rounded up to seconds; default one hour.</param>
    /// <param name="readOnly">True: whoever has it may look and not touch; the server drops the rest. Default false.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The ticket and the addresses with it.</returns>
    /// <exception cref="ConflictException">The computer does not run or has no desktop.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<ComputerStreamToken> CreateStreamTokenAsync(TimeSpan? expiresIn = null, bool readOnly = false, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.StreamToken(Id, expiresIn, readOnly), cancellationToken);

    /// <inheritdoc cref="CreateStreamTokenAsync"/>
    public ComputerStreamToken CreateStreamToken(TimeSpan? expiresIn = null, bool readOnly = false)
        => pipeline.Send(ComputerCalls.StreamToken(Id, expiresIn, readOnly));

    /// <summary>The web addresses of the computer: its desktop and its exposed ports.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The addresses.</returns>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<ComputerUrls> GetUrlsAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(ComputerCalls.Urls(Id), cancellationToken);

    /// <inheritdoc cref="GetUrlsAsync"/>
    public ComputerUrls GetUrls() => pipeline.Send(ComputerCalls.Urls(Id));

    /// <summary>The applications of the computer; their ids are what <see cref="ComputerDesktop.LaunchAsync"/> takes.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The applications.</returns>
    /// <exception cref="ConflictException">The computer does not run.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<IReadOnlyList<ComputerApp>> ListAppsAsync(CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.Apps(Id), cancellationToken);

    /// <inheritdoc cref="ListAppsAsync"/>
    public IReadOnlyList<ComputerApp> ListApps() => pipeline.Send(ComputerCalls.Apps(Id));

    /// <summary>After what idle time the computer is stopped.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The policy, and when it would be stopped.</returns>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<ComputerAutoStop> GetAutoStopAsync(CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.AutoStop(Id), cancellationToken);

    /// <inheritdoc cref="GetAutoStopAsync"/>
    public ComputerAutoStop GetAutoStop() => pipeline.Send(ComputerCalls.AutoStop(Id));

    /// <summary>Sets after what idle time the computer is stopped.</summary>
    /// <param name="after">Time without a call, a viewer or input, 1 s to 30 days, rounded up to seconds; null switches it off.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The policy.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The time is shorter than a second.</exception>
    /// <exception cref="ValidationException">The time is longer than 30 days.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<ComputerAutoStop> SetAutoStopAsync(TimeSpan? after, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.SetAutoStop(Id, after), cancellationToken);

    /// <inheritdoc cref="SetAutoStopAsync"/>
    public ComputerAutoStop SetAutoStop(TimeSpan? after) => pipeline.Send(ComputerCalls.SetAutoStop(Id, after));

    /// <summary>What the computer uses and has used: CPU, memory, disk, network. One that is stopped tells what is kept.</summary>
    /// <param name="window">How far back, a number with m, h or d, such as <c>15m</c>; default <c>1h</c>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The figures of now and the samples.</returns>
    /// <exception cref="ValidationException">The window cannot be read or is too long.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<ComputerMetrics> GetMetricsAsync(string? window = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.Metrics(Id, window), cancellationToken);

    /// <inheritdoc cref="GetMetricsAsync"/>
    public ComputerMetrics GetMetrics(string? window = null) => pipeline.Send(ComputerCalls.Metrics(Id, window));

    /// <summary>An address of the live desktop for a page that shows it in a frame.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The address, good for looking on, and its end.</returns>
    /// <exception cref="ConflictException">The computer does not run or has no desktop.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<ComputerEmbed> GetEmbedAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(ComputerCalls.Embed(Id), cancellationToken);

    /// <inheritdoc cref="GetEmbedAsync"/>
    public ComputerEmbed GetEmbed() => pipeline.Send(ComputerCalls.Embed(Id));

    /// <summary>Whether the viewer page can be opened with a password.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Whether there is one, and since when; never the password itself.</returns>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<ComputerViewerPassword> GetViewerPasswordAsync(CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.ViewerPassword(Id), cancellationToken);

    /// <inheritdoc cref="GetViewerPasswordAsync"/>
    public ComputerViewerPassword GetViewerPassword() => pipeline.Send(ComputerCalls.ViewerPassword(Id));

    /// <summary>Makes a new viewer password; the old one opens nothing any more. It is not tried again once it may have happened.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The password, which is told only here.</returns>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<ComputerViewerPasswordRotation> RotateViewerPasswordAsync(CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.RotateViewerPassword(Id), cancellationToken);

    /// <inheritdoc cref="RotateViewerPasswordAsync"/>
    public ComputerViewerPasswordRotation RotateViewerPassword() => pipeline.Send(ComputerCalls.RotateViewerPassword(Id));

    /// <summary>The last lines that its services and other background processes have printed.</summary>
    /// <param name="lines">How many, 1 to 10,000; default 100.</param>
    /// <param name="since">Only lines printed after this moment; default: any.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The lines.</returns>
    /// <exception cref="ValidationException">The number of lines is out of range.</exception>
    /// <exception cref="ConflictException">The computer does not run.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<ComputerLogs> GetLogsAsync(int lines = 100, DateTimeOffset? since = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.Logs(Id, lines, since), cancellationToken);

    /// <inheritdoc cref="GetLogsAsync"/>
    public ComputerLogs GetLogs(int lines = 100, DateTimeOffset? since = null) => pipeline.Send(ComputerCalls.Logs(Id, lines, since));

    /// <summary>What its services and other background processes print from now on, line by line. It does not connect again by itself.</summary>
    /// <param name="cancellationToken">Ends the loop.</param>
    /// <returns>The lines as they come, until the computer stops.</returns>
    /// <exception cref="ConflictException">The computer does not run.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    /// <exception cref="ConnectionException">The connection dropped.</exception>
    public IAsyncEnumerable<ComputerLogLine> StreamLogsAsync(CancellationToken cancellationToken = default)
        => Feed.EnumerateAsync(() => new LogLineFeed(pipeline, ComputerCalls.LogsStream(Id)), cancellationToken);

    /// <inheritdoc cref="StreamLogsAsync"/>
    public IEnumerable<ComputerLogLine> StreamLogs() => Feed.Enumerate(() => new LogLineFeed(pipeline, ComputerCalls.LogsStream(Id)));

    /// <summary>What it may reach in the internet.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The policy; everything is allowed when none was set.</returns>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<ComputerNetworkPolicy> GetNetworkPolicyAsync(CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.NetworkPolicy(Id), cancellationToken);

    /// <inheritdoc cref="GetNetworkPolicyAsync"/>
    public ComputerNetworkPolicy GetNetworkPolicy() => pipeline.Send(ComputerCalls.NetworkPolicy(Id));

    /// <summary>Says what it may reach in the internet from now on, running or not.</summary>
    /// <param name="policy">The rules, looked at from the first to the last, and what holds where none does.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The policy.</returns>
    /// <exception cref="ValidationException">A rule is faulty or cannot be kept; the message names it.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<ComputerNetworkPolicy> SetNetworkPolicyAsync(ComputerNetworkPolicyRequest policy, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.SetNetworkPolicy(Id, policy), cancellationToken);

    /// <inheritdoc cref="SetNetworkPolicyAsync"/>
    public ComputerNetworkPolicy SetNetworkPolicy(ComputerNetworkPolicyRequest policy) => pipeline.Send(ComputerCalls.SetNetworkPolicy(Id, policy));

    /// <summary>Lets it reach everything in the internet again.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it may.</returns>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task ResetNetworkPolicyAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(ComputerCalls.ResetNetworkPolicy(Id), cancellationToken);

    /// <inheritdoc cref="ResetNetworkPolicyAsync"/>
    public void ResetNetworkPolicy() => pipeline.Send(ComputerCalls.ResetNetworkPolicy(Id));

    private Call<Computer> RefreshCall() => ComputerCalls.Get(Id).To(Adopt);

    private Call<Computer> CloneCall(CloneComputerRequest? request, string? idempotencyKey) => ComputerCalls.Clone(Id, request, idempotencyKey).To(copy => new Computer(pipeline, copy));

    private Computer Adopt(ComputerInfo latest)
    {
        info = latest;
        return this;
    }
}
