using Miosa.Guest.Linux;

namespace Miosa.Guest.Commands;

/// <summary>Runs a short command of the guest's own and takes what it prints.</summary>
internal static unsafe class CommandOutput
{
    /// <summary>Its standard output, or null when it failed, printed more than <paramref name="most"/> or took too long.</summary>
    public static byte[]? Take(CommandLine line, int most, int timeoutMs)
    {
        var until = Environment.TickCount64 + timeoutMs;
        var output = new MemoryStream();
        var piece = new byte[8192];
        using var command = RunningCommand.Start(line, withStdin: false);
        Span<PollEntry> polled = stackalloc PollEntry[3];
        while (command.Stdout >= 0 || !command.HasEnded)
        {
            var left = until - Environment.TickCount64;
            if (left <= 0 || output.Length > most)
                return null;
            polled[0] = new PollEntry { Fd = command.HasEnded ? -1 : command.Status, Events = PollEntry.In };
            polled[1] = new PollEntry { Fd = command.Stdout, Events = PollEntry.In };
            polled[2] = new PollEntry { Fd = command.Stderr, Events = PollEntry.In };
            Libc.Poll(polled, (int)left);
            if (polled[0].Revents != 0)
                command.Hear();
            if (polled[1].Revents != 0 && !Read(command.Stdout, piece, output))
                command.CloseStdout();
            if (polled[2].Revents != 0 && !Read(command.Stderr, piece, null))
                command.CloseStderr();
        }
        return command.Fault == LaunchFault.None && command.WaitStatus == 0 ? output.ToArray() : null;
    }

    private static bool Read(int pipe, byte[] piece, MemoryStream? output)
    {
        fixed (byte* buffer = piece)
        {
            var read = Libc.Read(pipe, buffer, (nuint)piece.Length);
            if (read > 0)
                output?.Write(piece, 0, (int)read);
            return read > 0 || (read < 0 && Libc.LastErrno == Errno.EAGAIN);
        }
    }
}
