package repository

import (
	"context"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// ReservePort takes a port of a host for an owner: a deployment by its id, or a part of it as id/part. It is false when
// another owner has the port. Ports are given back with their deployment, or with ReleasePorts.
func (s *Store) ReservePort(ctx context.Context, host string, port int, owner string) (bool, error) {
	row := portRow{Host: host, Port: port, Owner: owner}
	err := gorm.G[portRow](s.writer, clause.OnConflict{DoNothing: true}).Create(ctx, &row)
	if err != nil {
		return false, s.fail(err, "reserve port %d", port)
	}
	mine, err := gorm.G[portRow](s.writer).
		Where("host = ? AND port = ? AND owner = ?", host, port, owner).Count(ctx, "*")
	return mine == 1, s.fail(err, "reserve port %d", port)
}

// ReleasePorts gives back the ports of a host that an owner has.
func (s *Store) ReleasePorts(ctx context.Context, host, owner string) error {
	err := ignore(gorm.G[portRow](s.writer).Where("host = ? AND owner = ?", host, owner).Delete(ctx))
	return s.fail(err, "release the ports of %q", owner)
}

// releasePortsOf gives back the ports of a deployment and of its parts, on all hosts. '0' is the character after '/'.
func releasePortsOf(ctx context.Context, tx *gorm.DB, deploymentID string) error {
	return ignore(gorm.G[portRow](tx).
		Where("owner = ? OR (owner >= ? AND owner < ?)", deploymentID, deploymentID+"/", deploymentID+"0").Delete(ctx))
}
