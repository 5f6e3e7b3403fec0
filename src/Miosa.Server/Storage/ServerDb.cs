using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;
using Miosa.Server.Audit;
using Miosa.Server.Branding;
using Miosa.Server.ComputerServices;
using Miosa.Server.Credits;
using Miosa.Server.Lifecycle;
using Miosa.Server.Metering;
using Miosa.Server.Policies;
using Miosa.Server.PreviewDomains;
using Miosa.Server.Quotas;
using Miosa.Server.Settings;
using Miosa.Server.Snapshots;
using Miosa.Server.Templates;
using Miosa.Server.Webhooks;
using Miosa.Server.Workspaces;

namespace Miosa.Server.Storage;

internal sealed class ServerDb(DbContextOptions<ServerDb> options) : DbContext(options)
{
    public DbSet<TenantRow> Tenants => Set<TenantRow>();
    public DbSet<KeyRow> Keys => Set<KeyRow>();
    public DbSet<MarkRow> Marks => Set<MarkRow>();
    public DbSet<AuditRow> Audit => Set<AuditRow>();
    public DbSet<Machine> Machines => Set<Machine>();
    public DbSet<EventRow> Events => Set<EventRow>();
    public DbSet<ServiceRow> Services => Set<ServiceRow>();
    public DbSet<SnapshotRow> Snapshots => Set<SnapshotRow>();
    public DbSet<TemplateRow> Templates => Set<TemplateRow>();
    public DbSet<TemplateSourceRow> TemplateSources => Set<TemplateSourceRow>();
    public DbSet<BuildRow> Builds => Set<BuildRow>();
    public DbSet<IdempotencyRow> Idempotency => Set<IdempotencyRow>();
    public DbSet<PreviewRow> Previews => Set<PreviewRow>();
    public DbSet<PreviewGrantRow> PreviewGrants => Set<PreviewGrantRow>();
    public DbSet<WebhookRow> Webhooks => Set<WebhookRow>();
    public DbSet<DeliveryRow> Deliveries => Set<DeliveryRow>();
    public DbSet<WorkspaceRow> Workspaces => Set<WorkspaceRow>();
    public DbSet<MeterRow> Meters => Set<MeterRow>();
    public DbSet<SpanRow> Spans => Set<SpanRow>();
    public DbSet<CreditRow> Credits => Set<CreditRow>();
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
            // What rows of earlier versions get.
            key.Property(k => k.Type).HasDefaultValue(ApiKeyTypes.User);
            key.Property(k => k.Purpose).HasDefaultValue("api");
            key.Property(k => k.Metadata).HasDefaultValue("{}");
            key.HasOne<TenantRow>().WithMany().HasForeignKey(k => k.TenantId).OnDelete(DeleteBehavior.Cascade);
        });
        modelBuilder.Entity<MarkRow>(mark =>
        {
            mark.ToTable("marks");
            mark.HasKey(m => m.Name);
        });
        modelBuilder.Entity<AuditRow>(entry =>
        {
            entry.ToTable("audit_log");
            entry.HasKey(e => e.Position);
            entry.Property(e => e.Id).IsRequired();
            entry.HasIndex(e => new { e.TenantId, e.Position });
            entry.HasIndex(e => e.At);
        });
        modelBuilder.Entity<Machine>(machine =>
        {
            machine.ToTable("machines");
            machine.Property(m => m.State).HasConversion(s => s.Wire(), s => MachineStateNames.Parse(s) ?? MachineState.Error);
            machine.Ignore(m => m.IsLive);
            machine.Ignore(m => m.IsComputer);
            machine.HasOne<TenantRow>().WithMany().HasForeignKey(m => m.TenantId);
            machine.HasIndex(m => new { m.TenantId, m.CreatedAt });
            machine.HasIndex(m => new { m.NodeId, m.State });
            machine.HasIndex(m => m.DueAt);
            machine.HasIndex(m => new { m.TenantId, m.ExternalUserId, m.State }).HasFilter("State <> 'destroyed'");
            machine.HasIndex(m => new { m.TenantId, m.WorkspaceId, m.State }).HasFilter("State <> 'destroyed'");
            // Only the living hold their names.
            machine.HasIndex(m => new { m.TenantId, m.Slug }).IsUnique().HasFilter("State <> 'destroyed'").HasDatabaseName(SlugIndex);
            machine.HasIndex(m => new { m.TenantId, m.Name }).IsUnique().HasFilter("State <> 'destroyed' AND Name IS NOT NULL AND Kind = 'sandbox'").HasDatabaseName(NameIndex);
        });
        modelBuilder.Entity<ServiceRow>(row =>
        {
            row.ToTable("services");
            row.Ignore(s => s.ProcessName);
            row.Ignore(s => s.IsKept);
            row.HasIndex(s => new { s.MachineId, s.Name }).IsUnique();
            row.HasOne<Machine>().WithMany().HasForeignKey(s => s.MachineId).OnDelete(DeleteBehavior.Cascade);
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
            row.HasIndex(e => new { e.SubjectId, e.Sequence });
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
        modelBuilder.Entity<WebhookRow>(row =>
        {
            row.ToTable("webhooks");
            row.HasOne<TenantRow>().WithMany().HasForeignKey(w => w.TenantId);
            row.HasIndex(w => w.TenantId);
        });
        modelBuilder.Entity<DeliveryRow>(row =>
        {
            // No foreign key: the deliveries of a deleted webhook go in pieces.
            row.ToTable("webhook_deliveries");
            row.Property(d => d.Number).ValueGeneratedNever();
            row.HasIndex(d => new { d.WebhookId, d.Number }).IsUnique();
            row.HasIndex(d => new { d.WebhookId, d.DueAt }).HasFilter("DueAt IS NOT NULL");
            row.HasIndex(d => new { d.WebhookId, d.ReplayId }).IsUnique().HasFilter("ReplayId IS NOT NULL");
            row.HasIndex(d => d.Number);
            row.HasIndex(d => d.CreatedAt);
        });
        modelBuilder.Entity<WorkspaceRow>(row =>
        {
            row.ToTable("workspaces");
            row.HasOne<TenantRow>().WithMany().HasForeignKey(w => w.TenantId);
            row.HasIndex(w => new { w.TenantId, w.Slug }).IsUnique();
            row.HasIndex(w => new { w.TenantId, w.CreatedAt });
        });
        modelBuilder.Entity<QuotaRow>(row =>
        {
            row.ToTable("quotas");
            row.Ignore(q => q.Caps);
            row.HasKey(q => new { q.TenantId, q.Subject, q.ExternalUserId });
            row.HasOne<TenantRow>().WithMany().HasForeignKey(q => q.TenantId);
        });
        modelBuilder.Entity<MeterRow>(row =>
        {
            row.ToTable("usage_meters");
            row.HasOne<TenantRow>().WithMany().HasForeignKey(m => m.TenantId);
            row.HasIndex(m => new { m.TenantId, m.ExternalUserId, m.Vcpus, m.MemoryMb, m.DiskMb });
        });
        modelBuilder.Entity<SpanRow>(row =>
        {
            row.ToTable("usage_spans");
            // All that a sum needs, in the order of the meters and in that of time (Metering/Rollup.cs).
            row.HasIndex(s => new { s.MeterId, s.To, s.From, s.IsFirst });
            row.HasIndex(s => new { s.To, s.From, s.MeterId });
            row.HasIndex(s => new { s.MachineId, s.From });
            row.HasIndex(s => s.MachineId).IsUnique().HasFilter("\"To\" = 9223372036854775807").HasDatabaseName("ux_usage_spans_open");
            row.HasOne<MeterRow>().WithMany().HasForeignKey(s => s.MeterId);
        });
        modelBuilder.Entity<MeterClockRow>(row =>
        {
            row.ToTable("meter_clock");
            row.Property(c => c.Id).ValueGeneratedNever();
        });
        modelBuilder.Entity<DiskUseRow>(row =>
        {
            row.ToTable("disk_uses");
            row.HasKey(d => d.MachineId);
            row.HasOne<Machine>().WithMany().HasForeignKey(d => d.MachineId).OnDelete(DeleteBehavior.Cascade);
        });
        modelBuilder.Entity<CreditRow>(row =>
        {
            row.ToTable("credit_entries");
            row.HasKey(c => c.Position);
            row.HasIndex(c => c.Id).IsUnique();
            row.HasIndex(c => new { c.TenantId, c.Position });
            row.HasOne<TenantRow>().WithMany().HasForeignKey(c => c.TenantId);
        });
        modelBuilder.Entity<ChargedRow>(row =>
        {
            row.ToTable("credit_charged");
            row.HasKey(c => c.TenantId);
            row.HasOne<TenantRow>().WithMany().HasForeignKey(c => c.TenantId);
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
        Models.ModelTables.Configure(modelBuilder);
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
