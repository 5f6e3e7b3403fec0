using System.Text;
using Miosa.Runtime.Linux;

namespace Miosa.Runtime.Network;

internal static unsafe class Interfaces
{
    private const nuint SIOCGIFINDEX = 0x8933;
    private const int NameLimit = 16;

    public static int Index(Fd socket, string name)
    {
        // struct ifreq: 16 bytes of name, then the answer.
        var request = stackalloc byte[40];
        new Span<byte>(request, 40).Clear();
        Encoding.ASCII.GetBytes(name, new Span<byte>(request, NameLimit - 1));
        Libc.Check(Libc.Ioctl(socket.Value, SIOCGIFINDEX, request), "interface index", name);
        return *(int*)(request + NameLimit);
    }
}
