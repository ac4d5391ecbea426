package main

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"log"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate applies the migrations that the database has not seen, in the order of their names: all of them or none.
func migrate(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	// Of two that run at once, the second waits here until the first has committed. The number is any that nobody else locks.
	if _, err := tx.ExecContext(ctx, "select pg_advisory_xact_lock(4711)"); err != nil {
		return fmt.Errorf("waiting for another migration: %w", err)
	}
	if _, err := tx.ExecContext(ctx, "create table if not exists migrations (name text primary key, applied timestamptz not null default now())"); err != nil {
		return err
	}
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	applied := 0
	for _, name := range names {
		isNew, err := apply(ctx, tx, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if isNew {
			applied++
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	log.Printf("migrated: %d of %d migrations were new", applied, len(names))
	return nil
}

// apply applies one migration, unless the database has seen it.
func apply(ctx context.Context, tx *sql.Tx, name string) (isNew bool, err error) {
	result, err := tx.ExecContext(ctx, "insert into migrations (name) values ($1) on conflict do nothing", name)
	if err != nil {
		return false, err
	}
	if rows, err := result.RowsAffected(); err != nil || rows == 0 {
		return false, err
	}
	statements, err := migrations.ReadFile(name)
	if err != nil {
		return false, err
	}
	_, err = tx.ExecContext(ctx, string(statements))
	return err == nil, err
}
