using Miosa.Guest;
using Miosa.Runtime.Wire;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Nodes;
using Miosa.Server.Sandboxes;

namespace Miosa.Server.Templates;

/// <summary>What a build made: the image, and what a sandbox of it runs.</summary>
internal sealed record BuiltImage(ImageInfo Image, string? StartCommand);

/// <summary>
/// One build, from its recipe to its image:
/// 1. the image to begin with: an official one, a template of the tenant, one of a registry, or a new Debian system;
/// 2. when something must run: a machine of it, and the steps in it, one after the other;
/// 3. what the machine wrote becomes a layer (<c>commit</c>), or the image gets another name and description (<c>tag</c>).
/// </summary>
internal sealed class BuildRun(string id, string tenantId, Recipe recipe, BaseImages bases, RuntimeClient runtime, Sizes sizes, ServerSettings settings, TimeProvider time, BuildLog log)
{
    private const int MaxVariables = 512;
    private const int MaxVariableBytes = 40_000;
    private const int MaxPorts = 64;

    private readonly Dictionary<string, string> env = [];
    private readonly Dictionary<string, string> ownEnv = [];
    private readonly Dictionary<string, string> args = [];
    private readonly List<int> ports = [];
    private string workdir = "/";
    private string? user;
    private IReadOnlyList<string> cmd = [];
    private IReadOnlyList<string>? entrypoint;

    public async Task<BuiltImage> RunAsync(Func<Task> snapshotting, CancellationToken ct)
    {
        await using var fetched = await bases.OpenAsync(id, tenantId, recipe, log, ct);
        Begin(fetched.Image);
        var steps = Steps().ToList();
        var runs = steps.Any(step => step is RunStep or CopyStep or WorkdirStep);
        await using var machine = runs ? await BuildMachine.LaunchAsync(id, fetched.Image.Name, ShapeOf(), runtime, log, ct) : null;
        for (var i = 0; i < steps.Count; i++)
        {
            log.Write("system", $"step {i + 1} of {steps.Count}: {steps[i].Says}");
            try
            {
                await TakeAsync(steps[i], machine, ct);
            }
            catch (FormatException e)
            {
                throw Failed(i, steps[i], e.Message);
            }
            catch (BuildFailedException e)
            {
                throw new BuildFailedException(e.Code, Failed(i, steps[i], e.Message).Message);
            }
            catch (GuestException e)
            {
                throw Failed(i, steps[i], e.Message);
            }
        }
        if (recipe.User is not null)
            user = recipe.User;
        log.Write("system", "writing the image");
        await snapshotting();
        var description = new RuntimeRequest
        {
            Name = id,
            Env = env,
            Workdir = workdir,
            User = user,
            Cmd = cmd,
            Entrypoint = entrypoint,
            Ports = ports,
        };
        var image = machine is null
            ? await runtime.TagAsync(description with { Image = fetched.Image.Name }, ct)
            : await machine.CommitAsync(description, ct);
        return new BuiltImage(image, recipe.StartCommand ?? ShellText());
    }

    private static BuildFailedException Failed(int at, BuildStep step, string message) =>
        new(BuildFailedException.StepFailed, $"step {at + 1} ({step.Says}): {message}");

    private void Begin(ImageInfo image)
    {
        foreach (var (name, value) in image.Env)
            env[name] = value;
        foreach (var (name, value) in recipe.Env)
            env[name] = ownEnv[name] = value;
        (cmd, entrypoint, user) = (image.Cmd, image.Entrypoint, image.User);
        ports.AddRange(image.Ports ?? []);
        workdir = image.Workdir is { Length: > 0 } folder ? folder : "/";
    }

    private IEnumerable<BuildStep> Steps()
    {
        if (recipe.Packages.Count > 0 && recipe.Suite is null)
        {
            yield return new RunStep($"packages {string.Join(' ', recipe.Packages)}",
                $"apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends {string.Join(' ', recipe.Packages)} && rm -rf /var/lib/apt/lists/*");
        }
        if (recipe.Workdir is not null)
            yield return new WorkdirStep($"workdir {recipe.Workdir}", new RecipeText(recipe.Workdir, IsLiteral: true));
        foreach (var step in recipe.Steps)
            yield return step;
    }

    private Shape ShapeOf()
    {
        var standard = sizes.Find(Sizes.Default) ?? throw new InvalidOperationException("no default size");
        return new Shape(
            recipe.Vcpus ?? Math.Min(standard.Vcpus, settings.MaxVcpus),
            recipe.MemoryMb ?? Math.Min(standard.MemoryMb, settings.MaxMemoryMb),
            recipe.DiskMb ?? Math.Min(standard.DiskMb, settings.MaxDiskMb));
    }

