using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Miosa.Server.Host;

namespace Miosa.Server.Storage;

/// <summary>
/// The SQLite file. One writer at a time in this process, on one connection that is set up once; readers open their own and never
/// wait for it (WAL). Write transactions are short: nothing but the database may be awaited in one.
/// </summary>
internal sealed class Database : IDisposable
{
    private readonly SqliteConnection writer;
    private readonly DbContextOptions<ServerDb> writeOptions;
    private readonly DbContextOptions<ServerDb> readOptions;
    private readonly SemaphoreSlim turn = new(1);

    /// <summary>What the running transaction wants done when it is committed; guarded by the turn.</summary>
    private readonly List<Action> afterCommit = [];

    public Database(ServerSettings settings)
    {
        Directory.CreateDirectory(settings.DataDir, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var connectionString = new SqliteConnectionStringBuilder
        {
            DataSource = Path.Combine(settings.DataDir, "miosa.db"),
            ForeignKeys = true,
            DefaultTimeout = 10,
        }.ToString();
        writer = new SqliteConnection(connectionString);
        writer.Open();
        // NORMAL syncs at checkpoints only: after a power cut the last transactions may be missing, the file is never damaged. Such
        // a row's machine is gone with the power anyway; what this saves is measured in docs/adr/0008.
        Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 10000; PRAGMA temp_store = MEMORY; "
            // A checkpoint syncs the disk: a loop does it (Checkpoint), a writer only when that loop has stopped working.
            + "PRAGMA wal_autocheckpoint = 20000;");
        writeOptions = Options(b => b.UseSqlite(writer));
        readOptions = Options(b => b.UseSqlite(connectionString));
    }

    public void Migrate()
    {
        using var db = new ServerDb(writeOptions);
        db.Database.Migrate();
    }

    /// <summary>A context for reading; the caller disposes it.</summary>
    public ServerDb Read() => new(readOptions);

    /// <summary>Runs one transaction and commits it; an exception rolls it back.</summary>
    public async Task WriteAsync(Action<ServerDb> change, CancellationToken ct)
    {
        await turn.WaitAsync(ct);
        try
        {
            using var db = new ServerDb(writeOptions);
            using var transaction = db.Database.BeginTransaction();
            change(db);
            // Synchronous on purpose: SQLite has no asynchronous I/O, the Async twins only add allocations. Not cancelled half way.
            db.SaveChanges();
            transaction.Commit();
            afterCommit.ForEach(act => act());
        }
        finally
        {
            afterCommit.Clear();
            turn.Release();
        }
    }

    /// <summary>The same for changes that bring their own statements, on the writer's connection.</summary>
    public async Task WriteRowsAsync(Action<SqliteTransaction> change, CancellationToken ct)
    {
        await turn.WaitAsync(ct);
        try
        {
            using var transaction = writer.BeginTransaction();
            change(transaction);
            transaction.Commit();
            afterCommit.ForEach(act => act());
        }
        finally
        {
            afterCommit.Clear();
            turn.Release();
        }
    }

    /// <summary>To be called inside a change: what must happen once it is committed, and never when it is not. It must be quick and cannot fail.</summary>
    public void AfterCommit(Action act) => afterCommit.Add(act);

    /// <summary>Moves the log into the file, on a connection of its own and without stopping the writer.</summary>
    public void Checkpoint()
    {
        using var connection = new SqliteConnection(writer.ConnectionString);
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "PRAGMA wal_checkpoint(PASSIVE)";
        command.ExecuteNonQuery();
    }

    public RowWriter<T> Rows<T>()
        where T : class
    {
        using var db = new ServerDb(writeOptions);
        return new RowWriter<T>(writer, db.Model);
    }

    public SqliteCommand Command(string sql)
    {
        var command = writer.CreateCommand();
        command.CommandText = sql;
        return command;
    }

    public void Dispose()
    {
        writer.Dispose();
        turn.Dispose();
    }

    private static DbContextOptions<ServerDb> Options(Action<DbContextOptionsBuilder<ServerDb>> use)
    {
        var builder = new DbContextOptionsBuilder<ServerDb>();
        use(builder);
        return builder.UseQueryTrackingBehavior(QueryTrackingBehavior.NoTracking).Options;
    }

    private void Execute(string sql)
    {
        using var command = Command(sql);
        command.ExecuteNonQuery();
    }
}
