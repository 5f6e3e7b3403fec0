using Microsoft.Data.Sqlite;

namespace Miosa.Server.Storage;

/// <summary>Short statements inside a write transaction or on a reader's connection, where EF would cost more than the statement itself.</summary>
internal static class Sql
{
    public static int Run(this SqliteTransaction transaction, string sql, params ReadOnlySpan<(string Name, object? Value)> values)
    {
        using var command = Command(Owner(transaction), transaction, sql, values);
        return command.ExecuteNonQuery();
    }

    /// <summary>The first row, or the default value.</summary>
    public static T? One<T>(this SqliteTransaction transaction, string sql, Func<SqliteDataReader, T> read, params ReadOnlySpan<(string Name, object? Value)> values)
    {
        using var command = Command(Owner(transaction), transaction, sql, values);
        using var reader = command.ExecuteReader();
        return reader.Read() ? read(reader) : default;
    }

    /// <summary>All rows, read as they are asked for.</summary>
    public static IEnumerable<T> Rows<T>(this SqliteTransaction transaction, string sql, Func<SqliteDataReader, T> read, params (string Name, object? Value)[] values)
    {
        using var command = Command(Owner(transaction), transaction, sql, values);
        using var reader = command.ExecuteReader();
        while (reader.Read())
            yield return read(reader);
    }

    public static string? Text(this SqliteDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);

    public static long? Number(this SqliteDataReader row, int column) => row.IsDBNull(column) ? null : row.GetInt64(column);

    private static SqliteConnection Owner(SqliteTransaction transaction) =>
        transaction.Connection ?? throw new InvalidOperationException("the transaction is over");

    private static SqliteCommand Command(SqliteConnection connection, SqliteTransaction transaction, string sql, ReadOnlySpan<(string Name, object? Value)> values)
    {
        var command = connection.CreateCommand();
        command.Transaction = transaction;
        command.CommandText = sql;
        foreach (var (name, value) in values)
            command.Parameters.AddWithValue(name, value ?? DBNull.Value);
        return command;
    }
}
