using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using Miosa.Runtime.Host;
using Miosa.Runtime.Linux;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Images;

/// <summary>One step of an image: what it changes in a root filesystem.</summary>
/// <param name="Digest">Of the layer's bytes; null when only making it tells.</param>
/// <param name="Apply">Changes the root filesystem and says which bytes did it, and how many they were unpacked.</param>
internal sealed record ImageLayer(string? Digest, Func<string, (string Digest, long Bytes)> Apply);

/// <summary>What <c>content.json</c> says of a content: what it was made upon, so that layers are shared and kept while something above needs them.</summary>
internal sealed record ImageContent
{
    public required string Digest { get; init; }
    public string? Parent { get; init; }
    public long SizeBytes { get; init; }
}

/// <summary>
/// Images by name over content by digest: <c>names/NAME.json</c> points to <c>content/DIGEST/rootfs</c>. A content is complete or absent (it is
/// made aside and renamed), never changed, and outlives its name for as long as a machine or a content above it stands on it. The digest is that
/// of the chain of layers below it; on btrfs each content is a snapshot of the one it was made upon, so images of one base share their blocks.
/// </summary>
internal sealed partial class ImageStore
{
    private const uint PrivateDirectory = 0x1c0;
    private static readonly TimeSpan LockPatience = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan LockPause = TimeSpan.FromMilliseconds(50);

    /// <summary>A launch reads the name first and is on record moments later: what lost its last name just now is left in peace.</summary>
    private static readonly TimeSpan CollectAfter = TimeSpan.FromSeconds(10);

    private readonly string directory;
    private readonly long mostBytes;
    private readonly bool isBtrfs;
    private readonly Lock turn = new();
    private readonly Dictionary<string, DateTimeOffset> unneeded = [];
    private FileStream? held;

    public ImageStore(RuntimeSettings settings)
    {
        directory = settings.Images;
        Entries = settings.ImageFiles;
        mostBytes = settings.ImageGb * (1L << 30);
        foreach (var path in new[] { directory, Names, Contents, Staging }) Libc.Mkdir(path, PrivateDirectory);
        isBtrfs = Btrfs.IsAt(directory);
    }

    /// <summary>The most entries one archive may have.</summary>
    public int Entries { get; }

    /// <summary>What one image may take when unpacked: the setting, and never what others need of the volume.</summary>
    public long Budget => Math.Min(mostBytes, Math.Max(0, Btrfs.Space(directory).Free - (256L << 20)));

    private string Names => directory + "/names";

    private string Contents => directory + "/content";

    private string Staging => directory + "/staging";

    public static void CheckName(string name)
    {
        if (!ImageName().IsMatch(name))
            throw new CommandFailure($"image name \"{name}\" is not lower-case letters, digits, dots, dashes and underscores (1 to 64, the first a letter or digit)");
    }

    public ImageInfo? Find(string name)
    {
        var file = $"{Names}/{name}.json";
        return ImageName().IsMatch(name) && File.Exists(file) ? Read(file) : null;
    }

    /// <summary>The root filesystem of an image, relative to the data directory.</summary>
    public static string Rootfs(ImageInfo image) => $"images/content/{FolderOf(image)}/rootfs";

