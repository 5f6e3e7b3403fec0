using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Miosa.Runtime.Tests;

/// <summary>Waits for a fact, with a deadline.</summary>
internal static class Eventually
{
    public static Task TrueAsync(Func<bool> fact, string what) => TrueAsync(() => Task.FromResult(fact()), what);

    public static async Task TrueAsync(Func<Task<bool>> fact, string what)
    {
        var clock = Stopwatch.StartNew();
        while (!await fact())
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

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int stat(string path, uint* buffer);

    /// <summary>The uid a file has on the host.</summary>
    internal static unsafe long Owner(string path)
    {
        // struct stat of x86_64 is 144 bytes; st_uid stands at byte 28.
        var buffer = stackalloc uint[36];
        Assert.Equal(0, stat(path, buffer));
        return buffer[7];
    }
}
