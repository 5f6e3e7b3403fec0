using System.CommandLine;
using Miosa.Server.Host;

// Two seconds, which is the default, would cut the end of every stream: a stop takes as long as Shutdown says, and then some for what is written last.
return await Commands.Root().Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = 2 * Shutdown.Timeout });
