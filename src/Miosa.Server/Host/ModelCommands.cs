using System.CommandLine;
using Miosa.Server.Keys;
using Miosa.Server.Models;

namespace Miosa.Server.Host;

/// <summary>The admin commands on the server's own keys of providers of language models. A running server goes by them at once.</summary>
internal static class ModelCommands
{
    private const int MaxInput = 8192;

    public static System.CommandLine.Command Models(AdminRun run)
    {
        var provider = new Argument<string>("provider") { Description = "name of the provider in the file of --models" };
        var set = new System.CommandLine.Command("set-key", "Store the key of a provider, encrypted; it is read from standard input, where no list of processes shows it") { provider };
        set.SetAction((line, ct) => run(line, async (admin, database, settings) =>
        {
            var name = Named(settings, line.GetRequiredValue(provider));
            var input = new char[MaxInput];
            var key = new string(input, 0, await Console.In.ReadBlockAsync(input, ct)).Trim();
            try
            {
                await ProviderSecrets.Of(database, settings, TimeProvider.System).StoreAsync(name, key, ct);
            }
            catch (ArgumentException e)
            {
                throw new AdminException(e.Message);
            }
            await admin.NoteAsync("model_key.set", tenantId: null, name, ct);
        }));
        var delete = new System.CommandLine.Command("delete-key", "Forget the key of a provider") { provider };
        delete.SetAction((line, ct) => run(line, async (admin, database, settings) =>
        {
            var name = line.GetRequiredValue(provider);
            if (!await ProviderSecrets.Of(database, settings, TimeProvider.System).DeleteAsync(name, ct))
                throw new AdminException($"there is no key of a provider \"{name}\"");
            await admin.NoteAsync("model_key.delete", tenantId: null, name, ct);
        }));
        var list = new System.CommandLine.Command("keys", "List the providers whose key is stored");
        list.SetAction((line, ct) => run(line, (_, database, settings) =>
        {
            foreach (var name in ProviderSecrets.Of(database, settings, TimeProvider.System).Stored())
                Console.WriteLine(name);
            return Task.CompletedTask;
        }));
        return new System.CommandLine.Command("models", "Keys of the providers of language models") { set, delete, list };
    }

    private static string Named(ServerSettings settings, string provider) => ProviderConfig.Read(settings).FirstOrDefault(config => config.Name == provider) switch
    {
        null => throw new AdminException($"there is no provider \"{provider}\" in the file of --models"),
        { Key: not KeySource.Stored } => throw new AdminException($"the provider \"{provider}\" does not use a stored key: write \"key\": \"stored\" in its entry first"),
        { Name: var name } => name,
    };
}
