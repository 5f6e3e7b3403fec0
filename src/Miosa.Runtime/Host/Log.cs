using System.Text;

namespace Miosa.Runtime.Host;

/// <summary>One line on standard error per thing worth an operator's attention; the supervisor adds the time.</summary>
internal static class Log
{
    private static readonly Stream Error = Console.OpenStandardError();

    public static void Line(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text.ReplaceLineEndings(" ") + "\n");
        lock (Error) Error.Write(bytes);
    }
}
