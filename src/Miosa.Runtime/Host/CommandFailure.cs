namespace Miosa.Runtime.Host;

/// <summary>A command cannot be done, for a reason its user can act on: printed as one line, exit status 1.</summary>
internal sealed class CommandFailure(string message, Exception? inner = null) : Exception(message, inner);
