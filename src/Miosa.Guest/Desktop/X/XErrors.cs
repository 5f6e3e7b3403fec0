namespace Miosa.Guest.Desktop.X;

/// <summary>The X server refused a request: the window is gone, the value is out of its bounds.</summary>
internal sealed class XRefusedException(byte code, byte opcode, uint resource)
    : Exception($"the X server refused request {opcode} with error {code} (resource {resource})");

/// <summary>The X server is gone, says nothing for too long, or talks nonsense; the connection is of no use any more.</summary>
internal sealed class XLostException(string message) : Exception(message);
