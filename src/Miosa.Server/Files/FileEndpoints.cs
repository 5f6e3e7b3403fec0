using Miosa.Server.Host;

namespace Miosa.Server.Files;

/// <summary>
/// Routes of the group Sandbox files. Each operation has one handler; the other spellings (x-accepts) lead to it. The shortest of them,
/// <c>fs</c>, are those a public benchmark's adapter uses (common.md, section 0).
/// </summary>
internal static class FileEndpoints
{
    private const string Files = Routes.Base + "/sandboxes/{sandbox_id}/files";
    private const string Fs = Routes.Base + "/sandboxes/{sandbox_id}/fs";
    private const string Named = Files + "/{**file_path}";

    public static void MapFiles(this IEndpointRouteBuilder routes)
    {
        Read("GET", FolderListing.ListAsync, Files, $"{Files}/list", $"{Files}/readdir", Fs);
        Read("GET", FileTree.GetAsync, $"{Files}/tree");
        Read("GET", FileFacts.ByQueryAsync, $"{Files}/stat");
        Read("POST", FileFacts.ByBodyAsync, $"{Files}/stat");
        Read("GET", FileDownload.ByQueryAsync, $"{Files}/read", $"{Files}/download", $"{Fs}/read");
        routes.MapStream("GET", $"{Files}/watch", FileWatch.StreamAsync).Needs(Scopes.SandboxesRead);
        Read("GET", FileDownload.ByUrlAsync, Named);

        Write("POST", FileWrite.ByBodyAsync, Files, $"{Files}/write", $"{Fs}/write");
        Write("PUT", FileWrite.PutAsync, Files);
        Write("PUT", FileWrite.ByUrlAsync, Named);
        Write("POST", FileUpload.UploadAsync, $"{Files}/upload");
        Write("POST", FileBatch.WriteManyAsync, $"{Files}/write-many");
        Write("POST", FileBatch.BatchAsync, $"{Files}/batch");
        Write("DELETE", FileChanges.DeleteAsync, Files);
        Write("POST", FileChanges.DeleteAsync, $"{Files}/delete");
        Write("DELETE", FileChanges.DeleteByUrlAsync, Named);
        Write("POST", FileChanges.MkdirAsync, $"{Files}/mkdir", $"{Fs}/mkdir");
        Write("POST", FileChanges.MoveAsync, $"{Files}/rename", $"{Files}/move");
        Write("POST", FileChanges.CopyAsync, $"{Files}/copy");
        Write("POST", FileChanges.ChmodAsync, $"{Files}/chmod");

        void Read(string method, Func<HttpContext, Task<IResult>> handler, params string[] patterns) => Map(method, handler, Scopes.SandboxesRead, patterns);

        void Write(string method, Func<HttpContext, Task<IResult>> handler, params string[] patterns) => Map(method, handler, Scopes.SandboxesWrite, patterns);

        void Map(string method, Func<HttpContext, Task<IResult>> handler, string scope, string[] patterns)
        {
            foreach (var pattern in patterns)
                routes.Map(method, pattern, handler).Needs(scope);
        }
    }
}
