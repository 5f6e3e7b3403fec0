using System.Globalization;
using Miosa.Runtime.Disks;
using Miosa.Runtime.Host;
using Miosa.Runtime.Images;
using Miosa.Runtime.Launch;
using Miosa.Runtime.Linux;
using Miosa.Runtime.Serve;

try
{
    // The launcher's arguments come from the daemon and are in order.
    if (args is ["launcher", var data, var run, var guest]) return Launcher.Run(data, run, guest);

    if (args is ["unpack", var root, var entries])
    {
        Unpack.Run(root, int.Parse(entries, CultureInfo.InvariantCulture));
        return 0;
    }

    var arguments = Arguments.Parse(args);
    var recipe = arguments.Take("--recipe");
    var settings = arguments.TakeSettings(Environment.GetEnvironmentVariable("MIOSA_RUNTIME_FAIL_AT"));
    arguments.RefuseRest();
    switch (arguments.Words)
    {
        case ["serve"]:
            return await new Daemon(settings).RunAsync();
        case ["image", "archive", var name]:
            ImageCommands.Archive(settings, name, recipe);
            return 0;
        case ["image", ..]:
            using (DataVolume.Open(settings)) ImageCommands.Run(new ImageStore(settings), settings, [.. arguments.Words.Skip(1)], recipe);
            return 0;
        case ["down"]:
            TearDown.Run(settings);
            return 0;
        case ["--version", ..]:
            Console.Out.WriteLine(Daemon.Version);
            return 0;
        case [] or ["--help" or "help", ..]:
            Console.Out.WriteLine(Usage.Text);
            return 0;
        default:
            throw new CommandFailure($"there is no command \"{string.Join(' ', arguments.Words)}\": miosa-runtime --help lists them");
    }
}
catch (Exception e) when (e is CommandFailure or LinuxException)
{
    Log.Line($"miosa-runtime: {e.Message}");
    return 1;
}
