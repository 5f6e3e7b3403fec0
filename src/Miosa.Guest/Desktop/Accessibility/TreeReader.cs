using System.Buffers.Binary;
using System.Text.Json;
using Miosa.Guest.Commands;
using Miosa.Guest.Linux;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Desktop.Accessibility;

/// <summary>
/// PID 1's side of the <see cref="TreeProcess"/>: started with the first tree that is wanted, kept for the next (that the applications have seen
/// a listener is what makes them quick), ended when it does not answer. What runs there is the user's: it may have been tampered with.
/// </summary>
internal static unsafe class TreeReader
{
    /// <summary>More than the five seconds that the process takes at most.</summary>
    private const int AnswerMs = 10_000;

    private static readonly Lock s_lock = new();
    private static RunningCommand? s_process;

    /// <summary>Sends the tree as DATA of the stream and gives what RESULT says of it.</summary>
    public static TreeReply Run(GuestStream stream, TreeCall call, GuestDesktop screen, DesktopPlace place)
    {
        if (call.MaxDepth is < 0 or > DesktopLimits.MaxTreeDepth)
            throw GuestFailure.BadRequest($"max_depth must be from 1 to {DesktopLimits.MaxTreeDepth}, or 0 for as deep as it goes");
        if (call.MaxNodes is < 0 or > DesktopLimits.MaxTreeNodes)
            throw GuestFailure.BadRequest($"max_nodes must be from 1 to {DesktopLimits.MaxTreeNodes}");
        // Absent in JSON is 0: the generated reader knows no other default.
        if (call.MaxNodes == 0)
            call = call with { MaxNodes = DesktopLimits.DefaultTreeNodes };
        TreeReply reply;
        NativeBytes tree;
        lock (s_lock)
        {
            var isOld = s_process is not null;
            try
            {
                (reply, tree) = Ask(call, screen, place);
            }
            catch (GuestFailure) when (isOld && s_process is null)
            {
                // It had been killed between two calls.
                (reply, tree) = Ask(call, screen, place);
            }
        }
        using (tree)
        using (new Waiting(tree.Count))
            stream.Send(FrameChannel.Body, tree.Span);
        return reply;
    }

    private static (TreeReply Reply, NativeBytes Tree) Ask(TreeCall call, GuestDesktop screen, DesktopPlace place)
    {
        s_process ??= Start(place);
        var until = Environment.TickCount64 + AnswerMs;
        try
        {
            var question = new byte[TreeProcess.CallBytes];
            BinaryPrimitives.WriteInt32LittleEndian(question, screen.Width);
            BinaryPrimitives.WriteInt32LittleEndian(question.AsSpan(4), screen.Height);
            BinaryPrimitives.WriteInt32LittleEndian(question.AsSpan(8), call.MaxDepth);
            BinaryPrimitives.WriteInt32LittleEndian(question.AsSpan(12), call.MaxNodes);
            fixed (byte* bytes = question)
            {
                if (Libc.Write(s_process.Stdin, bytes, (nuint)question.Length) != question.Length)
                    throw Broken("it takes no question");
            }
            var header = Read(s_process.Stdout, TreeProcess.HeaderBytes, until);
            var (jsonLength, treeLength) = (BinaryPrimitives.ReadInt32LittleEndian(header), BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(4)));
            if (jsonLength is < 0 or > TreeProcess.MaxJson || treeLength is < -1 or > TreeProcess.MaxTree)
                throw Broken("its answer is too long");
            var json = Read(s_process.Stdout, jsonLength, until);
            if (treeLength < 0)
            {
                var error = JsonSerializer.Deserialize(json, GuestJson.Wire.GuestError);
                throw new ToldFailure(AgentWords.Code(error), AgentWords.Message(error, "the accessibility tree could not be read"));
            }
            var reply = JsonSerializer.Deserialize(json, GuestJson.Wire.TreeReply) ?? throw Broken("its answer is null");
            return (reply, ReadTree(s_process.Stdout, treeLength, until));
        }
        catch (ToldFailure e)
        {
            throw new GuestFailure(e.Code, e.Message);
        }
        catch (JsonException)
        {
            End();
            throw Broken("its answer is not JSON");
        }
        catch
        {
            End();
            throw;
        }
    }

    private static RunningCommand Start(DesktopPlace place)
    {
        // As the desktop's agent is started.
        var process = RunningCommand.Start(place.Program("/proc/self/exe", TreeProcess.Argument), withStdin: true);
        if (process.Fault == LaunchFault.None)
        {
            // Nobody reads it, and a full pipe would stop the process.
            process.CloseStderr();
            return process;
        }
        var why = Errno.Describe(process.FaultErrno);
        process.Dispose();
        throw Broken("it cannot be started: " + why);
    }

    private static void End()
    {
        s_process?.Dispose();
        s_process = null;
    }

    private static byte[] Read(int pipe, int count, long until)
    {
        var bytes = new byte[count];
        fixed (byte* first = bytes)
            Read(pipe, first, count, until);
        return bytes;
    }

    /// <summary>Outside the collector's heap, which several large ones would fill.</summary>
    private static NativeBytes ReadTree(int pipe, int count, long until)
    {
        var tree = new NativeBytes();
        try
        {
            tree.SetCount(count);
            Read(pipe, tree.Pointer, count, until);
            return tree;
        }
        catch
        {
            tree.Dispose();
            throw;
        }
    }

    private static void Read(int pipe, byte* target, int count, long until)
    {
        Span<PollEntry> polled = [new PollEntry { Fd = pipe, Events = PollEntry.In }];
        for (var done = 0; done < count;)
        {
            var read = Libc.Read(pipe, target + done, (nuint)(count - done));
            if (read > 0)
            {
                done += (int)read;
                continue;
            }
            if (read == 0 || Libc.LastErrno != Errno.EAGAIN)
                throw Broken("it has ended");
            var left = until - Environment.TickCount64;
            if (left <= 0)
                throw Broken("it does not answer");
            Libc.Poll(polled, (int)left);
        }
    }

    private static GuestFailure Broken(string why) => new(GuestErrorCode.Failed, "the process that reads the accessibility tree failed: " + why);

    /// <summary>The process itself is well: it could not read the tree.</summary>
    private sealed class ToldFailure(string code, string message) : Exception(message)
    {
        public string Code => code;
    }
}
