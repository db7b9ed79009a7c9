package repository

import (
	"context"
	"errors"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// accountRow is a platform account whose applications run on one host.
type accountRow struct {
	Name string `gorm:"primaryKey"`
	Host string
}

// TableName is for gorm.
func (accountRow) TableName() string { return "accounts" }

// BindAccount gives the host that a platform account belongs to: the first one that asked. A server that is alone on the
// store takes the account over, so that a machine with a new name has its applications still.
func (s *Store) BindAccount(ctx context.Context, name, host string) (string, error) {
	conflict := clause.OnConflict{DoNothing: true}
	if s.SingleServer() {
		conflict = clause.OnConflict{
			Columns: []clause.Column{{Name: "name"}}, DoUpdates: clause.AssignmentColumns([]string{"host"}),
		}
	}
	row := accountRow{Name: name, Host: host}
	if err := gorm.G[accountRow](s.writer, conflict).Create(ctx, &row); err != nil {
		return "", s.fail(err, "bind account %q", name)
	}
	return s.AccountHost(ctx, name)
}

// AccountHost gives the host that a platform account belongs to; empty when it belongs to none yet.
func (s *Store) AccountHost(ctx context.Context, name string) (string, error) {
	row, err := gorm.G[accountRow](s.reader).Where("name = ?", name).Take(ctx)
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return "", nil
	}
	return row.Host, s.fail(err, "load the host of account %q", name)
}
