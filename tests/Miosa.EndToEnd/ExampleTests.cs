using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Miosa.EndToEnd;

public sealed partial class ExampleTests(LivePlatform platform)
{
    private static readonly string Root = FindRoot();

    [Theory]
    [InlineData("README.md")]
    [InlineData("docs/sdk.md")]
    [InlineData("src/Miosa/README.md")]
    public void First_example_of_the_documents_is_the_one_that_is_compiled(string document)
    {
        var source = File.ReadAllText(Path.Combine(Root, "examples/FirstSandbox.cs"));
        var compiled = Lines(Region().Match(source).Groups[1].Value);
        Assert.NotEmpty(compiled);

        var shown = Lines(CodeBlock().Match(File.ReadAllText(Path.Combine(Root, document))).Groups[1].Value).Where(line => line != "using Miosa;");

        Assert.Equal(compiled, shown);
    }

    [Theory]
    [InlineData("first", "^2\\s*$")]
    [InlineData("files", "hello|5000000 bytes there and back, the same")]
    [InlineData("streaming", "stdout: line 3[\\s\\S]*exit code 3[\\s\\S]*sandbox.destroyed")]
    [InlineData("watch", "created +/workspace/new[\\s\\S]*created +/workspace/new/a.txt[\\s\\S]*renamed +/workspace/new/a.txt -> /workspace/new/b.txt[\\s\\S]*deleted +/workspace/new/b.txt")]
    [InlineData("fork", "s/6/7/: 49[\\s\\S]*s/7/9/: 54[\\s\\S]*untouched: 42")]
    [InlineData("snapshots", "restored: works")]
    [InlineData("memory", "in the copy process \\d+ is running[\\s\\S]*after the pause it goes on")]
    [InlineData("template", "step 1 of[\\s\\S]*build.completed[\\s\\S]*listens on 8000: hello from the template")]
    [InlineData("terminal", "30 100[\\s\\S]*my colour is blue[\\s\\S]*the shell ended with 3")]
    [InlineData("preview", "3000-[a-z0-9-]+: <h1>hello from the sandbox</h1>[\\s\\S]*may look until[\\s\\S]*links that are good: 0")]
    [InlineData("processes", "stdout: Serving HTTP[\\s\\S]*answers: 200[\\s\\S]*web is stopped; the last it said: .*GET / HTTP")]
    [InlineData("egress", "closed: [67][\\s\\S]*refused: dns example.org, policy")]
    [InlineData("quotas", "refused: max_concurrent is 1[\\s\\S]*1 of 1 running[\\s\\S]*proj_landing_page: [0-9.]+ vCPU-seconds, [0-9]+ cents")]
    [InlineData("white-label", "apps.studio-verde.test is yours[\\s\\S]*the page: <h1>soup, bread, figs</h1>[\\s\\S]*told and signed: sandbox.created of usr_maria[\\s\\S]*told and signed: sandbox.destroyed of usr_maria[\\s\\S]*usr_maria: [0-9.]+ vCPU-seconds")]
    [InlineData("desktop", "cmp_[a-z0-9]+ runs after[\\s\\S]*01 [\\s\\S]*Click[\\s\\S]*the page says: Booked for Ada Lovelace: Zürich → 東京 🙂, at the window")]
    [InlineData("lifecycle", "now paused[\\s\\S]*now running[\\s\\S]*404 NOT_FOUND")]
    public async Task Story_runs_and_prints_what_it_tells(string story, string pattern)
    {
        var key = story == "white-label" ? await platform.NewTenantOfAsync("apps.studio-verde.test") : platform.ApiKey;
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "Miosa.Examples.dll"));
        start.ArgumentList.Add(story);
        start.Environment["MIOSA_BASE_URL"] = platform.BaseUrl;
        start.Environment["MIOSA_API_KEY"] = key;
        using var process = Process.Start(start)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync().WaitAsync(Twins.Deadline);

        Assert.Equal("", await errors);
        Assert.Equal(0, process.ExitCode);
        var told = await output;
        Assert.True(Regex.IsMatch(told, pattern), told);
    }

    [GeneratedRegex(@"#region first\n(.*?)#endregion", RegexOptions.Singleline)]
    private static partial Regex Region();

    [GeneratedRegex(@"```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex CodeBlock();

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Miosa.slnx")))
                return folder.FullName;
        }
        throw new InvalidOperationException("the tests do not run inside the repository");
    }
}
