using System.Text.Json;
using Miosa.Guest.Linux;
using Miosa.Guest.Verbs;

namespace Miosa.Guest.Wire;

/// <summary>
/// From OPEN to RESULT or ERROR: finds the verb, runs it, tells how it ended. Nothing a verb does gets past this edge. A verb that handed its
/// stream on has no answer here; whoever has the stream calls <see cref="End"/>.
/// </summary>
internal static class StreamRun
{
    public static void Run(GuestStream stream, byte[] open)
    {
        try
        {
            var (type, payload) = Answer(stream, open);
            if (payload is null)
                return;
            if (payload.Length > FrameLimits.MaxPayload)
                (type, payload) = Failure(GuestErrorCode.TooLarge, "the answer does not fit a frame");
            stream.Connection.Send(type, stream.Id, 0, payload);
        }
        catch (ConnectionLostException)
        {
            // The end of the connection has cancelled the stream; there is nobody left to tell.
        }
        stream.Connection.Remove(stream);
    }

    /// <summary>Tells how a stream ended that was handed on.</summary>
    public static void End(GuestStream stream, FrameType type, byte[] payload)
    {
        try
        {
            stream.Connection.Send(type, stream.Id, 0, payload);
        }
        catch (ConnectionLostException)
        {
            // As above.
        }
        stream.Connection.Remove(stream);
    }

    private static (FrameType Type, byte[]? Payload) Answer(GuestStream stream, byte[] open)
    {
        try
        {
            var (name, verb) = VerbTable.Find(open);
            using var call = Door.Begin(name);
            return (FrameType.Result, verb(stream, open));
        }
        catch (GuestFailure e)
        {
            return Failure(e.Code, e.Message);
        }
        catch (LinuxException e)
        {
            return Failure(GuestFailure.CodeOf(e.Errno), e.Message);
        }
        catch (JsonException e)
        {
            return Failure(GuestErrorCode.BadRequest, "OPEN is not valid: " + e.Message);
        }
        catch (StreamCancelledException)
        {
            return Failure(GuestErrorCode.Failed, "cancelled");
        }
        catch (OutOfMemoryException)
        {
            return Failure(GuestErrorCode.Busy, "out of memory");
        }
        catch (ConnectionLostException)
        {
            throw;
        }
#pragma warning disable CA1031 // PID 1 must not end because one verb has a bug: the machine would.
        catch (Exception e)
#pragma warning restore CA1031
        {
            return Failure(GuestErrorCode.Failed, e.GetType().Name + ": " + e.Message);
        }
    }

    public static (FrameType Type, byte[] Payload) Failure(string code, string message) =>
        (FrameType.Error, JsonSerializer.SerializeToUtf8Bytes(new GuestError { Code = code, Message = message }, GuestJson.Wire.GuestError));
}
