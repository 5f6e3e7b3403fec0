using Miosa.Guest;
using Miosa.Guest.Desktop.Accessibility;

// PID 1 of a machine. File descriptor 3 is a listening unix socket, inherited from whoever made the machine, or the one argument is a path to
// make it at; it is the only door.
if (args is [TreeProcess.Argument])
    return TreeProcess.Run();
return FirstProcess.Run(args is [var path, ..] ? path : null);
