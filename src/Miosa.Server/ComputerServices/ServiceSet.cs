using System.Collections.Concurrent;
using Microsoft.EntityFrameworkCore;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Storage;

namespace Miosa.Server.ComputerServices;

/// <summary>The services of all computers: the database first, then the copy in memory, one change at a time.</summary>
internal sealed class ServiceSet(Database database) : IDisposable
{
    private const int MaxServices = 64;

    private readonly ConcurrentDictionary<string, IReadOnlyList<ServiceRow>> byMachine = [];
    private readonly SemaphoreSlim turn = new(1);

    public async Task FillAsync(CancellationToken ct)
    {
        await using var db = database.Read();
        foreach (var machine in (await db.Services.OrderBy(s => s.CreatedAt).ThenBy(s => s.Id).ToListAsync(ct)).GroupBy(s => s.MachineId))
            byMachine[machine.Key] = [.. machine];
    }

    /// <summary>The machines with a service that is to be started again when it ends.</summary>
    public IEnumerable<string> KeptMachines => byMachine.Where(pair => pair.Value.Any(row => row.IsKept)).Select(pair => pair.Key);

    /// <summary>Oldest first.</summary>
    public IReadOnlyList<ServiceRow> Of(string machine) => byMachine.GetValueOrDefault(machine) ?? [];

    /// <summary>By id, then by name, which one client puts in its place.</summary>
    public ServiceRow? Find(string machine, string idOrName) =>
        Of(machine).FirstOrDefault(row => row.Id == idOrName) ?? Of(machine).FirstOrDefault(row => row.Name == idOrName);

    public async Task<Refusal?> AddAsync(ServiceRow row)
    {
        await turn.WaitAsync();
        try
        {
            var present = Of(row.MachineId);
            if (present.Any(other => other.Name == row.Name))
                return Refusal.Conflict($"the computer has a service with the name \"{row.Name}\": delete it first, or start and stop it");
            if (present.Count >= MaxServices)
                return new Refusal(ErrorCodes.QuotaExceeded, $"a computer has at most {MaxServices} services; delete one first");
            await database.WriteAsync(db => db.Services.Add(row), CancellationToken.None);
            byMachine[row.MachineId] = [.. present, row];
            return null;
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>The row afterwards; null when it is gone.</summary>
    public async Task<ServiceRow?> ChangeAsync(ServiceRow row, Func<ServiceRow, ServiceRow> change)
    {
        await turn.WaitAsync();
        try
        {
            if (Find(row.MachineId, row.Id) is not { } old)
                return null;
            var changed = change(old);
            await database.WriteAsync(db => db.Services.Update(changed), CancellationToken.None);
            byMachine[row.MachineId] = [.. Of(row.MachineId).Select(other => other.Id == row.Id ? changed : other)];
            return changed;
        }
        finally
        {
            turn.Release();
        }
    }

    public async Task DeleteAsync(ServiceRow row)
    {
        await turn.WaitAsync();
        try
        {
            await database.WriteAsync(db => db.Services.Where(s => s.Id == row.Id).ExecuteDelete(), CancellationToken.None);
            byMachine[row.MachineId] = [.. Of(row.MachineId).Where(other => other.Id != row.Id)];
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>
    /// Deletes those of destroyed machines, with what is in their environment. A checkpoint hands them on to what is made of it: as long as there is one, they stay.
    /// </summary>
    public async Task<IReadOnlyList<ServiceRow>> ForgetAsync(CancellationToken ct)
    {
        await turn.WaitAsync(ct);
        try
        {
            List<string> over = [];
            await database.WriteAsync(
                db =>
                {
                    over = [.. db.Machines
                        .Where(m => m.State == MachineState.Destroyed && db.Services.Any(s => s.MachineId == m.Id) && !db.Snapshots.Any(s => s.SandboxId == m.Id))
                        .Select(m => m.Id)];
                    db.Services.Where(s => over.Contains(s.MachineId)).ExecuteDelete();
                },
                ct);
            var forgotten = new List<ServiceRow>();
            foreach (var machine in over)
            {
                if (byMachine.TryRemove(machine, out var rows))
                    forgotten.AddRange(rows);
            }
            return forgotten;
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Gives a machine that was made of another's disk the same services.</summary>
    public async Task CopyAsync(string fromMachine, string toMachine, DateTimeOffset now)
    {
        foreach (var row in Of(fromMachine))
            await AddAsync(row with { Id = Ids.New("svc"), MachineId = toMachine, CreatedAt = now, UpdatedAt = now });
    }

    public void Dispose() => turn.Dispose();
}
