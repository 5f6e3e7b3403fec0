using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Registries;

namespace Miosa.Server.Templates;

/// <summary>A recipe of the wire (<c>build_spec</c>): aliases, bounds, and its steps or Dockerfile. No I/O.</summary>
internal sealed partial class RecipeFields(ServerSettings settings)
{
    private const string LoginField = "from_auth";
    /// <summary>Of all but the content of files: it is shown in every list.</summary>
    private const int MaxShown = 256 * 1024;
    private const int MaxSteps = 200;
    private const int MaxCommand = 32 * 1024;
    private const int MaxPath = 4096;
    private const int MaxPackages = 200;
    private const int MaxVariables = 200;

    private static readonly Aliases Names = new Aliases()
        .Add("from", "image", "base")
        .Add("vcpu", "vcpus", "cpu_count")
        .Add("memoryMib", "memory_mib", "memory_mb")
        .Add("diskMib", "disk_mib", "disk_mb", "disk_size_mb")
        .Add("startCmd", "start_cmd", "start_command")
        .Add("readyCmd", "ready_cmd")
        .Add("installCmd", "install_cmd", "install_command")
        .Add("previewPort", "preview_port")
        .Add("artifactPaths", "artifact_paths")
        .Add("timeoutSec", "timeout_sec")
        .Add(LoginField, "fromAuth", "registry_auth")
        .Add("args", "build_args");

    /// <summary>The recipe, or every fault by field.</summary>
    public (Recipe? Recipe, JsonObject Faults) Read(JsonObject node)
    {
        var fields = new Fields(Names.Apply((JsonObject)node.DeepClone()));
        var context = BuildContext.Read(fields);
        var args = fields.TextMap("args", MachineEnv.Key(), MaxVariables, MaxPath) ?? new Dictionary<string, string>();
        var from = fields.Text("from", 512, ImageReference(), "must be a template or an image");
        var dockerfile = fields.Text("dockerfile", 128 * 1024);
        IReadOnlyList<BuildStep> steps = Steps(fields, context);
        if (dockerfile is not null)
        {
            var file = Dockerfile.Read(dockerfile, args, context);
            if (file.Faults.Count > 0)
                fields.Fail("dockerfile", string.Join("; ", file.Faults.Take(20)));
            if (fields.Has("steps"))
                fields.Fail("steps", "cannot stand beside a dockerfile");
            if (from is not null && file.From is { } named && named != from)
                fields.Fail("from", $"is \"{from}\", but the dockerfile begins with FROM {named}: leave one of them out");
            (from, steps) = (file.From ?? from, file.Steps);
        }
        else if (from is null)
        {
            fields.Fail("from", "is required: the template or image to begin with");
        }
        var recipe = new Recipe
        {
            From = from ?? "",
            IsDockerfile = dockerfile is not null,
            Packages = Packages(fields),
            Steps = steps,
            Env = fields.TextMap("env", MachineEnv.Key(), MaxVariables, MaxCommand) ?? new Dictionary<string, string>(),
            Args = args,
            Workdir = fields.Text("workdir", MaxPath, AbsolutePath(), "must be an absolute path"),
            User = fields.Text("user", 64, UserName(), "must be a user, or user:group"),
            Vcpus = fields.Int("vcpu", 1, settings.MaxVcpus),
            MemoryMb = fields.Int("memoryMib", 128, settings.MaxMemoryMb),
            DiskMb = fields.Int("diskMib", 512, settings.MaxDiskMb),
            InstallCommand = fields.Text("installCmd", MaxCommand),
            StartCommand = fields.Text("startCmd", MaxCommand),
            ReadyCommand = fields.Text("readyCmd", MaxCommand),
            PreviewPort = fields.Int("previewPort", 1, 65535),
            ArtifactPaths = fields.TextList("artifactPaths", 100, MaxPath) ?? [],
            TimeoutSec = fields.Int("timeoutSec", 1, settings.BuildTimeoutSec),
            Login = Login(fields),
            Context = context,
        };
        // Every command of the build gets it, in one call of 64 KiB.
        if (recipe.Env.Sum(pair => pair.Key.Length + pair.Value.Length) > 16 * 1024)
            fields.Fail("env", "must be at most 16384 characters in all");
        if (Shown(node, context).ToJsonString().Length is > MaxShown and var shown)
            fields.Fail("steps", $"and the rest of the recipe must be at most {MaxShown} characters as JSON, without the content of files; got {shown}");
        return fields.Errors()?.Details is { } faults ? (null, faults) : (recipe, []);
    }

    /// <summary>What is kept and shown of a recipe: everything but the content of its files.</summary>
    public static JsonObject Shown(JsonObject node, BuildContext context)
    {
        var shown = Kept(node);
        if (!context.IsEmpty)
            shown["context"] = context.Listing();
        return shown;
    }

    /// <summary>What is kept of a recipe to build it again: everything but the password of a registry.</summary>
    public static JsonObject Kept(JsonObject node)
    {
        var kept = Names.Apply((JsonObject)node.DeepClone());
        kept.Remove(LoginField);
        return kept;
    }

