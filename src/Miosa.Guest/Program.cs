using Miosa.Guest;

// PID 1 of a machine. File descriptor 3 is a listening unix socket, inherited from whoever made the machine; it is the only door.
return FirstProcess.Run(listener: 3);
