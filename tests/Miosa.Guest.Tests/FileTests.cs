using System.Security.Cryptography;
using System.Text;
using Miosa.Server.Guests;

namespace Miosa.Guest.Tests;

public sealed class FileTests(SharedMachine shared) : IClassFixture<SharedMachine>
{
    private readonly Machine _machine = shared.Machine;

    private GuestConnection Guest => _machine.Guest;

    [Theory]
    [InlineData("plain.txt")]
    [InlineData("with space and\nnewline")]
    [InlineData("ünïcödé 日本 🙂")]
    [InlineData("-rf \"quoted\" $HOME `x`")]
    public async Task A_file_of_any_name_round_trips(string name)
    {
        var content = RandomNumberGenerator.GetBytes(1000);
        await WriteAsync("/workspace/names/" + name, content);
        Assert.Equal(content, await ReadAsync("/workspace/names/" + name));
        Assert.Contains(await ListAsync("/workspace/names"), entry => entry.Name == name && entry.Size == 1000);
        Assert.Equal("/workspace/names/" + name, (await Guest.StatAsync("names/" + name, default)).Path);
    }

    [Fact]
    public async Task A_name_of_255_bytes_works_and_256_is_refused()
    {
        await WriteAsync("/tmp/" + new string('n', 255), [1]);
        Assert.Equal([1], await ReadAsync("/tmp/" + new string('n', 255)));
        await RefusedAsync(GuestErrorCode.BadRequest, () => WriteAsync("/tmp/" + new string('n', 256), [1]));
    }

    [Fact]
    public async Task Empty_and_non_utf8_content_survive()
    {
        await WriteAsync("/tmp/empty", []);
        Assert.Empty(await ReadAsync("/tmp/empty"));
        byte[] raw = [0, 0xff, 0xfe, 0x80, (byte)'\r', (byte)'\n'];
        await WriteAsync("/tmp/raw", raw);
        Assert.Equal(raw, await ReadAsync("/tmp/raw"));
    }

    [Fact]
    public async Task A_name_that_is_not_utf8_is_listed_with_replacement()
    {
        await _machine.RunAsync("mkdir -p /tmp/bytes; touch \"$(printf '/tmp/bytes/a\\377b')\"");
        Assert.Equal("a\uFFFDb", Assert.Single(await ListAsync("/tmp/bytes")).Name);
    }

    [Fact]
    public async Task A_large_file_round_trips_with_flat_memory()
    {
        const long size = 300L << 20;
        var before = (_machine.MemoryKb("Private_Dirty"), GC.GetTotalMemory(true));
        using var source = new PatternStream(size);
        var written = await Guest.WriteAsync(new WriteFileCall { Path = "/workspace/large" }, source, default);
        Assert.Equal(size, written.Size);
        await using var file = await Guest.OpenReadAsync("/workspace/large", 0, null, default);
        using var check = new PatternStream(size);
        await file.CopyToAsync(check, default);
        Assert.Equal(size, check.Checked);
        Assert.True(_machine.MemoryKb("Private_Dirty") - before.Item1 < 3000, "guest grew");
        Assert.True(GC.GetTotalMemory(true) - before.Item2 < 8_000_000, "client grew");
        await Guest.DeleteAsync("/workspace/large", false, default);
    }

    [Fact]
    public async Task A_part_can_be_read()
    {
        await WriteAsync("/tmp/part", "0123456789"u8.ToArray());
        await using var file = await Guest.OpenReadAsync("/tmp/part", 3, 4, default);
        var target = new MemoryStream();
        await file.CopyToAsync(target, default);
        Assert.Equal("3456", Encoding.ASCII.GetString(target.ToArray()));
    }

    [Fact]
    public async Task Writing_replaces_in_one_step_and_keeps_mode_and_owner()
    {
        await _machine.RunAsync("echo old > /tmp/kept; chmod 4751 /tmp/kept; chown 1:2 /tmp/kept; chmod 4751 /tmp/kept");
        await WriteAsync("/tmp/kept", [1, 2, 3]);
        var entry = await Guest.StatAsync("/tmp/kept", default);
        Assert.Equal(("4751", 1u, 2u, 3L), (entry.Mode, entry.Uid, entry.Gid, entry.Size));
    }

    [Fact]
    public async Task Append_and_exclusive_do_what_they_say()
    {
        await WriteAsync("/tmp/log", "a"u8.ToArray());
        await Guest.WriteAsync(new WriteFileCall { Path = "/tmp/log", Append = true }, new MemoryStream("b"u8.ToArray()), default);
        Assert.Equal("ab"u8.ToArray(), await ReadAsync("/tmp/log"));
        await RefusedAsync(
            GuestErrorCode.Exists,
            () => Guest.WriteAsync(new WriteFileCall { Path = "/tmp/log", Exclusive = true }, new MemoryStream([1]), default));
    }

