using System.Text;

namespace Miosa.Server.Templates;

/// <summary>Quotes, escapes and variables of Dockerfile words.</summary>
internal static class DockerWords
{
    /// <summary>The longest text that variables may make: each line of a file can double what the one before has made.</summary>
    public const int MaxText = 32 * 1024;

    /// <summary>Splits at blanks outside of quotes; quotes and escapes stay in the words, for <see cref="Expand"/>.</summary>
    public static List<string> Split(string text)
    {
        var words = new List<string>();
        var word = new StringBuilder();
        var quote = '\0';
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c == '\\' && quote != '\'' && i + 1 < text.Length)
            {
                word.Append(c).Append(text[++i]);
                continue;
            }
            if (quote == '\0' && c is '\'' or '"')
                quote = c;
            else if (c == quote)
                quote = '\0';
            if (quote == '\0' && c is ' ' or '\t')
            {
                if (word.Length > 0)
                    words.Add(word.ToString());
                word.Clear();
                continue;
            }
            word.Append(c);
        }
        if (word.Length > 0)
            words.Add(word.ToString());
        return words;
    }

    /// <summary>Takes quotes and escapes off and puts in variables; an unknown one is empty.</summary>
    /// <exception cref="FormatException">A quote or brace is not closed, or the text becomes too long.</exception>
    public static string Expand(string raw, Func<string, string?> variable)
    {
        var text = new StringBuilder();
        var quote = '\0';
        for (var i = 0; i < raw.Length; i++)
        {
            var c = raw[i];
            if (text.Length > MaxText)
                throw new FormatException($"becomes longer than {MaxText} characters");
            if (quote == '\'')
            {
                if (c == '\'')
                    quote = '\0';
                else
                    text.Append(c);
            }
            else if (c == '\\' && i + 1 < raw.Length)
            {
                var next = raw[++i];
                if (quote == '"' && next is not ('"' or '\\' or '$'))
                    text.Append('\\');
                text.Append(next);
            }
            else if (c == '"' || (c == '\'' && quote == '\0'))
            {
                quote = quote == c ? '\0' : c;
            }
            else if (c == '$' && i + 1 < raw.Length)
            {
                i = Variable(raw, i, variable, text);
            }
            else
            {
                text.Append(c);
            }
        }
        if (text.Length > MaxText)
            throw new FormatException($"becomes longer than {MaxText} characters");
        return quote == '\0' ? text.ToString() : throw new FormatException($"has the quote {quote} without its end");
    }

    /// <summary>Reads the variable that begins at <paramref name="at"/> and gives the index of its last character.</summary>
    private static int Variable(string raw, int at, Func<string, string?> variable, StringBuilder text)
    {
        var isBraced = raw[at + 1] == '{';
        var start = isBraced ? at + 2 : at + 1;
        var end = start;
        while (end < raw.Length && (char.IsAsciiLetterOrDigit(raw[end]) || raw[end] == '_'))
            end++;
        if (end == start)
        {
            if (isBraced)
                throw new FormatException("has \"${\" without a name");
            text.Append('$');
            return at;
        }
        var value = variable(raw[start..end]);
        if (!isBraced)
        {
            text.Append(value);
            return end - 1;
        }
        var close = raw.IndexOf('}', end);
        if (close < 0)
            throw new FormatException("has \"${\" without \"}\"");
        var rest = raw[end..close];
        if (rest.StartsWith(":-", StringComparison.Ordinal))
            text.Append(string.IsNullOrEmpty(value) ? rest[2..] : value);
        else if (rest.StartsWith(":+", StringComparison.Ordinal))
            text.Append(string.IsNullOrEmpty(value) ? "" : rest[2..]);
        else if (rest.Length == 0)
            text.Append(value);
        else
            throw new FormatException($"has \"${{{raw[start..close]}}}\": only ${{name}}, ${{name:-default}} and ${{name:+other}} are known");
        return close;
    }
}
