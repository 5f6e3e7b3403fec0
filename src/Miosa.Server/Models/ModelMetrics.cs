using System.Diagnostics.Metrics;

namespace Miosa.Server.Models;

/// <summary>
/// Figures of calls of models, as instruments of the meter <c>Miosa.Server.Models</c> (<c>dotnet-counters monitor --counters Miosa.Server.Models</c>, or an exporter).
/// Labels are names of the operator's own file: few and known.
/// </summary>
internal sealed class ModelMetrics : IDisposable
{
    public const string Name = "Miosa.Server.Models";

    private readonly Meter meter = new(Name);
    private readonly Counter<long> calls;
    private readonly Counter<long> tokens;
    private readonly Counter<long> retries;
    private readonly Histogram<double> firstToken;
    private readonly Histogram<double> pace;
    private readonly UpDownCounter<long> running;
    private readonly UpDownCounter<long> waiting;

    public ModelMetrics()
    {
        calls = meter.CreateCounter<long>("miosa.models.calls", "{call}", "calls that ended, by outcome");
        tokens = meter.CreateCounter<long>("miosa.models.tokens", "{token}", "tokens in and out");
        retries = meter.CreateCounter<long>("miosa.models.retries", "{retry}", "tries after the first, all before the first byte of an answer");
        firstToken = meter.CreateHistogram<double>("miosa.models.time_to_first_token", "s", "from the call to the first token of its stream");
        pace = meter.CreateHistogram<double>("miosa.models.tokens_per_second", "{token}/s", "tokens out after the first one, by the time they took");
        running = meter.CreateUpDownCounter<long>("miosa.models.running", "{call}", "calls at a provider now");
        waiting = meter.CreateUpDownCounter<long>("miosa.models.waiting", "{call}", "calls that wait for their turn now");
    }

    public void Ended(string provider, string model, string outcome, long tokensIn, long tokensOut)
    {
        calls.Add(1, new("provider", provider), new("model", model), new("outcome", outcome));
        tokens.Add(tokensIn, new("provider", provider), new("model", model), new("direction", "in"));
        tokens.Add(tokensOut, new("provider", provider), new("model", model), new("direction", "out"));
    }

    public void Streamed(string provider, string model, TimeSpan toFirst, TimeSpan afterFirst, long tokensOut)
    {
        firstToken.Record(toFirst.TotalSeconds, new("provider", provider), new("model", model));
        if (afterFirst > TimeSpan.Zero && tokensOut > 1)
            pace.Record((tokensOut - 1) / afterFirst.TotalSeconds, new("provider", provider), new("model", model));
    }

    public void Retried(string provider) => retries.Add(1, new KeyValuePair<string, object?>("provider", provider));

    public void Running(string provider, int change) => running.Add(change, new KeyValuePair<string, object?>("provider", provider));

    public void Waiting(string provider, int change) => waiting.Add(change, new KeyValuePair<string, object?>("provider", provider));

    public void Dispose() => meter.Dispose();
}
