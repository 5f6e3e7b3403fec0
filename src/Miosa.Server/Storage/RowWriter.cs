using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;

namespace Miosa.Server.Storage;

/// <summary>
/// Writes whole rows of one table with prepared statements made from the EF model, so that columns and conversions stand in one place.
/// The change tracker costs milliseconds per save here, these statements a fraction of one (docs/adr/0008).
/// </summary>
internal sealed class RowWriter<T> : IDisposable
    where T : class
{
    private readonly List<(Func<T, object?> Get, SqliteParameter OnInsert, SqliteParameter OnUpdate)> columns = [];
    private readonly SqliteCommand insert;
    private readonly SqliteCommand update;

    public RowWriter(SqliteConnection connection, IModel model)
    {
        var entity = model.FindEntityType(typeof(T)) ?? throw new InvalidOperationException($"{typeof(T).Name} is not in the model");
        var table = StoreObjectIdentifier.Create(entity, StoreObjectType.Table) ?? throw new InvalidOperationException($"{typeof(T).Name} has no table");
        var properties = entity.GetProperties().Where(p => p.ValueGenerated != ValueGenerated.OnAdd && p.PropertyInfo is not null).ToList();
        insert = connection.CreateCommand();
        update = connection.CreateCommand();
        foreach (var property in properties)
        {
            var info = property.PropertyInfo ?? throw new InvalidOperationException($"{property.Name} is a shadow property");
            var converter = property.GetTypeMapping().Converter;
            columns.Add((row => Convert(info.GetValue(row), converter), Parameter(insert, property.Name), Parameter(update, property.Name)));
        }
        var names = properties.Select(p => $"\"{p.GetColumnName(table)}\"").ToList();
        insert.CommandText = $"INSERT INTO \"{table.Name}\" ({string.Join(", ", names)}) VALUES ({string.Join(", ", properties.Select(p => "$" + p.Name))})";
        update.CommandText = $"UPDATE \"{table.Name}\" SET {string.Join(", ", properties.Where(p => !p.IsPrimaryKey()).Select(p => $"\"{p.GetColumnName(table)}\" = ${p.Name}"))} "
            + $"WHERE {string.Join(" AND ", properties.Where(p => p.IsPrimaryKey()).Select(p => $"\"{p.GetColumnName(table)}\" = ${p.Name}"))}";
    }

    /// <exception cref="SqliteException">A unique value is taken.</exception>
    public void Insert(T row, SqliteTransaction transaction)
    {
        foreach (var (get, parameter, _) in columns)
            parameter.Value = get(row) ?? DBNull.Value;
        Run(insert, transaction);
    }

    /// <exception cref="SqliteException">A unique value is taken.</exception>
    public void Update(T row, SqliteTransaction transaction)
    {
        foreach (var (get, _, parameter) in columns)
            parameter.Value = get(row) ?? DBNull.Value;
        Run(update, transaction);
    }

    public void Dispose()
    {
        insert.Dispose();
        update.Dispose();
    }

    private static void Run(SqliteCommand command, SqliteTransaction transaction)
    {
        command.Transaction = transaction;
        command.ExecuteNonQuery();
    }

    private static object? Convert(object? value, ValueConverter? converter) =>
        value is null || converter is null ? value : converter.ConvertToProvider(value);

    private static SqliteParameter Parameter(SqliteCommand command, string name)
    {
        var parameter = command.CreateParameter();
        parameter.ParameterName = "$" + name;
        command.Parameters.Add(parameter);
        return parameter;
    }
}
