using Miosa.Guest.Linux;

namespace Miosa.Guest;

/// <summary>A verb failed in a way the host can be told: becomes an ERROR frame.</summary>
internal sealed class GuestFailure(string code, string message) : Exception(message)
{
    public string Code => code;

    public static GuestFailure BadRequest(string message) => new(GuestErrorCode.BadRequest, message);

    public static GuestFailure From(LinuxException e) => new(CodeOf(e.Errno), e.Message);

    public static string CodeOf(int errno) => errno switch
    {
        Errno.ENOENT => GuestErrorCode.NotFound,
        Errno.EISDIR => GuestErrorCode.IsDirectory,
        Errno.ENOTDIR => GuestErrorCode.NotDirectory,
        Errno.EEXIST or Errno.ENOTEMPTY => GuestErrorCode.Exists,
        Errno.ENOSPC or Errno.EDQUOT => GuestErrorCode.NoSpace,
        Errno.EFBIG => GuestErrorCode.TooLarge,
        Errno.EACCES or Errno.EPERM or Errno.EROFS => GuestErrorCode.Permission,
        Errno.ENAMETOOLONG or Errno.ELOOP or Errno.EINVAL => GuestErrorCode.BadRequest,
        Errno.EAGAIN or Errno.ENOMEM or Errno.EMFILE or Errno.ENFILE => GuestErrorCode.Busy,
        _ => GuestErrorCode.Failed,
    };
}

/// <summary>The stream was cancelled by the host or by the end of its connection.</summary>
internal sealed class StreamCancelledException() : Exception("cancelled");

/// <summary>The peer is gone, or has taken no byte for the send timeout.</summary>
internal sealed class ConnectionLostException() : Exception("connection lost");
