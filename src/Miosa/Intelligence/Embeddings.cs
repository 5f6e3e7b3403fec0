using System.Text.Json;
using Miosa.Http;

namespace Miosa;

/// <summary>Vectors of texts: what means the same lies in the same direction. Needs the scope <c>intelligence:use</c>.</summary>
/// <example>
/// <code>
/// var result = await client.Embeddings.CreateAsync(Embeddings.DefaultModel, "The quick brown fox");
/// IReadOnlyList&lt;float&gt; vector = result.Embeddings[0];
/// </code>
/// </example>
public sealed class Embeddings
{
    /// <summary>The model that every server has, without any provider: 96 numbers for a text, English words.</summary>
    public const string DefaultModel = "miosa-embed-small";

    private const string Path = "/intelligence/embeddings";

    private readonly Pipeline pipeline;

    internal Embeddings(Pipeline pipeline) => this.pipeline = pipeline;

    /// <summary>The vector of a text.</summary>
    /// <param name="model">Id of the model, such as <see cref="DefaultModel"/>.</param>
    /// <param name="input">The text, not empty.</param>
    /// <param name="user">Your user whose usage it is.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>One vector.</returns>
    /// <exception cref="NotFoundException">There is no such model; the message names those there are.</exception>
    /// <exception cref="ValidationException">The input is empty or too long.</exception>
    /// <exception cref="InsufficientCreditsException">No credits are left.</exception>
    public Task<EmbeddingResult> CreateAsync(string model, string input, string? user = null, CancellationToken cancellationToken = default)
        => CreateAsync(Of(model, [input], user), cancellationToken);

    /// <inheritdoc cref="CreateAsync(string, string, string?, CancellationToken)"/>
    public EmbeddingResult Create(string model, string input, string? user = null) => Create(Of(model, [input], user));

    /// <summary>The vectors of several texts in one call.</summary>
    /// <param name="model">Id of the model.</param>
    /// <param name="input">The texts, 1 to 2,048, none of them empty.</param>
    /// <param name="user">Your user whose usage it is.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>One vector for each text, in their order.</returns>
    /// <exception cref="NotFoundException">There is no such model; the message names those there are.</exception>
    /// <exception cref="ValidationException">There are too many texts, or one is empty.</exception>
    /// <exception cref="InsufficientCreditsException">No credits are left.</exception>
    public Task<EmbeddingResult> CreateAsync(string model, IReadOnlyList<string> input, string? user = null, CancellationToken cancellationToken = default)
        => CreateAsync(Of(model, input, user), cancellationToken);

    /// <inheritdoc cref="CreateAsync(string, IReadOnlyList{string}, string?, CancellationToken)"/>
    public EmbeddingResult Create(string model, IReadOnlyList<string> input, string? user = null) => Create(Of(model, input, user));

    /// <inheritdoc cref="CreateAsync(string, IReadOnlyList{string}, string?, CancellationToken)"/>
    /// <param name="request">All that can be asked for.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task<EmbeddingResult> CreateAsync(EmbeddingRequest request, CancellationToken cancellationToken = default) => pipeline.SendAsync(CreateCall(request), cancellationToken);

    /// <inheritdoc cref="CreateAsync(EmbeddingRequest, CancellationToken)"/>
    public EmbeddingResult Create(EmbeddingRequest request) => pipeline.Send(CreateCall(request));

    private static EmbeddingRequest Of(string model, IReadOnlyList<string> input, string? user) => new() { Model = model, Input = input, User = user };

    private static Call<EmbeddingResult> CreateCall(EmbeddingRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentException.ThrowIfNullOrEmpty(request.Model);
        ArgumentNullException.ThrowIfNull(request.Input);
        var body = Intelligence.Merged(JsonSerializer.SerializeToNode(request, RequestJson.Default.EmbeddingRequest), request.Extra);
        // The same texts have the same vectors, so it may be sent again.
        return new(HttpMethod.Post, Path, static answer => answer.Whole(WireJson.Default.EmbeddingResult)) { Json = Call.Body(body, WireJson.Default.JsonObject) };
    }
}
