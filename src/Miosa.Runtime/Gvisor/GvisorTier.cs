using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Miosa.Runtime.Host;
using Miosa.Runtime.Linux;

namespace Miosa.Runtime.Gvisor;

/// <summary>
/// Machines under runsc, a kernel of its own in user space (docs/adr/0018). Each has a folder <c>runsc</c> beside its disk with the bundle, the
/// state that runsc keeps and its log; the machine is called <c>machine</c> there.
/// </summary>
internal sealed partial class GvisorTier
{
    private const string Id = "machine";
    private const int OldestVersion = 20230801;
    private const string HowToGet = "apt-get install runsc, on Debian 12 with \"-t bookworm-backports\"";

    private readonly RuntimeSettings settings;
    private readonly string program;

    private GvisorTier(RuntimeSettings settings, string program, GuestPrograms guests) => (this.settings, this.program, Guests) = (settings, program, guests);

    public GuestPrograms Guests { get; }

    /// <returns>Null with a note when this host cannot run such machines.</returns>
    public static (GvisorTier? Tier, string? Note) Find(RuntimeSettings settings, string guest)
    {
        var program = settings.Runsc ?? Tools.Find("runsc");
        if (program is null || !File.Exists(program)) return (null, $"no gVisor tier: runsc is missing ({HowToGet})");
        try
        {
            var version = Tools.Output(program, "--version");
            if (!int.TryParse(VersionDate().Match(version).Value, NumberStyles.None, CultureInfo.InvariantCulture, out var date) || date < OldestVersion)
                return (null, $"no gVisor tier: {version.Split('\n')[0]} is older than {OldestVersion} ({HowToGet})");
        }
        catch (CommandFailure e)
        {
            return (null, $"no gVisor tier: {e.Message}");
        }
        return (new(settings, program, new GuestPrograms(settings, guest)), null);
    }

    /// <summary>What the launcher needs last: a mount of the guest's program, and the program of runsc.</summary>
    public IReadOnlyList<Fd> OpenPrograms(string? guest) => [Mounts.CloneTree(Guests.PathOf(guest ?? Guests.Current)), Libc.Open(program, Libc.O_RDONLY)];

    /// <summary>Writes the bundle and gives the call that starts the machine, from its image or from memory that was written to disk.</summary>
    public GvisorOrder Order(GvisorBundle bundle, string? memory)
    {
        var folder = Folder(bundle.Machine);
        // Whatever an earlier life has left there is not true any more.
        Tree.Delete(folder);
        Libc.Mkdir(folder, 0x1c0);
        File.WriteAllText(folder + "/config.json", bundle.ToJson());
        string[] verb = memory is null ? ["run"] : ["restore", "-image-path", memory];
        return new() { Arguments = ["runsc", .. Flags(bundle.Machine), .. verb, "-detach", "-bundle", folder, "-pid-file", PidFile(bundle.Machine), Id] };
    }

    /// <summary>Waits for the call that started the machine.</summary>
    /// <returns>The pid of the machine's kernel on the host.</returns>
    public int Await(string machine, int starter)
    {
        using var pidfd = Processes.OpenPidfd(starter) ?? throw LinuxException.Last("pidfd_open", "runsc");
        var end = Processes.AwaitEnd(pidfd, TimeSpan.FromSeconds(60)) ?? throw new CommandFailure("runsc did not start the machine in 60 s");
        if (end.ExitCode == 0 && int.TryParse(Content(PidFile(machine)), NumberStyles.None, CultureInfo.InvariantCulture, out var pid)) return pid;
        throw new CommandFailure($"runsc could not start the machine ({end.Describe()}): {Complaint(machine)}");
    }

    /// <summary>Waits until the guest of a machine that runs has made its socket, and moves it to where the server finds it.</summary>
    /// <returns>False when it has not in time, or when the machine is over.</returns>
    public bool AwaitDoor(string machine, uint serverGroup, TimeSpan limit, Func<bool> isOver)
    {
        var clock = Stopwatch.StartNew();
        while (!GvisorDoor.TryTake(settings.RunDirectoryOf(machine), serverGroup))
        {
            if (isOver() || clock.Elapsed > limit) return false;
            Thread.Sleep(1);
        }
        return true;
    }

    /// <summary>What runsc or the guest last said.</summary>
    public string Complaint(string machine) => Content(Folder(machine) + "/runsc.log").Trim() is { Length: > 0 } log ? log.Split('\n')[^1] : "it says nothing";

    public void Pause(string machine) => Run(machine, "pause", Id);

    public void Resume(string machine) => Run(machine, "resume", Id);

    /// <summary>Writes the memory of a paused machine, which stays paused.</summary>
    public void Checkpoint(string machine, string directory)
    {
        Libc.Mkdir(directory, 0x1c0);
        Run(machine, "checkpoint", "-image-path", directory, "-leave-running", "-compression", "none", "-exclude-committed-zero-pages", Id);
    }

    private void Run(string machine, params string[] arguments)
    {
        var said = new List<string>();
        try
        {
            Tools.Run(program, [.. Flags(machine), .. arguments], line: text => said.Add(text.Length > 300 ? text[..300] : text));
        }
        catch (CommandFailure)
        {
            // The first line says what, the others are the stack of runsc: for its authors, if anybody asks.
            Log.Line($"machine {machine}: runsc {arguments[0]}: {string.Join("\n    ", said.Take(60))}");
            throw new CommandFailure($"runsc {arguments[0]}: {said.FirstOrDefault() ?? "it says nothing"}");
        }
    }

    private string[] Flags(string machine) =>
    [
        $"--root={Folder(machine)}", $"--log={Folder(machine)}/runsc.log", "--platform=systrap", "--network=sandbox", "--ignore-cgroups",
        // The disk is an overlay already, and what is written must reach it; of the host's sockets it may make one and open none.
        "--overlay2=none", "--host-uds=create",
    ];

    private string Folder(string machine) => settings.DirectoryOf(machine) + "/runsc";

    private string PidFile(string machine) => Folder(machine) + "/pid";

    private static string Content(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException)
        {
            return "";
        }
    }

    [GeneratedRegex("20[0-9]{6}")]
    private static partial Regex VersionDate();
}
