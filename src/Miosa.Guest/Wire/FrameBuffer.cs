using Miosa.Guest.Linux;

namespace Miosa.Guest.Wire;

/// <summary>Native room for one frame: a verb reads from its file or pipe straight behind the header and sends both with one call.</summary>
internal sealed unsafe class FrameBuffer : IDisposable
{
    private byte* _frame = Libc.Map(FrameLimits.MaxFrame);

    public byte* Frame => _frame;
    public byte* Payload => _frame + FrameLimits.HeaderBytes;

    public void Dispose()
    {
        Libc.Unmap(_frame, FrameLimits.MaxFrame);
        _frame = null;
    }
}
