using System.Formats.Tar;
using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Tests;

/// <summary>Images in and out of the store: what is imported is what runs, and an archive that nobody vouches for reaches nothing but its own folder.</summary>
public sealed class ImageTests(RuntimeFixture runtime) : IDisposable
{
    private readonly string name = $"t-{Guid.NewGuid():N}";
    private readonly string outside = $"/tmp/escape-{Guid.NewGuid():N}";
    private readonly OciLayout layout = new();

    public void Dispose()
    {
        layout.Dispose();
        if (IsListed()) runtime.Command(["image", "remove", name]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_machine_of_an_imported_image_sees_all_its_layers(bool asTar)
    {
        layout.Layer([.. OciLayout.Busybox,
            OciLayout.File("kept", "one"), OciLayout.File("changed", "one"), OciLayout.File("removed", "one"),
            OciLayout.Folder("gone"), OciLayout.File("gone/file", "one"),
            OciLayout.Folder("opaque"), OciLayout.File("opaque/old", "one"), OciLayout.Folder("opaque/deep"), OciLayout.File("opaque/deep/old", "one")]);
        layout.Layer(OciLayout.File("changed", "two"), OciLayout.File("added", "two"), OciLayout.File(".wh.removed"), OciLayout.File(".wh.gone"),
            // The mark after what the layer puts there, as some builders do.
            OciLayout.Folder("opaque"), OciLayout.File("opaque/new", "two"), OciLayout.File("opaque/.wh..wh..opq"));
        layout.Seal(new JsonObject { ["Env"] = new JsonArray("OF_IMAGE=a=b c"), ["WorkingDir"] = "/opaque", ["Cmd"] = new JsonArray("sh") });
        runtime.Command(["image", "import", name, asTar ? layout.AsTar() : layout.Path]);

        Assert.Equal(("/opaque", "sh"), (Info().Workdir, Assert.Single(Info().Cmd)));
        await using var machine = await runtime.LaunchAsync(request => request with { Image = name });
        Assert.Equal("onetwotwo", (await machine.ShAsync("cat /kept /changed /added")).Output);
        Assert.Equal("new\n", (await machine.ShAsync("ls -A /opaque")).Output);
        Assert.Equal(0, (await machine.ShAsync("test ! -e /removed && test ! -e /gone")).ExitCode);
        Assert.Equal("", (await machine.ShAsync("ls -A / | while read f; do case $f in .wh.*) echo $f;; esac; done")).Output);
        Assert.Equal("a=b c\n", (await machine.ShAsync("echo \"$OF_IMAGE\"")).Output);
    }

    [Fact]
    public void An_opaque_mark_before_the_new_files_keeps_them()
    {
        layout.Layer(OciLayout.Folder("opaque"), OciLayout.File("opaque/old", "one"));
        layout.Layer(OciLayout.File("opaque/.wh..wh..opq"), OciLayout.File("opaque/new", "two")).Seal();
        runtime.Command(["image", "import", name, layout.Path]);
        Assert.Equal([Rootfs + "/opaque/new"], Directory.EnumerateFileSystemEntries(Rootfs + "/opaque"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_path_that_climbs_is_refused(bool inTheOuterTar)
    {
        var hostile = OciLayout.File("../../../../../../../.." + outside, "escaped");
        AssertRefused(inTheOuterTar ? Sound().AsTar(hostile) : Hostile(hostile), "\"..\"");
    }

    [Fact]
    public void An_absolute_path_counts_from_the_root_of_the_image()
    {
        runtime.Command(["image", "import", name, Hostile(OciLayout.File(outside, "inside"))]);
        Assert.Equal("inside", File.ReadAllText(Rootfs + outside));
        AssertNothingOutside();
    }

    [Theory]
    [InlineData("/tmp/..")]
    [InlineData("/tmp")]
    [InlineData("../../../../../../../../../../tmp")]
    public void A_link_of_the_archive_leads_nowhere_outside(string target)
    {
        var file = Path.GetFileName(outside);
        runtime.Command(["image", "import", name, Hostile(OciLayout.Folder("tmp"), OciLayout.Link("a", target), OciLayout.File("a/" + file, "inside"))]);
        Assert.True(File.Exists($"{Rootfs}/{file}") || File.Exists($"{Rootfs}/tmp/{file}"), "the file is not in the image");
        Assert.False(File.Exists("/" + file), "the file is at the root of the host");
        AssertNothingOutside();
    }

    [Fact]
    public void A_link_of_a_lower_layer_leads_nowhere_outside()
    {
        var file = Path.GetFileName(outside);
        layout.Layer(OciLayout.Folder("tmp"), OciLayout.Link("a", "/tmp")).Layer(OciLayout.File("a/" + file, "inside")).Seal();
        runtime.Command(["image", "import", name, layout.Path]);
        Assert.True(File.Exists($"{Rootfs}/tmp/{file}"));
        AssertNothingOutside();
    }

    [Fact]
    public void A_link_of_the_outer_tar_leads_nowhere_outside()
    {
        var file = Path.GetFileName(outside);
        runtime.Command(["image", "import", name, Sound().AsTar(OciLayout.Folder("tmp"), OciLayout.Link("a", "/tmp"), OciLayout.File("a/" + file, "x"))]);
        AssertNothingOutside();
    }

    [Fact]
    public void A_link_in_the_place_of_the_index_is_not_followed()
    {
        Sound();
        File.Move(layout.Path + "/index.json", outside);
        try
        {
            var tar = layout.AsTar(OciLayout.Link("index.json", outside));
            Assert.Throws<InvalidOperationException>(() => runtime.Command(["image", "import", name, tar]));
        }
        finally
        {
            File.Delete(outside);
        }
        AssertNothingCame();
    }

    [Theory]
    [InlineData("/etc/shadow")]
    [InlineData("/proc/1/root/etc/shadow")]
    [InlineData("../../../../../../../../../../etc/shadow")]
    public void A_hard_link_to_a_file_of_the_host_is_refused(string target)
    {
        Assert.True(File.Exists("/etc/shadow"), "the test needs a file that the host has");
        AssertRefused(Hostile(OciLayout.HardLink("stolen", target)), target.TrimStart('.', '/'));
    }

    [Fact]
    public void A_hard_link_through_a_link_finds_the_file_of_the_image()
    {
        runtime.Command(["image", "import", name, Hostile(OciLayout.Folder("etc"), OciLayout.File("etc/shadow", "own"), OciLayout.Link("e", "/etc"), OciLayout.HardLink("copy", "e/shadow"))]);
        Assert.Equal("own", File.ReadAllText(Rootfs + "/copy"));
    }

    [Fact]
    public void Devices_and_pipes_are_left_out()
    {
        runtime.Command(["image", "import", name, Hostile(
            new PaxTarEntry(TarEntryType.CharacterDevice, "mem") { DeviceMajor = 1, DeviceMinor = 1 },
            new PaxTarEntry(TarEntryType.BlockDevice, "disk") { DeviceMajor = 7, DeviceMinor = 0 },
            new PaxTarEntry(TarEntryType.Fifo, "pipe"), OciLayout.File("file", "x"))]);
        Assert.Equal([Rootfs + "/file"], Directory.EnumerateFileSystemEntries(Rootfs));
    }

    [Theory]
    [InlineData(70000, 0)]
    [InlineData(0, 70000)]
    [InlineData(65536, 0)]
    public void An_owner_that_no_machine_has_is_refused(int uid, int gid)
    {
        var file = OciLayout.File("file", "x");
        (file.Uid, file.Gid) = (uid, gid);
        AssertRefused(Hostile(file), $"{uid}:{gid}");
    }

    [Fact]
    public void Owner_and_set_id_bits_are_those_of_the_archive()
    {
        var file = OciLayout.File("file", "x");
        (file.Uid, file.Gid, file.Mode) = (65535, 65535, (UnixFileMode)0x9ed);
        runtime.Command(["image", "import", name, Hostile(file)]);
        Assert.Equal(65535, Native.Owner(Rootfs + "/file"));
        Assert.Equal((UnixFileMode)0x9ed, File.GetUnixFileMode(Rootfs + "/file"));
    }

    [Theory]
    [InlineData("folder/.wh...")]
    [InlineData("folder/.wh..")]
    [InlineData("folder/.wh.")]
    public void A_whiteout_of_a_folder_itself_or_above_is_refused(string whiteout)
    {
        layout.Layer(OciLayout.Folder("folder"), OciLayout.File("folder/file")).Layer(OciLayout.File(whiteout)).Seal();
        AssertRefused(layout.Path, "removes no file");
    }

    [Theory]
    [InlineData("link/.wh.victim")]
    [InlineData("link/.wh..wh..opq")]
    [InlineData(".wh.link")]
    public void A_whiteout_through_a_link_removes_nothing_outside(string whiteout)
    {
        Directory.CreateDirectory(outside);
        try
        {
            File.WriteAllText(outside + "/victim", "here");
            layout.Layer(OciLayout.Folder("folder"), OciLayout.Link("link", outside)).Layer(OciLayout.File(whiteout)).Seal();
            runtime.Command(["image", "import", name, layout.Path]);
            Assert.True(File.Exists(outside + "/victim"));
        }
        finally
        {
            Directory.Delete(outside, recursive: true);
        }
    }

    [Fact]
    public void A_file_under_a_dangling_link_is_refused() =>
        AssertRefused(Hostile(OciLayout.Link("a", outside), OciLayout.File("a/file", "x")), "/a");

    [Fact]
    public void A_blob_with_other_bytes_than_its_digest_is_refused()
    {
        var digest = "";
        layout.Layer(OciLayout.File("file", "x")).Seal(change: manifest => digest = (string)manifest["layers"]![0]!["digest"]!);
        var bytes = File.ReadAllBytes(layout.BlobFile(digest));
        bytes[^1] ^= 1;
        File.WriteAllBytes(layout.BlobFile(digest), bytes);
        AssertRefused(layout.Path, "another digest");
    }

    [Theory]
    [InlineData("sha256:../../x")]
    [InlineData("sha256:")]
    [InlineData("md5:d41d8cd98f00b204e9800998ecf8427e")]
    [InlineData("")]
    public void A_digest_that_is_none_is_refused(string digest)
    {
        layout.Layer(OciLayout.File("file", "x")).Seal(change: manifest => manifest["layers"]![0]!["digest"] = digest);
        AssertRefused(layout.Path, "is not a sha256 digest");
    }

    [Theory]
    [InlineData("config")]
    [InlineData("layers")]
    public void A_manifest_that_lacks_a_part_is_refused(string part)
    {
        layout.Layer(OciLayout.File("file", "x")).Seal(change: manifest => manifest.Remove(part));
        AssertRefused(layout.Path, "no configuration or no layers");
    }

    [Theory]
    [InlineData("{}", "no variant for linux/amd64")]
    [InlineData("""{"manifests":[{}]}""", "is not a sha256 digest")]
    [InlineData("""{"manifests":[null]}""", "no variant for linux/amd64")]
    [InlineData("""{"manifests":null}""", "not what OCI says")]
    [InlineData("""{"manifests":[{"digest":null}]}""", "not what OCI says")]
    [InlineData("not json", "not what OCI says")]
    [InlineData("", "not what OCI says")]
    public void A_broken_index_is_refused(string index, string says)
    {
        Sound().Write("index.json", index);
        AssertRefused(layout.Path, says);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("short")]
    [InlineData("noise")]
    public void A_layer_that_is_no_archive_is_refused(string kind)
    {
        var noise = new byte[4096];
        new Random(1).NextBytes(noise);
        var tar = OciLayout.Tar([new PaxTarEntry(TarEntryType.RegularFile, "file") { DataStream = new MemoryStream(noise) }]);
        var bytes = kind switch { "gzip" => OciLayout.Gzip(tar)[..^600], "short" => tar[..2000], _ => noise };
        layout.Layer(bytes).Seal();
        AssertRefused(layout.Path, "the archive ");
    }

    [Fact]
    public void What_is_no_layout_is_refused_with_the_reason()
    {
        AssertRefused(layout.Path, "is not an OCI layout");
        File.WriteAllText(layout.Path + "/text", "just text");
        AssertRefused(layout.Path + "/text", "cannot be unpacked");
        AssertRefused(layout.AsTar(), "is not an OCI layout");
        AssertRefused(layout.Path + "/missing", "does not exist");
    }

    [Theory]
    [InlineData("../x")]
    [InlineData("Upper")]
    [InlineData("")]
    [InlineData(".hidden")]
    [InlineData("newline\n")]
    public void A_name_that_is_none_is_refused(string bad)
    {
        foreach (string[] command in (string[][])[["build", bad, "--recipe", Recipe], ["import", bad, Sound().Path], ["remove", bad]])
            Assert.Contains("image name", Assert.Throws<InvalidOperationException>(() => runtime.Command(["image", .. command])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_builds_of_a_recipe_have_the_same_digest_and_a_removed_image_is_not_listed()
    {
        var digests = new List<string>();
        for (var i = 0; i < 2; i++)
        {
            var cache = $"{layout.Path}/cache{i}";
            // Times in a tar count in seconds: builds of the same second would agree by chance.
            var second = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
            await Eventually.TrueAsync(() => TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() != second, "the next second");
            runtime.Command(["image", "build", name, "--recipe", Recipe, "--cache", cache]);
            Assert.Single(Directory.EnumerateFiles(cache));
            digests.Add(Info().Digest);
            runtime.Command(["image", "remove", name]);
            Assert.False(IsListed());
        }
        Assert.Equal(digests[0], digests[1]);
        Assert.Contains("there is no image", Assert.Throws<InvalidOperationException>(() => runtime.Command(["image", "remove", name])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_files_of_a_recipe_are_in_its_image_and_a_changed_one_makes_another()
    {
        var folder = Directory.CreateDirectory(layout.Path + "/recipe");
        File.WriteAllText(folder + "/recipe.json", "{}");
        Directory.CreateDirectory(folder + "/root/etc/deep");
        File.WriteAllText(folder + "/root/etc/deep/file", "one");
        File.WriteAllText(folder + "/root/etc/script", "#!/bin/sh\n");
        // As a clone under another umask would have them.
        File.SetUnixFileMode(folder + "/root/etc/deep/file", UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.SetUnixFileMode(folder + "/root/etc/script", UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        File.CreateSymbolicLink(folder + "/root/etc/link", "/proc/version");
        File.CreateSymbolicLink(folder + "/root/etc/folder", "deep");
        string[] build = ["image", "build", name, "--recipe", folder.FullName, "--cache", layout.Path + "/cache"];
        runtime.Command(build);

        Assert.Equal("one", File.ReadAllText(Rootfs + "/etc/deep/file"));
        Assert.Equal("/proc/version", new FileInfo(Rootfs + "/etc/link").LinkTarget);
        Assert.Equal("deep", new FileInfo(Rootfs + "/etc/folder").LinkTarget);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead, File.GetUnixFileMode(Rootfs + "/etc/deep/file"));
        Assert.True(File.GetUnixFileMode(Rootfs + "/etc/script").HasFlag(UnixFileMode.OtherExecute));
        Assert.True(File.Exists(Rootfs + "/bin/busybox"), "the system is gone");

        runtime.Command(build);
        Assert.Single(Directory.EnumerateFiles(layout.Path + "/cache"));
        File.WriteAllText(folder + "/root/etc/deep/file", "two");
        runtime.Command(build);
        Assert.Equal("two", File.ReadAllText(Rootfs + "/etc/deep/file"));
        Assert.Equal(2, Directory.EnumerateFiles(layout.Path + "/cache").Count());
    }

    [Fact]
    public void A_bomb_is_refused_before_it_fills_the_volume()
    {
        // 3 GiB of zeros in a few megabytes, on a volume of 4 with a limit of 1.
        var bomb = new PaxTarEntry(TarEntryType.RegularFile, "bomb") { DataStream = new ZeroStream(3L << 30) };
        using var packed = new MemoryStream();
        using (var gzip = new System.IO.Compression.GZipStream(packed, System.IO.Compression.CompressionLevel.Fastest, leaveOpen: true))
        using (var writer = new TarWriter(gzip))
            writer.WriteEntry(bomb);
        layout.Layer(packed.ToArray()).Seal();
        foreach (var path in (string[])[layout.Path, layout.AsTar()])
        {
            var refused = Assert.Throws<InvalidOperationException>(() => runtime.Command(["image", "import", name, path, "--image-gb", "1"]));
            Assert.Contains("larger than", refused.Message, StringComparison.Ordinal);
            AssertNothingCame();
        }
    }

    [Fact]
    public void A_layout_tar_that_is_itself_a_bomb_is_refused()
    {
        var file = Sound().AsTar(new PaxTarEntry(TarEntryType.RegularFile, "bomb") { DataStream = new ZeroStream(2L << 30) });
        var refused = Assert.Throws<InvalidOperationException>(() => runtime.Command(["image", "import", name, file, "--image-gb", "1"]));
        Assert.Contains("larger than", refused.Message, StringComparison.Ordinal);
        AssertNothingCame();
    }

    [Fact]
    public void An_archive_of_more_entries_than_allowed_is_refused()
    {
        var path = Hostile(Enumerable.Range(0, 2001).Select(i => OciLayout.File($"f{i}")));
        var refused = Assert.Throws<InvalidOperationException>(() => runtime.Command(["image", "import", name, path, "--image-files", "2000"]));
        Assert.Contains("more than 2000 entries", refused.Message, StringComparison.Ordinal);
        AssertNothingCame();
        runtime.Command(["image", "import", name, path, "--image-files", "2001"]);
    }

    [Fact]
    public void Images_of_one_base_share_its_layer()
    {
        layout.Layer(OciLayout.File("base", new string('x', 1 << 20)));
        layout.Layer(OciLayout.File("one", "one")).Seal();
        runtime.Command(["image", "import", name, layout.Path]);
        var before = Contents();
        layout.Layer(OciLayout.File("two", "two")).Seal();
        runtime.Command(["image", "import", name + "-2", layout.Path]);
        // Two layers were there already; one is new, and stands on them.
        Assert.Single(Contents().Except(before));
        runtime.Command(["image", "remove", name + "-2"]);
    }

    [Fact]
    public void A_layer_that_the_store_has_is_not_given_to_who_only_names_its_digest()
    {
        var digest = "";
        layout.Layer(OciLayout.File("secret", "of another tenant")).Seal(change: manifest => digest = (string)manifest["layers"]![0]!["digest"]!);
        runtime.Command(["image", "import", name, layout.Path]);
        File.Delete(layout.BlobFile(digest));
        var refused = Assert.Throws<InvalidOperationException>(() => runtime.Command(["image", "import", name + "-2", layout.Path]));
        Assert.Contains("lacks the blob", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_killed_import_left_is_swept_by_the_next()
    {
        Directory.CreateDirectory(runtime.Data + "/images/staging/left/rootfs");
        runtime.Command(["image", "import", name, Sound().Path]);
        Assert.False(Directory.Exists(runtime.Data + "/images/staging/left"));
    }

    private HashSet<string> Contents() => [.. Directory.EnumerateDirectories(runtime.Data + "/images/content")];

    private static string Recipe => $"{RuntimeFixture.Root}/images/{RuntimeFixture.Image}";

    private string Rootfs => $"{runtime.Data}/images/content/{(Info().Content ?? Info().Digest).Replace(':', '-')}/rootfs";

    private OciLayout Sound() => layout.Layer(OciLayout.File("file", "x")).Seal();

    private string Hostile(params IEnumerable<TarEntry> entries) => layout.Layer(entries).Seal().Path;

    private ImageInfo Info() => JsonSerializer.Deserialize(File.ReadAllBytes($"{runtime.Data}/images/names/{name}.json"), RuntimeWireJson.Default.ImageInfo)!; // never "null"

    private bool IsListed() => runtime.Command(["image", "list"]).Contains(name, StringComparison.Ordinal);

    private void AssertRefused(string path, string says)
    {
        var refused = Assert.Throws<InvalidOperationException>(() => runtime.Command(["image", "import", name, path]));
        Assert.Contains(says, refused.Message, StringComparison.Ordinal);
        AssertReadable(refused);
        AssertNothingCame();
    }

    /// <summary>A refusal is a sentence. An exception that nobody caught ends the process without its clean-up.</summary>
    private static void AssertReadable(Exception refused) => Assert.DoesNotContain("Unhandled exception", refused.Message, StringComparison.Ordinal);

    private void AssertNothingCame()
    {
        Assert.False(IsListed(), "the image is listed");
        Assert.Empty(Directory.EnumerateFileSystemEntries(runtime.Data + "/images/staging"));
        Assert.Empty(Directory.EnumerateDirectories("/tmp", "miosa-oci-*"));
        AssertNothingOutside();
    }

    private void AssertNothingOutside() => Assert.False(Path.Exists(outside), $"{outside} was written");
}
