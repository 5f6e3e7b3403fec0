using System.Globalization;
using System.Text;
using Miosa.Runtime.Host;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Images;

/// <summary>
/// Recipe → archive. One of the same recipe in the cache is taken as it is. Otherwise mmdebstrap (or busybox) makes a system, the recipe's npm
/// packages, its files (the tree <c>root/</c>, owned by root) and its setup script go in, and it is packed with fixed order, owners and times, so
/// that the same packages give the same bytes.
/// </summary>
internal sealed class ImageArchive(string cacheDirectory, Action<RuntimeProgress> progress)
{
    // 2026-01-01: every file is at most this old, so that the day of the build leaves no trace.
    private const string Epoch = "1767225600";
    private const string FilesFolder = "root";

    /// <summary>The archive of the recipe in a folder.</summary>
    public string Of(string name, string folder) => Of(Recipe.Read(folder), folder, $"{name}-{Fingerprint(folder)}");

    /// <param name="folder">Where the recipe's script and files lie; null for a recipe that has neither.</param>
    public string Of(Recipe recipe, string? folder, string cached)
    {
        Directory.CreateDirectory(cacheDirectory);
        var archive = Path.Combine(cacheDirectory, cached + ".tar.zst");
        if (File.Exists(archive))
        {
            Tell("cache", 80, $"taking {archive}");
            return archive;
        }
        var partial = $"{archive}.{Environment.ProcessId}.partial";
        try
        {
            Make(recipe, folder, partial);
            File.Move(partial, archive, overwrite: true);
        }
        finally
        {
            File.Delete(partial);
        }
        return archive;
    }

    private void Make(Recipe recipe, string? folder, string archive)
    {
        var work = Directory.CreateTempSubdirectory("miosa-image-").FullName;
        try
        {
            FetchNpm(recipe, work);
            var files = PackFiles(folder, work);
            if (recipe.Packages.Count > 0) MakeDebian(recipe, folder, files, work, archive);
            else MakeBusybox(files, work, archive);
        }
        finally
        {
            Linux.Tree.Delete(work);
        }
    }

    private void FetchNpm(Recipe recipe, string work)
    {
        foreach (var package in recipe.Npm)
        {
            Tell("npm", 5, $"fetching {package}");
            Tools.Run("npm", ["pack", package, "--silent", "--pack-destination", work], environment: new Dictionary<string, string> { ["HOME"] = Home }, directory: work);
        }
    }

    private static string Home => Environment.GetEnvironmentVariable("HOME") ?? "/root";

    /// <summary>
    /// The recipe's own files as an archive; null without any. No folders in it: those that the system has keep their modes and may be links
    /// (/bin), and the missing ones are made. Whose checkout it is and how it was cloned leaves no trace.
    /// </summary>
    private static string? PackFiles(string? folder, string work)
    {
        if (folder is null) return null;
        var root = Path.Combine(Path.GetFullPath(folder), FilesFolder);
        if (!Directory.Exists(root)) return null;
        var list = Path.Combine(work, "files.list");
        File.WriteAllText(list, string.Concat(FilesOf(root).Select(file => file + "\0")));
        var archive = Path.Combine(work, "files.tar");
        Tools.Run("tar", ["-C", root, "--mtime=@" + Epoch, "--owner=0", "--group=0", "--numeric-owner", "--mode=u=rwX,go=rX", "--no-recursion", "--null", "--verbatim-files-from", "--files-from=" + list, "-cf", archive]);
        return archive;
    }

