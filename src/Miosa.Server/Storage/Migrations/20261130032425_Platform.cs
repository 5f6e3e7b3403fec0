using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Miosa.Server.Storage.Migrations
{
    /// <inheritdoc />
    public partial class Platform : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            // Answers of before were not encrypted; who repeats a call of the last day does it anew.
            migrationBuilder.Sql("DELETE FROM idempotency");

            migrationBuilder.DropIndex(
                name: "IX_events_MachineId_Position",
                table: "events");

            migrationBuilder.DropColumn(
                name: "WorkspaceName",
                table: "machines");

            migrationBuilder.DropColumn(
                name: "WorkspaceSlug",
                table: "machines");

            migrationBuilder.RenameColumn(
                name: "MachineId",
                table: "events",
                newName: "SubjectId");

            migrationBuilder.AlterColumn<string>(
                name: "Status",
                table: "events",
                type: "TEXT",
                nullable: true,
                oldClrType: typeof(string),
                oldType: "TEXT");

            migrationBuilder.AddColumn<string>(
                name: "ExternalProjectId",
                table: "events",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "ExternalUserId",
                table: "events",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "ExternalWorkspaceId",
                table: "events",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "WorkspaceId",
                table: "events",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AlterColumn<string>(
                name: "TenantId",
                table: "api_keys",
                type: "TEXT",
                nullable: true,
                oldClrType: typeof(string),
                oldType: "TEXT");

            migrationBuilder.AddColumn<string>(
                name: "ExternalUserId",
                table: "api_keys",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "Metadata",
                table: "api_keys",
                type: "TEXT",
                nullable: false,
                defaultValue: "{}");

            migrationBuilder.AddColumn<string>(
                name: "Purpose",
                table: "api_keys",
                type: "TEXT",
                nullable: false,
                defaultValue: "api");

            migrationBuilder.AddColumn<int>(
                name: "RateLimitRpm",
                table: "api_keys",
                type: "INTEGER",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "Type",
                table: "api_keys",
                type: "TEXT",
                nullable: false,
                defaultValue: "user");

            migrationBuilder.CreateTable(
                name: "audit_log",
                columns: table => new
                {
                    Position = table.Column<long>(type: "INTEGER", nullable: false)
                        .Annotation("Sqlite:Autoincrement", true),
                    Id = table.Column<string>(type: "TEXT", nullable: false),
                    TenantId = table.Column<string>(type: "TEXT", nullable: false),
                    Action = table.Column<string>(type: "TEXT", nullable: false),
                    ActorType = table.Column<string>(type: "TEXT", nullable: false),
                    ActorId = table.Column<string>(type: "TEXT", nullable: false),
                    ActorName = table.Column<string>(type: "TEXT", nullable: true),
                    TokenId = table.Column<string>(type: "TEXT", nullable: true),
                    Resource = table.Column<string>(type: "TEXT", nullable: false),
                    ResourceId = table.Column<string>(type: "TEXT", nullable: true),
                    WorkspaceId = table.Column<string>(type: "TEXT", nullable: true),
                    ExternalUserId = table.Column<string>(type: "TEXT", nullable: true),
                    ExternalWorkspaceId = table.Column<string>(type: "TEXT", nullable: true),
                    ExternalProjectId = table.Column<string>(type: "TEXT", nullable: true),
                    Status = table.Column<int>(type: "INTEGER", nullable: false),
                    Code = table.Column<string>(type: "TEXT", nullable: true),
                    Metadata = table.Column<string>(type: "TEXT", nullable: false),
                    Ip = table.Column<string>(type: "TEXT", nullable: true),
                    UserAgent = table.Column<string>(type: "TEXT", nullable: true),
                    RequestId = table.Column<string>(type: "TEXT", nullable: true),
                    At = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_audit_log", x => x.Position);
                });

            migrationBuilder.CreateTable(
                name: "brandings",
                columns: table => new
                {
                    TenantId = table.Column<string>(type: "TEXT", nullable: false),
                    ProductName = table.Column<string>(type: "TEXT", nullable: true),
                    LogoUrl = table.Column<string>(type: "TEXT", nullable: true),
                    FaviconUrl = table.Column<string>(type: "TEXT", nullable: true),
                    SupportUrl = table.Column<string>(type: "TEXT", nullable: true),
                    SupportEmail = table.Column<string>(type: "TEXT", nullable: true),
                    PrimaryColor = table.Column<string>(type: "TEXT", nullable: true),
                    BackgroundColor = table.Column<string>(type: "TEXT", nullable: true),
                    Wordmark = table.Column<string>(type: "TEXT", nullable: true),
                    CustomCss = table.Column<string>(type: "TEXT", nullable: true),
                    UpdatedAt = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_brandings", x => x.TenantId);
                    table.ForeignKey(
                        name: "FK_brandings_tenants_TenantId",
                        column: x => x.TenantId,
                        principalTable: "tenants",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "credit_charged",
                columns: table => new
                {
                    TenantId = table.Column<string>(type: "TEXT", nullable: false),
                    UntilMs = table.Column<long>(type: "INTEGER", nullable: false),
                    Remainder = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_credit_charged", x => x.TenantId);
                    table.ForeignKey(
                        name: "FK_credit_charged_tenants_TenantId",
                        column: x => x.TenantId,
                        principalTable: "tenants",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "credit_entries",
                columns: table => new
                {
                    Position = table.Column<long>(type: "INTEGER", nullable: false)
                        .Annotation("Sqlite:Autoincrement", true),
                    Id = table.Column<string>(type: "TEXT", nullable: true),
                    TenantId = table.Column<string>(type: "TEXT", nullable: false),
                    Kind = table.Column<string>(type: "TEXT", nullable: false),
                    Amount = table.Column<long>(type: "INTEGER", nullable: false),
                    BalanceAfter = table.Column<long>(type: "INTEGER", nullable: false),
                    Description = table.Column<string>(type: "TEXT", nullable: false),
                    From = table.Column<long>(type: "INTEGER", nullable: true),
                    To = table.Column<long>(type: "INTEGER", nullable: true),
                    At = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_credit_entries", x => x.Position);
                    table.ForeignKey(
                        name: "FK_credit_entries_tenants_TenantId",
                        column: x => x.TenantId,
                        principalTable: "tenants",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "disk_uses",
                columns: table => new
                {
                    MachineId = table.Column<string>(type: "TEXT", nullable: false),
                    Bytes = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_disk_uses", x => x.MachineId);
                    table.ForeignKey(
                        name: "FK_disk_uses_machines_MachineId",
                        column: x => x.MachineId,
                        principalTable: "machines",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "marks",
                columns: table => new
                {
                    Name = table.Column<string>(type: "TEXT", nullable: false),
                    Value = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_marks", x => x.Name);
                });

            migrationBuilder.CreateTable(
                name: "meter_clock",
                columns: table => new
                {
                    Id = table.Column<int>(type: "INTEGER", nullable: false),
                    BootId = table.Column<string>(type: "TEXT", nullable: false),
                    MonotonicMs = table.Column<long>(type: "INTEGER", nullable: false),
                    MeterMs = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_meter_clock", x => x.Id);
                });

            migrationBuilder.CreateTable(
                name: "policies",
                columns: table => new
                {
                    TenantId = table.Column<string>(type: "TEXT", nullable: false),
                    DefaultTimeoutSec = table.Column<int>(type: "INTEGER", nullable: true),
                    DefaultIdleTimeoutSec = table.Column<int>(type: "INTEGER", nullable: true),
                    MaxSandboxes = table.Column<int>(type: "INTEGER", nullable: true),
                    UpdatedAt = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_policies", x => x.TenantId);
                    table.ForeignKey(
                        name: "FK_policies_tenants_TenantId",
                        column: x => x.TenantId,
                        principalTable: "tenants",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "preview_domains",
                columns: table => new
                {
                    TenantId = table.Column<string>(type: "TEXT", nullable: false),
                    Domain = table.Column<string>(type: "TEXT", nullable: false),
                    CreatedAt = table.Column<long>(type: "INTEGER", nullable: false),
                    VerifiedAt = table.Column<long>(type: "INTEGER", nullable: true),
                    CheckedAt = table.Column<long>(type: "INTEGER", nullable: true),
                    WasProven = table.Column<bool>(type: "INTEGER", nullable: true),
                    MissingSince = table.Column<long>(type: "INTEGER", nullable: true),
                    DueAt = table.Column<long>(type: "INTEGER", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_preview_domains", x => x.TenantId);
                    table.ForeignKey(
                        name: "FK_preview_domains_tenants_TenantId",
                        column: x => x.TenantId,
                        principalTable: "tenants",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "provider_keys",
                columns: table => new
                {
                    TenantId = table.Column<string>(type: "TEXT", nullable: false),
                    Provider = table.Column<string>(type: "TEXT", nullable: false),
                    Sealed = table.Column<byte[]>(type: "BLOB", nullable: false),
                    Masked = table.Column<string>(type: "TEXT", nullable: false),
                    CreatedAt = table.Column<long>(type: "INTEGER", nullable: false),
                    UpdatedAt = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_provider_keys", x => new { x.TenantId, x.Provider });
                    table.ForeignKey(
                        name: "FK_provider_keys_tenants_TenantId",
                        column: x => x.TenantId,
                        principalTable: "tenants",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "quotas",
                columns: table => new
                {
                    TenantId = table.Column<string>(type: "TEXT", nullable: false),
                    Subject = table.Column<string>(type: "TEXT", nullable: false),
                    ExternalUserId = table.Column<string>(type: "TEXT", nullable: false),
                    MaxSandboxes = table.Column<int>(type: "INTEGER", nullable: true),
                    MaxConcurrent = table.Column<int>(type: "INTEGER", nullable: true),
                    MaxStorageGb = table.Column<int>(type: "INTEGER", nullable: true),
                    MaxCreditCents = table.Column<long>(type: "INTEGER", nullable: true),
                    UpdatedAt = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_quotas", x => new { x.TenantId, x.Subject, x.ExternalUserId });
                    table.ForeignKey(
                        name: "FK_quotas_tenants_TenantId",
                        column: x => x.TenantId,
                        principalTable: "tenants",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "tenant_settings",
                columns: table => new
                {
                    TenantId = table.Column<string>(type: "TEXT", nullable: false),
                    DefaultComputerSize = table.Column<string>(type: "TEXT", nullable: true),
                    AutoStopDefault = table.Column<int>(type: "INTEGER", nullable: true),
                    DefaultRegion = table.Column<string>(type: "TEXT", nullable: true),
                    DeploymentDomain = table.Column<string>(type: "TEXT", nullable: true),
                    DefaultSandboxTimeoutSec = table.Column<int>(type: "INTEGER", nullable: true),
                    DefaultImage = table.Column<string>(type: "TEXT", nullable: true),
                    Other = table.Column<string>(type: "TEXT", nullable: false),
                    UpdatedAt = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_tenant_settings", x => x.TenantId);
                    table.ForeignKey(
                        name: "FK_tenant_settings_tenants_TenantId",
                        column: x => x.TenantId,
                        principalTable: "tenants",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "usage_meters",
                columns: table => new
                {
                    Id = table.Column<long>(type: "INTEGER", nullable: false)
                        .Annotation("Sqlite:Autoincrement", true),
                    TenantId = table.Column<string>(type: "TEXT", nullable: false),
                    Kind = table.Column<string>(type: "TEXT", nullable: false),
                    ExternalUserId = table.Column<string>(type: "TEXT", nullable: true),
                    ExternalProjectId = table.Column<string>(type: "TEXT", nullable: true),
                    ExternalWorkspaceId = table.Column<string>(type: "TEXT", nullable: true),
                    WorkspaceId = table.Column<string>(type: "TEXT", nullable: true),
                    IsRunning = table.Column<bool>(type: "INTEGER", nullable: false),
                    Vcpus = table.Column<int>(type: "INTEGER", nullable: false),
                    MemoryMb = table.Column<int>(type: "INTEGER", nullable: false),
                    DiskMb = table.Column<int>(type: "INTEGER", nullable: false),
                    ComputeRate = table.Column<long>(type: "INTEGER", nullable: false),
                    StorageRate = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_usage_meters", x => x.Id);
                    table.ForeignKey(
                        name: "FK_usage_meters_tenants_TenantId",
                        column: x => x.TenantId,
                        principalTable: "tenants",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "webhook_deliveries",
                columns: table => new
                {
                    Id = table.Column<string>(type: "TEXT", nullable: false),
                    Number = table.Column<long>(type: "INTEGER", nullable: false),
                    WebhookId = table.Column<string>(type: "TEXT", nullable: false),
                    EventId = table.Column<string>(type: "TEXT", nullable: false),
                    Sequence = table.Column<long>(type: "INTEGER", nullable: false),
                    Event = table.Column<string>(type: "TEXT", nullable: false),
                    PayloadId = table.Column<string>(type: "TEXT", nullable: false),
                    Payload = table.Column<byte[]>(type: "BLOB", nullable: false),
                    State = table.Column<string>(type: "TEXT", nullable: false),
                    Attempts = table.Column<int>(type: "INTEGER", nullable: false),
                    AttemptedAt = table.Column<long>(type: "INTEGER", nullable: true),
                    DeliveredAt = table.Column<long>(type: "INTEGER", nullable: true),
                    DueAt = table.Column<long>(type: "INTEGER", nullable: true),
                    DurationMs = table.Column<long>(type: "INTEGER", nullable: false),
                    StatusCode = table.Column<int>(type: "INTEGER", nullable: true),
                    Answer = table.Column<string>(type: "TEXT", nullable: true),
                    Error = table.Column<string>(type: "TEXT", nullable: true),
                    ReplayOf = table.Column<string>(type: "TEXT", nullable: true),
                    ReplayId = table.Column<string>(type: "TEXT", nullable: true),
                    CreatedAt = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_webhook_deliveries", x => x.Id);
                });

            migrationBuilder.CreateTable(
                name: "webhooks",
                columns: table => new
                {
                    Id = table.Column<string>(type: "TEXT", nullable: false),
                    TenantId = table.Column<string>(type: "TEXT", nullable: false),
                    WorkspaceId = table.Column<string>(type: "TEXT", nullable: true),
                    Name = table.Column<string>(type: "TEXT", nullable: true),
                    Description = table.Column<string>(type: "TEXT", nullable: true),
                    Url = table.Column<string>(type: "TEXT", nullable: false),
                    Events = table.Column<string>(type: "TEXT", nullable: false),
                    State = table.Column<string>(type: "TEXT", nullable: false),
                    SealedHeaders = table.Column<byte[]>(type: "BLOB", nullable: true),
                    RetryCount = table.Column<int>(type: "INTEGER", nullable: false),
                    Metadata = table.Column<string>(type: "TEXT", nullable: false),
                    SealedSecret = table.Column<byte[]>(type: "BLOB", nullable: false),
                    SecretPreview = table.Column<string>(type: "TEXT", nullable: false),
                    SealedOldSecret = table.Column<byte[]>(type: "BLOB", nullable: true),
                    OldSecretUntil = table.Column<long>(type: "INTEGER", nullable: true),
                    CreatedAt = table.Column<long>(type: "INTEGER", nullable: false),
                    UpdatedAt = table.Column<long>(type: "INTEGER", nullable: false),
                    Cursor = table.Column<long>(type: "INTEGER", nullable: false),
                    FailureCount = table.Column<int>(type: "INTEGER", nullable: false),
                    FailingSince = table.Column<long>(type: "INTEGER", nullable: true),
                    LastTriggeredAt = table.Column<long>(type: "INTEGER", nullable: true),
                    LastStatusCode = table.Column<int>(type: "INTEGER", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_webhooks", x => x.Id);
                    table.ForeignKey(
                        name: "FK_webhooks_tenants_TenantId",
                        column: x => x.TenantId,
                        principalTable: "tenants",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "workspaces",
                columns: table => new
                {
                    Id = table.Column<string>(type: "TEXT", nullable: false),
                    TenantId = table.Column<string>(type: "TEXT", nullable: false),
                    Name = table.Column<string>(type: "TEXT", nullable: false),
                    Slug = table.Column<string>(type: "TEXT", nullable: false),
                    Description = table.Column<string>(type: "TEXT", nullable: true),
                    Metadata = table.Column<string>(type: "TEXT", nullable: false),
                    Settings = table.Column<string>(type: "TEXT", nullable: false),
                    ExternalWorkspaceId = table.Column<string>(type: "TEXT", nullable: true),
                    CreatedAt = table.Column<long>(type: "INTEGER", nullable: false),
                    UpdatedAt = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_workspaces", x => x.Id);
                    table.ForeignKey(
                        name: "FK_workspaces_tenants_TenantId",
                        column: x => x.TenantId,
                        principalTable: "tenants",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "usage_spans",
                columns: table => new
                {
                    Id = table.Column<long>(type: "INTEGER", nullable: false)
                        .Annotation("Sqlite:Autoincrement", true),
                    MachineId = table.Column<string>(type: "TEXT", nullable: false),
                    MeterId = table.Column<long>(type: "INTEGER", nullable: false),
                    From = table.Column<long>(type: "INTEGER", nullable: false),
                    To = table.Column<long>(type: "INTEGER", nullable: false),
                    IsFirst = table.Column<bool>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_usage_spans", x => x.Id);
                    table.ForeignKey(
                        name: "FK_usage_spans_usage_meters_MeterId",
                        column: x => x.MeterId,
                        principalTable: "usage_meters",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateIndex(
                name: "IX_machines_TenantId_ExternalUserId_State",
                table: "machines",
                columns: new[] { "TenantId", "ExternalUserId", "State" },
                filter: "State <> 'destroyed'");

            migrationBuilder.CreateIndex(
                name: "IX_machines_TenantId_WorkspaceId_State",
                table: "machines",
                columns: new[] { "TenantId", "WorkspaceId", "State" },
                filter: "State <> 'destroyed'");

            migrationBuilder.CreateIndex(
                name: "IX_events_SubjectId_Sequence",
                table: "events",
                columns: new[] { "SubjectId", "Sequence" });

            migrationBuilder.CreateIndex(
                name: "IX_audit_log_At",
                table: "audit_log",
                column: "At");

            migrationBuilder.CreateIndex(
                name: "IX_audit_log_TenantId_Position",
                table: "audit_log",
                columns: new[] { "TenantId", "Position" });

            migrationBuilder.CreateIndex(
                name: "IX_credit_entries_Id",
                table: "credit_entries",
                column: "Id",
                unique: true);

            migrationBuilder.CreateIndex(
                name: "IX_credit_entries_TenantId_Position",
                table: "credit_entries",
                columns: new[] { "TenantId", "Position" });

            migrationBuilder.CreateIndex(
                name: "IX_preview_domains_Domain",
                table: "preview_domains",
                column: "Domain",
                unique: true,
                filter: "VerifiedAt IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "IX_usage_meters_TenantId_ExternalUserId_Vcpus_MemoryMb_DiskMb",
                table: "usage_meters",
                columns: new[] { "TenantId", "ExternalUserId", "Vcpus", "MemoryMb", "DiskMb" });

            migrationBuilder.CreateIndex(
                name: "IX_usage_spans_MachineId_From",
                table: "usage_spans",
                columns: new[] { "MachineId", "From" });

            migrationBuilder.CreateIndex(
                name: "IX_usage_spans_MeterId_To_From_IsFirst",
                table: "usage_spans",
                columns: new[] { "MeterId", "To", "From", "IsFirst" });

            migrationBuilder.CreateIndex(
                name: "IX_usage_spans_To_From_MeterId",
                table: "usage_spans",
                columns: new[] { "To", "From", "MeterId" });

            migrationBuilder.CreateIndex(
                name: "ux_usage_spans_open",
                table: "usage_spans",
                column: "MachineId",
                unique: true,
                filter: "\"To\" = 9223372036854775807");

            migrationBuilder.CreateIndex(
                name: "IX_webhook_deliveries_CreatedAt",
                table: "webhook_deliveries",
                column: "CreatedAt");

            migrationBuilder.CreateIndex(
                name: "IX_webhook_deliveries_Number",
                table: "webhook_deliveries",
                column: "Number");

            migrationBuilder.CreateIndex(
                name: "IX_webhook_deliveries_WebhookId_DueAt",
                table: "webhook_deliveries",
                columns: new[] { "WebhookId", "DueAt" },
                filter: "DueAt IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "IX_webhook_deliveries_WebhookId_Number",
                table: "webhook_deliveries",
                columns: new[] { "WebhookId", "Number" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "IX_webhook_deliveries_WebhookId_ReplayId",
                table: "webhook_deliveries",
                columns: new[] { "WebhookId", "ReplayId" },
                unique: true,
                filter: "ReplayId IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "IX_webhooks_TenantId",
                table: "webhooks",
                column: "TenantId");

            migrationBuilder.CreateIndex(
                name: "IX_workspaces_TenantId_CreatedAt",
                table: "workspaces",
                columns: new[] { "TenantId", "CreatedAt" });

            migrationBuilder.CreateIndex(
                name: "IX_workspaces_TenantId_Slug",
                table: "workspaces",
                columns: new[] { "TenantId", "Slug" },
                unique: true);

            // The ledger is only ever added to; its entries go with their tenant alone.
            migrationBuilder.Sql("CREATE TRIGGER credit_entries_stay BEFORE UPDATE ON credit_entries BEGIN SELECT RAISE(ABORT, 'an entry of the ledger cannot be changed'); END");
            migrationBuilder.Sql(
                "CREATE TRIGGER credit_entries_are_kept BEFORE DELETE ON credit_entries WHEN EXISTS (SELECT 1 FROM tenants WHERE Id = OLD.TenantId) "
                + "BEGIN SELECT RAISE(ABORT, 'an entry of the ledger cannot be deleted'); END");
            // Entries of the audit log are only added, and go when their time is over.
            migrationBuilder.Sql("CREATE TRIGGER audit_log_stays BEFORE UPDATE ON audit_log BEGIN SELECT RAISE(ABORT, 'an entry of the audit log cannot be changed'); END");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "audit_log");

            migrationBuilder.DropTable(
                name: "brandings");

            migrationBuilder.DropTable(
                name: "credit_charged");

            migrationBuilder.DropTable(
                name: "credit_entries");

            migrationBuilder.DropTable(
                name: "disk_uses");

            migrationBuilder.DropTable(
                name: "marks");

            migrationBuilder.DropTable(
                name: "meter_clock");

            migrationBuilder.DropTable(
                name: "policies");

            migrationBuilder.DropTable(
                name: "preview_domains");

            migrationBuilder.DropTable(
                name: "provider_keys");

            migrationBuilder.DropTable(
                name: "quotas");

            migrationBuilder.DropTable(
                name: "tenant_settings");

            migrationBuilder.DropTable(
                name: "usage_spans");

            migrationBuilder.DropTable(
                name: "webhook_deliveries");

            migrationBuilder.DropTable(
                name: "webhooks");

            migrationBuilder.DropTable(
                name: "workspaces");

            migrationBuilder.DropTable(
                name: "usage_meters");

            migrationBuilder.DropIndex(
                name: "IX_machines_TenantId_ExternalUserId_State",
                table: "machines");

            migrationBuilder.DropIndex(
                name: "IX_machines_TenantId_WorkspaceId_State",
                table: "machines");

            migrationBuilder.DropIndex(
                name: "IX_events_SubjectId_Sequence",
                table: "events");

            migrationBuilder.DropColumn(
                name: "ExternalProjectId",
                table: "events");

            migrationBuilder.DropColumn(
                name: "ExternalUserId",
                table: "events");

            migrationBuilder.DropColumn(
                name: "ExternalWorkspaceId",
                table: "events");

            migrationBuilder.DropColumn(
                name: "WorkspaceId",
                table: "events");

            migrationBuilder.DropColumn(
                name: "ExternalUserId",
                table: "api_keys");

            migrationBuilder.DropColumn(
                name: "Metadata",
                table: "api_keys");

            migrationBuilder.DropColumn(
                name: "Purpose",
                table: "api_keys");

            migrationBuilder.DropColumn(
                name: "RateLimitRpm",
                table: "api_keys");

            migrationBuilder.DropColumn(
                name: "Type",
                table: "api_keys");

            migrationBuilder.RenameColumn(
                name: "SubjectId",
                table: "events",
                newName: "MachineId");

            migrationBuilder.AddColumn<string>(
                name: "WorkspaceName",
                table: "machines",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "WorkspaceSlug",
                table: "machines",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AlterColumn<string>(
                name: "Status",
                table: "events",
                type: "TEXT",
                nullable: false,
                defaultValue: "",
                oldClrType: typeof(string),
                oldType: "TEXT",
                oldNullable: true);

            migrationBuilder.AlterColumn<string>(
                name: "TenantId",
                table: "api_keys",
                type: "TEXT",
                nullable: false,
                defaultValue: "",
                oldClrType: typeof(string),
                oldType: "TEXT",
                oldNullable: true);

            migrationBuilder.CreateIndex(
                name: "IX_events_MachineId_Position",
                table: "events",
                columns: new[] { "MachineId", "Position" });
        }
    }
}
