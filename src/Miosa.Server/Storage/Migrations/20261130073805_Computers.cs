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

            migrationBuilder.CreateIndex(
                name: "ux_machines_name",
                table: "machines",
                columns: new[] { "TenantId", "Name" },
                unique: true,
                filter: "State <> 'destroyed' AND Name IS NOT NULL AND Kind = 'sandbox'");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
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
