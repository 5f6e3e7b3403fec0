using Miosa.Guest;
using Miosa.Guest.Desktop.Accessibility;
using Miosa.Guest.Desktop.Agent;

// PID 1 of a machine. File descriptor 3 is a listening unix socket, inherited from whoever made the machine, or the one argument is a path to
// make it at; it is the only door. Or one of the two programs that PID 1 starts as the desktop's user: its agent and the reader of its tree.
return args switch
{
    [DesktopAgent.Mode, var socket] => DesktopAgent.Run(socket),
    [TreeProcess.Argument] => TreeProcess.Run(),
    _ => FirstProcess.Run(args is [var path, ..] ? path : null),
};
