package local_test

import "context"

func (l *leases) ReservePort(ctx context.Context, h string, port int, owner string) (bool, error) {
	m, err := l.ReservePorts(ctx, h, []int{port}, owner)
	return len(m) == 1, err
}