    [Fact]
    public async Task An_upload_that_breaks_off_leaves_the_old_file_and_nothing_else()
    {
        await _machine.RunAsync("mkdir -p /tmp/broken; echo old > /tmp/broken/file");
        using var source = new PatternStream(50 << 20) { FailAt = 10 << 20 };
        await Assert.ThrowsAsync<IOException>(() => Guest.WriteAsync(new WriteFileCall { Path = "/tmp/broken/file" }, source, default));
        Assert.Equal("file\nold\n", (await _machine.RunAsync("ls -A /tmp/broken; cat /tmp/broken/file")).Stdout);
    }

    [Fact]
    public async Task A_full_disk_is_no_space_and_leaves_nothing()
    {
        await RefusedAsync(
            GuestErrorCode.NoSpace, () => Guest.WriteAsync(new WriteFileCall { Path = "/srv/small/big" }, new PatternStream(5 << 20), default));
        await WriteAsync("/srv/small/log", [1]);
        await RefusedAsync(
            GuestErrorCode.NoSpace,
            () => Guest.WriteAsync(new WriteFileCall { Path = "/srv/small/log", Append = true }, new PatternStream(5 << 20), default));
        Assert.Equal("log\n1\n", (await _machine.RunAsync("ls -A /srv/small; wc -c < /srv/small/log; rm /srv/small/log")).Stdout);
    }

    [Theory]
    [InlineData("/etc/passwd")]
    [InlineData("/tmp/../etc/passwd")]
    [InlineData("../etc/passwd")]
    [InlineData("/newplace/file")]
    [InlineData("/tmpfile")]
    [InlineData("/tmp/links/etc/passwd")]
    [InlineData("/tmp/links/etc/new/deep/file")]
    [InlineData("/tmp/links/shadow")]
    [InlineData("/tmp/links/relative")]
    public async Task Nothing_outside_of_the_places_is_written(string path)
    {
        await _machine.RunAsync("mkdir -p /tmp/links; cd /tmp/links; ln -sfn /etc etc; ln -sfn /etc/shadow shadow; ln -sfn ../../etc/new relative; cp -a /etc/passwd /tmp/passwd.before");
        await RefusedAsync(GuestErrorCode.Forbidden, () => WriteAsync(path, [1]));
        Assert.Equal(0, (await _machine.RunAsync("cmp /etc/passwd /tmp/passwd.before && [ ! -e /etc/new ] && [ ! -e /newplace ]")).ExitCode);
    }

    [Fact]
    public async Task Every_changing_verb_is_confined()
    {
        await _machine.RunAsync("mkdir -p /tmp/c; ln -sfn /etc /tmp/c/etc; echo x > /tmp/c/mine");
        await RefusedAsync(GuestErrorCode.Forbidden, () => Guest.DeleteAsync("/tmp/c/etc/passwd", false, default));
        await RefusedAsync(GuestErrorCode.Forbidden, () => Guest.DeleteAsync("/usr", true, default));
        await RefusedAsync(GuestErrorCode.Forbidden, () => Guest.DeleteAsync("/tmp", true, default));
        await RefusedAsync(GuestErrorCode.Forbidden, () => Guest.DeleteAsync("/", true, default));
        await RefusedAsync(GuestErrorCode.Forbidden, () => Guest.MkdirAsync("/tmp/c/etc/d", true, null, default));
        await RefusedAsync(GuestErrorCode.Forbidden, () => Guest.MoveAsync("/etc/passwd", "/tmp/c/p", false, default));
        await RefusedAsync(GuestErrorCode.Forbidden, () => Guest.MoveAsync("/tmp/c/mine", "/etc/mine", false, default));
        await RefusedAsync(GuestErrorCode.Forbidden, () => Guest.CopyAsync("/tmp/c/mine", "/tmp/c/etc/mine", false, false, default));
        await RefusedAsync(GuestErrorCode.Forbidden, () => Guest.ChmodAsync("/tmp/c/etc/passwd", "0777", default));
        await RefusedAsync(GuestErrorCode.Forbidden, () => Guest.ChmodAsync("/tmp/c/etc", "0777", default));
        Assert.Equal(0, (await _machine.RunAsync("[ -f /etc/passwd ] && [ ! -e /etc/mine ] && [ ! -e /etc/d ] && [ -f /tmp/c/mine ]")).ExitCode);
    }

