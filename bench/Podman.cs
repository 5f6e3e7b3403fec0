using System.Diagnostics;
using System.Globalization;

namespace Miosa.Bench;

/// <summary>
/// The peer: podman with crun on the same root filesystem. The loop runs in one shell, so that what is timed is podman alone (and two forks of
/// date, about a millisecond). On a host with cgroup v1 and an unused v2 tree crun refuses to start unless it does not see that tree.
/// </summary>
internal static class Podman
{
    private const string Image = "localhost/miosa-bench";
    private const string Limits = "--network none --ulimit nofile=20000:20000 --ulimit nproc=32768:32768";
    private const string Base = "podman --cgroup-manager=cgroupfs --events-backend=file --runtime crun";

    public static bool IsHere => File.Exists("/usr/bin/podman") && File.Exists("/usr/bin/crun");

    /// <summary>The packed root filesystem that the runtime keeps of an image it built.</summary>
    public static string ArchiveOf(string image) => Directory.EnumerateFiles("/var/cache/miosa", image + "-*.tar.zst").OrderByDescending(File.GetLastWriteTimeUtc).First();

    public static void Import(string archive) =>
        Shell($"podman image exists {Image} || zstd -dc '{archive}' | podman import - {Image} >/dev/null", TimeSpan.FromMinutes(5));

    public static Times Run(int count) =>
        Loop("podman run --rm --network none: echo", count, "", $"{Base} run --rm {Limits} {Image} /bin/echo hi", "");

    public static Times Exec(int count) => Loop("podman exec: echo", count,
        $"{Base} run -d --name miosa-bench-exec {Limits} {Image} sleep 600 >/dev/null", $"{Base} exec miosa-bench-exec /bin/echo hi", "podman rm -f -t 0 miosa-bench-exec >/dev/null");

    private static Times Loop(string what, int count, string before, string command, string after)
    {
        var script = $"""
            umount /sys/fs/cgroup/unified 2>/dev/null
            {before}
            for i in $(seq {count + 2}); do
              s=$(date +%s%N); {command} >/dev/null || exit 1; e=$(date +%s%N)
              echo "ns $((e - s))"
            done
            {after}
            exit 0
            """;
        var lines = Shell($"exec unshare -m --propagation private sh -c '{script.Replace("'", "'\\''", StringComparison.Ordinal)}'", TimeSpan.FromMinutes(5));
        var times = new Times(what);
        // The first two fill caches.
        foreach (var line in lines.Where(line => line.StartsWith("ns ", StringComparison.Ordinal)).Skip(2))
            times.Add(long.Parse(line[3..], CultureInfo.InvariantCulture) / 1e6);
        return times;
    }

    private static string[] Shell(string script, TimeSpan limit)
    {
        using var process = Process.Start(new ProcessStartInfo("bash", ["-c", script]) { RedirectStandardOutput = true })
            ?? throw new InvalidOperationException("bash did not start");
        var output = process.StandardOutput.ReadToEnd();
        if (!process.WaitForExit(limit) || process.ExitCode != 0)
            throw new InvalidOperationException($"the peer failed with status {process.ExitCode}; what it said stands above");
        return output.Split('\n');
    }
}
