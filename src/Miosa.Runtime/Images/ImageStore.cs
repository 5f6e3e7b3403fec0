using System.Text.Json;
using System.Text.RegularExpressions;
using Miosa.Runtime.Host;
using Miosa.Runtime.Linux;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Images;

/// <summary>
/// Images by name over content by digest:
/// <c>names/NAME.json</c> points to <c>content/DIGEST/rootfs</c>. A content is complete or absent (it is made aside and renamed), never
/// changed, and outlives its name for as long as a machine stands on it.
/// </summary>
internal sealed partial class ImageStore
{
    private const uint PrivateDirectory = 0x1c0;

    private readonly string directory;

    public ImageStore(RuntimeSettings settings)
    {
        directory = settings.Images;
        foreach (var path in new[] { directory, Names, Contents, Staging }) Libc.Mkdir(path, PrivateDirectory);
    }

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
    public static string Rootfs(ImageInfo image) => $"images/content/{FolderOf(image.Digest)}/rootfs";

    /// <summary>
    /// A copy whose files belong to the one id range that all machines share where the kernel cannot map layers; made at its first use.
    /// </summary>
    /// <returns>Its path, relative to the data directory.</returns>
    public string ShiftedRootfs(ImageInfo image, uint baseId)
    {
        var content = $"{Contents}/{FolderOf(image.Digest)}";
        var shifted = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"rootfs-{baseId}");
        using var only = Lock();
        if (!Directory.Exists($"{content}/{shifted}"))
        {
            var partial = $"{content}/partial";
            Tree.Delete(partial);
            Tools.Run("cp", ["-a", "--reflink=auto", "--one-file-system", $"{content}/rootfs", partial]);
            Tree.ShiftOwners(partial, baseId);
            Libc.Rename(partial, $"{content}/{shifted}");
        }
        return $"images/content/{FolderOf(image.Digest)}/{shifted}";
    }

    public ImageInfo Import(string name, string path, Action<RuntimeProgress> progress) => new OciImport(this, progress).Run(name, path);

    public IReadOnlyList<ImageInfo> List() =>
        [.. Directory.EnumerateFiles(Names, "*.json").Order(StringComparer.Ordinal).Select(Read).OfType<ImageInfo>()];

    /// <summary>Makes a content aside with <paramref name="fill"/>, which says what it is, then gives it the name.</summary>
    /// <param name="fill">Gets an empty root filesystem to fill.</param>
    public ImageInfo Add(string name, Func<string, ImageInfo> fill)
    {
        CheckName(name);
        using var only = Lock();
        // Under the lock nobody else stages, so what lies here was left by a process that died.
        foreach (var left in Directory.EnumerateDirectories(Staging)) Tree.Delete(left);
        var staging = $"{Staging}/{Guid.NewGuid():N}";
        Libc.Mkdir(staging, PrivateDirectory);
        try
        {
            Libc.Mkdir(staging + "/rootfs", 0x1ed);
            var info = fill(staging + "/rootfs");
            var content = $"{Contents}/{FolderOf(info.Digest)}";
            if (!Directory.Exists(content)) Libc.Rename(staging, content);
            Write($"{Names}/{name}.json", info);
            return info;
        }
        finally
        {
            Tree.Delete(staging);
        }
    }

    public bool Remove(string name)
    {
        CheckName(name);
        using var only = Lock();
        return Libc.Unlink($"{Names}/{name}.json") == 0;
    }

    /// <summary>Deletes content that no name and no machine uses.</summary>
    /// <param name="rootfsInUse">The <see cref="Rootfs"/> of every machine.</param>
    public void Collect(IReadOnlySet<string> rootfsInUse)
    {
        using var only = Lock();
        var named = List().Select(info => FolderOf(info.Digest)).ToHashSet(StringComparer.Ordinal);
        foreach (var content in Directory.EnumerateDirectories(Contents).Select(Path.GetFileName).OfType<string>())
            if (!named.Contains(content) && !rootfsInUse.Contains($"images/content/{content}/rootfs"))
                Tree.Delete($"{Contents}/{content}");
    }

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
        try
        {
            return new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new CommandFailure($"another process is changing the images ({file} is locked): try again when it is done", e);
        }
    }

    [GeneratedRegex(@"^[a-z0-9][a-z0-9._-]{0,63}\z")]
    private static partial Regex ImageName();

    [GeneratedRegex(@"^sha256:[0-9a-f]{64}\z")]
    private static partial Regex Digest();
}
