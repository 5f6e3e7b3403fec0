using System.Globalization;
using System.Runtime.InteropServices;

namespace Miosa.Runtime.Linux;

/// <summary>A file descriptor that is closed once.</summary>
internal sealed class Fd : SafeHandle
{
    public Fd(int value) : base(-1, ownsHandle: true) => SetHandle(value);

    public override bool IsInvalid => handle == -1;

    public int Value => IsClosed ? throw new ObjectDisposedException(nameof(Fd)) : (int)handle;

    /// <summary>A path by which this process can name what the descriptor is open on.</summary>
    public string ProcPath => string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{Value}");

    protected override bool ReleaseHandle() => Libc.close((int)handle) == 0;
}
