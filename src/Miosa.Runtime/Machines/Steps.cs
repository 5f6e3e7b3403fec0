using System.Diagnostics;
using System.Globalization;
using System.Text;
using Miosa.Runtime.Host;
using Miosa.Runtime.Linux;

namespace Miosa.Runtime.Machines;

/// <summary>Numbered steps that are undone in reverse when one fails.</summary>
internal sealed class Steps(string subject, string? failAt)
{
    private readonly Stack<(string Name, Action Undo)> done = [];
    private readonly Stopwatch clock = Stopwatch.StartNew();
    private readonly StringBuilder times = new();

    public void Do(string name, Action step, Action? undo = null)
    {
        if (name == failAt) throw new LinuxException(name, subject, Errno.EINVAL);
        // Registered first: a step that fails halfway is undone as well, so every undo bears with what is not there.
        if (undo is not null) done.Push((name, undo));
        step();
        times.Append(CultureInfo.InvariantCulture, $"{name}={clock.Elapsed.TotalMilliseconds:f2} ");
    }

    /// <summary>When each step was done.</summary>
    public override string ToString() => times.ToString();

    public void Undo()
    {
        while (done.TryPop(out var step))
        {
            try
            {
                step.Undo();
            }
            catch (IOException e)
            {
                // The sweep at the next start takes what stays.
                Log.Line($"machine {subject}: undoing {step.Name}: {e.Message}");
            }
        }
    }
}
