using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;
using Miosa.Server.Branding;
using Miosa.Server.Lifecycle;
using Miosa.Server.Policies;
using Miosa.Server.PreviewDomains;
using Miosa.Server.Settings;
using Miosa.Server.Snapshots;
using Miosa.Server.Templates;

namespace Miosa.Server.Storage;

internal sealed class ServerDb(DbContextOptions<ServerDb> options) : DbContext(options)
{
    public DbSet<TenantRow> Tenants => Set<TenantRow>();
    public DbSet<KeyRow> Keys => Set<KeyRow>();
    public DbSet<Machine> Machines => Set<Machine>();
    public DbSet<EventRow> Events => Set<EventRow>();
    public DbSet<SnapshotRow> Snapshots => Set<SnapshotRow>();
    public DbSet<TemplateRow> Templates => Set<TemplateRow>();
    public DbSet<TemplateSourceRow> TemplateSources => Set<TemplateSourceRow>();
    public DbSet<BuildRow> Builds => Set<BuildRow>();
    public DbSet<IdempotencyRow> Idempotency => Set<IdempotencyRow>();
    public DbSet<PreviewRow> Previews => Set<PreviewRow>();
    public DbSet<PreviewGrantRow> PreviewGrants => Set<PreviewGrantRow>();
    public DbSet<PreviewDomainRow> PreviewDomains => Set<PreviewDomainRow>();
    public DbSet<ProviderKeyRow> ProviderKeys => Set<ProviderKeyRow>();

    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder) =>
        // SQLite cannot order its text form of a DateTimeOffset.
        configurationBuilder.Properties<DateTimeOffset>().HaveConversion<UnixMilliseconds>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<TenantRow>(tenant =>
        {
            tenant.ToTable("tenants");
            tenant.HasIndex(t => t.Name).IsUnique();
        });
        modelBuilder.Entity<KeyRow>(key =>
        {
            key.ToTable("api_keys");
            key.HasIndex(k => k.Prefix);
            key.HasIndex(k => k.TenantId);
            key.HasOne<TenantRow>().WithMany().HasForeignKey(k => k.TenantId);
        });
        modelBuilder.Entity<Machine>(machine =>
        {
            machine.ToTable("machines");
            machine.Property(m => m.State).HasConversion(s => s.Wire(), s => MachineStateNames.Parse(s) ?? MachineState.Error);
            machine.Ignore(m => m.IsLive);
            machine.HasOne<TenantRow>().WithMany().HasForeignKey(m => m.TenantId);
            machine.HasIndex(m => new { m.TenantId, m.CreatedAt });
            machine.HasIndex(m => new { m.NodeId, m.State });
            machine.HasIndex(m => m.DueAt);
            // Only the living hold their names.
            machine.HasIndex(m => new { m.TenantId, m.Slug }).IsUnique().HasFilter("State <> 'destroyed'").HasDatabaseName(SlugIndex);
            machine.HasIndex(m => new { m.TenantId, m.Name }).IsUnique().HasFilter("State <> 'destroyed' AND Name IS NOT NULL").HasDatabaseName(NameIndex);
        });
        modelBuilder.Entity<SnapshotRow>(row =>
        {
            row.ToTable("snapshots");
            row.HasOne<TenantRow>().WithMany().HasForeignKey(s => s.TenantId);
            row.HasIndex(s => new { s.TenantId, s.SandboxId, s.CreatedAt });
        });
        modelBuilder.Entity<TemplateRow>(row =>
        {
            row.ToTable("templates");
            row.Ignore(t => t.ImageName);
            row.HasOne<TenantRow>().WithMany().HasForeignKey(t => t.TenantId);
            row.HasIndex(t => new { t.TenantId, t.Slug }).IsUnique();
            row.HasIndex(t => new { t.TenantId, t.Name }).IsUnique();
            row.HasIndex(t => new { t.TenantId, t.CreatedAt });
        });
        modelBuilder.Entity<TemplateSourceRow>(row =>
        {
            row.ToTable("template_sources");
            row.HasKey(s => s.TemplateId);
        });
        modelBuilder.Entity<BuildRow>(row =>
        {
            row.ToTable("template_builds");
            row.Ignore(b => b.IsOver);
            row.HasIndex(b => new { b.TemplateId, b.CreatedAt });
            row.HasIndex(b => new { b.NodeId, b.Status });
        });
        modelBuilder.Entity<EventRow>(row =>
        {
            row.ToTable("events");
            row.HasKey(e => e.Position);
            row.HasIndex(e => e.Id).IsUnique();
            row.HasIndex(e => new { e.TenantId, e.Sequence }).IsUnique();
            row.HasIndex(e => new { e.MachineId, e.Position });
        });
        modelBuilder.Entity<PreviewRow>(row =>
        {
            row.ToTable("previews");
            row.HasIndex(p => new { p.MachineId, p.Port }).IsUnique();
            row.HasOne<Machine>().WithMany().HasForeignKey(p => p.MachineId).OnDelete(DeleteBehavior.Cascade);
        });
        modelBuilder.Entity<PreviewGrantRow>(row =>
        {
            row.ToTable("preview_grants");
            row.HasIndex(g => g.MachineId);
            row.HasOne<Machine>().WithMany().HasForeignKey(g => g.MachineId).OnDelete(DeleteBehavior.Cascade);
        });
        OneOfTenant<BrandingRow>(modelBuilder, "brandings");
        OneOfTenant<PolicyRow>(modelBuilder, "policies").Ignore(p => p.Defaults);
        OneOfTenant<TenantSettingsRow>(modelBuilder, "tenant_settings").Ignore(s => s.Defaults);
        var domain = OneOfTenant<PreviewDomainRow>(modelBuilder, "preview_domains").Ignore(d => d.IsProven);
        // Several may claim a domain, one can have it.
        domain.HasIndex(d => d.Domain).IsUnique().HasFilter("VerifiedAt IS NOT NULL");
        modelBuilder.Entity<ProviderKeyRow>(row =>
        {
            row.ToTable("provider_keys");
            row.HasKey(k => new { k.TenantId, k.Provider });
            row.HasOne<TenantRow>().WithMany().HasForeignKey(k => k.TenantId);
        });
        modelBuilder.Entity<IdempotencyRow>(row =>
        {
            row.ToTable("idempotency");
            row.HasKey(i => new { i.TenantId, i.Method, i.Path, i.Key });
            row.HasIndex(i => i.CreatedAt);
        });
    }

    /// <summary>A table with at most one row of each tenant, which goes with it.</summary>
    private static EntityTypeBuilder<TRow> OneOfTenant<TRow>(ModelBuilder modelBuilder, string table)
        where TRow : class
    {
        var row = modelBuilder.Entity<TRow>();
        row.ToTable(table);
        row.HasKey(nameof(PreviewDomainRow.TenantId));
        row.HasOne<TenantRow>().WithOne().HasForeignKey<TRow>(nameof(PreviewDomainRow.TenantId));
        return row;
    }

    public const string SlugIndex = "ux_machines_slug";
    public const string NameIndex = "ux_machines_name";

    private sealed class UnixMilliseconds() : ValueConverter<DateTimeOffset, long>(
        time => time.ToUnixTimeMilliseconds(), number => DateTimeOffset.FromUnixTimeMilliseconds(number));
}

/// <summary>Used by <c>dotnet ef migrations add</c> alone.</summary>
internal sealed class ServerDbForTools : IDesignTimeDbContextFactory<ServerDb>
{
    public ServerDb CreateDbContext(string[] args) =>
        new(new DbContextOptionsBuilder<ServerDb>().UseSqlite("Data Source=:memory:").Options);
}
