using Miosa.Guest;
using Miosa.Guest.Desktop.Agent;

// PID 1 of a machine. File descriptor 3 is a listening unix socket, inherited from whoever made the machine, or the one argument is a path to
// make it at; it is the only door. Or the agent of the machine's desktop, which PID 1 starts.
return args is [DesktopAgent.Mode, var socket] ? DesktopAgent.Run(socket) : FirstProcess.Run(args is [var path, ..] ? path : null);
