using Miosa.Http;

namespace Miosa;

/// <summary>The language models that the server leads to. Needs the scope <c>intelligence:use</c>.</summary>
public sealed class Models
{
    private const string Path = "/intelligence/models";

    private readonly Pipeline pipeline;

    internal Models(Pipeline pipeline) => this.pipeline = pipeline;

    /// <summary>All models.</summary>
    /// <param name="provider">Only of this provider.</param>
    /// <param name="type">Only <c>chat</c> or <c>embedding</c>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The models; always at least <c>miosa-embed-small</c> when nothing narrows.</returns>
    public Task<IReadOnlyList<LlmModel>> ListAsync(string? provider = null, string? type = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ListCall(provider, type), cancellationToken);

    /// <inheritdoc cref="ListAsync"/>
    public IReadOnlyList<LlmModel> List(string? provider = null, string? type = null) => pipeline.Send(ListCall(provider, type));

    /// <summary>One model.</summary>
    /// <param name="modelId">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The model.</returns>
    /// <exception cref="NotFoundException">There is no such model; the message names those there are.</exception>
    public Task<LlmModel> GetAsync(string modelId, CancellationToken cancellationToken = default) => pipeline.SendAsync(GetCall(modelId), cancellationToken);

    /// <inheritdoc cref="GetAsync"/>
    public LlmModel Get(string modelId) => pipeline.Send(GetCall(modelId));

    private static Call<IReadOnlyList<LlmModel>> ListCall(string? provider, string? type)
        => new(HttpMethod.Get, Call.Query(Path, ("provider", provider), ("type", type)), static answer => answer.Whole(WireJson.Default.LlmModelList).Data);

    private static Call<LlmModel> GetCall(string modelId) => new(HttpMethod.Get, Call.Item(Path, modelId), static answer => answer.Object(WireJson.Default.LlmModel));
}
