using Miosa.Guest.Linux;

namespace Miosa.Guest.Watching;

/// <summary>One record of inotify.</summary>
internal sealed class Notice
{
    public required int Watch { get; init; }
    public required uint Mask { get; init; }

    /// <summary>Joins the two halves of a rename.</summary>
    public required uint Cookie { get; init; }

    /// <summary>Empty: about the watched folder itself.</summary>
    public required string Name { get; init; }

    public required long ReadAtMs { get; init; }

    /// <summary>The second half of a rename that was told with the first.</summary>
    public bool IsTold { get; set; }

    public bool Is(uint mask) => (Mask & mask) != 0;

    public bool IsFolder => Is(ChangeMask.OfFolder);
}
