using Miosa.Guest;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Files;

/// <summary><c>files.tree</c>: a folder as nested nodes, bare (a second copy under <c>data</c> would only double a large body).</summary>
internal static class FileTree
{
    private const int DefaultDepth = 3;

    public static async Task<IResult> GetAsync(HttpContext context)
    {
        var fields = FileFields.Of(context.Request.Query);
        var path = fields.Has("path") ? fields.Path("path") : FolderListing.DefaultFolder;
        var depth = fields.Int("depth", 1, FolderListing.MaxDepth) ?? DefaultDepth;
        if (fields.Bool("recursive") is true)
            depth = FolderListing.MaxDepth;
        var hidden = fields.Bool("include_hidden") ?? false;
        if (fields.Errors() is { } refusal)
            return Reply.Refuse(refusal);

        return await FileCall.RunAsync(context, AdmitFor.FileRead, "path", async (guest, ct) =>
        {
            var folder = path!; // not null: a missing path is the default, a faulty one refused above
            var root = await guest.StatAsync(folder, ct);
            var tree = new Nodes(folder, root, depth);
            var call = new ListFilesCall { Path = folder, Depth = depth, Hidden = hidden, Limit = FolderListing.MaxEntries + 1 };
            await foreach (var entry in guest.ListAsync(call, tree: true, ct))
            {
                if (!tree.Add(entry))
                    return Reply.Refuse(FolderListing.TooMany(folder));
            }
            return Reply.Bare(tree.Root, WireJson.Default.FileTreeNode);
        });
    }

    /// <summary>Hangs each entry below its parent, which has come before it.</summary>
    private sealed class Nodes
    {
        private readonly Dictionary<string, (List<FileTreeNode> Children, int Level)> folders = [];
        private readonly int depth;
        private int count;

        public Nodes(string path, GuestEntry root, int depth)
        {
            this.depth = depth;
            var children = new List<FileTreeNode>();
            var at = root.Path ?? path;
            folders[at] = (children, 0);
            Root = new FileTreeNode
            {
                Path = at,
                Name = root.Name is { Length: > 0 } name ? name : "/",
                Type = "dir",
                IsDir = true,
                ModifiedAt = FolderListing.ModifiedAt(root),
                Children = children,
            };
        }

        public FileTreeNode Root { get; }

        /// <summary>False when there are too many.</summary>
        public bool Add(GuestEntry entry)
        {
            if (++count > FolderListing.MaxEntries)
                return false;
            var path = entry.Path ?? "";
            var parent = path.LastIndexOf('/') is var slash and > 0 ? path[..slash] : "/";
            if (!folders.TryGetValue(parent, out var above))
                return true;
            var isFolder = entry.Type == GuestEntryType.Directory;
            var children = isFolder && above.Level + 1 < depth ? new List<FileTreeNode>() : null;
            if (children is not null)
                folders[path] = (children, above.Level + 1);
            above.Children.Add(new FileTreeNode
            {
                Path = path,
                Name = entry.Name ?? "",
                Type = isFolder ? "dir" : "file",
                IsDir = isFolder,
                Size = isFolder ? null : entry.Size,
                ModifiedAt = FolderListing.ModifiedAt(entry),
                Children = children,
            });
            return true;
        }
    }
}
