using Miosa.Examples.Agent;

namespace Miosa.Examples;

/// <summary>
/// An agent that uses a computer as a person would: it looks at the screen, decides, acts, and looks again. The model that decides is a function; here it is
/// a script, so the story runs without a network, and in your product it asks a language model. The page it books a trip on is served inside the computer.
/// </summary>
internal static class DesktopAgent
{
    private const int MostSteps = 60;

    /// <summary>What the model is shown: a picture for its eyes, the tree for its reason.</summary>
    public sealed record Sight(int Step, byte[] Screenshot, DesktopAccessibilityNode Tree);

    /// <summary>
    /// Decides what to do next. For a language model: send <c>Convert.ToBase64String(sight.Screenshot)</c> and the task, and read one of the
    /// <see cref="AgentAction"/>s from the JSON that it answers.
    /// </summary>
    public delegate Task<AgentAction> Model(Sight sight);

    public static async Task RunAsync()
    {
        using var client = new MiosaClient();
        var folder = Directory.CreateTempSubdirectory("miosa-agent-").FullName;
        var computer = await client.Computers.CreateAsync(size: "small");
        try
        {
            await computer.WaitUntilRunningAsync();
            Console.WriteLine($"{computer.Id} runs after {computer.Info.BootMs} ms; screenshots go to {folder}");

            await computer.Files.WriteAsync("/home/user/site/index.html", TravelSite.Form);
            await computer.Files.WriteAsync("/home/user/site/booked.html", TravelSite.Answer);
            await computer.Services.CreateAsync(new() { Name = "site", Command = "exec python3 -m http.server 8000 --bind 127.0.0.1", WorkingDir = "/home/user/site" });
            await computer.Desktop.LaunchAsync("chromium", ["http://127.0.0.1:8000/"]);

            var answer = await ActAsync(computer.Desktop, Scripted(), folder);
            Console.WriteLine($"the page says: {answer}");
        }
        finally
        {
            await computer.DeleteAsync();
        }
    }

    /// <summary>The loop of every such agent: look, decide, act.</summary>
    private static async Task<string> ActAsync(ComputerDesktop desktop, Model model, string folder)
    {
        for (var step = 1; step <= MostSteps; step++)
        {
            var sight = new Sight(step, await desktop.ScreenshotAsync(), await desktop.AccessibilityTreeAsync());
            await File.WriteAllBytesAsync(Path.Combine(folder, $"{step:00}.png"), sight.Screenshot);
            var action = await model(sight);
            Console.WriteLine($"{step:00} {action}");
            switch (action)
            {
                case AgentAction.Click click:
                    await desktop.ClickAsync(click.X, click.Y);
                    break;
                case AgentAction.Type type:
                    await desktop.TypeAsync(type.Text);
                    break;
                case AgentAction.Press press:
                    await desktop.KeyAsync(press.Key);
                    break;
                case AgentAction.Scroll scroll:
                    await desktop.ScrollAsync(amount: scroll.Notches);
                    break;
                case AgentAction.Wait wait:
                    await desktop.WaitAsync(wait.Time);
                    break;
                case AgentAction.Done done:
                    return done.Answer;
            }
        }
        throw new TimeoutException($"the agent has not finished after {MostSteps} steps; its last screenshots are in {folder}");
    }

    /// <summary>A model without a mind: it does one thing after the other, each as soon as the screen has what it needs.</summary>
    private static Model Scripted()
    {
        var script = new Queue<Func<Sight, AgentAction?>>(
        [
            sight => ClickOn(sight, "Your name", "entry"),
            _ => new AgentAction.Type("Ada Lovelace"),
            sight => ClickOn(sight, "Where to", "entry"),
            _ => new AgentAction.Type("Zürich → 東京 🙂"),
            sight => ClickOn(sight, "Window seat", "check box"),
            sight => ClickOn(sight, "Book the trip", "push button", "button"),
            sight => sight.Tree.Find(name: "Booked for Ada") is { } answer ? new AgentAction.Done(answer.Name) : null,
        ]);
        return sight =>
        {
            if (script.Peek()(sight) is not { } action)
                return Task.FromResult<AgentAction>(new AgentAction.Wait(TimeSpan.FromSeconds(1)));
            script.Dequeue();
            return Task.FromResult(action);
        };
    }

    private static AgentAction.Click? ClickOn(Sight sight, string name, params string[] roles)
        => roles.Select(role => sight.Tree.Find(role, name)?.Center()).FirstOrDefault(point => point is not null) is { } middle ? new(middle.X, middle.Y) : null;
}