    private async Task TakeAsync(BuildStep step, BuildMachine? machine, CancellationToken ct)
    {
        switch (step)
        {
            case RunStep run:
                await ExecAsync(machine, new ExecCall { Argv = run.Argv?.ToArray() ?? ["/bin/sh", "-c", run.Shell ?? ""], Cwd = workdir, User = user, Env = EnvOfCommand() }, null, ct);
                break;
            case CopyStep copy:
                await CopyAsync(copy, machine, ct);
                break;
            case WorkdirStep folder:
                workdir = PathOf(folder.Path);
                await ExecAsync(machine, new ExecCall { Argv = ["mkdir", "-p", "--", workdir], Cwd = "/", User = "0" }, null, ct);
                break;
            case EnvStep variables:
                // All of one instruction see the values of before it, as Docker has it.
                foreach (var (name, value) in variables.Variables.Select(pair => (pair.Name, pair.Value.Value(Variable))).ToList())
                    SetEnv(name, value);
                break;
            case ArgStep arg:
                if ((recipe.Args.GetValueOrDefault(arg.Name) ?? arg.Default?.Value(Variable)) is { } given)
                {
                    args[arg.Name] = given;
                    CheckVariables();
                }
                break;
            case UserStep other:
                user = other.User.Value(Variable) is { Length: > 0 } named ? named : throw new FormatException("the user is empty");
                break;
            case CmdStep command:
                cmd = command.Words;
                break;
            case EntrypointStep entry:
                // The command of the image below belonged to the old one.
                (entrypoint, cmd) = (entry.Words, recipe.Steps.OfType<CmdStep>().LastOrDefault()?.Words ?? []);
                break;
            case ExposeStep expose:
                foreach (var text in expose.Ports.Select(port => port.Value(Variable).Split('/')[0]))
                {
                    ports.Add(int.TryParse(text, out var port) && port is > 0 and < 65536 ? port : throw new FormatException($"\"{text}\" is not a port"));
                    if (ports.Count > MaxPorts)
                        throw new FormatException($"more than {MaxPorts} ports are exposed");
                }
                break;
        }
    }

    private async Task CopyAsync(CopyStep step, BuildMachine? machine, CancellationToken ct)
    {
        var raw = step.To.Value(Variable);
        if (raw.Length == 0)
            throw new FormatException("the target is empty");
        var target = PathOf(new RecipeText(raw, IsLiteral: true));
        List<(string Path, byte[] Content)> files = [];
        if (step.Inline is { } text)
        {
            files.Add((raw.EndsWith('/') ? throw new FormatException("the target must be a file") : target, System.Text.Encoding.UTF8.GetBytes(text)));
        }
        else
        {
            var matches = new List<(string Name, byte[] Content, bool IsInFolder)>();
            foreach (var source in step.Sources.Select(source => source.Value(Variable)))
            {
                var count = matches.Count;
                matches.AddRange(recipe.Context.Matching(source));
                if (matches.Count == count)
                    throw new FormatException($"\"{source}\" is not in the context");
            }
            var last = raw.Split('/')[^1];
            var isFolder = last is "" or "." or ".." || matches.Count > 1 || matches.Any(match => match.IsInFolder)
                || (machine is not null && await machine.IsFolderAsync(target, ct));
            foreach (var (name, content, _) in matches)
                files.Add((isFolder ? (target == "/" ? "" : target) + "/" + name : target, content));
        }
        var (uid, gid) = step.Owner is { } owner && machine is not null ? await machine.OwnerAsync(owner.Value(Variable), ct) : (0, 0);
        using var tar = new MemoryStream(BuildContext.Tar(files, step.Mode ?? 0b110_100_100, uid, gid, time.GetUtcNow()), writable: false);
        await ExecAsync(machine, new ExecCall { Argv = ["tar", "-x", "-p", "-f", "-", "-C", "/"], Cwd = "/", User = "0", Stdin = true }, tar, ct);
    }

    private static async Task ExecAsync(BuildMachine? machine, ExecCall call, Stream? stdin, CancellationToken ct)
    {
        if (machine is null)
            throw new InvalidOperationException("a step that runs has no machine");
        if (await machine.RunAsync(call, stdin, ct) is not 0 and var code)
            throw new BuildFailedException(BuildFailedException.StepFailed, $"ended with exit code {code}");
    }

    private void SetEnv(string name, string value)
    {
        env[name] = ownEnv[name] = value;
        CheckVariables();
    }

    /// <summary>Every command gets them in one call, and the runtime in one line: what does not fit there is refused where it becomes too much.</summary>
    private void CheckVariables()
    {
        var size = env.Concat(args).Sum(pair => pair.Key.Length + pair.Value.Length + 6);
        if (size > MaxVariableBytes || env.Count + args.Count > MaxVariables)
            throw new FormatException($"the environment is too large: at most {MaxVariables} variables and {MaxVariableBytes} characters");
    }

    private string? Variable(string name) => env.GetValueOrDefault(name) ?? args.GetValueOrDefault(name);

    private Dictionary<string, string> EnvOfCommand()
    {
        var given = new Dictionary<string, string>(args);
        foreach (var (name, value) in ownEnv)
            given[name] = value;
        return given;
    }

    /// <summary>An absolute path without dots; a relative one begins in the working folder.</summary>
    private string PathOf(RecipeText text)
    {
        var raw = text.Value(Variable);
        if (raw.Length == 0)
            throw new FormatException("the path is empty");
        var parts = new List<string>();
        foreach (var part in (raw[0] == '/' ? raw : workdir + "/" + raw).Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part == "..")
                parts.RemoveRange(Math.Max(0, parts.Count - 1), Math.Min(1, parts.Count));
            else if (part != ".")
                parts.Add(part);
        }
        return "/" + string.Join('/', parts);
    }

    /// <summary>ENTRYPOINT and CMD as one shell text; an entry point in shell form takes no arguments.</summary>
    private string? ShellText()
    {
        IReadOnlyList<string> words = entrypoint switch
        {
            null => cmd,
            ["/bin/sh", "-c", _] => entrypoint,
            _ => [.. entrypoint, .. cmd],
        };
        return words switch
        {
            [] => null,
            ["/bin/sh", "-c", var shell] => shell,
            _ => string.Join(' ', words.Select(word => "'" + word.Replace("'", "'\\''", StringComparison.Ordinal) + "'")),
        };
    }
}
