namespace Miosa.Examples;

/// <summary>A Dockerfile becomes a template; a sandbox of it has everything inside and starts its program.</summary>
internal static class Template
{
    private const string Dockerfile = """
        FROM miosa-sandbox
        WORKDIR /app
        COPY index.html ./
        EXPOSE 8000
        CMD ["python3", "-m", "http.server", "8000"]
        """;

    public static async Task RunAsync()
    {
        using var client = new MiosaClient();
        var template = await client.SandboxTemplates.CreateAsync(new CreateSandboxTemplateRequest
        {
            Name = $"hello {Guid.NewGuid():N}",
            BuildSpec = new() { Dockerfile = Dockerfile, Context = new() { ["index.html"] = "hello from the template" } },
        });
        try
        {
            var build = (await client.SandboxTemplates.ListBuildsAsync(template.Id))[0];
            await foreach (var happened in client.SandboxTemplates.StreamBuildLogsAsync(build.Id))
                Console.WriteLine(happened.Line ?? happened.Type);

            await using var sandbox = await client.Sandboxes.CreateAsync(image: template.Id);
            var started = await sandbox.StartTemplateAsync();
            var page = await sandbox.RunAsync("curl -s http://127.0.0.1:8000/");
            Console.WriteLine($"listens on {started.Port}: {page.Stdout}");
        }
        finally
        {
            await client.SandboxTemplates.DeleteAsync(template.Id);
        }
    }
}