    /// <summary>Files and links below, relative, in a fixed order.</summary>
    private static List<string> FilesOf(string root)
    {
        // A link to a folder is a file here: what it points at lies in the machine, not in the recipe.
        var entries = new DirectoryInfo(root).EnumerateFileSystemInfos("*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 })
            .Where(entry => entry is FileInfo || entry.LinkTarget is not null);
        return [.. entries.Select(entry => Path.GetRelativePath(root, entry.FullName)).Order(StringComparer.Ordinal)];
    }

    private void MakeDebian(Recipe recipe, string? folder, string? files, string work, string archive)
    {
        var arguments = new List<string>
        {
            "--variant=minbase", "--format=tar", $"--include={string.Join(',', recipe.Packages)}",
            "--aptopt=APT::Install-Recommends \"false\"",
            "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-include=/usr/share/doc/*/copyright",
            "--dpkgopt=path-exclude=/usr/share/locale/*",
        };
        foreach (var tarball in Directory.EnumerateFiles(work, "*.tgz").Order(StringComparer.Ordinal))
            arguments.Add($"--customize-hook=upload {tarball} /tmp/{Path.GetFileName(tarball)}");
        if (files is not null) arguments.Add($"--customize-hook=tar-in {files} /");
        if (recipe.Setup is { } setup && folder is not null)
        {
            var script = Path.Combine(Path.GetFullPath(folder), setup);
            if (!File.Exists(script)) throw new CommandFailure($"the recipe names the script {script}, which does not exist");
            arguments.Add($"--customize-hook=upload {script} /tmp/setup");
            arguments.Add("--customize-hook=chroot \"$1\" sh -e /tmp/setup");
        }
        // What a build leaves behind and what must differ between machines.
        arguments.Add("--customize-hook=rm -rf \"$1\"/tmp/* \"$1\"/var/cache/* \"$1\"/var/log/* \"$1\"/var/lib/apt/lists/*; : > \"$1\"/etc/machine-id; rm -f \"$1\"/etc/resolv.conf \"$1\"/etc/hostname");
        arguments.Add(recipe.Suite);
        arguments.Add("-");
        Tell("debian", 10, $"installing {recipe.Packages.Count} packages and what they need (Debian {recipe.Suite})");
        // zstd behind mmdebstrap, so that the archive is written once. bash only for the pipe; every argument is quoted.
        var pipeline = $"set -o pipefail; {Tools.Require("mmdebstrap")} {string.Join(' ', arguments.Select(Quote))} | {Tools.Require("zstd")} -q -3 -T0 -f -o {Quote(archive)}";
        var seen = 0;
        Tools.Run("bash", ["-c", pipeline], environment: new Dictionary<string, string> { ["SOURCE_DATE_EPOCH"] = Epoch, ["TMPDIR"] = "/var/tmp" }, line: text =>
        {
            if (!text.StartsWith("I: ", StringComparison.Ordinal)) return;
            seen++;
            Tell("debian", Math.Min(10 + (seen * 4), 75), text[3..]);
        });
    }

    private void MakeBusybox(string? files, string work, string archive)
    {
        Tell("busybox", 10, "making a system of busybox alone");
        var root = Directory.CreateDirectory(Path.Combine(work, "root")).FullName;
        foreach (var folder in (string[])["bin", "sbin", "usr/bin", "usr/sbin", "etc", "proc", "sys", "dev", "run", "tmp", "root", "home/user", "workspace", "app", "opt", "srv", "var/tmp"])
            Directory.CreateDirectory(Path.Combine(root, folder));
        File.Copy(Tools.Require("busybox"), Path.Combine(root, "bin/busybox"));
        foreach (var applet in Tools.Output("busybox", "--list").Split('\n').Where(applet => applet is not ("busybox" or "")))
            Linux.Libc.Symlink("busybox", Path.Combine(root, "bin", applet));
        File.WriteAllText(Path.Combine(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n");
        File.WriteAllText(Path.Combine(root, "etc/group"), "root:x:0:\nuser:x:1000:\n");
        if (files is not null) Tools.Run("tar", ["-C", root, "-xf", files]);
        foreach (var open in (string[])["tmp", "workspace", "app", "var/tmp"]) Linux.Libc.Chmod(Path.Combine(root, open), 0x3ff);
        var pack = $"set -o pipefail; {Tools.Require("tar")} -C {Quote(root)} --sort=name --mtime=@{Epoch} --owner=0 --group=0 --numeric-owner -cf - . | {Tools.Require("zstd")} -q -3 -f -o {Quote(archive)}";
        Tools.Run("bash", ["-c", pack]);
    }

    /// <summary>Over every file of the recipe's folder: a changed script is another image.</summary>
    private static string Fingerprint(string folder)
    {
        var hash = new Sha256();
        foreach (var file in Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal))
        {
            hash.Append(Encoding.UTF8.GetBytes(Path.GetFileName(file) + "\0"));
            hash.Append(File.ReadAllBytes(file));
        }
        var root = Path.Combine(folder, FilesFolder);
        foreach (var name in Directory.Exists(root) ? FilesOf(root) : [])
        {
            var file = new FileInfo(Path.Combine(root, name));
            var runs = file.LinkTarget is null && (file.UnixFileMode & UnixFileMode.UserExecute) != 0;
            hash.Append(Encoding.UTF8.GetBytes($"{FilesFolder}/{name}\0{(runs ? "x" : "")}{file.LinkTarget}\0"));
            if (file.LinkTarget is null) hash.Append(File.ReadAllBytes(file.FullName));
        }
        return hash.Finish()[..16];
    }

    private static string Quote(string word) => "'" + word.Replace("'", "'\\''", StringComparison.Ordinal) + "'";

    private void Tell(string step, int percent, string message) => progress(new RuntimeProgress
    {
        Step = step,
        Percent = percent,
        Message = message.Length > 200 ? string.Create(CultureInfo.InvariantCulture, $"{message.AsSpan(0, 200)}…") : message,
    });
}
