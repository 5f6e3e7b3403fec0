using System.Globalization;
using Miosa.Server.Host;

namespace Miosa.Server.Webhooks;

/// <summary>
/// When a failed delivery is tried again: the waits of the setting, each longer by up to a fifth so that targets that failed together are not
/// asked together, and longer when the target says so. The ten waits of the default are a day and a bit.
/// </summary>
internal sealed class RetrySchedule
{
    private const double Jitter = 0.2;
    private static readonly TimeSpan LongestAsked = TimeSpan.FromHours(1);

    private readonly TimeSpan[] waits;

    public RetrySchedule(ServerSettings settings)
    {
        GiveUpAfter = TimeSpan.FromSeconds(settings.WebhookGiveUpSec);
        try
        {
            waits = [.. settings.WebhookRetrySec.Split(',').Select(text => TimeSpan.FromSeconds(double.Parse(text, NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture)))];
        }
        catch (Exception e) when (e is FormatException or OverflowException)
        {
            throw new SettingsException($"--webhook-retry-sec: must be seconds separated by commas, got \"{settings.WebhookRetrySec}\"");
        }
    }

    /// <summary>A webhook that has failed for so long is switched off.</summary>
    public TimeSpan GiveUpAfter { get; }

    /// <param name="attempts">Attempts made, this one included.</param>
    /// <param name="retryCount">Retries that the webhook wants.</param>
    /// <param name="attempt">How this one ended.</param>
    /// <param name="keeps">True: it is kept for later also when it has no retries left.</param>
    public Step Next(int attempts, int retryCount, Attempt attempt, bool keeps)
    {
        if (attempt.IsDelivered)
            return new Step(WebhookDeliveryState.Delivered, DueAt: null);
        if (keeps)
            return new Step(WebhookDeliveryState.Retrying, DueAt: null);
        if (attempts > retryCount)
            return new Step(WebhookDeliveryState.DeadLetter, DueAt: null);
        var wait = waits[Math.Min(attempts, waits.Length) - 1] * (1 + (Jitter * Random.Shared.NextDouble()));
        if (attempt.RetryAfter is { } asked && asked > wait)
            wait = asked < LongestAsked ? asked : LongestAsked;
        return new Step(WebhookDeliveryState.Retrying, attempt.At.AddMilliseconds(attempt.DurationMs) + wait);
    }

    internal readonly record struct Step(string State, DateTimeOffset? DueAt);
}