    [Fact]
    public async Task A_link_inside_is_written_through_and_stays_a_link()
    {
        await _machine.RunAsync("mkdir -p /tmp/w/target; ln -sfn target/real /tmp/w/link");
        await WriteAsync("/tmp/w/link", "x"u8.ToArray());
        Assert.Equal("x", (await _machine.RunAsync("cat /tmp/w/target/real")).Stdout);
        var entry = await Guest.StatAsync("/tmp/w/link", default);
        Assert.Equal((GuestEntryType.Symlink, "target/real"), (entry.Type, entry.SymlinkTarget));
    }

    [Fact]
    public async Task A_circle_of_links_is_refused()
    {
        await _machine.RunAsync("ln -sfn /tmp/circle2 /tmp/circle1; ln -sfn /tmp/circle1 /tmp/circle2");
        await RefusedAsync(GuestErrorCode.BadRequest, () => WriteAsync("/tmp/circle1", [1]));
    }

    [Fact]
    public async Task Deleting_a_tree_does_not_follow_links_and_knows_no_depth()
    {
        await _machine.RunAsync("mkdir -p /tmp/del/a /tmp/keep; touch /tmp/keep/me; ln -sfn /tmp/keep /tmp/del/a/link");
        await _machine.RunAsync("cd /tmp/del && python3 -c \"import os\nfor i in range(1000): os.mkdir('d'); os.chdir('d')\"");
        await RefusedAsync(GuestErrorCode.IsDirectory, () => Guest.DeleteAsync("/tmp/del", false, default));
        await Guest.DeleteAsync("/tmp/del", true, default);
        Assert.Equal("me\n", (await _machine.RunAsync("ls /tmp/keep; ls -d /tmp/del 2>/dev/null")).Stdout);
    }

    [Theory]
    [InlineData("/tmp", GuestErrorCode.IsDirectory)]
    [InlineData("/tmp/none", GuestErrorCode.NotFound)]
    [InlineData("/etc/passwd/x", GuestErrorCode.NotDirectory)]
    [InlineData("/dev/zero", GuestErrorCode.BadRequest)]
    [InlineData("/tmp/pipe", GuestErrorCode.BadRequest)]
    [InlineData("/tmp/a\0b", GuestErrorCode.BadRequest)]
    [InlineData("", GuestErrorCode.BadRequest)]
    public async Task What_cannot_be_read_says_why(string path, string code)
    {
        await _machine.RunAsync("[ -e /tmp/pipe ] || mkfifo /tmp/pipe");
        await RefusedAsync(code, () => ReadAsync(path));
    }

    [Fact]
    public async Task Writing_to_a_directory_or_pipe_is_refused()
    {
        await _machine.RunAsync("[ -e /tmp/pipe2 ] || mkfifo /tmp/pipe2");
        await RefusedAsync(GuestErrorCode.IsDirectory, () => WriteAsync("/tmp", [1]));
        await RefusedAsync(GuestErrorCode.BadRequest, () => WriteAsync("/tmp/pipe2", [1]));
        await RefusedAsync(GuestErrorCode.IsDirectory, () => WriteAsync("/workspace", [1]));
    }

    [Fact]
    public async Task A_file_of_proc_is_read_to_its_end() =>
        Assert.StartsWith("Linux version", Encoding.ASCII.GetString(await ReadAsync("/proc/version")), StringComparison.Ordinal);

    [Fact]
    public async Task Listing_is_sorted_and_obeys_depth_hidden_and_limit()
    {
        await _machine.RunAsync("mkdir -p /tmp/l/b/c; touch /tmp/l/a /tmp/l/Z /tmp/l/.h /tmp/l/b/c/deep");
        Assert.Equal([".h", "Z", "a", "b"], (await ListAsync("/tmp/l")).Select(e => e.Name!));
        Assert.Equal(["Z", "a", "b"], (await ListAsync("/tmp/l", hidden: false)).Select(e => e.Name!));
        Assert.Equal(
            ["/tmp/l/.h", "/tmp/l/Z", "/tmp/l/a", "/tmp/l/b", "/tmp/l/b/c", "/tmp/l/b/c/deep"],
            (await ListAsync("/tmp/l", depth: 9, tree: true)).Select(e => e.Path!));
        Assert.Equal(2, (await ListAsync("/tmp/l", depth: 9, tree: true, limit: 2)).Count);
        await RefusedAsync(GuestErrorCode.NotDirectory, () => ListAsync("/tmp/l/a"));
    }

