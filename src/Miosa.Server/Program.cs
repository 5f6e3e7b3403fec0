using Miosa.Server.Host;

return await Commands.Root().Parse(args).InvokeAsync();
