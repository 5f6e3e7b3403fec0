using Miosa.Runtime.Host;
using Miosa.Runtime.Images;
using Miosa.Runtime.Linux;

namespace Miosa.Runtime.Gvisor;

/// <summary>
/// The guest's program by its content, <c>guests/SHA256</c> in the data directory. Memory that was written to disk holds addresses in that
/// very file, so a copy of a machine needs the program that its source began with, whatever has been installed since.
/// </summary>
internal sealed class GuestPrograms
{
    private readonly string directory;

    public GuestPrograms(RuntimeSettings settings, string guest)
    {
        directory = settings.Data + "/guests";
        Libc.Mkdir(directory, 0x1c0);
        var content = File.ReadAllBytes(guest);
        var hash = new Sha256();
        hash.Append(content);
        Current = hash.Finish();
        if (File.Exists(PathOf(Current))) return;
        File.WriteAllBytes(PathOf(Current) + ".new", content);
        Libc.Chmod(PathOf(Current) + ".new", 0x16d);
        Libc.Rename(PathOf(Current) + ".new", PathOf(Current));
    }

    /// <summary>The digest of the program that new machines get.</summary>
    public string Current { get; }

    public string PathOf(string digest) => $"{directory}/{digest}";

    public void Collect(IReadOnlySet<string> inUse)
    {
        foreach (var path in Directory.EnumerateFiles(directory))
            if (Path.GetFileName(path) is var name && name != Current && !inUse.Contains(name)) Libc.Unlink(path);
    }
}
