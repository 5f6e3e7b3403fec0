using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Miosa.Runtime.Tests;

/// <summary>Waits for a fact, with a deadline.</summary>
internal static class Eventually
{
    public static async Task TrueAsync(Func<bool> fact, string what)
    {
        var clock = Stopwatch.StartNew();
        while (!fact())
        {
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(30), $"{what} did not come");
            await Task.Delay(5);
        }
    }
}

internal static partial class Native
{
    [LibraryImport("libc", SetLastError = true)]
    internal static partial int kill(int pid, int signal);
}
