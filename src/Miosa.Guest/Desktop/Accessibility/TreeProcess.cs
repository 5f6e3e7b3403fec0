using System.Buffers.Binary;
using System.Text.Json;
using Miosa.Guest.Linux;

namespace Miosa.Guest.Desktop.Accessibility;

/// <summary>
/// The process that talks to the applications: the bus lets in only whom the desktop runs as, and an application that answers nothing must not
/// keep screenshots and input waiting, so it is neither PID 1 nor the desktop's agent. It reads calls from standard input and answers them on
/// standard output: a header of two lengths, JSON (a <see cref="TreeReply"/>, or a <see cref="GuestError"/> when the tree's length is -1), the tree.
/// </summary>
internal static unsafe class TreeProcess
{
    public const string Argument = "desktop-tree";
    public const int HeaderBytes = 8;
    public const int MaxJson = 64 << 10;

    /// <summary>Of the most nodes, with all that their texts may be.</summary>
    public const int MaxTree = 12 << 20;

    /// <summary>Four numbers: the screen's width and height, depth, nodes.</summary>
    public const int CallBytes = 16;

    public static int Run()
    {
        Libc.OnSignal(Libc.SigPipe, 1);
        var tree = new AccessibilityTree(Environment.GetEnvironmentVariable("DBUS_SESSION_BUS_ADDRESS") ?? "", Libc.UserId());
        var call = new byte[CallBytes];
        while (TryRead(call))
        {
            byte[] json;
            byte[]? told = null;
            try
            {
                (told, var reply) = tree.Take(Number(call, 0), Number(call, 1), Number(call, 2), Number(call, 3));
                json = JsonSerializer.SerializeToUtf8Bytes(reply, GuestJson.Wire.TreeReply);
            }
            catch (Exception e) when (e is GuestFailure or LinuxException)
            {
                var code = e is GuestFailure failure ? failure.Code : GuestErrorCode.Failed;
                json = JsonSerializer.SerializeToUtf8Bytes(new GuestError { Code = code, Message = e.Message }, GuestJson.Wire.GuestError);
            }
            var header = new byte[HeaderBytes];
            BinaryPrimitives.WriteInt32LittleEndian(header, json.Length);
            BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(4), told?.Length ?? -1);
            if (!TryWrite(header) || !TryWrite(json) || !TryWrite(told))
                break;
        }
        return 0;
    }

    private static int Number(byte[] call, int index) => BinaryPrimitives.ReadInt32LittleEndian(call.AsSpan(index * 4));

    private static bool TryRead(Span<byte> target)
    {
        fixed (byte* first = target)
        {
            for (var done = 0; done < target.Length;)
            {
                var read = Libc.Read(0, first + done, (nuint)(target.Length - done));
                if (read <= 0)
                    return false;
                done += (int)read;
            }
        }
        return true;
    }

    private static bool TryWrite(ReadOnlySpan<byte> bytes)
    {
        fixed (byte* first = bytes)
        {
            for (var done = 0; done < bytes.Length;)
            {
                var written = Libc.Write(1, first + done, (nuint)(bytes.Length - done));
                if (written < 0)
                    return false;
                done += (int)written;
            }
        }
        return true;
    }
}