    private static RegistryLogin? Login(Fields fields)
    {
        if (fields.Object(LoginField) is not { } node)
            return null;
        var login = new Fields(node);
        var (username, password) = (login.Text("username"), login.Text("password", 4096));
        if (username is null || password is null)
            fields.Fail(LoginField, login.Errors()?.Message ?? "must have a username and a password");
        return username is null || password is null ? null : new RegistryLogin(username, password);
    }

    private static IReadOnlyList<string> Packages(Fields fields)
    {
        var packages = fields.TextList("packages", MaxPackages) ?? [];
        if (packages.FirstOrDefault(package => !PackageName().IsMatch(package)) is { } odd)
            fields.Fail("packages", $"has \"{odd}\", which is not the name of a Debian package");
        return packages;
    }

    private static List<BuildStep> Steps(Fields fields, BuildContext context)
    {
        var steps = new List<BuildStep>();
        if (fields.List("steps") is not { } list)
            return steps;
        if (list.Count > MaxSteps)
            fields.Fail("steps", $"must be at most {MaxSteps}, got {list.Count}");
        foreach (var node in list.Take(MaxSteps))
        {
            var at = steps.Count + 1;
            if (node is not JsonObject body)
            {
                fields.Fail("steps", $"must hold only objects, step {at} is none");
                return steps;
            }
            var step = new Fields(body);
            if (Step(step, context) is { } read && step.Errors() is null)
                steps.Add(read);
            else
                fields.Fail("steps", $"step {at}: {step.Errors()?.Message}");
            if (steps.Count < at)
                return steps;
        }
        return steps;
    }

    private static BuildStep? Step(Fields step, BuildContext context)
    {
        string[] verbs = ["run", "copy", "env", "workdir", "user"];
        if (verbs.Where(step.Has).ToArray() is not [var verb])
        {
            step.Fail("it", $"must have exactly one of {string.Join(", ", verbs)}");
            return null;
        }
        switch (verb)
        {
            case "run" when step.Body["run"] is JsonArray:
                var argv = step.TextList("run", 256, MaxCommand) ?? [];
                if (argv.Count == 0 || argv.Any(word => word.Contains('\0', StringComparison.Ordinal)))
                    step.Fail("run", "must name a program, without NUL characters");
                return new RunStep("run " + Cut(string.Join(' ', argv)), null, argv);
            case "run":
                var shell = step.Text("run", MaxCommand) ?? "";
                return new RunStep("run " + Cut(shell), shell);
            case "copy":
                return Copy(step, context);
            case "env":
                var env = step.TextMap("env", MachineEnv.Key(), MaxVariables, MaxCommand) ?? new Dictionary<string, string>();
                return new EnvStep("env " + Cut(string.Join(' ', env.Keys)), [.. env.Select(pair => (pair.Key, Literal(pair.Value)))]);
            case "workdir":
                var folder = step.Text("workdir", MaxPath) ?? "";
                return new WorkdirStep("workdir " + folder, Literal(folder));
            default:
                var user = step.Text("user", 64, UserName(), "must be a user, or user:group") ?? "";
                return new UserStep("user " + user, Literal(user));
        }
    }

    private static CopyStep Copy(Fields step, BuildContext context)
    {
        var sources = step.Body["copy"] is JsonArray ? step.TextList("copy", 100, MaxPath) ?? [] : step.Text("copy", MaxPath) is { } one ? [one] : [];
        if (!step.Has("to"))
            step.Fail("to", "is required: where the files go");
        var to = step.Text("to", MaxPath) ?? "/";
        if (sources.FirstOrDefault(source => !context.Matching(source).Any()) is { } missing)
            step.Fail("copy", $"names \"{missing}\", which is not in the context");
        var owner = step.Text("owner", 64, UserName(), "must be a user, or user:group");
        var mode = step.Text("mode", 4, Octal(), "must be an octal number such as 0755");
        return new CopyStep("copy " + Cut(string.Join(' ', sources)) + " " + to, [.. sources.Select(Literal)], Literal(to))
        {
            Owner = owner is null ? null : Literal(owner),
            Mode = mode is null ? null : Convert.ToInt32(mode, 8),
        };
    }

    private static RecipeText Literal(string text) => new(text, IsLiteral: true);

    private static string Cut(string text) => text.Length <= 200 ? text : text[..200] + "…";

    [GeneratedRegex(@"\A[^\s\0-\x1f][^\0-\x1f]*\z")]
    private static partial Regex ImageReference();

    [GeneratedRegex(@"\A/[^\0]*\z")]
    private static partial Regex AbsolutePath();

    [GeneratedRegex(@"\A[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?\z")]
    private static partial Regex UserName();

    [GeneratedRegex(@"\A[a-z0-9][a-z0-9+.-]{1,100}\z")]
    private static partial Regex PackageName();

    [GeneratedRegex(@"\A[0-7]{3,4}\z")]
    private static partial Regex Octal();
}
