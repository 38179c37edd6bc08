// Package archive takes the rows of one tenant out of a database and puts them into another: export, import, erasure and
// copying, under every strategy and on SQLite, PostgreSQL and MySQL alike.
//
//	manifest, err := archive.Export(tenancy.WithTenant(ctx, "acme"), db, file)
//	report, err := archive.Import(tenancy.WithTenant(ctx, "acme"), other, file)
//	counts, err := archive.Erase(tenancy.WithTenant(ctx, "acme"), db)
//	report, err := archive.Copy(ctx, db, "acme", "trial")
//
// Everything goes through GORM in the tenant's context: what holds an application inside its tenant holds this package, and
// an archive cannot hold another tenant's row nor write one. What belongs to a tenant is what the plugin knows as owned, so
// declare all owned models with tenancy.OwnedModels.
//
// # Format
//
// An archive is a ZIP file: a file of JSON lines for each table, and manifest.json with their columns, counts and checksums.
// A row is an array of the values in the order of the manifest's columns, the rows are in the order of their primary keys
// (numbers by value, text by bytes), and there is one way to write each value (see [Kind]). So the SHA-256 of a table's file
// says which rows it has, wherever they come from, and sha256sum can check it. The tenant column is left out.
package archive
