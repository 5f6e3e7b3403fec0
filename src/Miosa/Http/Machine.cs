namespace Miosa.Http;

/// <summary>A sandbox or a computer, where calls serve both: most of them differ only in the path.</summary>
internal readonly record struct Machine(string Path, bool IsComputer)
{
    public static Machine Sandbox(string id) => new(Call.Item("/sandboxes", id), IsComputer: false);

    public static Machine Computer(string id) => new(Call.Item("/computers", id), IsComputer: true);
}
