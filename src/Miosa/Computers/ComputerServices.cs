using System.Globalization;
using Miosa.Http;

namespace Miosa;

/// <summary>
/// The background services of one computer: programs that the server keeps and starts whenever the computer starts.
/// </summary>
/// <example>
/// <code>
/// var web = await computer.Services.CreateAsync(new() { Name = "web", Command = "python3 -m http.server 8000", RestartPolicy = ComputerServiceRestart.Always });
/// await foreach (var line in computer.Services.StreamLogsAsync(web.Id, follow: true))
///     Console.WriteLine(line.Line);
/// </code>
/// </example>
public sealed class ComputerServices
{
    private readonly Pipeline pipeline;
    private readonly string id;

    internal ComputerServices(Pipeline pipeline, string id) => (this.pipeline, this.id) = (pipeline, id);

    private string Path => ComputerCalls.Path(id) + "/services";

    /// <summary>Registers a service and starts it.</summary>
    /// <param name="request">Name, command, environment, what to do when it ends.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The service.</returns>
    /// <exception cref="ValidationException">A field is faulty.</exception>
    /// <exception cref="ConflictException">The name is taken, or the computer does not run.</exception>
    public Task<ComputerService> CreateAsync(CreateComputerServiceRequest request, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(CreateCall(request), cancellationToken);

    /// <inheritdoc cref="CreateAsync"/>
    public ComputerService Create(CreateComputerServiceRequest request) => pipeline.Send(CreateCall(request));

    /// <summary>All services of the computer, whether it runs or not.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The services; empty when there are none.</returns>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<IReadOnlyList<ComputerService>> ListAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(ListCall(), cancellationToken);

    /// <inheritdoc cref="ListAsync"/>
    public IReadOnlyList<ComputerService> List() => pipeline.Send(ListCall());

    /// <summary>One service.</summary>
    /// <param name="serviceId">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The service.</returns>
    /// <exception cref="NotFoundException">The computer has no such service.</exception>
    public Task<ComputerService> GetAsync(string serviceId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(GetCall(serviceId), cancellationToken);

    /// <inheritdoc cref="GetAsync"/>
    public ComputerService Get(string serviceId) => pipeline.Send(GetCall(serviceId));

    /// <summary>Removes a service; a running one is stopped first.</summary>
    /// <param name="serviceId">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is gone.</returns>
    /// <exception cref="NotFoundException">The computer has no such service.</exception>
    public Task DeleteAsync(string serviceId, CancellationToken cancellationToken = default) => pipeline.SendAsync(DeleteCall(serviceId), cancellationToken);

    /// <inheritdoc cref="DeleteAsync"/>
    public void Delete(string serviceId) => pipeline.Send(DeleteCall(serviceId));

    /// <summary>Starts a service. Starting a running one does no harm.</summary>
    /// <param name="serviceId">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The service as it is then.</returns>
    /// <exception cref="NotFoundException">The computer has no such service.</exception>
    /// <exception cref="ConflictException">The computer does not run.</exception>
    public Task<ComputerService> StartAsync(string serviceId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(VerbCall(serviceId, "start"), cancellationToken);

    /// <inheritdoc cref="StartAsync"/>
    public ComputerService Start(string serviceId) => pipeline.Send(VerbCall(serviceId, "start"));

    /// <summary>Stops a service and everything it has started, until it is started again. Stopping a stopped one does no harm.</summary>
    /// <param name="serviceId">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The service as it is then.</returns>
    /// <exception cref="NotFoundException">The computer has no such service.</exception>
    public Task<ComputerService> StopAsync(string serviceId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(VerbCall(serviceId, "stop"), cancellationToken);

    /// <inheritdoc cref="StopAsync"/>
    public ComputerService Stop(string serviceId) => pipeline.Send(VerbCall(serviceId, "stop"));

    /// <summary>Stops a service and starts it again.</summary>
    /// <param name="serviceId">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The service as it is then.</returns>
    /// <exception cref="NotFoundException">The computer has no such service.</exception>
    /// <exception cref="ConflictException">The computer does not run.</exception>
    public Task<ComputerService> RestartAsync(string serviceId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(VerbCall(serviceId, "restart"), cancellationToken);

    /// <inheritdoc cref="RestartAsync"/>
    public ComputerService Restart(string serviceId) => pipeline.Send(VerbCall(serviceId, "restart"));

    /// <summary>What a service has printed, line by line. It does not connect again by itself.</summary>
    /// <param name="serviceId">Its id.</param>
    /// <param name="follow">True: go on with what it prints from now on, until the service is removed or the loop is left. Default false.</param>
    /// <param name="tail">Kept lines to begin with, at least 0; default: all.</param>
    /// <param name="cancellationToken">Ends the loop.</param>
    /// <returns>The lines, oldest first.</returns>
    /// <exception cref="NotFoundException">The computer has no such service.</exception>
    /// <exception cref="ConnectionException">The connection dropped.</exception>
    public IAsyncEnumerable<ComputerLogLine> StreamLogsAsync(string serviceId, bool follow = false, int? tail = null, CancellationToken cancellationToken = default)
        => Feed.EnumerateAsync(() => new LogLineFeed(pipeline, LogsCall(serviceId, follow, tail)), cancellationToken);

    /// <inheritdoc cref="StreamLogsAsync"/>
    public IEnumerable<ComputerLogLine> StreamLogs(string serviceId, bool follow = false, int? tail = null)
        => Feed.Enumerate(() => new LogLineFeed(pipeline, LogsCall(serviceId, follow, tail)));

    private string PathOf(string serviceId) => Call.Item(Path, serviceId);

    private Call<ComputerService> CreateCall(CreateComputerServiceRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return new(HttpMethod.Post, Path, One)
        {
            Json = Call.Body(request, RequestJson.Default.CreateComputerServiceRequest),
            IdempotencyKey = Guid.NewGuid().ToString(),
        };
    }

    private Call<IReadOnlyList<ComputerService>> ListCall() => new(HttpMethod.Get, Path, static answer => answer.Whole(WireJson.Default.ComputerServiceList).Data);

    private Call<ComputerService> GetCall(string serviceId) => new(HttpMethod.Get, PathOf(serviceId), One);

    private Call<bool> DeleteCall(string serviceId) => new(HttpMethod.Delete, PathOf(serviceId), Answer.Nothing);

    private Call<ComputerService> VerbCall(string serviceId, string verb) => new(HttpMethod.Post, PathOf(serviceId) + "/" + verb, One)
    {
        Repeat = verb == "restart" ? Repeat.UnlessBegun : Repeat.Freely,
    };

    private Call LogsCall(string serviceId, bool follow, int? tail)
    {
        if (tail is { } lines)
            ArgumentOutOfRangeException.ThrowIfNegative(lines, nameof(tail));
        var path = Call.Query(PathOf(serviceId) + "/logs", ("follow", follow ? "true" : "false"), ("tail", tail?.ToString(CultureInfo.InvariantCulture)));
        return new(HttpMethod.Get, path) { Accept = "text/event-stream", IsKeptAlive = true };
    }

    private static ComputerService One(Answer answer) => answer.Object(WireJson.Default.ComputerService);
}
