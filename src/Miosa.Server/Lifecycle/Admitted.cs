using Miosa.Server.Guests;
using Miosa.Server.Host;

namespace Miosa.Server.Lifecycle;

/// <summary>What somebody wants of a machine; all of them count as activity.</summary>
internal enum AdmitFor
{
    Exec,
    FileRead,
    FileWrite,
    Preview,
    Desktop,
}

/// <summary>Either a refusal, or the road to the guest of a running machine. The machine stays busy until the request ends.</summary>
internal readonly struct Admitted
{
    private readonly GuestConnection? guest;
    private readonly Resident? resident;

    public Admitted(Refusal refusal) => Refusal = refusal;

    public Admitted(Resident resident, GuestConnection guest, IReadOnlyDictionary<string, string> env) =>
        (MachineId, this.resident, this.guest, Defaults, Env) = (resident.Row.Id, resident, guest, CommandDefaults.Of(resident.Row), CommandDefaults.Of(resident.Row).With(env));

    public Refusal? Refusal { get; }

    public string MachineId { get; } = "";

    public GuestConnection Guest => guest ?? throw new InvalidOperationException("a refused admission has no guest");

    /// <summary>Counts as use at this moment: for requests that stay open and are not busy all the time.</summary>
    public void Touch(DateTimeOffset now) => resident?.Touch(now);

    /// <summary>Of commands that say nothing else; <see cref="Env"/> has their environment in it.</summary>
    public CommandDefaults? Defaults { get; }

    public IReadOnlyDictionary<string, string> Env { get; } = new Dictionary<string, string>();
}
