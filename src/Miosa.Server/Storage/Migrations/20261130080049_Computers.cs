using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Miosa.Server.Storage.Migrations
{
    /// <inheritdoc />
    public partial class Computers : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ux_machines_name",
                table: "machines");

            migrationBuilder.AddColumn<long>(
                name: "UpdatedAt",
                table: "previews",
                type: "INTEGER",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "Visibility",
                table: "previews",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "KeyId",
                table: "preview_grants",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "PasswordId",
                table: "preview_grants",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "AgentSessionId",
                table: "machines",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "DesktopError",
                table: "machines",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<bool>(
                name: "HasDesktop",
                table: "machines",
                type: "INTEGER",
                nullable: false,
                defaultValue: false);

            migrationBuilder.AddColumn<string>(
                name: "MissingApps",
                table: "machines",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "RestoreFrom",
                table: "machines",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<int>(
                name: "ScreenHeight",
                table: "machines",
                type: "INTEGER",
                nullable: true);

            migrationBuilder.AddColumn<int>(
                name: "ScreenWidth",
                table: "machines",
                type: "INTEGER",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "SelectedApps",
                table: "machines",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "Visibility",
                table: "machines",
                type: "TEXT",
                nullable: true);

            migrationBuilder.CreateTable(
                name: "services",
                columns: table => new
                {
                    Id = table.Column<string>(type: "TEXT", nullable: false),
                    TenantId = table.Column<string>(type: "TEXT", nullable: false),
                    MachineId = table.Column<string>(type: "TEXT", nullable: false),
                    Name = table.Column<string>(type: "TEXT", nullable: false),
                    Command = table.Column<string>(type: "TEXT", nullable: false),
                    WorkingDir = table.Column<string>(type: "TEXT", nullable: true),
                    SealedEnv = table.Column<byte[]>(type: "BLOB", nullable: true),
                    RestartPolicy = table.Column<string>(type: "TEXT", nullable: false),
                    Port = table.Column<int>(type: "INTEGER", nullable: true),
                    IsWanted = table.Column<bool>(type: "INTEGER", nullable: false),
                    CreatedAt = table.Column<long>(type: "INTEGER", nullable: false),
                    UpdatedAt = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_services", x => x.Id);
                    table.ForeignKey(
                        name: "FK_services_machines_MachineId",
                        column: x => x.MachineId,
                        principalTable: "machines",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateIndex(
                name: "ux_machines_name",
                table: "machines",
                columns: new[] { "TenantId", "Name" },
                unique: true,
                filter: "State <> 'destroyed' AND Name IS NOT NULL AND Kind = 'sandbox'");

            migrationBuilder.CreateIndex(
                name: "IX_services_MachineId_Name",
                table: "services",
                columns: new[] { "MachineId", "Name" },
                unique: true);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "services");

            migrationBuilder.DropIndex(
                name: "ux_machines_name",
                table: "machines");

            migrationBuilder.DropColumn(
                name: "UpdatedAt",
                table: "previews");

            migrationBuilder.DropColumn(
                name: "Visibility",
                table: "previews");

            migrationBuilder.DropColumn(
                name: "KeyId",
                table: "preview_grants");

            migrationBuilder.DropColumn(
                name: "PasswordId",
                table: "preview_grants");

            migrationBuilder.DropColumn(
                name: "AgentSessionId",
                table: "machines");

            migrationBuilder.DropColumn(
                name: "DesktopError",
                table: "machines");

            migrationBuilder.DropColumn(
                name: "HasDesktop",
                table: "machines");

            migrationBuilder.DropColumn(
                name: "MissingApps",
                table: "machines");

            migrationBuilder.DropColumn(
                name: "RestoreFrom",
                table: "machines");

            migrationBuilder.DropColumn(
                name: "ScreenHeight",
                table: "machines");

            migrationBuilder.DropColumn(
                name: "ScreenWidth",
                table: "machines");

            migrationBuilder.DropColumn(
                name: "SelectedApps",
                table: "machines");

            migrationBuilder.DropColumn(
                name: "Visibility",
                table: "machines");

            migrationBuilder.CreateIndex(
                name: "ux_machines_name",
                table: "machines",
                columns: new[] { "TenantId", "Name" },
                unique: true,
                filter: "State <> 'destroyed' AND Name IS NOT NULL");
        }
    }
}
