using System.Formats.Tar;
using System.Text.RegularExpressions;
using Miosa.Runtime.Linux;
using Miosa.Runtime.Machines;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Images;

/// <summary>The operations of the socket that make images: their bounds, and what they come down to.</summary>
internal static partial class ImageOrders
{
    private const int MaxPackages = 200;
    private const int MaxWords = 256;
    private const int MaxVariables = 512;
    private const int MaxPorts = 64;

    /// <summary>All images, or the one of a name. All of them in full may be more than an answer should hold: environments are as long as their makers like.</summary>
    public static IReadOnlyList<ImageInfo> List(ImageStore store, RuntimeRequest request)
    {
        var images = request.Name is null ? store.List() : store.Find(MachineChecks.Image(request.Name)) is { } one ? [one] : [];
        return request.Brief is true
            ? [.. images.Select(image => new ImageInfo { Name = image.Name, Digest = image.Digest, SizeBytes = image.SizeBytes, CreatedAt = image.CreatedAt, Content = image.Content })]
            : images;
    }

    /// <summary>What a machine has written becomes a layer upon the image it stands on.</summary>
    public static ImageInfo Commit(ImageStore store, RuntimeRequest request, MachineRecord record, string machineDirectory)
    {
        var name = MachineChecks.Image(request.Name);
        var describe = Description(request, name);
        // A layer cannot be larger than the disk, whatever the files in it say of themselves.
        var limit = Math.Min(store.Budget, (record.Info.DiskMb + 1) << 20);
        var layer = new ImageLayer(null, rootfs =>
        {
            var (digest, bytes) = ("", 0L);
            Unpack.Into(rootfs, store.Entries, input =>
            {
                var measured = new MeasuredStream(input, limit);
                using (var tar = new TarWriter(measured, TarEntryFormat.Pax, leaveOpen: true)) new LayerTar(tar, BaseOf(record, machineDirectory)).Write(machineDirectory + "/disk/upper");
                (digest, bytes) = (measured.Digest(), measured.BytesWritten);
            });
            return (digest, bytes);
        });
        var source = new ImageInfo { Name = name, Digest = "", SizeBytes = 0, CreatedAt = TimeProvider.System.GetUtcNow() };
        return store.Add(name, record.Rootfs, [layer], content => describe(source) with { Digest = content.Digest, SizeBytes = content.SizeBytes });
    }

    public static ImageInfo Tag(ImageStore store, RuntimeRequest request) =>
        store.Tag(MachineChecks.Image(request.Image), Description(request, MachineChecks.Image(request.Name)));

    public static ImageInfo Bootstrap(ImageStore store, string cache, RuntimeRequest request, Action<RuntimeProgress> progress)
    {
        var name = MachineChecks.Image(request.Name);
        var suite = request.Suite ?? "bookworm";
        if (suite is not ("bookworm" or "trixie")) throw new Refusal(RuntimeErrors.BadRequest, "\"suite\" must be bookworm or trixie");
        var packages = request.Packages ?? [];
        if (packages.Count is 0 or > MaxPackages) throw new Refusal(RuntimeErrors.BadRequest, $"\"packages\" must be 1 to {MaxPackages} names");
        // They become arguments of a program that runs as root.
        foreach (var package in packages)
            if (!PackageName().IsMatch(package ?? "")) throw new Refusal(RuntimeErrors.BadRequest, $"\"{package}\" is not the name of a Debian package");
        return new ImageBuild(store, cache, progress).Run(name, suite, packages);
    }

    private static Func<ImageInfo, ImageInfo> Description(RuntimeRequest request, string name)
    {
        var (env, cmd, entrypoint, ports) = (request.Env, request.Cmd, request.Entrypoint, request.Ports);
        if (env?.Count > MaxVariables || cmd?.Count > MaxWords || entrypoint?.Count > MaxWords || ports?.Count > MaxPorts)
            throw new Refusal(RuntimeErrors.BadRequest, $"an image has at most {MaxVariables} variables, {MaxWords} words of cmd and entrypoint, {MaxPorts} ports");
        if (env?.Any(pair => pair.Key.Length == 0 || pair.Key.Contains('=', StringComparison.Ordinal) || pair.Key.Contains('\0', StringComparison.Ordinal)
            || (pair.Value ?? "\0").Contains('\0', StringComparison.Ordinal)) == true)
            throw new Refusal(RuntimeErrors.BadRequest, "\"env\" has a name or value that no environment can hold");
        return source => source with
        {
            Name = name,
            CreatedAt = TimeProvider.System.GetUtcNow(),
            Env = env ?? source.Env,
            Workdir = request.Workdir ?? source.Workdir,
            User = request.User ?? source.User,
            Cmd = cmd ?? source.Cmd,
            Entrypoint = entrypoint ?? source.Entrypoint,
            Ports = ports ?? source.Ports,
        };
    }

    /// <summary>The disk itself says how its ids are laid out: its root belongs to the machine's root.</summary>
    private static uint BaseOf(MachineRecord record, string machineDirectory)
    {
        using var upper = Libc.Open(machineDirectory + "/disk/upper", Libc.O_RDONLY | Libc.O_DIRECTORY | Libc.O_NOFOLLOW);
        return FileFacts.Of(upper).Uid >= record.Info.BaseId ? (uint)record.Info.BaseId : 0;
    }

    [GeneratedRegex(@"^[a-z0-9][a-z0-9+.-]{1,100}\z")]
    private static partial Regex PackageName();
}
