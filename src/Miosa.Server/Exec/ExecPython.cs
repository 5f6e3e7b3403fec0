using System.Text;
using System.Text.Json.Nodes;
using Miosa.Guest;
using Miosa.Server.Files;
using Miosa.Server.Guests;
using Miosa.Server.Host;

namespace Miosa.Server.Exec;

/// <summary>
/// <c>computer.exec.python</c>: the source becomes a file of its own in the machine, which <c>python3</c> runs in the folder that was asked for;
/// the file is gone with the answer. A file, because a program on standard input could not read any, and because tracebacks show its lines.
/// </summary>
internal static class ExecPython
{
    private const int MaxCodeLength = 8 * 1024 * 1024;

    public static async Task RunAsync(HttpContext context)
    {
        var read = await Body.ReadAsync(context, ExecCommand.Aliases, ExecCommand.MaxBodyBytes);
        var code = read.Fields.Text("code", MaxCodeLength, allowEmpty: true);
        if (read.Refusal is null && !read.Fields.Has("code"))
            read.Fields.Fail("code", "is required: the source text of a Python 3 program");
        read.Fields.Body.Remove("args");
        read.Fields.Body.Remove("detached");
        var path = $"/tmp/.{Ids.New("python")}.py";
        read.Fields.Body["command"] = new JsonArray("python3", path);
        var (command, guest) = await ExecEndpoints.AdmitAsync(context, read);
        if (command is null || guest is null)
            return;
        try
        {
            await guest.WriteAsync(new WriteFileCall { Path = path }, new MemoryStream(Encoding.UTF8.GetBytes(code ?? ""), writable: false), context.RequestAborted);
        }
        catch (GuestException e)
        {
            await Reply.Refuse(FileCall.RefusalOf(e, "code")).ExecuteAsync(context);
            return;
        }
        try
        {
            await ExecAnswer.WriteAsync(context, command, guest);
        }
        finally
        {
            await ForgetAsync(guest, path);
        }
    }

    /// <summary>However it ended, so not under the request's token.</summary>
    private static async Task ForgetAsync(GuestConnection guest, string path)
    {
        try
        {
            await guest.DeleteAsync(path, recursive: false, CancellationToken.None);
        }
        catch (GuestException)
        {
            // The program has removed it itself, or the machine is gone.
        }
    }
}
