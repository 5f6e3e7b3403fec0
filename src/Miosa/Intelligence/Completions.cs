using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Http;

namespace Miosa;

/// <summary>Answers of language models, whole or in pieces. Needs the scope <c>intelligence:use</c>.</summary>
/// <example>
/// <code>
/// await foreach (var chunk in client.Completions.StreamAsync("qwen3:32b", [CompletionMessage.User("Hello")]))
///     Console.Write(chunk.Delta);
/// </code>
/// </example>
public sealed class Completions
{
    private const string Path = "/intelligence/completions";

    private readonly Pipeline pipeline;

    internal Completions(Pipeline pipeline) => this.pipeline = pipeline;

    /// <summary>The answer to a conversation.</summary>
    /// <param name="model">Id of the model.</param>
    /// <param name="messages">The conversation, not empty.</param>
    /// <param name="maxTokens">Most tokens of the answer, 1 to 1,000,000; default: the provider's.</param>
    /// <param name="temperature">How freely words are chosen, 0 to 2; default: the provider's.</param>
    /// <param name="user">Your user whose usage it is.</param>
    /// <param name="cancellationToken">Ends the wait, and the provider's work.</param>
    /// <returns>The answer. One that takes longer than <see cref="MiosaOptions.Timeout"/> should be streamed.</returns>
    /// <exception cref="NotFoundException">There is no such model; the message names those there are.</exception>
    /// <exception cref="ValidationException">A field is out of bounds, or the provider refused it.</exception>
    /// <exception cref="InsufficientCreditsException">No credits are left.</exception>
    /// <exception cref="ServerException">No provider is configured, or it failed; the message says which.</exception>
    public Task<Completion> CreateAsync(
        string model, IReadOnlyList<CompletionMessage> messages, int? maxTokens = null, double? temperature = null, string? user = null, CancellationToken cancellationToken = default)
        => CreateAsync(Of(model, messages, maxTokens, temperature, user), cancellationToken);

    /// <inheritdoc cref="CreateAsync(string, IReadOnlyList{CompletionMessage}, int?, double?, string?, CancellationToken)"/>
    public Completion Create(string model, IReadOnlyList<CompletionMessage> messages, int? maxTokens = null, double? temperature = null, string? user = null)
        => Create(Of(model, messages, maxTokens, temperature, user));

    /// <inheritdoc cref="CreateAsync(string, IReadOnlyList{CompletionMessage}, int?, double?, string?, CancellationToken)"/>
    /// <param name="request">All that can be asked for.</param>
    /// <param name="cancellationToken">Ends the wait, and the provider's work.</param>
    public Task<Completion> CreateAsync(CompletionRequest request, CancellationToken cancellationToken = default) => pipeline.SendAsync(CreateCall(request), cancellationToken);

    /// <inheritdoc cref="CreateAsync(CompletionRequest, CancellationToken)"/>
    public Completion Create(CompletionRequest request) => pipeline.Send(CreateCall(request));

    /// <summary>The answer to a conversation, piece by piece as the model writes it. Leaving the loop ends the provider's work.</summary>
    /// <param name="model">Id of the model.</param>
    /// <param name="messages">The conversation, not empty.</param>
    /// <param name="maxTokens">Most tokens of the answer, 1 to 1,000,000; default: the provider's.</param>
    /// <param name="temperature">How freely words are chosen, 0 to 2; default: the provider's.</param>
    /// <param name="user">Your user whose usage it is.</param>
    /// <param name="cancellationToken">Ends the stream, and the provider's work.</param>
    /// <returns>The pieces; the last one has the usage. They are read once, by one reader.</returns>
    /// <exception cref="NotFoundException">There is no such model; the message names those there are.</exception>
    /// <exception cref="ValidationException">A field is out of bounds, or the provider refused it.</exception>
    /// <exception cref="InsufficientCreditsException">No credits are left.</exception>
    /// <exception cref="ServerException">No provider is configured, or it failed before its first byte.</exception>
    /// <exception cref="MiosaException">The provider failed in the middle of its answer; the pieces so far are good.</exception>
    public IAsyncEnumerable<CompletionChunk> StreamAsync(
        string model, IReadOnlyList<CompletionMessage> messages, int? maxTokens = null, double? temperature = null, string? user = null, CancellationToken cancellationToken = default)
        => StreamAsync(Of(model, messages, maxTokens, temperature, user), cancellationToken);

    /// <inheritdoc cref="StreamAsync(string, IReadOnlyList{CompletionMessage}, int?, double?, string?, CancellationToken)"/>
    public IEnumerable<CompletionChunk> Stream(string model, IReadOnlyList<CompletionMessage> messages, int? maxTokens = null, double? temperature = null, string? user = null)
        => Stream(Of(model, messages, maxTokens, temperature, user));

    /// <inheritdoc cref="StreamAsync(string, IReadOnlyList{CompletionMessage}, int?, double?, string?, CancellationToken)"/>
    /// <param name="request">All that can be asked for.</param>
    /// <param name="cancellationToken">Ends the stream, and the provider's work.</param>
    public IAsyncEnumerable<CompletionChunk> StreamAsync(CompletionRequest request, CancellationToken cancellationToken = default)
    {
        var call = StreamCall(request);
        return Feed.EnumerateAsync(() => new CompletionFeed(pipeline, call), cancellationToken);
    }

    /// <inheritdoc cref="StreamAsync(CompletionRequest, CancellationToken)"/>
    public IEnumerable<CompletionChunk> Stream(CompletionRequest request)
    {
        var call = StreamCall(request);
        return Feed.Enumerate(() => new CompletionFeed(pipeline, call));
    }

    private static CompletionRequest Of(string model, IReadOnlyList<CompletionMessage> messages, int? maxTokens, double? temperature, string? user)
    {
        ArgumentNullException.ThrowIfNull(messages);
        return new() { Model = model, Messages = messages, MaxTokens = maxTokens, Temperature = temperature, User = user };
    }

    private static Call<Completion> CreateCall(CompletionRequest request) => new(HttpMethod.Post, Path, static answer => answer.Whole(WireJson.Default.Completion))
    {
        Json = BodyOf(request, streams: false),
        Repeat = Repeat.UnlessBegun,
    };

    private static Call StreamCall(CompletionRequest request) => new(HttpMethod.Post, Path)
    {
        Json = BodyOf(request, streams: true),
        Repeat = Repeat.UnlessBegun,
        Accept = "text/event-stream",
        IsKeptAlive = true,
    };

    private static byte[] BodyOf(CompletionRequest request, bool streams)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentException.ThrowIfNullOrEmpty(request.Model);
        if (request.Messages is null && request.Prompt is null)
            throw new ArgumentException("a completion needs messages or a prompt", nameof(request));
        var body = Intelligence.Merged(JsonSerializer.SerializeToNode(request, RequestJson.Default.CompletionRequest), request.Extra);
        if (streams)
        {
            body["stream"] = true;
            body["stream_options"] ??= new JsonObject { ["include_usage"] = true };
        }
        return Call.Body(body, WireJson.Default.JsonObject);
    }
}
