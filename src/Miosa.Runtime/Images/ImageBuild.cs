using System.Text;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Images;

/// <summary>The archive of a recipe unpacked into the store under the digest of its bytes.</summary>
internal sealed class ImageBuild(ImageStore store, string cacheDirectory, Action<RuntimeProgress> progress)
{
    public ImageInfo Run(string name, string folder)
    {
        ImageStore.CheckName(name);
        return Run(name, Recipe.Read(folder), new ImageArchive(cacheDirectory, progress).Of(name, folder));
    }

    /// <summary>A Debian system with these packages and nothing of ours in it.</summary>
    public ImageInfo Run(string name, string suite, IReadOnlyList<string> packages)
    {
        ImageStore.CheckName(name);
        var sorted = packages.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        var hash = new Sha256();
        hash.Append(Encoding.UTF8.GetBytes($"{suite} {string.Join(' ', sorted)}"));
        var recipe = new Recipe { Suite = suite, Packages = sorted, Env = new Dictionary<string, string> { ["LANG"] = "C.UTF-8" } };
        return Run(name, recipe, new ImageArchive(cacheDirectory, progress).Of(recipe, null, $"debian-{hash.Finish()[..16]}"));
    }

    private ImageInfo Run(string name, Recipe recipe, string archive)
    {
        progress(new RuntimeProgress { Step = "unpack", Percent = 85, Message = "unpacking into the store" });
        var digest = "sha256:" + Digest(archive);
        var layer = new ImageLayer(digest, rootfs =>
        {
            using var tar = new Archive(archive, store.Budget);
            Unpack.Into(rootfs, tar, store.Entries);
            return (digest, tar.Stream.BytesRead);
        });
        return store.Add(name, null, [layer], content => new ImageInfo
        {
            Name = name,
            Digest = digest,
            SizeBytes = content.SizeBytes,
            CreatedAt = File.GetLastWriteTimeUtc(archive),
            Env = recipe.Env,
            Workdir = recipe.Workdir,
            User = recipe.User,
            Cmd = recipe.Cmd,
        });
    }

    private static string Digest(string archive)
    {
        using var tar = new Archive(archive, long.MaxValue);
        var digest = Sha256.HexOf(tar.Stream);
        tar.Finish();
        return digest;
    }
}
