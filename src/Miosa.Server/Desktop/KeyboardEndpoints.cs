using System.Text;
using System.Text.Json;
using Miosa.Guest;
using Miosa.Server.Guests;
using Miosa.Server.Host;

namespace Miosa.Server.Desktop;

/// <summary>The keyboard: text of any script, keys by name, combinations.</summary>
internal static class KeyboardEndpoints
{
    /// <summary>A body may write every character of the longest text as an escape.</summary>
    public const int TextBodyLimit = 8 * DesktopLimits.MaxTextBytes;

    /// <summary>Longer than this nobody waits for an answer; a client would give up and send the text again.</summary>
    private const int MaxTypingMs = 300_000;

    private static readonly Aliases TypeNames = new Aliases().Add("delay", "delay_ms");

    public static void Map(IEndpointRouteBuilder api)
    {
        Write("type", TypeAsync);
        Write("key", context => KeyAsync(context, DesktopWord.Press));
        Write("key-down", context => KeyAsync(context, DesktopWord.Down));
        Write("key-up", context => KeyAsync(context, DesktopWord.Up));
        Write("hotkey", HotkeyAsync);

        void Write(string name, Func<HttpContext, Task<IResult>> handler) => api.Map("POST", $"{DesktopOperation.Root}/{name}", handler).Needs(Scopes.ComputersWrite);
    }

    private static async Task<IResult> TypeAsync(HttpContext context)
    {
        var (fields, refusal) = await Body.ReadAsync(context, TypeNames, TextBodyLimit);
        var text = TextOf(fields)?.ReplaceLineEndings("\n");
        var delay = fields.Int("delay", 0, DesktopLimits.MaxTypeDelayMs) ?? 0;
        var odd = text?.FirstOrDefault(c => char.IsControl(c) && c is not ('\n' or '\t')) ?? '\0';
        if (odd != '\0')
            fields.Fail("text", $"has the control character U+{(int)odd:X4}, which no key types: tabs and newlines are typed, other keys are pressed with POST …/desktop/key");
        if ((long)delay * (text?.Length ?? 0) > MaxTypingMs)
            fields.Fail("delay", $"makes the typing longer than {MaxTypingMs / 1000} s: send a shorter text or a smaller delay");
        if ((refusal ?? fields.Errors()) is { } faulty)
            return Reply.Refuse(faulty);
        return text is { Length: > 0 }
            ? await DesktopOperation.DoAsync(context, "text", (guest, ct) => guest.TypeAsync(Encoding.UTF8.GetBytes(text), delay, ct))
            : await DesktopOperation.DoAsync(context, "text", (_, _) => Task.CompletedTask);
    }

    /// <summary>The field <c>text</c>, at most 1 MiB as UTF-8; null when it is faulty.</summary>
    public static string? TextOf(Fields fields)
    {
        if (!fields.Has("text"))
            fields.Fail("text", "is required: a string");
        var text = fields.Text("text", DesktopLimits.MaxTextBytes, allowEmpty: true);
        if (text is not null && Encoding.UTF8.GetByteCount(text) is > DesktopLimits.MaxTextBytes and var count)
        {
            fields.Fail("text", $"must be at most {DesktopLimits.MaxTextBytes} bytes as UTF-8, got {count}");
            return null;
        }
        return text;
    }

    private static async Task<IResult> KeyAsync(HttpContext context, string action)
    {
        var (fields, refusal) = await Body.ReadAsync(context, Aliases.None);
        if (!fields.Has("key"))
            fields.Fail("key", "is required: a key such as Return, or a combination such as ctrl+c");
        var keys = KeysIn(fields, "key", fields.Text("key", 1024) is { } text ? [text] : [], isCombination: true);
        return (refusal ?? fields.Errors()) is { } faulty ? Reply.Refuse(faulty) : await PressAsync(context, "key", keys, action);
    }

    private static async Task<IResult> HotkeyAsync(HttpContext context)
    {
        var (fields, refusal) = await Body.ReadAsync(context, Aliases.None);
        const string says = "a list of keys in press order, such as [\"ctrl\", \"shift\", \"t\"]";
        IReadOnlyList<string> keys = [];
        if (!fields.Has("keys"))
            fields.Fail("keys", "is required: " + says);
        else if (fields.Body["keys"]!.GetValueKind() == JsonValueKind.String) // it is there
            keys = KeysIn(fields, "keys", fields.Text("keys", 1024) is { } text ? [text] : [], isCombination: true);
        else if (fields.TextList("keys", DesktopLimits.MaxKeys) is { } list)
        {
            if (list.Count == 0)
                fields.Fail("keys", "must not be empty: " + says);
            keys = KeysIn(fields, "keys", list, isCombination: false);
        }
        return (refusal ?? fields.Errors()) is { } faulty ? Reply.Refuse(faulty) : await PressAsync(context, "keys", keys, DesktopWord.Press);
    }

    private static List<string> KeysIn(Fields fields, string field, IReadOnlyList<string> texts, bool isCombination)
    {
        var keys = new List<string>();
        foreach (var text in texts)
        {
            var (found, fault) = KeyNames.Split(text);
            if (fault is null && !isCombination && found.Count > 1)
                fault = $"must hold one key in each item, got \"{text}\"";
            if (fault is not null)
                fields.Fail(field, fault);
            keys.AddRange(found);
        }
        return keys;
    }

    private static Task<IResult> PressAsync(HttpContext context, string field, IReadOnlyList<string> keys, string action) => DesktopOperation.RunAsync(context, field, async (guest, ct) =>
    {
        try
        {
            await guest.KeysAsync(new KeysCall { Keys = [.. keys], Action = action }, ct);
            return DesktopOperation.Done();
        }
        catch (GuestException e) when (e.Code == GuestErrorCode.BadRequest && KeyNames.Strangers(keys) is { Count: > 0 } strangers)
        {
            var unknown = strangers.FirstOrDefault(key => e.Message.Contains(key, StringComparison.OrdinalIgnoreCase)) ?? strangers[0];
            return Reply.Refuse(DesktopOperation.Invalid(field, $"\"{unknown}\" is no key: {KeyNames.Suggest(unknown)}"));
        }
    });
}
