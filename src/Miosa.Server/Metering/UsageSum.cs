using Miosa.Server.Models;

namespace Miosa.Server.Metering;

/// <summary>
/// Time added up, exactly: whole milliseconds times whole sizes and rates, in numbers too wide to overflow. Dividing and rounding happen where a
/// figure is told, so that sums over the parts of a period are the sum over the period.
/// </summary>
internal sealed class UsageSum
{
    private const string Sandbox = "sandbox";
    public const long MsPerHour = 3_600_000;
    private const long MicroPerCent = 1_000_000;
    private const double MibMsPerGibHour = 1024.0 * MsPerHour;

    private Int128 memoryMbMs;
    private Int128 diskMbMs;
    private Int128 compute;
    private Int128 storage;
    private Int128 models;

    public long SandboxMs { get; private set; }
    public long ComputerMs { get; private set; }
    public long SandboxVcpuMs { get; private set; }
    public long ComputerVcpuMs { get; private set; }

    public long ModelCalls { get; private set; }
    public long TokensIn { get; private set; }
    public long TokensOut { get; private set; }

    public int SandboxesCreated { get; private set; }
    public int ComputersCreated { get; private set; }

    /// <summary>Millionths of a cent, times milliseconds, by the hour.</summary>
    public Int128 Cost => compute + storage + models;

    public Int128 ComputeCost => compute;

    public Int128 ModelCost => models;

    public bool IsNothing => SandboxMs == 0 && ComputerMs == 0 && diskMbMs == 0 && ModelCalls == 0 && Cost == 0;

    public double MemoryGbHours => Rounded(memoryMbMs);

    public double StorageGbHours => Rounded(diskMbMs);

    public double ComputeHours => HoursOf(SandboxMs + ComputerMs);

    public UsageExact Exact => new()
    {
        RunningMs = SandboxMs + ComputerMs,
        VcpuMs = SandboxVcpuMs + ComputerVcpuMs,
        MemoryMbMs = long.CreateSaturating(memoryMbMs),
        DiskMbMs = long.CreateSaturating(diskMbMs),
        TokensIn = TokensIn,
        TokensOut = TokensOut,
        CostMicroCents = MicroCentsOf(Cost),
    };

    public void Add(ModelUse use)
    {
        ModelCalls += use.Calls;
        TokensIn += use.TokensIn;
        TokensOut += use.TokensOut;
        models += use.Cost;
    }

    public void Add(MeterRow meter, long ms)
    {
        if (meter.IsRunning && meter.Kind == Sandbox)
        {
            SandboxMs += ms;
            SandboxVcpuMs += ms * meter.Vcpus;
        }
        else if (meter.IsRunning)
        {
            ComputerMs += ms;
            ComputerVcpuMs += ms * meter.Vcpus;
        }
        if (meter.IsRunning)
            memoryMbMs += (Int128)ms * meter.MemoryMb;
        diskMbMs += (Int128)ms * meter.DiskMb;
        compute += (Int128)ms * meter.ComputeRate;
        storage += (Int128)ms * meter.StorageRate;
    }

    public void AddCreated(MeterRow meter)
    {
        if (meter.Kind == Sandbox)
            SandboxesCreated++;
        else
            ComputersCreated++;
    }

    public void Add(UsageSum other)
    {
        SandboxesCreated += other.SandboxesCreated;
        ComputersCreated += other.ComputersCreated;
        SandboxMs += other.SandboxMs;
        ComputerMs += other.ComputerMs;
        SandboxVcpuMs += other.SandboxVcpuMs;
        ComputerVcpuMs += other.ComputerVcpuMs;
        memoryMbMs += other.memoryMbMs;
        diskMbMs += other.diskMbMs;
        compute += other.compute;
        storage += other.storage;
        ModelCalls += other.ModelCalls;
        TokensIn += other.TokensIn;
        TokensOut += other.TokensOut;
        models += other.models;
    }

    /// <summary>A cost in whole millionths of a cent, cut.</summary>
    public static long MicroCentsOf(Int128 cost) => long.CreateSaturating(cost / MsPerHour);

    /// <summary>A cost in cents, rounded to the nearest whole one, halves up.</summary>
    public static long CentsOf(Int128 cost) => Nearest(cost, (Int128)MsPerHour * MicroPerCent);

    public static long SecondsOf(long ms) => Nearest(ms, 1000);

    public static double HoursOf(long ms) => Math.Round((double)ms / MsPerHour, 6);

    /// <summary>Rounded; for figures that are not money.</summary>
    private static double Rounded(Int128 mibMs) => Math.Round((double)mibMs / MibMsPerGibHour, 6);

    private static long Nearest(Int128 value, Int128 unit) => long.CreateSaturating((value + (unit / 2)) / unit);
}

/// <summary>Cuts a series so that its whole numbers add up to the whole number of its total: each is what the rounded running total grew by.</summary>
internal sealed class UsageSeries
{
    private readonly UsageSum soFar = new();

    public UsagePoint Next(DateTimeOffset start, DateTimeOffset end, UsageSum bucket)
    {
        var (seconds, computerSeconds, cents) = Told();
        soFar.Add(bucket);
        var after = Told();
        return new UsagePoint
        {
            Start = start,
            End = end,
            SandboxSeconds = after.Seconds - seconds,
            ComputerSeconds = after.ComputerSeconds - computerSeconds,
            StorageGbHours = bucket.StorageGbHours,
            CreditCents = after.Cents - cents,
            Exact = bucket.Exact,
        };
    }

    private (long Seconds, long ComputerSeconds, long Cents) Told() =>
        (UsageSum.SecondsOf(soFar.SandboxMs), UsageSum.SecondsOf(soFar.ComputerMs), UsageSum.CentsOf(soFar.Cost));
}
