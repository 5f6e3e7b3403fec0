using System.Net.Sockets;
using System.Runtime.InteropServices;
using Miosa.Runtime.Cgroups;
using Miosa.Runtime.Disks;
using Miosa.Runtime.Gvisor;
using Miosa.Runtime.Host;
using Miosa.Runtime.Images;
using Miosa.Runtime.Launch;
using Miosa.Runtime.Linux;
using Miosa.Runtime.Machines;
using Miosa.Runtime.Network;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Serve;

/// <summary>The <c>serve</c> verb: prepares the host, takes over what runs, answers on the socket until it is told to stop.</summary>
internal sealed class Daemon(RuntimeSettings settings)
{
    public const string Version = "0.1.0";

    private static readonly TimeSpan SweepPeriod = TimeSpan.FromSeconds(5);

    public async Task<int> RunAsync()
    {
        var account = Accounts.Find(settings.User);
        var guest = settings.Guest ?? Path.Combine(AppContext.BaseDirectory, "miosa-guest");
        if (!File.Exists(guest)) throw new CommandFailure($"the guest \"{guest}\" does not exist: name it with --guest");
        PrepareRunDirectory(account?.Gid ?? 0);
        using var instance = InstanceLock.Take(settings.Run + "/serve.lock", $"another miosa-runtime serves {settings.Run}");

        using var volume = DataVolume.Open(settings);
        var cgroups = MachineCgroups.Detect(settings.Name);
        var network = MachineNetwork.Open(settings);
        using var egress = Egress.Start(settings, network);
        var isIdMapped = IdMapping.Works(settings);
        using var launcher = new LauncherLink(settings, guest);
        launcher.Start();
        var (gvisor, gvisorNote) = GvisorTier.Find(settings, guest);
        var images = new ImageStore(settings);
        using var machines = new MachineSet(settings, images, volume, new SnapshotStore(settings, volume), cgroups, network, egress, launcher, gvisor, account?.Gid ?? 0, isIdMapped);
        machines.Adopt();
        machines.CollectImages(isAtStart: true);
        gvisor?.Guests.Collect(machines.GuestsInUse());

        var hello = new RuntimeHello
        {
            Version = Version,
            Generation = 1,
            Cgroup = cgroups.Kind switch { CgroupKind.V1 => "v1", CgroupKind.V2 => "v2", _ => "none" },
            IdRanges = isIdMapped ? "distinct" : "shared",
            DiskLimits = volume.HasLimits,
            Network = network.IsAvailable,
            EgressAllow = [.. settings.EgressAllow.Select(range => range.ToString())],
            Isolations = gvisor is null ? [Isolations.Namespace] : [Isolations.Namespace, Isolations.Gvisor],
            Notes = [.. new[]
            {
                volume.Note, cgroups.Note, network.Note, gvisorNote,
                isIdMapped ? null : "this kernel cannot map ids of an overlay layer (5.19 and later can): all machines share one id range",
                account is null ? $"the user \"{settings.User}\" does not exist: only root can connect" : null,
            }.OfType<string>()],
        };
        foreach (var note in hello.Notes) Log.Line(note);

        using var stopping = new CancellationTokenSource();
        void Stop(PosixSignalContext context)
        {
            context.Cancel = true;
            stopping.Cancel();
        }
        using var term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);

        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        // It gets its name when it answers: who sees the name may connect.
        var unnamed = settings.Socket + ".new";
        Libc.Unlink(unnamed);
        listener.Bind(new UnixDomainSocketEndPoint(unnamed));
        Libc.Chown(unnamed, 0, account?.Gid ?? 0);
        Libc.Chmod(unnamed, 0x1b0);
        listener.Listen(128);
        Libc.Rename(unnamed, settings.Socket);
        Log.Line($"miosa-runtime {Version} serves {settings.Socket}");

        var sweeping = SweepAsync(machines, stopping.Token);
        try
        {
            while (true)
            {
                var client = await listener.AcceptAsync(stopping.Token);
                _ = new Connection(client, machines, images, settings.Cache, hello, account?.Uid).RunAsync(stopping.Token);
            }
        }
        catch (OperationCanceledException)
        {
            Log.Line("stopped; machines go on");
        }
        await sweeping;
        Libc.Unlink(settings.Socket);
        return 0;
    }

    private void PrepareRunDirectory(uint group)
    {
        Directory.CreateDirectory(settings.Run);
        foreach (var path in new[] { settings.Run, settings.Run + "/machines" })
        {
            Libc.Mkdir(path, 0x1e8);
            Libc.Chown(path, 0, group);
            Libc.Chmod(path, 0x1e8);
        }
    }

    private static async Task SweepAsync(MachineSet machines, CancellationToken ct)
    {
        using var timer = new PeriodicTimer(SweepPeriod);
        try
        {
            while (await timer.WaitForNextTickAsync(ct))
            {
                machines.SweepQgroups();
                machines.CollectImages();
                machines.TakeDoors();
            }
        }
        catch (OperationCanceledException)
        {
            // The daemon stops.
        }
    }
}
