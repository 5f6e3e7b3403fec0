using System.Globalization;
using Miosa.Runtime.Host;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Images;

/// <summary>The <c>image</c> verbs of the command line: they need no daemon, and the daemon sees what they did at its next launch.</summary>
internal static class ImageCommands
{
    public const string Usage = """
          image build NAME [--recipe DIR]     make an image by a recipe (default ./images/NAME)
          image archive NAME [--recipe DIR]   the slow half of it ahead of time, into --cache: no image, no data folder
          image import NAME PATH              import an OCI layout: a directory, or a tar of one
          image list                          the images there are
          image remove NAME                   remove a name; the content goes once no machine stands on it
        """;

    public static void Run(ImageStore store, RuntimeSettings settings, IReadOnlyList<string> words, string? recipe)
    {
        switch (words)
        {
            case ["build", var name]:
                Report(new ImageBuild(store, settings.Cache, Show).Run(name, recipe ?? Path.Combine("images", name)));
                break;
            case ["import", var name, var path]:
                Report(new OciImport(store, Show).Run(name, path));
                break;
            case ["list"]:
                foreach (var image in store.List()) Report(image);
                break;
            case ["remove", var name]:
                if (!store.Remove(name)) throw new CommandFailure($"there is no image \"{name}\": miosa-runtime image list shows them");
                break;
            default:
                throw new CommandFailure("usage:\n" + Usage);
        }
    }

    public static void Archive(RuntimeSettings settings, string name, string? recipe)
    {
        ImageStore.CheckName(name);
        Console.Out.WriteLine(new ImageArchive(settings.Cache, Show).Of(name, recipe ?? Path.Combine("images", name)));
    }

    private static void Report(ImageInfo image) => Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"{image.Name,-24} {image.Digest[..19]}  {image.SizeBytes / 1048576.0,8:F1} MiB  {image.CreatedAt:yyyy-MM-dd HH:mm}"));

    /// <summary>One line that grows on a terminal, plain lines elsewhere.</summary>
    private static void Show(RuntimeProgress progress)
    {
        const int width = 24;
        var percent = Math.Clamp(progress.Percent ?? 0, 0, 100);
        if (Console.IsErrorRedirected)
        {
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{percent,3} % {progress.Step}: {progress.Message}"));
            return;
        }
        var full = percent * width / 100;
        var text = string.Create(CultureInfo.InvariantCulture, $"\r\e[K[{new string('#', full)}{new string('.', width - full)}] {percent,3} % {progress.Step}: ");
        Console.Error.Write(text + progress.Message?[..Math.Min(progress.Message.Length, 60)] + (percent >= 85 ? "\n" : ""));
    }
}
