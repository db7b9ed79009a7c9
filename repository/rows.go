package repository

import (
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// forUpdate keeps others from changing the rows until the transaction ends. SQLite has one writer and ignores it.
func forUpdate() clause.Expression { return clause.Locking{Strength: clause.LockingStrengthUpdate} }

// skipLocked is forUpdate without waiting: rows that another transaction holds are left out.
func skipLocked() clause.Expression {
	return clause.Locking{Strength: clause.LockingStrengthUpdate, Options: clause.LockingOptionsSkipLocked}
}

// forShare keeps others from changing or deleting the rows until the transaction ends, and lets them do the same.
func forShare() clause.Expression { return clause.Locking{Strength: clause.LockingStrengthShare} }

// update sets columns of the rows that match, and tells how many they were.
func update[R any](db *gorm.DB, set map[string]any, where string, args ...any) (int64, error) {
	done := db.Model(new(R)).Where(where, args...).Updates(set)
	return done.RowsAffected, done.Error
}

// ignore is for callers that do not care how many rows it was.
func ignore[N int | int64](_ N, err error) error { return err }
