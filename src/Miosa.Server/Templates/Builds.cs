using System.Collections.Concurrent;
using System.Net.Sockets;
using Miosa.Runtime.Wire;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Nodes;
using Miosa.Server.Sandboxes;

namespace Miosa.Server.Templates;

/// <summary>A build that waits or runs.</summary>
/// <param name="Row">Its row as it was added.</param>
/// <param name="Recipe">What is built.</param>
/// <param name="Source">The recipe as sent, when it becomes the template's; null when it is the template's already.</param>
/// <param name="Metadata">Replaces the template's; null leaves it.</param>
internal sealed record BuildJob(BuildRow Row, Recipe Recipe, string? Source, string? Metadata);

/// <summary>
/// The queue of this node: <c>--builds-at-once</c> run, the others wait. A build lives in this process; what a former one
/// left open has failed, and its machine, image and files go with the sweep. Deleting the template ends a build.
/// </summary>
internal sealed partial class Builds(
    TemplateSet templates, BaseImages bases, RuntimeClient runtime, Sizes sizes, ServerSettings settings, TimeProvider time, ILogger<Builds> log) : BackgroundService
{
    private readonly BuildQueue queue = new();
    private readonly ConcurrentDictionary<string, Working> inWork = [];
    private readonly string folder = Path.Combine(settings.DataDir, "builds");

    /// <summary>True for the machine of a build: no sweep may touch it.</summary>
    public bool Owns(string machine) => inWork.ContainsKey(machine);

    /// <summary>Before its row is written: from then on it is somebody's work.</summary>
    public void Expect(string build)
    {
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        inWork[build] = new Working(new BuildLog(BuildLog.PathOf(folder, build), time));
    }

    /// <summary>Its row was not written.</summary>
    public void Forget(string build)
    {
        Leave(build);
        File.Delete(BuildLog.PathOf(folder, build));
    }

    /// <summary>After its row was written.</summary>
    public void Start(BuildJob job) => queue.Add(job);

    /// <summary>The template is gone: its builds end, and what they made goes.</summary>
    public async Task CancelAsync(IEnumerable<string> builds, string? image)
    {
        foreach (var build in builds)
        {
            if (inWork.TryGetValue(build, out var working))
                await working.Cancelled.CancelAsync();
            File.Delete(BuildLog.PathOf(folder, build));
        }
        if (image is not null)
            await RemoveImageAsync(image);
    }

    /// <summary>The log of a build and, while it is being written, its writer.</summary>
    public (string Path, BuildLog? Live) LogOf(string build) => (BuildLog.PathOf(folder, build), inWork.TryGetValue(build, out var working) ? working.Log : null);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var sweeping = SweepLoopAsync(stoppingToken);
        var working = Enumerable.Range(0, settings.BuildsAtOnce).Select(_ => WorkAsync(stoppingToken)).ToList();
        await Task.WhenAll([sweeping, .. working]);
    }

    private async Task WorkAsync(CancellationToken stopping)
    {
        try
        {
            while (true)
                await RunAsync(await queue.TakeAsync(stopping), stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // What waits is told by the next process that it did not run.
        }
    }

    private async Task RunAsync(BuildJob job, CancellationToken stopping)
    {
        var id = job.Row.Id;
        if (!inWork.TryGetValue(id, out var working))
            return;
        var begun = time.GetTimestamp();
        var seconds = job.Recipe.TimeoutSec ?? settings.BuildTimeoutSec;
        try
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(seconds), time);
            using var any = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, working.Cancelled.Token, stopping);
            var (code, message) = await TryAsync(job, working.Log, any.Token);
            if (code is null)
                return;
            if (any.IsCancellationRequested && code != BuildFailedException.StepFailed)
            {
                (code, message) = working.Cancelled.IsCancellationRequested ? (BuildFailedException.Cancelled, "its template was deleted")
                    : stopping.IsCancellationRequested ? (BuildFailedException.ServerStopped, "the server stopped while it ran")
                    : (BuildFailedException.TimedOut, $"it was not over after {seconds} s");
            }
            working.Log.Write("system", message);
            await templates.FailAsync(id, code == BuildFailedException.Cancelled ? BuildStatus.Cancelled : BuildStatus.Failed, code, message);
            BuildFailed(log, id, code, message);
        }
        finally
        {
            Leave(id);
            var took = time.GetElapsedTime(begun);
            BuildOver(log, id, took);
        }
    }

    /// <summary>A code of null: it ended well.</summary>
    private async Task<(string? Code, string Message)> TryAsync(BuildJob job, BuildLog lines, CancellationToken ct)
    {
        try
        {
            ct.ThrowIfCancellationRequested();
            var row = job.Row with { Status = BuildStatus.Building, StartedAt = time.GetUtcNow() };
            await templates.BeginAsync(row);
            var run = new BuildRun(row.Id, row.TenantId, job.Recipe, bases, runtime, sizes, settings, time, lines);
            var built = await run.RunAsync(() => templates.SaveAsync(row = row with { Status = BuildStatus.Snapshotting, UpdatedAt = time.GetUtcNow() }), ct);
            await CompleteAsync(job, row, built);
            return (null, "");
        }
        catch (BuildFailedException e)
        {
            return (e.Code, e.Message);
        }
        catch (RuntimeRefusedException e)
        {
            return (BuildFailedException.Failed, e.Code == RuntimeErrors.NoSpace ? $"the host has no room for the image: {e.Message}" : e.Message);
        }
        catch (Exception e) when (e is RuntimeDownException or GuestException or SocketException or IOException or OperationCanceledException)
        {
            return (BuildFailedException.Failed, e.Message);
        }
#pragma warning disable CA1031 // A loop's edge: the next build starts from nothing, and the owner of this one must learn that it is over.
        catch (Exception e)
#pragma warning restore CA1031
        {
            BuildBroke(log, job.Row.Id, e);
            return (BuildFailedException.Failed, "the server failed; its log has the details under the id of the build");
        }
    }

    private async Task CompleteAsync(BuildJob job, BuildRow row, BuiltImage built)
    {
        var now = time.GetUtcNow();
        row = row with
        {
            Status = BuildStatus.Ready,
            ImageRef = built.Image.Name,
            Digest = built.Image.Digest,
            SizeBytes = built.Image.SizeBytes,
            FinishedAt = now,
            UpdatedAt = now,
        };
        var (isWanted, oldImage) = await templates.CompleteAsync(
            row,
            template => TemplateFields.Describe(template, job.Recipe) with
            {
                Status = TemplateStatus.Ready,
                ImageRef = built.Image.Name,
                Spec = row.Spec,
                Workdir = built.Image.Workdir,
                StartCommand = built.StartCommand,
                PreviewPort = job.Recipe.PreviewPort ?? (built.Image.Ports is [var first, ..] ? first : null),
                Metadata = job.Metadata ?? template.Metadata,
                CurrentBuildId = row.Id,
                UpdatedAt = now,
            },
            job.Source);
        // The template was deleted meanwhile, or had an image before this one.
        if (!isWanted || oldImage is not null)
            await RemoveImageAsync(isWanted ? oldImage ?? "" : built.Image.Name);
    }

    private async Task RemoveImageAsync(string image)
    {
        try
        {
            await runtime.RemoveImageAsync(image, CancellationToken.None);
        }
        catch (Exception e) when (e is RuntimeDownException or RuntimeRefusedException)
        {
            ImageStays(log, image, e.Message);
        }
    }

    private void Leave(string build)
    {
        if (!inWork.TryRemove(build, out var working))
            return;
        working.Log.Finish();
        working.Log.Dispose();
    }

    private async Task SweepLoopAsync(CancellationToken ct)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(settings.SweepSec), time);
        try
        {
            do
            {
                try
                {
                    await SweepAsync(ct);
                }
                catch (Exception e) when (e is RuntimeDownException or RuntimeRefusedException)
                {
                    // The next one finds the same.
                }
#pragma warning disable CA1031 // A loop's edge: the next sweep starts from nothing and repeats what failed.
                catch (Exception e) when (e is not OperationCanceledException)
#pragma warning restore CA1031
                {
                    SweepFailed(log, e);
                }
            }
            while (await timer.WaitForNextTickAsync(ct));
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // The server stops.
        }
    }

    /// <summary>
    /// 1. rows that are nobody's work have failed; 2. images of builds that neither a template nor work names are removed: they are listed
    /// first, then the work, then the rows, so that one which is just being finished is seen in one of them; 3. the same for logs.
    /// </summary>
    private async Task SweepAsync(CancellationToken ct)
    {
        foreach (var open in (await templates.OpenBuildsAsync(ct)).Where(open => !inWork.ContainsKey(open)))
            await templates.FailAsync(open, BuildStatus.Failed, BuildFailedException.ServerStopped, "the server stopped before it was over");
        // Read before the work: a pull that begins meanwhile is not among them.
        var pulls = Directory.Exists(bases.Folder) ? Directory.GetDirectories(bases.Folder) : [];
        var logs = Directory.Exists(folder) ? Directory.GetFiles(folder, "*.log") : [];
        IReadOnlyList<string> made = runtime.IsUp ? [.. (await runtime.ImagesAsync(ct)).Select(image => image.Name)] : [];
        var working = inWork.Keys.ToHashSet();
        var wanted = await templates.ImagesInUseAsync(ct);
        foreach (var image in made)
        {
            var build = image.StartsWith(ImageNames.BuildPrefix, StringComparison.Ordinal) ? image
                : image.StartsWith(ImageNames.FetchPrefix, StringComparison.Ordinal) ? ImageNames.BuildPrefix + image[ImageNames.FetchPrefix.Length..] : null;
            if (build is not null && !working.Contains(build) && !wanted.Contains(image))
                await runtime.RemoveImageAsync(image, ct);
        }
        foreach (var pull in pulls.Where(pull => !working.Contains(Path.GetFileName(pull))))
            Directory.Delete(pull, recursive: true);
        var builds = await templates.BuildIdsAsync(ct);
        foreach (var path in logs)
        {
            var build = Path.GetFileNameWithoutExtension(path);
            if (!working.Contains(build) && !builds.Contains(build))
                File.Delete(path);
        }
    }

    private sealed record Working(BuildLog Log)
    {
        /// <summary>Never disposed: who deletes a template may hold it after the build is over, and it has no timer.</summary>
        public CancellationTokenSource Cancelled { get; } = new();
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "build {Build} was over after {Took}")]
    private static partial void BuildOver(ILogger log, string build, TimeSpan took);

    [LoggerMessage(Level = LogLevel.Information, Message = "build {Build} failed with {Code}: {Reason}")]
    private static partial void BuildFailed(ILogger log, string build, string code, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "build {Build} broke")]
    private static partial void BuildBroke(ILogger log, string build, Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "image {Image} could not be removed yet, a sweep tries again: {Reason}")]
    private static partial void ImageStays(ILogger log, string image, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "a sweep of builds failed; the next one starts anew")]
    private static partial void SweepFailed(ILogger log, Exception exception);
}
