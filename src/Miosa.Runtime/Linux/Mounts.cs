using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Miosa.Runtime.Linux;

/// <summary>The mount calls that work on descriptors (kernel 5.2 and later; id-mapping an overlay layer needs 5.19).</summary>
internal static unsafe class Mounts
{
    public const uint MS_RDONLY = 1;
    public const uint MS_NOSUID = 2;
    public const uint MS_NODEV = 4;
    public const uint MS_NOEXEC = 8;
    public const uint MS_REMOUNT = 32;
    public const uint MS_NOATIME = 1024;
    public const uint MS_BIND = 4096;
    public const uint MS_REC = 16384;
    public const uint MS_PRIVATE = 1 << 18;
    public const int MNT_DETACH = 2;

    public const int AT_FDCWD = -100;
    public const int AT_EMPTY_PATH = 0x1000;
    public const int AT_RECURSIVE = 0x8000;
    public const int MOVE_MOUNT_F_EMPTY_PATH = 4;
    public const int MOVE_MOUNT_T_EMPTY_PATH = 0x40;

    public const ulong MOUNT_ATTR_RDONLY = 1;
    public const ulong MOUNT_ATTR_NOSUID = 2;
    public const ulong MOUNT_ATTR_NODEV = 4;
    public const ulong MOUNT_ATTR_NOEXEC = 8;
    public const ulong MOUNT_ATTR_IDMAP = 0x00100000;

    private const int OPEN_TREE_CLONE = 1;
    private const int FSCONFIG_SET_STRING = 1;
    private const int FSCONFIG_SET_FLAG = 0;
    private const int FSCONFIG_CMD_CREATE = 6;

    [StructLayout(LayoutKind.Sequential)]
    private struct MountAttr
    {
        public ulong Set, Clear, Propagation, UserNs;
    }

    /// <summary>A detached copy of the mount at <paramref name="path"/>.</summary>
    public static Fd CloneTree(string path, bool recursive = false)
    {
        fixed (byte* name = Text(path))
        {
            var flags = OPEN_TREE_CLONE | Libc.O_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
            var fd = Libc.Syscall(Sys.OpenTree, AT_FDCWD, (nint)name, flags);
            return fd < 0 ? throw LinuxException.Last("open_tree", path) : new Fd((int)fd);
        }
    }

    public static void SetAttributes(Fd mount, ulong set, Fd? userNamespace = null)
    {
        var attributes = new MountAttr { Set = set, UserNs = userNamespace is null ? 0 : (ulong)userNamespace.Value };
        byte empty = 0;
        var result = Libc.Syscall(Sys.MountSetattr, mount.Value, (nint)(&empty), AT_EMPTY_PATH, (nint)(&attributes), sizeof(MountAttr));
        Libc.Check(result, "mount_setattr", string.Create(CultureInfo.InvariantCulture, $"0x{set:x}"));
    }

    public static void Attach(Fd mount, string target)
    {
        byte empty = 0;
        fixed (byte* name = Text(target))
            Libc.Check(Libc.Syscall(Sys.MoveMount, mount.Value, (nint)(&empty), AT_FDCWD, (nint)name, MOVE_MOUNT_F_EMPTY_PATH), "move_mount", target);
    }

    /// <summary>Makes a file system and a detached mount of it.</summary>
    public static Fd Create(string type, ulong attributes, params ReadOnlySpan<(string Key, string? Value)> options)
    {
        Fd context;
        fixed (byte* name = Text(type))
        {
            var fd = Libc.Syscall(Sys.Fsopen, (nint)name, 1);
            context = fd < 0 ? throw LinuxException.Last("fsopen", type) : new Fd((int)fd);
        }
        using (context)
        {
            foreach (var (key, value) in options)
            {
                fixed (byte* keyText = Text(key))
                fixed (byte* valueText = value is null ? null : Text(value))
                {
                    var command = value is null ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
                    Refuse(Libc.Syscall(Sys.Fsconfig, context.Value, command, (nint)keyText, (nint)valueText, 0), context, type, $"{key}={value}");
                }
            }
            Refuse(Libc.Syscall(Sys.Fsconfig, context.Value, FSCONFIG_CMD_CREATE), context, type, "create");
            var mount = Libc.Syscall(Sys.Fsmount, context.Value, 1, (nint)attributes);
            return mount < 0 ? throw LinuxException.Last("fsmount", type) : new Fd((int)mount);
        }
    }

    // The context descriptor holds the kernel's own words about the refusal.
    private static void Refuse(nint result, Fd context, string type, string what)
    {
        if (result >= 0) return;
        var errno = Marshal.GetLastPInvokeError();
        Span<byte> log = stackalloc byte[512];
        var length = Libc.Read(context, log);
        var words = length > 0 ? " (" + Encoding.UTF8.GetString(log[..length]).Trim() + ")" : "";
        throw new LinuxException("mount " + type, what + words, errno);
    }

    private static byte[] Text(string value) => Encoding.UTF8.GetBytes(value + "\0");
}
