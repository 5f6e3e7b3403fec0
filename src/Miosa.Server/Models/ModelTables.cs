using Microsoft.EntityFrameworkCore;
using Miosa.Server.Storage;

namespace Miosa.Server.Models;

/// <summary>The tables of this folder.</summary>
internal static class ModelTables
{
    public static void Configure(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<ModelUsageRow>(row =>
        {
            row.ToTable("model_usage");
            row.HasIndex(u => new { u.TenantId, u.At });
            row.HasIndex(u => new { u.TenantId, u.ExternalUserId, u.At });
            row.HasIndex(u => u.At);
            row.HasOne<TenantRow>().WithMany().HasForeignKey(u => u.TenantId);
        });
        modelBuilder.Entity<ModelKeyRow>(row =>
        {
            row.ToTable("model_keys");
            row.HasKey(k => k.Provider);
        });
    }
}
