package repository

import (
	"context"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// ReservePorts takes ports of a host for an owner: a deployment by its id, or a part of it as id/part. It gives those of
// them that are the owner's now, in ascending order; another owner has the rest. Ports are given back with their
// deployment, or with ReleasePorts.
func (s *Store) ReservePorts(ctx context.Context, host string, ports []int, owner string) ([]int, error) {
	mine := []int{}
	if len(ports) == 0 {
		return mine, nil
	}
	var rows []portRow
	for _, port := range slices.Sorted(slices.Values(ports)) { // in one order, so that two servers never wait for each other
		rows = append(rows, portRow{Host: host, Port: port, Owner: owner})
	}
	err := s.writer.WithContext(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&rows).Error
	if err != nil {
		return nil, s.fail(err, "reserve %d ports", len(ports))
	}
	err = s.writer.WithContext(ctx).Model(&portRow{}).Where("host = ? AND owner = ? AND port IN ?", host, owner, ports).
		Order("port").Pluck("port", &mine).Error
	return mine, s.fail(err, "reserve %d ports", len(ports))
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
