using System.Buffers.Binary;
using System.Net;
using System.Runtime.InteropServices;
using System.Text;
using Miosa.Runtime.Linux;

namespace Miosa.Runtime.Network;

/// <summary>The few rtnetlink messages the runtime needs (rtnetlink(7)); each asks for an acknowledgement.</summary>
internal static unsafe class Netlink
{
    public const int LoopbackIndex = 1;

    /// <summary>The index we give eth0 inside a machine, so that nothing has to ask for it.</summary>
    public const int MachineIndex = 2;

    private const ushort RTM_NEWLINK = 16;
    private const ushort RTM_DELLINK = 17;
    private const ushort RTM_NEWADDR = 20;
    private const ushort RTM_NEWROUTE = 24;
    private const ushort NLMSG_ERROR = 2;
    private const ushort Request = 1 | 4;
    private const ushort CreateNew = 0x400 | 0x200;
    private const int IFF_UP = 1;

    private const ushort IFLA_IFNAME = 3;
    private const ushort IFLA_LINKINFO = 18;
    private const ushort IFLA_NET_NS_FD = 28;
    private const ushort IFLA_INFO_KIND = 1;
    private const ushort IFLA_INFO_DATA = 2;
    private const ushort VETH_INFO_PEER = 1;
    private const ushort IFA_ADDRESS = 1;
    private const ushort IFA_LOCAL = 2;
    private const ushort RTA_OIF = 4;
    private const ushort RTA_GATEWAY = 5;

    public static byte[] LinkUp(int index) =>
        Message(RTM_NEWLINK, Request, LinkHeader(index, IFF_UP, IFF_UP));

    public static byte[] AddAddress(int index, IPAddress address, int prefixLength) =>
        Message(RTM_NEWADDR, Request | CreateNew,
        [
            2, (byte)prefixLength, 0, 0, .. Number(index),
            .. Attribute(IFA_LOCAL, address.GetAddressBytes()), .. Attribute(IFA_ADDRESS, address.GetAddressBytes()),
        ]);

    public static byte[] AddDefaultRoute(IPAddress gateway, int index) =>
        // rtmsg: family, destination and source length, tos, table main, protocol boot, scope universe, type unicast, flags.
        Message(RTM_NEWROUTE, Request | CreateNew,
        [
            2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0,
            .. Attribute(RTA_GATEWAY, gateway.GetAddressBytes()), .. Attribute(RTA_OIF, Number(index)),
        ]);

    /// <summary>A veth pair: <paramref name="name"/> here and up, eth0 in the machine's namespace.</summary>
    public static byte[] AddVeth(string name, int namespaceFd)
    {
        byte[] peer =
        [
            .. LinkHeader(MachineIndex, 0, 0), .. Attribute(IFLA_IFNAME, Text("eth0")), .. Attribute(IFLA_NET_NS_FD, Number(namespaceFd)),
        ];
        byte[] info =
        [
            .. Attribute(IFLA_INFO_KIND, Text("veth")), .. Attribute(IFLA_INFO_DATA, Attribute(VETH_INFO_PEER, peer)),
        ];
        return Message(RTM_NEWLINK, Request | CreateNew,
            [.. LinkHeader(0, IFF_UP, IFF_UP), .. Attribute(IFLA_IFNAME, Text(name)), .. Attribute(IFLA_LINKINFO, info)]);
    }

    public static byte[] DeleteLink(string name) =>
        Message(RTM_DELLINK, Request, [.. LinkHeader(0, 0, 0), .. Attribute(IFLA_IFNAME, Text(name))]);

    /// <summary>Sends one message and reads its acknowledgement.</summary>
    /// <returns>0, or the errno of the refusal.</returns>
    public static int Exchange(Fd socket, byte[] message)
    {
        var reply = stackalloc byte[1024];
        fixed (byte* start = message)
        {
            if (Libc.Syscall(Sys.SendTo, socket.Value, (nint)start, message.Length) < 0) return Marshal.GetLastPInvokeError();
            if (Libc.Syscall(Sys.RecvFrom, socket.Value, (nint)reply, 1024) < 20) return Marshal.GetLastPInvokeError();
        }
        return *(ushort*)(reply + 4) == NLMSG_ERROR ? -*(int*)(reply + 16) : Errno.EINVAL;
    }

    private static byte[] Message(ushort type, int flags, byte[] body)
    {
        var message = new byte[16 + body.Length];
        BinaryPrimitives.WriteInt32LittleEndian(message, message.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(message.AsSpan(4), type);
        BinaryPrimitives.WriteUInt16LittleEndian(message.AsSpan(6), (ushort)flags);
        body.CopyTo(message, 16);
        return message;
    }

    // ifinfomsg: family, pad, type, index, flags, change.
    private static byte[] LinkHeader(int index, int flags, int change) => [0, 0, 0, 0, .. Number(index), .. Number(flags), .. Number(change)];

    private static byte[] Attribute(ushort type, byte[] value)
    {
        var attribute = new byte[(4 + value.Length + 3) & ~3];
        BinaryPrimitives.WriteUInt16LittleEndian(attribute, (ushort)(4 + value.Length));
        BinaryPrimitives.WriteUInt16LittleEndian(attribute.AsSpan(2), type);
        value.CopyTo(attribute, 4);
        return attribute;
    }

    private static byte[] Number(int value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        return bytes;
    }

    private static byte[] Text(string value) => Encoding.ASCII.GetBytes(value + "\0");
}
