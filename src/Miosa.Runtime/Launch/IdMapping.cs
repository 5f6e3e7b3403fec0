using Miosa.Runtime.Host;

namespace Miosa.Runtime.Launch;

/// <summary>Whether this kernel can show an image through the id range of a machine: id-mapped overlay layers came with 5.19.</summary>
internal static class IdMapping
{
    public static bool Works(RuntimeSettings settings) => !settings.IsSharedIdRange && Environment.OSVersion.Version >= new Version(5, 19);
}
