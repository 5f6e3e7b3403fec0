using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Miosa.Server.Storage.Migrations
{
    /// <summary>Stream tokens of computers: the key or the viewer password that they end with.</summary>
    [DbContext(typeof(ServerDb))]
    [Migration("20261130074500_Viewer")]
    public partial class Viewer : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<string>(name: "KeyId", table: "preview_grants", type: "TEXT", nullable: true);
            migrationBuilder.AddColumn<string>(name: "PasswordId", table: "preview_grants", type: "TEXT", nullable: true);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(name: "KeyId", table: "preview_grants");
            migrationBuilder.DropColumn(name: "PasswordId", table: "preview_grants");
        }
    }
}
