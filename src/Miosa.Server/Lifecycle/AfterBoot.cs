namespace Miosa.Server.Lifecycle;

internal sealed class AfterBoot : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.CompletedTask;
}
