using System.Buffers.Binary;

namespace Miosa.Runtime.Tests;

/// <summary>
/// A program of one system call, as a static ELF file written byte by byte: what a machine answers to a raw call does not depend on what
/// tools its image has. It exits with the errno, 0 when the call was allowed.
/// </summary>
internal static class SyscallProbe
{
    private const ulong Address = 0x400000;
    private const int HeaderSize = 64 + 56;

    public static async Task<int> RunAsync(TestMachine machine, int number, params long[] arguments)
    {
        var ran = await machine.ShAsync("cat > /tmp/probe && chmod 755 /tmp/probe && exec /tmp/probe", Build(number, arguments));
        return ran.ExitCode;
    }

    private static byte[] Build(int number, long[] arguments)
    {
        // mov rdi/rsi/rdx/r10/r8/r9, imm64
        byte[][] registers = [[0x48, 0xbf], [0x48, 0xbe], [0x48, 0xba], [0x49, 0xba], [0x49, 0xb8], [0x49, 0xb9]];
        var code = new List<byte>();
        for (var i = 0; i < arguments.Length; i++)
        {
            code.AddRange(registers[i]);
            code.AddRange(BitConverter.GetBytes(arguments[i]));
        }
        code.AddRange([0x48, 0xc7, 0xc0]); // mov rax, imm32
        code.AddRange(BitConverter.GetBytes(number));
        code.AddRange([0x0f, 0x05]); // syscall
        code.AddRange([0x48, 0x31, 0xff, 0x48, 0x85, 0xc0, 0x79, 0x06]); // xor rdi, rdi; test rax, rax; jns +6
        code.AddRange([0x48, 0x89, 0xc7, 0x48, 0xf7, 0xdf]); // mov rdi, rax; neg rdi
        code.AddRange([0xb8, 60, 0, 0, 0, 0x0f, 0x05]); // mov eax, exit; syscall

        var file = new byte[HeaderSize + code.Count];
        byte[] identity = [0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1];
        identity.CopyTo(file, 0);
        void Put(int at, ulong value, int size)
        {
            Span<byte> bytes = stackalloc byte[8];
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
            bytes[..size].CopyTo(file.AsSpan(at));
        }
        Put(16, 2, 2); // executable
        Put(18, 62, 2); // x86_64
        Put(20, 1, 4);
        Put(24, Address + HeaderSize, 8);
        Put(32, 64, 8);
        Put(52, 64, 2);
        Put(54, 56, 2);
        Put(56, 1, 2);
        Put(64, 1, 4); // one segment to load, readable and executable
        Put(68, 5, 4);
        Put(80, Address, 8);
        Put(88, Address, 8);
        Put(96, (ulong)file.Length, 8);
        Put(104, (ulong)file.Length, 8);
        Put(112, 0x1000, 8);
        code.CopyTo(file, HeaderSize);
        return file;
    }
}
