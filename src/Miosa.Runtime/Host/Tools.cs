using System.Diagnostics;

namespace Miosa.Runtime.Host;

/// <summary>The host's programs the runtime needs, and the packages they come from.</summary>
internal static class Tools
{
    private static readonly Dictionary<string, string> Packages = new()
    {
        ["nft"] = "nftables",
        ["mkfs.btrfs"] = "btrfs-progs",
        ["mmdebstrap"] = "mmdebstrap",
        ["zstd"] = "zstd",
        ["tar"] = "tar",
        ["npm"] = "npm",
        ["busybox"] = "busybox-static",
    };

    private static readonly string[] Directories = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

    public static string? Find(string name) =>
        Directories.Select(directory => $"{directory}/{name}").FirstOrDefault(File.Exists);

    /// <param name="name">A path stands for itself.</param>
    public static string Require(string name) =>
        (Path.IsPathRooted(name) ? name : Find(name)) ?? throw new CommandFailure($"{name} is missing on this host: apt-get install {Packages.GetValueOrDefault(name, name)}");

    /// <summary>Runs a program to its end; what it prints goes to <paramref name="line"/> line by line.</summary>
    public static void Run(string name, IReadOnlyList<string> arguments, string? input = null, Action<string>? line = null,
        IReadOnlyDictionary<string, string>? environment = null, string? directory = null)
    {
        var start = new ProcessStartInfo(Require(name), arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = directory ?? "/",
        };
        foreach (var (key, value) in environment ?? new Dictionary<string, string>()) start.Environment[key] = value;
        using var process = Process.Start(start) ?? throw new CommandFailure($"{name} did not start");
        var tail = new Queue<string>();
        void Collect(object sender, DataReceivedEventArgs e)
        {
            if (e.Data is not { Length: > 0 } text) return;
            lock (tail)
            {
                tail.Enqueue(text);
                if (tail.Count > 12) tail.Dequeue();
                line?.Invoke(text);
            }
        }
        process.OutputDataReceived += Collect;
        process.ErrorDataReceived += Collect;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        if (input is not null) process.StandardInput.Write(input);
        process.StandardInput.Close();
        process.WaitForExit();
        if (process.ExitCode == 0) return;
        lock (tail) throw new CommandFailure($"{name} failed with status {process.ExitCode}: {string.Join('\n', tail)}");
    }

    /// <summary>Runs a program and returns what it printed.</summary>
    public static string Output(string name, params IReadOnlyList<string> arguments)
    {
        var lines = new List<string>();
        Run(name, arguments, line: lines.Add);
        return string.Join('\n', lines);
    }
}