    /// <summary>
    /// A copy whose files belong to the one id range that all machines share where the kernel cannot map layers; made at its first use.
    /// </summary>
    /// <returns>Its path, relative to the data directory.</returns>
    public string ShiftedRootfs(ImageInfo image, uint baseId)
    {
        var content = $"{Contents}/{FolderOf(image)}";
        var shifted = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"rootfs-{baseId}");
        return Exclusively(() =>
        {
            if (!Directory.Exists($"{content}/{shifted}"))
            {
                var partial = $"{content}/partial";
                Tree.Delete(partial);
                Copy($"{content}/rootfs", partial);
                Tree.ShiftOwners(partial, baseId);
                Libc.Rename(partial, $"{content}/{shifted}");
            }
            return $"images/content/{FolderOf(image)}/{shifted}";
        });
    }

    public ImageInfo Import(string name, string path, Action<RuntimeProgress> progress) => new OciImport(this, progress).Run(name, path);

    public IReadOnlyList<ImageInfo> List() =>
        [.. Directory.EnumerateFiles(Names, "*.json").Order(StringComparer.Ordinal).Select(Read).OfType<ImageInfo>()];

    /// <summary>Makes what is missing of a chain of layers, each upon the one before, then gives the last one the name.</summary>
    /// <param name="parent">The rootfs path (as <see cref="Rootfs"/> tells it) the first layer stands on; null for an empty one.</param>
    /// <param name="describe">Gets the content, says what the image is; name and content are filled in here.</param>
    public ImageInfo Add(string name, string? parent, IReadOnlyList<ImageLayer> layers, Func<ImageContent, ImageInfo> describe)
    {
        CheckName(name);
        return Exclusively(() =>
        {
            var at = parent is null ? null : ContentAt(parent.Split('/')[^2]);
            foreach (var layer in layers)
                at = layer.Digest is { } known && ReadContent(FolderOf(Chain(at, known))) is { } made ? made : Make(at, layer);
            var content = at ?? throw new CommandFailure("an image needs at least one layer");
            var info = describe(content) with { Name = name, Content = content.Digest };
            Write($"{Names}/{name}.json", info);
            return info;
        });
    }

    /// <summary>A second name for the content of an image, with a description of its own.</summary>
    public ImageInfo Tag(string image, Func<ImageInfo, ImageInfo> describe) => Exclusively(() =>
    {
        var source = Find(image) ?? throw new Machines.Refusal(RuntimeErrors.ImageNotFound, $"image \"{image}\" is not in the store");
        var info = describe(source) with { Content = source.Content ?? source.Digest };
        CheckName(info.Name);
        Write($"{Names}/{info.Name}.json", info);
        return info;
    });

    /// <returns>False when there was no such name.</returns>
    public bool Remove(string name)
    {
        CheckName(name);
        return Exclusively(() => Libc.Unlink($"{Names}/{name}.json") == 0);
    }

    /// <summary>Deletes content that no name, no machine and no content above needs.</summary>
    /// <param name="rootfsInUse">The <see cref="Rootfs"/> of every machine.</param>
    /// <param name="isAtStart">Nothing is being launched: what is not needed goes at once.</param>
    /// <returns>The ids of the subvolumes that went.</returns>
    public IReadOnlyList<ulong> Collect(IReadOnlySet<string> rootfsInUse, bool isAtStart)
    {
        // Whoever holds it makes an image, which takes as long as it takes: another time then.
        if (!turn.TryEnter()) return [];
        try
        {
            return Exclusively(() => CollectInTurn(rootfsInUse, isAtStart));
        }
        finally
        {
            turn.Exit();
        }
    }

    private List<ulong> CollectInTurn(IReadOnlySet<string> rootfsInUse, bool isAtStart)
    {
        var needed = new HashSet<string>(List().Select(FolderOf).Concat(rootfsInUse.Select(path => path.Split('/')[^2])), StringComparer.Ordinal);
        foreach (var folder in needed.ToList())
            for (var parent = ReadContent(folder)?.Parent; parent is not null && needed.Add(FolderOf(parent));)
                parent = ReadContent(FolderOf(parent))?.Parent;
        var gone = new List<ulong>();
        foreach (var folder in Directory.EnumerateDirectories(Contents).Select(Path.GetFileName).OfType<string>())
        {
            if (needed.Contains(folder))
            {
                unneeded.Remove(folder);
                continue;
            }
            unneeded.TryAdd(folder, TimeProvider.System.GetUtcNow());
            if (!isAtStart && TimeProvider.System.GetUtcNow() - unneeded[folder] < CollectAfter) continue;
            unneeded.Remove(folder);
            if (Delete($"{Contents}/{folder}") is var subvolume and not 0) gone.Add(subvolume);
        }
        return gone;
    }

    /// <summary>A folder of its own for whoever holds the turn; what a process that dies leaves in it goes with the next turn.</summary>
    public string NewFolder()
    {
        if (held is null) throw new InvalidOperationException("folders are made by whoever holds the turn");
        var folder = $"{Staging}/{Guid.NewGuid():N}";
        Libc.Mkdir(folder, PrivateDirectory);
        return folder;
    }

    /// <summary>One change of the store at a time, over all processes. May be entered again by who is in it.</summary>
    public T Exclusively<T>(Func<T> work)
    {
        lock (turn)
        {
            if (held is not null) return work();
            using var file = Lock();
            held = file;
            try
            {
                // Nobody else stages now, so what lies here was left by a process that died.
                foreach (var left in Directory.EnumerateDirectories(Staging)) Delete(left);
                return work();
            }
            finally
            {
                held = null;
            }
        }
    }

    private ImageContent Make(ImageContent? parent, ImageLayer layer)
    {
        var staging = NewFolder();
        try
        {
            var rootfs = staging + "/rootfs";
            Begin(rootfs, parent);
            var (digest, bytes) = layer.Apply(rootfs);
            var content = new ImageContent { Digest = Chain(parent, digest), Parent = parent?.Digest, SizeBytes = (parent?.SizeBytes ?? 0) + bytes };
            var folder = $"{Contents}/{FolderOf(content.Digest)}";
            File.WriteAllBytes(staging + "/content.json", JsonSerializer.SerializeToUtf8Bytes(content, ContentJson.Default.ImageContent));
            if (!Directory.Exists(folder)) Libc.Rename(staging, folder);
            return content;
        }
        finally
        {
            Delete(staging);
        }
    }

    private void Begin(string rootfs, ImageContent? parent)
    {
        var below = parent is null ? null : $"{Contents}/{FolderOf(parent.Digest)}/rootfs";
        if (below is not null && !Directory.Exists(below)) throw new CommandFailure($"the content {parent?.Digest} is not in the store");
        if (!isBtrfs && below is not null) Copy(below, rootfs);
        else if (!isBtrfs) Libc.Mkdir(rootfs, 0x1ed);
        else
        {
            using var folder = Libc.Open(Path.GetDirectoryName(rootfs) ?? "/", Libc.O_RDONLY | Libc.O_DIRECTORY);
            using var source = below is null ? null : Libc.Open(below, Libc.O_RDONLY | Libc.O_DIRECTORY);
            if (source is not null && Btrfs.IsSubvolume(source)) Btrfs.Snapshot(source, folder, "rootfs");
            else if (below is not null) Copy(below, rootfs);
            else Btrfs.CreateSubvolume(folder, "rootfs");
        }
        if (below is null) Libc.Chmod(rootfs, 0x1ed);
    }

    private static void Copy(string from, string to) => Tools.Run("cp", ["-a", "--reflink=auto", "--one-file-system", from, to]);

    /// <returns>The id of the subvolume that went with it, or 0.</returns>
    private static ulong Delete(string folder)
    {
        ulong subvolume = 0;
        using (var rootfs = Libc.TryOpen(folder + "/rootfs", Libc.O_RDONLY | Libc.O_DIRECTORY | Libc.O_NOFOLLOW))
            if (rootfs is not null && Btrfs.IsSubvolume(rootfs)) subvolume = Btrfs.SubvolumeId(rootfs);
        // A plain folder is not taken as a subvolume: the walk removes it.
        if (subvolume != 0) _ = Btrfs.DeleteSubvolume(folder + "/rootfs");
        Tree.Delete(folder);
        return subvolume;
    }

    private static string Chain(ImageContent? parent, string digest)
    {
        if (parent is null) return digest;
        var hash = new Sha256();
        hash.Append(Encoding.ASCII.GetBytes($"{parent.Digest} {digest}"));
        return "sha256:" + hash.Finish();
    }

    private ImageContent ContentAt(string folder) => ReadContent(folder)
        ?? new ImageContent { Digest = folder.Replace('-', ':'), SizeBytes = List().FirstOrDefault(image => FolderOf(image) == folder)?.SizeBytes ?? 0 };

    private ImageContent? ReadContent(string folder)
    {
        var file = $"{Contents}/{folder}/content.json";
        if (!File.Exists(file)) return null;
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(file), ContentJson.Default.ImageContent);
        }
        catch (JsonException e)
        {
            Log.Line($"{file} is not readable and is passed over: {e.Message}");
            return null;
        }
    }

    private static string FolderOf(ImageInfo image) => FolderOf(image.Content ?? image.Digest);

    private static string FolderOf(string digest) => Digest().IsMatch(digest)
        ? digest.Replace(':', '-')
        : throw new CommandFailure($"\"{digest}\" is not a digest");

    private static ImageInfo? Read(string file)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(file), RuntimeWireJson.Default.ImageInfo);
        }
        catch (Exception e) when (e is JsonException or FileNotFoundException)
        {
            Log.Line($"{file} is not readable and is passed over: {e.Message}");
            return null;
        }
    }

    private static void Write(string file, ImageInfo info)
    {
        var partial = file + ".partial";
        using (var stream = new FileStream(partial, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            JsonSerializer.Serialize(stream, info, RuntimeWireJson.Default.ImageInfo);
            stream.Flush(flushToDisk: true);
        }
        Libc.Rename(partial, file);
    }

    private FileStream Lock()
    {
        var file = directory + "/lock";
        var begun = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                return new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (TimeProvider.System.GetElapsedTime(begun) < LockPatience)
            {
                // Another process makes an image; flock has no deadline, so it is asked again.
                Thread.Sleep(LockPause);
            }
            catch (IOException e)
            {
                throw new CommandFailure($"another process is changing the images ({file} is locked): try again when it is done", e);
            }
        }
    }

    [GeneratedRegex(@"^[a-z0-9][a-z0-9._-]{0,63}\z")]
    private static partial Regex ImageName();

    [GeneratedRegex(@"^sha256:[0-9a-f]{64}\z")]
    private static partial Regex Digest();
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ImageContent))]
internal sealed partial class ContentJson : JsonSerializerContext;
