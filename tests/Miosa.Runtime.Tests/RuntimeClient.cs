using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Tests;

/// <summary>One connection to the runtime's socket, one request at a time.</summary>
internal sealed class RuntimeClient : IDisposable
{
    private readonly Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly StreamReader reader;
    private long last;

    public RuntimeClient(string path)
    {
        socket.Connect(new UnixDomainSocketEndPoint(path));
        reader = new StreamReader(new NetworkStream(socket), Encoding.UTF8);
    }

    public async Task<RuntimeAnswer> SendAsync(RuntimeRequest request)
    {
        var id = ++last;
        await SendLineAsync(JsonSerializer.Serialize(request with { Id = id }, RuntimeWireJson.Default.RuntimeRequest));
        while (true)
        {
            var answer = await ReadAsync();
            if (answer.Id == id && answer.Progress is null) return answer;
        }
    }

    public async Task<T> OkAsync<T>(RuntimeRequest request, JsonTypeInfo<T> type)
    {
        var answer = await SendAsync(request);
        Assert.True(answer.Error is null, $"{request.Op}: {answer.Error?.Code} {answer.Error?.Message}");
        return answer.Ok!.Value.Deserialize(type)!; // an answer without an error has a result
    }

    public async Task<RuntimeError> RefusedAsync(RuntimeRequest request)
    {
        var answer = await SendAsync(request);
        Assert.NotNull(answer.Error);
        return answer.Error;
    }

    public async Task SendLineAsync(string line) => await socket.SendAsync(Encoding.UTF8.GetBytes(line + "\n"));

    public async Task<RuntimeAnswer> ReadAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var line = await reader.ReadLineAsync(limit.Token) ?? throw new EndOfStreamException("the runtime closed the connection");
        return JsonSerializer.Deserialize(line, RuntimeWireJson.Default.RuntimeAnswer)!; // never "null"
    }

    public void Dispose()
    {
        reader.Dispose();
        socket.Dispose();
    }
}
