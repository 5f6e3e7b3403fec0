namespace Miosa.Runtime.Host;

/// <summary>A file that one process at a time holds; the kernel lets it go when the process ends, however it ends.</summary>
internal static class InstanceLock
{
    public static FileStream Take(string path, string refusal)
    {
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new CommandFailure(refusal, e);
        }
    }
}
