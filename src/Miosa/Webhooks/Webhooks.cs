using System.Text.Json;
using Miosa.Http;

namespace Miosa;

/// <summary>
/// Addresses of yours that are sent what happens in the tenant, signed, in order, and again until they answer 2xx. A delivery can come more than once:
/// know it by <see cref="WebhookPayload.Id"/>.
/// </summary>
/// <example>
/// <code>
/// var webhook = await client.Webhooks.CreateAsync("https://example.com/webhooks/miosa", ["sandbox.created", "sandbox.destroyed"]);
/// var secret = webhook.Secret; // keep it: it is not shown again
///
/// app.MapPost("/webhooks/miosa", async (HttpRequest request) =>
/// {
///     var body = new MemoryStream();
///     await request.Body.CopyToAsync(body);
///     if (!Webhooks.Verify(body.ToArray(), name => request.Headers[name], secret))
///         return Results.Unauthorized();
///     var happened = Webhooks.Parse(body.ToArray());
///     Console.WriteLine($"{happened.Event} {happened.Data["id"]}");
///     return Results.NoContent();
/// });
/// </code>
/// </example>
public sealed class Webhooks
{
    private readonly Pipeline pipeline;

    internal Webhooks(Pipeline pipeline) => this.pipeline = pipeline;

    /// <summary>Registers an address.</summary>
    /// <param name="url">http or https address, at most 2048 characters. One at a private address has to be allowed by the operator.</param>
    /// <param name="events">Names of <see cref="EventNames"/> and globs such as <c>sandbox.*</c>. Default: all events.</param>
    /// <param name="name">Label, at most 255 characters.</param>
    /// <param name="secret">Signing secret, 16 to 256 characters of printable ASCII. Default: one is made.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The webhook. Only this answer has its <see cref="Webhook.Secret"/>.</returns>
    /// <exception cref="ValidationException">A field is faulty, or the address may not be used.</exception>
    /// <exception cref="PermissionException">The tenant has as many webhooks as it may have.</exception>
    public Task<Webhook> CreateAsync(string url, IReadOnlyList<string>? events = null, string? name = null, string? secret = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(WebhookCalls.Create(new() { Url = url, Events = events, Name = name, Secret = secret }), cancellationToken);

    /// <inheritdoc cref="CreateAsync(string, IReadOnlyList{string}?, string?, string?, CancellationToken)"/>
    public Webhook Create(string url, IReadOnlyList<string>? events = null, string? name = null, string? secret = null)
        => pipeline.Send(WebhookCalls.Create(new() { Url = url, Events = events, Name = name, Secret = secret }));

    /// <summary>Registers an address, with headers, retries and data of your own.</summary>
    /// <param name="request">The webhook.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The webhook. Only this answer has its <see cref="Webhook.Secret"/>.</returns>
    /// <exception cref="ValidationException">A field is faulty, or the address may not be used.</exception>
    /// <exception cref="PermissionException">The tenant has as many webhooks as it may have.</exception>
    public Task<Webhook> CreateAsync(CreateWebhookRequest request, CancellationToken cancellationToken = default) => pipeline.SendAsync(WebhookCalls.Create(request), cancellationToken);

    /// <inheritdoc cref="CreateAsync(CreateWebhookRequest, CancellationToken)"/>
    public Webhook Create(CreateWebhookRequest request) => pipeline.Send(WebhookCalls.Create(request));

    /// <summary>The webhooks of the tenant, newest first.</summary>
    /// <param name="active">Only those that are on, or only those that are not. Default: all.</param>
    /// <param name="page">Page number from 1.</param>
    /// <param name="perPage">Page length, 1 to 100; default 100.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>A page of them.</returns>
    public Task<Page<Webhook>> ListAsync(bool? active = null, int page = 1, int perPage = 100, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(WebhookCalls.List(active, page, perPage), cancellationToken);

    /// <inheritdoc cref="ListAsync"/>
    public Page<Webhook> List(bool? active = null, int page = 1, int perPage = 100) => pipeline.Send(WebhookCalls.List(active, page, perPage));

    /// <summary>Fetches a webhook.</summary>
    /// <param name="webhookId">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The webhook, without its secret.</returns>
    /// <exception cref="NotFoundException">The tenant has no such webhook.</exception>
    public Task<Webhook> GetAsync(string webhookId, CancellationToken cancellationToken = default) => pipeline.SendAsync(WebhookCalls.Get(webhookId), cancellationToken);

    /// <inheritdoc cref="GetAsync"/>
    public Webhook Get(string webhookId) => pipeline.Send(WebhookCalls.Get(webhookId));

    /// <summary>Changes a webhook. A delivery that waits for its retry is tried at once when the address, the secret or the headers change.</summary>
    /// <param name="webhookId">Its id.</param>
    /// <param name="request">What to change.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The webhook as it is now.</returns>
    /// <exception cref="ValidationException">A field is faulty, or the address may not be used; nothing was changed.</exception>
    /// <exception cref="NotFoundException">The tenant has no such webhook.</exception>
    public Task<Webhook> UpdateAsync(string webhookId, UpdateWebhookRequest request, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(WebhookCalls.Update(webhookId, request), cancellationToken);

    /// <inheritdoc cref="UpdateAsync"/>
    public Webhook Update(string webhookId, UpdateWebhookRequest request) => pipeline.Send(WebhookCalls.Update(webhookId, request));

    /// <summary>Deletes a webhook and its deliveries; one under way is cut.</summary>
    /// <param name="webhookId">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when nothing is sent any more.</returns>
    /// <exception cref="NotFoundException">The tenant has no such webhook.</exception>
    public Task DeleteAsync(string webhookId, CancellationToken cancellationToken = default) => pipeline.SendAsync(WebhookCalls.Delete(webhookId), cancellationToken);

    /// <inheritdoc cref="DeleteAsync"/>
    public void Delete(string webhookId) => pipeline.Send(WebhookCalls.Delete(webhookId));

    /// <summary>Sends <see cref="EventNames.WebhookTest"/> now, once, also to a webhook that is off.</summary>
    /// <param name="webhookId">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>How it ended; an endpoint that does not answer 2xx is a result, not an error.</returns>
    /// <exception cref="NotFoundException">The tenant has no such webhook.</exception>
    public Task<WebhookDelivery> TestAsync(string webhookId, CancellationToken cancellationToken = default) => pipeline.SendAsync(WebhookCalls.Test(webhookId), cancellationToken);

    /// <inheritdoc cref="TestAsync"/>
    public WebhookDelivery Test(string webhookId) => pipeline.Send(WebhookCalls.Test(webhookId));

    /// <summary>Gives a webhook a new secret. Until the overlap is over, deliveries are signed with both, and <see cref="Verify(ReadOnlySpan{byte}, Func{string, string?}, string, TimeSpan?)"/> takes either.</summary>
    /// <param name="webhookId">Its id.</param>
    /// <param name="overlapSeconds">Seconds for which the old secret is good, too, 0 to 604,800. Default 86,400.</param>
    /// <param name="secret">The new secret, 16 to 256 characters of printable ASCII. Default: one is made.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The webhook, with its new <see cref="Webhook.Secret"/>; it is not shown again.</returns>
    /// <exception cref="ValidationException">The secret or the overlap is out of bounds.</exception>
    /// <exception cref="NotFoundException">The tenant has no such webhook.</exception>
    public Task<Webhook> RotateSecretAsync(string webhookId, int? overlapSeconds = null, string? secret = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(WebhookCalls.Rotate(webhookId, overlapSeconds, secret), cancellationToken);

    /// <inheritdoc cref="RotateSecretAsync"/>
    public Webhook RotateSecret(string webhookId, int? overlapSeconds = null, string? secret = null) => pipeline.Send(WebhookCalls.Rotate(webhookId, overlapSeconds, secret));

    /// <summary>Past deliveries of a webhook, newest first. The server keeps them for some days, 7 by default.</summary>
    /// <param name="webhookId">The webhook.</param>
    /// <param name="limit">At most this many, 1 to 200; default 50.</param>
    /// <param name="cursor">The <see cref="Page{T}.NextCursor"/> of the page before.</param>
    /// <param name="before">Only older ones.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>A page of them.</returns>
    /// <exception cref="NotFoundException">The tenant has no such webhook.</exception>
    public Task<Page<WebhookDelivery>> ListDeliveriesAsync(
        string webhookId, int limit = 50, string? cursor = null, DateTimeOffset? before = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(WebhookCalls.Deliveries(webhookId, limit, cursor, before), cancellationToken);

    /// <inheritdoc cref="ListDeliveriesAsync"/>
    public Page<WebhookDelivery> ListDeliveries(string webhookId, int limit = 50, string? cursor = null, DateTimeOffset? before = null)
        => pipeline.Send(WebhookCalls.Deliveries(webhookId, limit, cursor, before));

    /// <summary>Sends a past delivery again: the same bytes with the same <see cref="WebhookPayload.Id"/>, signed anew.</summary>
    /// <param name="webhookId">The webhook.</param>
    /// <param name="deliveryId">The delivery; one that is over.</param>
    /// <param name="replayId">Your id for this replay, a UUID: with the same one it is made once. Default: a new one.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The new delivery, which waits for its turn.</returns>
    /// <exception cref="NotFoundException">There is no such delivery, or it is not kept any more.</exception>
    /// <exception cref="ConflictException">The webhook is off, or the delivery is still on its way.</exception>
    public Task<WebhookDelivery> ReplayAsync(string webhookId, string deliveryId, string? replayId = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(WebhookCalls.Replay(webhookId, deliveryId, replayId), cancellationToken);

    /// <inheritdoc cref="ReplayAsync"/>
    public WebhookDelivery Replay(string webhookId, string deliveryId, string? replayId = null) => pipeline.Send(WebhookCalls.Replay(webhookId, deliveryId, replayId));

    /// <summary>What can be subscribed to, and how deliveries are signed.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The catalogue.</returns>
    public Task<WebhookEventCatalog> GetEventCatalogAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(WebhookCalls.Catalog(), cancellationToken);

    /// <inheritdoc cref="GetEventCatalogAsync"/>
    public WebhookEventCatalog GetEventCatalog() => pipeline.Send(WebhookCalls.Catalog());

    /// <summary>
    /// Whether a request is a delivery that was signed with this secret, in constant time. Needs no client. The header <c>Miosa-Signature</c>, which has
    /// the time of the attempt in it, is what counts; without it <c>X-Miosa-Signature</c> in its old form. The forms without a time
    /// (<c>X-Miosa-Signature: sha256=…</c>, <c>X-Miosa-Signature-Hex</c>, and <c>X-Miosa-Signature-Previous</c> after a rotation) could be sent again by
    /// whoever has seen one, so they count only when <paramref name="tolerance"/> is infinite.
    /// </summary>
    /// <param name="payload">The body, byte for byte as it came.</param>
    /// <param name="header">Gives the value of a header, or null: <c>name =&gt; request.Headers[name]</c>.</param>
    /// <param name="secret">The webhook's secret, as it was shown.</param>
    /// <param name="tolerance">By how much the time may differ from this clock, either way. Default 5 minutes; <see cref="Timeout.InfiniteTimeSpan"/>: by any, and none is needed.</param>
    /// <returns>True when it is genuine.</returns>
    /// <exception cref="ArgumentException">There is no secret.</exception>
    public static bool Verify(ReadOnlySpan<byte> payload, Func<string, string?> header, string secret, TimeSpan? tolerance = null)
    {
        ArgumentNullException.ThrowIfNull(header);
        ArgumentException.ThrowIfNullOrEmpty(secret);
        var limit = tolerance ?? WebhookSignature.DefaultTolerance;
        var now = TimeProvider.System.GetUtcNow();
        // Only one of them is asked for a time: who could leave it out would choose the weaker form.
        if (header(WebhookSignature.TimedHeader) is { Length: > 0 } timed)
            return WebhookSignature.Verify(payload, timed, secret, now, limit, needsTime: true);
        var needsTime = limit != Timeout.InfiniteTimeSpan;
        foreach (var name in (string[])[WebhookSignature.PlainHeader, WebhookSignature.HexHeader, WebhookSignature.PreviousHeader])
        {
            if (header(name) is { Length: > 0 } plain && WebhookSignature.Verify(payload, plain, secret, now, limit, needsTime))
                return true;
        }
        return false;
    }

    /// <summary>
    /// Whether a signature was made with this secret, in constant time. Needs no client. Every documented form is understood:
    /// <c>t=SECONDS,v1=HEX</c>, <c>sha256=HEX</c> and the digest alone. Only the first has a time that can be checked: prefer the header <c>Miosa-Signature</c>.
    /// </summary>
    /// <param name="payload">The body, byte for byte as it came.</param>
    /// <param name="signature">The value of the header.</param>
    /// <param name="secret">The webhook's secret, as it was shown.</param>
    /// <param name="tolerance">By how much the time, if there is one, may differ from this clock, either way. Default 5 minutes; <see cref="Timeout.InfiniteTimeSpan"/>: by any.</param>
    /// <returns>True when it is genuine.</returns>
    /// <exception cref="ArgumentException">There is no secret.</exception>
    public static bool Verify(ReadOnlySpan<byte> payload, string? signature, string secret, TimeSpan? tolerance = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(secret);
        return signature is not null && WebhookSignature.Verify(
            payload, signature, secret, TimeProvider.System.GetUtcNow(), tolerance ?? WebhookSignature.DefaultTolerance, needsTime: false);
    }

    /// <summary>Reads the body of a delivery; verify it first.</summary>
    /// <param name="payload">The body.</param>
    /// <returns>What happened.</returns>
    /// <exception cref="JsonException">It is no delivery.</exception>
    public static WebhookPayload Parse(ReadOnlySpan<byte> payload)
        => JsonSerializer.Deserialize(payload, WireJson.Default.WebhookPayload) ?? throw new JsonException("expected an object, not null");
}