    [Fact]
    public async Task Listing_can_be_left_early()
    {
        await _machine.RunAsync("mkdir -p /tmp/many; cd /tmp/many; seq 20000 | xargs touch");
        await foreach (var entry in Guest.ListAsync(new ListFilesCall { Path = "/tmp/many" }, false, default))
        {
            Assert.Equal("1", entry.Name);
            break;
        }
        Assert.Equal(20_000, (await ListAsync("/tmp/many")).Count);
    }

    [Fact]
    public async Task Moving_works_across_file_systems_and_does_not_overwrite_unasked()
    {
        await _machine.RunAsync("mkdir -p /workspace/m/sub; echo x > /workspace/m/sub/f; ln -sfn f /workspace/m/sub/l; echo old > /tmp/taken");
        await Guest.MoveAsync("/workspace/m", "/tmp/m", false, default);
        Assert.Equal("x\nf\n", (await _machine.RunAsync("cat /tmp/m/sub/f; readlink /tmp/m/sub/l; ls -d /workspace/m 2>/dev/null")).Stdout);
        await RefusedAsync(GuestErrorCode.Exists, () => Guest.MoveAsync("/tmp/m/sub/f", "/tmp/taken", false, default));
        await Guest.MoveAsync("/tmp/m/sub/f", "/tmp/taken", true, default);
        Assert.Equal("x\n", (await _machine.RunAsync("cat /tmp/taken")).Stdout);
        await RefusedAsync(GuestErrorCode.NotFound, () => Guest.MoveAsync("/tmp/none", "/tmp/never/x", false, default));
        await RefusedAsync(GuestErrorCode.NotFound, () => Guest.StatAsync("/tmp/never", default));
    }

    [Fact]
    public async Task Copying_a_tree_keeps_links_and_modes()
    {
        await _machine.RunAsync("mkdir -p /tmp/from/d; echo x > /tmp/from/d/f; chmod 640 /tmp/from/d/f; ln -sfn d/f /tmp/from/l");
        await RefusedAsync(GuestErrorCode.IsDirectory, () => Guest.CopyAsync("/tmp/from", "/tmp/to", false, false, default));
        await Guest.CopyAsync("/tmp/from", "/workspace/to", false, true, default);
        Assert.Equal("x\nd/f\n640\n", (await _machine.RunAsync("cd /workspace/to; cat d/f; readlink l; stat -c %a d/f")).Stdout);
        await RefusedAsync(GuestErrorCode.BadRequest, () => Guest.CopyAsync("/tmp/from", "/tmp/from/d/again", false, true, default));
        await RefusedAsync(GuestErrorCode.Exists, () => Guest.CopyAsync("/tmp/from", "/workspace/to", true, true, default));
    }

    [Fact]
    public async Task Mkdir_and_chmod_set_modes()
    {
        await Guest.MkdirAsync("/tmp/deep/er", true, "0770", default);
        Assert.Equal("0770", (await Guest.StatAsync("/tmp/deep/er", default)).Mode);
        await Guest.ChmodAsync("/tmp/deep/er", "1711", default);
        Assert.Equal("1711", (await Guest.StatAsync("/tmp/deep/er", default)).Mode);
        await Guest.MkdirAsync("/tmp/deep/er", true, null, default);
        await RefusedAsync(GuestErrorCode.Exists, () => Guest.MkdirAsync("/tmp/deep/er", false, null, default));
        await RefusedAsync(GuestErrorCode.BadRequest, () => Guest.ChmodAsync("/tmp/deep/er", "9", default));
    }

    private Task<WriteFileReply> WriteAsync(string path, byte[] content) =>
        Guest.WriteAsync(new WriteFileCall { Path = path }, new MemoryStream(content), default);

    private async Task<byte[]> ReadAsync(string path)
    {
        await using var file = await Guest.OpenReadAsync(path, 0, null, default);
        var target = new MemoryStream();
        await file.CopyToAsync(target, default);
        return target.ToArray();
    }

    private async Task<List<GuestEntry>> ListAsync(string path, int? depth = null, bool? hidden = null, bool tree = false, int? limit = null)
    {
        var entries = new List<GuestEntry>();
        await foreach (var entry in Guest.ListAsync(new ListFilesCall { Path = path, Depth = depth, Hidden = hidden, Limit = limit }, tree, default))
            entries.Add(entry);
        return entries;
    }

    private static async Task RefusedAsync(string code, Func<Task> call) =>
        Assert.Equal(code, (await Assert.ThrowsAsync<GuestException>(call)).Code);
}
