using System.Globalization;
using System.Text.RegularExpressions;
using Miosa.Server.Host;

namespace Miosa.Server.Metering;

/// <summary>A stretch of time that somebody asks about, all in UTC: <c>7d</c>, <c>month-to-date</c>, <c>2026-05</c>, or from a start to an end.</summary>
internal sealed partial record Period(DateTimeOffset Start, DateTimeOffset End, string Label)
{
    public static readonly IReadOnlyList<string> Granularities = ["hour", "day", "week", "month"];

    /// <summary>All that is kept.</summary>
    public static readonly Period Always = new(DateTimeOffset.UnixEpoch, DateTimeOffset.MaxValue, "always");

    private const int MaxDays = 366;
    private const int FirstYear = 1970;
    private const int LastYear = 2999;

    public long StartMs => Start.ToUnixTimeMilliseconds();

    public long EndMs => End.ToUnixTimeMilliseconds();

    [GeneratedRegex(@"\A([1-9][0-9]{0,3})([hdw])\z")]
    private static partial Regex Back();

    [GeneratedRegex(@"\A[0-9]{4}-[0-9]{2}\z")]
    private static partial Regex Month();

    // A plus sign in a query that was not escaped arrives as a blank.
    [GeneratedRegex(@"\A[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?([Zz]|[-+ ][0-9]{2}:[0-9]{2})?)?\z")]
    private static partial Regex Time();

    /// <summary>Reads window or period, start and end under all their names; a start goes before a window.</summary>
    /// <param name="standard">The window when nothing is asked for.</param>
    public static (Period? Period, Refusal? Refusal) Read(IQueryCollection query, DateTimeOffset now, string standard)
    {
        var (windowName, window) = First(query, "window", "period");
        var (start, end, refusal) = ReadBounds(query);
        if (refusal is not null)
            return (null, refusal);
        var text = window ?? (start is null && end is null ? standard : "custom");
        if (text == "custom" && start is null && end is null)
            return (null, Refusal.Invalid("start", "is missing: a custom period needs it, as an RFC 3339 time"));
        // Before an end as before now, where nothing says when it starts.
        var until = end ?? now;
        var (since, label) = start is { } from ? (from, "custom") : (StartOf(text == "custom" ? standard : text, until), text);
        if (since is not { } first)
            return (null, Refusal.Invalid(windowName ?? "window", $"must be a number with h, d or w such as 24h, 7d or 4w, or month-to-date, or a month such as 2026-05; got \"{Cut(text)}\""));
        if (start is null && end is null && Month().IsMatch(text))
            until = first.AddMonths(1);
        if (first >= until)
            return (null, Refusal.Invalid("start", $"must lie before the end, {Told(until)}; got {Told(first)}"));
        if ((until - first).TotalDays > MaxDays)
            return (null, Refusal.Invalid(start is null ? windowName ?? "window" : "start", $"must lie at most {MaxDays} days before the end; ask for parts of a longer period"));
        return (new Period(first, until, label), null);
    }

    /// <summary>Start and end under all their names, where they are named.</summary>
    public static (DateTimeOffset? Start, DateTimeOffset? End, Refusal? Refusal) ReadBounds(IQueryCollection query)
    {
        var faults = new Fields([]);
        var start = ReadTime(query, faults, "start", "period_start", "from", "since");
        var end = ReadTime(query, faults, "end", "period_end", "to", "until");
        return (start, end, faults.Errors());
    }

    /// <summary>The bucket length that is asked for, or the refusal that names it.</summary>
    public static (string? Granularity, Refusal? Refusal) ReadGranularity(IQueryCollection query, string standard = "day")
    {
        var (_, text) = First(query, "granularity");
        return text is null || Granularities.Contains(text)
            ? (text ?? standard, null)
            : (null, Refusal.Invalid("granularity", $"must be one of {string.Join(", ", Granularities)}; got \"{Cut(text)}\""));
    }

    /// <summary>Where buckets begin: at the start, then at every full hour, midnight, Monday or first of a month; the last entry is the end.</summary>
    public IReadOnlyList<DateTimeOffset> Bounds(string granularity)
    {
        var bounds = new List<DateTimeOffset> { Start };
        for (var next = After(Start, granularity); next < End; next = After(next, granularity))
            bounds.Add(next);
        bounds.Add(End);
        return bounds;
    }

    public static DateTimeOffset MonthOf(DateTimeOffset time) => new(time.UtcDateTime.Year, time.UtcDateTime.Month, 1, 0, 0, 0, TimeSpan.Zero);

    private static DateTimeOffset? StartOf(string text, DateTimeOffset end)
    {
        if (text is "mtd" or "month-to-date")
            // At the stroke of midnight the month that just ended is meant.
            return MonthOf(end.AddMilliseconds(-1));
        if (Month().IsMatch(text))
            return DateTimeOffset.TryParseExact(text, "yyyy-MM", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var month) && month.Year is >= FirstYear and <= LastYear ? month : null;
        if (Back().Match(text) is not { Success: true } match)
            return null;
        var count = int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture);
        var hours = count * match.Groups[2].Value switch { "h" => 1, "d" => 24, _ => 168 };
        return end.AddHours(-hours);
    }

    private static DateTimeOffset After(DateTimeOffset time, string granularity)
    {
        var utc = time.UtcDateTime;
        return granularity switch
        {
            "hour" => new DateTimeOffset(utc.Date.AddHours(utc.Hour + 1), TimeSpan.Zero),
            "day" => new DateTimeOffset(utc.Date.AddDays(1), TimeSpan.Zero),
            "week" => new DateTimeOffset(utc.Date.AddDays(8 - (utc.DayOfWeek == DayOfWeek.Sunday ? 7 : (int)utc.DayOfWeek)), TimeSpan.Zero),
            _ => MonthOf(time).AddMonths(1),
        };
    }

    private static DateTimeOffset? ReadTime(IQueryCollection query, Fields faults, params string[] names)
    {
        if (First(query, names) is not (var name, { } text))
            return null;
        var plain = text.Length > 11 && text[^6] == ' ' ? $"{text[..^6]}+{text[^5..]}" : text;
        if (Time().IsMatch(text) && DateTimeOffset.TryParse(plain, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time))
        {
            if (time.Year is >= FirstYear and <= LastYear)
                return time.ToUniversalTime();
            faults.Fail(name ?? names[0], $"must lie in the years {FirstYear} to {LastYear}, got \"{text}\"");
            return null;
        }
        faults.Fail(name ?? names[0], $"must be an RFC 3339 time such as 2026-05-26T10:14:23Z, got \"{Cut(text)}\"");
        return null;
    }

    private static (string? Name, string? Value) First(IQueryCollection query, params string[] names)
    {
        foreach (var name in names)
        {
            if (query[name].ToString() is { Length: > 0 } value)
                return (name, value);
        }
        return (null, null);
    }

    private static string Told(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static string Cut(string text) => text.Length <= 80 ? text : text[..80] + "…";
}
