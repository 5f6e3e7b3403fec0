using System.Diagnostics;
using System.IO.Compression;
using Miosa.Runtime.Host;

namespace Miosa.Runtime.Images;

/// <summary>The bytes of a tar, whatever it is compressed with: told by its first bytes, not by its name.</summary>
internal sealed class Archive : IDisposable
{
    private readonly FileStream file;
    private readonly Process? zstd;

    /// <param name="limit">The most bytes it may have when unpacked: a few kilobytes can become any number.</param>
    public Archive(string path, long limit)
    {
        file = File.OpenRead(path);
        Span<byte> magic = stackalloc byte[4];
        var length = file.ReadAtLeast(magic, 4, throwOnEndOfStream: false);
        file.Position = 0;
        if (length == 4 && magic.SequenceEqual<byte>([0x28, 0xb5, 0x2f, 0xfd]))
        {
            var start = new ProcessStartInfo(Tools.Require("zstd"), ["-q", "-d", "-c", path]) { RedirectStandardOutput = true };
            zstd = Process.Start(start) ?? throw new CommandFailure("zstd did not start");
            Stream = new CountedStream(zstd.StandardOutput.BaseStream, limit);
        }
        else if (length >= 2 && magic[0] == 0x1f && magic[1] == 0x8b)
        {
            Stream = new CountedStream(new GZipStream(file, CompressionMode.Decompress), limit);
        }
        else
        {
            Stream = new CountedStream(file, limit);
        }
    }

    public CountedStream Stream { get; }

    /// <summary>Reads what is left, so that padding after the last entry counts too, and checks that the decompressor was content.</summary>
    public void Finish()
    {
        Stream.CopyTo(System.IO.Stream.Null);
        if (zstd is null) return;
        zstd.WaitForExit();
        if (zstd.ExitCode != 0) throw new CommandFailure($"{file.Name} is damaged: zstd ended with status {zstd.ExitCode}");
    }

    public void Dispose()
    {
        if (zstd is { HasExited: false }) zstd.Kill();
        zstd?.Dispose();
        Stream.Dispose();
        file.Dispose();
    }
}

/// <summary>Counts what was read through it and ends at the limit. What cannot be read is a <see cref="CommandFailure"/>, so that a reader can tell it from what it could not write.</summary>
internal sealed class CountedStream(Stream inner, long limit) : Stream
{
    public long BytesRead { get; private set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => BytesRead; set => throw new NotSupportedException(); }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        try
        {
            var count = inner.Read(buffer);
            BytesRead += count;
            return BytesRead <= limit ? count : throw new CommandFailure($"the archive is larger than {limit >> 20} MiB when unpacked: it is not taken (--image-gb)");
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            throw new CommandFailure($"the archive is damaged: {e.Message}", e);
        }
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing) inner.Dispose();
        base.Dispose(disposing);
    }
}
