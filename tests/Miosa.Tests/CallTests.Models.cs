using System.Text.Json.Nodes;

namespace Miosa.Tests;

/// <summary>The calls about models.</summary>
public sealed partial class CallTests
{
    private const string Chat = """{"id":"chatcmpl-1","object":"chat.completion","created":1767225600,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"text":"Hello","finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3},"system_fingerprint":"x"}""";
    private const string ChatStream = """
        data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"delta":""}

        : heartbeat

        data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}],"delta":"Hel"}

        data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}]}

        data: {"id":"c","object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":"!","finish_reason":null}]}

        data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}

        data: [DONE]


        """;
    private const string Vectors = """{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1]}],"embeddings":[[0.5,-1]],"model":"m","usage":{"prompt_tokens":4,"total_tokens":4}}""";
    private const string LlmModels = """{"object":"list","data":[{"id":"org/m","object":"model","created":1767225600,"owned_by":"local","type":"chat","context_length":32768}],"has_more":false}""";

    private static readonly Type[] ModelTypes = [typeof(Models), typeof(Completions), typeof(Embeddings)];

    private static readonly CompletionMessage[] Hello = [CompletionMessage.System("s"), CompletionMessage.User("Hello")];

    private static readonly CompletionRequest Whole = new()
    {
        Model = "m",
        Messages = [new() { Role = "user", Content = new JsonArray(new JsonObject { ["type"] = "text", ["text"] = "hi" }) }],
        TopP = 0.5,
        Stop = ["\n"],
        ExternalUserId = "u",
        WorkspaceId = "ws",
        Extra = new() { ["seed"] = 7, ["model"] = "another" },
    };

    private static Case[] ModelCases() =>
    [
        new("Models.List", "GET /intelligence/models?provider=local&type=chat", "", LlmModels, "org/m",
            (_, c) => c.Models.List("local", "chat")[0].Id, async (_, c) => (await c.Models.ListAsync("local", "chat"))[0].Id),
        new("Models.Get", "GET /intelligence/models/org%2Fm", "", """{"id":"org/m","object":"model","created":1,"owned_by":"local","data":{"id":"org/m","object":"model","created":1,"owned_by":"local"}}""", "local",
            (_, c) => c.Models.Get("org/m").OwnedBy, async (_, c) => (await c.Models.GetAsync("org/m")).OwnedBy),
        new("Completions.Create", "POST /intelligence/completions", """{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"Hello"}],"max_tokens":512,"temperature":0.5,"user":"u"}""", Chat, "Hello 3",
            (_, c) => Told(c.Completions.Create("m", Hello, 512, 0.5, "u")), async (_, c) => Told(await c.Completions.CreateAsync("m", Hello, 512, 0.5, "u"))),
        new("Completions.Create request", "POST /intelligence/completions",
            """{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"top_p":0.5,"stop":["\n"],"external_user_id":"u","workspace_id":"ws","seed":7}""", Chat, "Hello 3",
            (_, c) => Told(c.Completions.Create(Whole)), async (_, c) => Told(await c.Completions.CreateAsync(Whole))),
        new("Completions.Stream", "POST /intelligence/completions",
            """{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"Hello"}],"stream":true,"stream_options":{"include_usage":true}}""", ChatStream, "Hello! 3",
            (_, c) => Told(c.Completions.Stream("m", Hello).ToList()), async (_, c) => Told(await c.Completions.StreamAsync("m", Hello).ToListAsync()), "text/event-stream"),
        new("Completions.Stream request", "POST /intelligence/completions", """{"model":"m","prompt":"p","stream":true,"stream_options":{"include_usage":true}}""", ChatStream, "Hello! 3",
            (_, c) => Told(c.Completions.Stream(new CompletionRequest { Model = "m", Prompt = "p" }).ToList()),
            async (_, c) => Told(await c.Completions.StreamAsync(new CompletionRequest { Model = "m", Prompt = "p" }).ToListAsync()), "text/event-stream"),
        new("Embeddings.Create", "POST /intelligence/embeddings", """{"model":"m","input":["x"],"user":"u"}""", Vectors, "0.5,-1 4",
            (_, c) => Told(c.Embeddings.Create("m", "x", "u")), async (_, c) => Told(await c.Embeddings.CreateAsync("m", "x", "u"))),
        new("Embeddings.Create batch", "POST /intelligence/embeddings", """{"model":"m","input":["x","y"]}""", Vectors, "0.5,-1 4",
            (_, c) => Told(c.Embeddings.Create("m", (string[])["x", "y"])), async (_, c) => Told(await c.Embeddings.CreateAsync("m", (string[])["x", "y"]))),
        new("Embeddings.Create request", "POST /intelligence/embeddings", """{"model":"m","input":["x"],"dimensions":2,"truncate":true}""", Vectors, "0.5,-1 4",
            (_, c) => Told(c.Embeddings.Create(new EmbeddingRequest { Model = "m", Input = ["x"], Dimensions = 2, Extra = new() { ["truncate"] = true } })),
            async (_, c) => Told(await c.Embeddings.CreateAsync(new EmbeddingRequest { Model = "m", Input = ["x"], Dimensions = 2, Extra = new() { ["truncate"] = true } }))),
    ];

    private static string Told(Completion completion) => $"{completion.Text} {completion.Usage?.TotalTokens}";

    private static string Told(List<CompletionChunk> chunks) => $"{string.Concat(chunks.Select(chunk => chunk.Delta))} {chunks[^1].Usage?.TotalTokens}";

    private static string Told(EmbeddingResult result) => FormattableString.Invariant($"{result.Embeddings[0][0]},{result.Embeddings[0][1]} {result.Usage?.TotalTokens}");
}
